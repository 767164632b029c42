//! Numbers that both sides must know. A client learns them from `welcome`.

use barterline_domain::message::{BODY_BYTES_MAX, BODY_CHARS_MAX, EXTENSION_DATA_BYTES_MAX};
use serde::{Deserialize, Serialize};

/// Largest frame a client may send, in bytes. The longest text, every character escaped in JSON as
/// a surrogate pair, takes 48,000 bytes.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of arrays and maps in a frame, the frame itself included.
pub const DEPTH_MAX: usize = 16;
/// Most sends of a connection that wait for their answer; beyond, the server stops reading.
pub const IN_FLIGHT_MAX: usize = 64;
/// Most events in one answer to `pull`.
pub const PAGE_EVENTS_MAX: usize = 100;
/// Most chats in `hello.have`.
pub const HAVE_MAX: usize = 64;
/// Most rows in one `rows` frame.
pub const ROWS_MAX: usize = 50;
/// How far above `base` the log is searched for a message's id, in events.
pub const BASE_DISTANCE_MAX: u64 = 4_096;
/// How many events the server pushes of one chat before it says `behind`.
pub const PUSH_EVENTS_MAX: u64 = 256;

/// How long a message may be edited unless the operator says otherwise: a quarter of an hour.
pub const EDIT_WINDOW_MS: u64 = 15 * 60 * 1000;
/// How long a message may be taken back unless the operator says otherwise: two days.
pub const DELETE_WINDOW_MS: u64 = 48 * 60 * 60 * 1000;
/// How long a chat counts as on screen after `watch`.
pub const WATCH_MS: u64 = 60_000;
/// How long somebody counts as typing after `typing`.
pub const TYPING_MS: u64 = 5_000;
/// Most messages that one `state` hides.
pub const HIDE_MAX: usize = 64;
/// The reactions there are unless the operator says otherwise, with a space between.
pub const REACTIONS: &str = "👍 ❤️ 😂 😮 😢 🙏";

const _: () = assert!(12 * BODY_CHARS_MAX < FRAME_BYTES_MAX);

/// The limits as `welcome` tells them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// [`FRAME_BYTES_MAX`].
    pub frame_bytes: usize,
    /// [`BODY_CHARS_MAX`].
    pub text_chars: usize,
    /// [`BODY_BYTES_MAX`].
    pub text_bytes: usize,
    /// [`IN_FLIGHT_MAX`].
    pub in_flight: usize,
    /// [`PAGE_EVENTS_MAX`].
    pub page_events: usize,
    /// [`HAVE_MAX`].
    pub have: usize,
    /// [`EXTENSION_DATA_BYTES_MAX`].
    pub data_bytes: usize,
    /// How long a message may be edited, in milliseconds.
    pub edit_window_ms: u64,
    /// How long a message may be taken back, in milliseconds.
    pub delete_window_ms: u64,
    /// The reactions there are.
    pub reactions: Vec<String>,
    /// [`WATCH_MS`].
    pub watch_ms: u64,
}

impl Limits {
    /// The limits of a server with these rules.
    pub fn new(edit_window_ms: u64, delete_window_ms: u64, reactions: Vec<String>) -> Self {
        Self {
            data_bytes: EXTENSION_DATA_BYTES_MAX,
            edit_window_ms,
            delete_window_ms,
            reactions,
            watch_ms: WATCH_MS,
            frame_bytes: FRAME_BYTES_MAX,
            text_chars: BODY_CHARS_MAX,
            text_bytes: BODY_BYTES_MAX,
            in_flight: IN_FLIGHT_MAX,
            page_events: PAGE_EVENTS_MAX,
            have: HAVE_MAX,
        }
    }
}

impl Default for Limits {
    /// The limits of a server whose operator changed nothing.
    fn default() -> Self {
        let reactions = REACTIONS.split(' ').map(str::to_owned).collect();
        Self::new(EDIT_WINDOW_MS, DELETE_WINDOW_MS, reactions)
    }
}
