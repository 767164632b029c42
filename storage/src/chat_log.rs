//! The log of each chat: append with compare on the head, read by number.
//!
//! Correctness lives here alone: whoever appends says which head it saw, and loses when another
//! was faster.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::event::{Event, Seq, SmallState};
use barterline_domain::ids::ChatId;
use barterline_domain::message::EventKind;
use tokio::sync::mpsc;

use crate::error::StoreError;
use crate::inbox::{MarkMoved, PersonalMoved};

/// One append: `events` carry the numbers that follow `expected_head`.
#[derive(Debug)]
pub struct Append {
    /// To which chat.
    pub chat: Arc<Chat>,
    /// The head up to which the log was searched for the events' ids, and against whose state the
    /// commands were checked (the law of the head).
    pub expected_head: Seq,
    /// At least one; numbers `expected_head + 1 …` in order; together at most
    /// [`APPEND_BYTES_MAX`].
    pub events: Vec<Event>,
}

/// Most that the events of one append take by [`event_bytes`]: one append is never torn, so it has
/// to fit everywhere.
pub const APPEND_BYTES_MAX: usize = 256 * 1024;

/// What an event takes of [`APPEND_BYTES_MAX`]: its texts, and room for everything else.
pub fn event_bytes(kind: &EventKind) -> usize {
    // 156 in the log at most, and 69 more where they are sealed; 177 what is told of a listing.
    256 + kind.text_bytes()
}

/// Why an append did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another append was faster. Nothing was written, or what comes first of it; search and check
    /// again up to `head`. The inbox has everything up to there.
    #[error("another append was faster: the head is {head}")]
    Conflict {
        /// The chat's head.
        head: Seq,
    },
    /// Not written.
    #[error("the store takes no writes: {0}")]
    Unavailable(String),
    /// May have been written: read the log before trying the same slot again. Where appends are not
    /// pipelined, what turns out to stand is told as moved.
    #[error("the outcome of the append is unknown")]
    Unknown,
}

/// The outcome of one append, with the events given back.
#[derive(Debug)]
pub struct AppendOutcome {
    /// Of which chat.
    pub chat: Arc<Chat>,
    /// The events of the append.
    pub events: Vec<Event>,
    /// `Ok`: durable, and no earlier number of this chat is missing.
    pub result: Result<(), AppendError>,
}

/// Events of a chat were found in its log that no outcome told of: appended by another server, or by
/// one that is gone. The inbox has them when this is told.
#[derive(Debug, Clone)]
pub struct ChatMoved {
    /// Which chat.
    pub chat: Arc<Chat>,
    /// The first of them.
    pub from: Seq,
    /// The newest.
    pub head: Seq,
}

/// Everything that one commit settled: one message for a whole group, so that one task delivers it
/// without a wake-up for each append.
#[derive(Debug, Default)]
pub struct Committed {
    /// Chats that were created.
    pub opened: Vec<Arc<Chat>>,
    /// Chats that went on unseen, before the appends.
    pub moved: Vec<ChatMoved>,
    /// Appends, in log order within each chat.
    pub appends: Vec<AppendOutcome>,
    /// Marks that moved.
    pub marks: Vec<MarkMoved>,
    /// What people changed for themselves.
    pub personal: Vec<PersonalMoved>,
    /// Inbox position after this group ([`crate::inbox::Inbox::position`]).
    pub position: u64,
}

/// Where the outcomes of all appends arrive, in commit order.
pub type Outcomes = mpsc::Receiver<Committed>;

/// A chat with its newest state.
#[derive(Debug, Clone)]
pub struct ChatHead {
    /// What never changes about it.
    pub chat: Arc<Chat>,
    /// Its newest durable number; zero when empty.
    pub head: Seq,
    /// Its small state at the head.
    pub state: SmallState,
}

/// Which events of a chat to read. Both ends are exclusive, the answer ascends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The oldest events above this number.
    After(Seq),
    /// The newest events below this number.
    Before(Seq),
}

/// The logs of all chats.
///
/// Reads see durable events only, and an event never changes its number or disappears. A message is
/// read with what later events made of it: its newest text, the reactions that stand, or that it is
/// gone, together with the texts of its edits. Withheld edits and reactions stand apart, for their
/// maker alone ([`barterline_domain::event::Withheld`]).
#[async_trait]
pub trait ChatLog: Send + Sync {
    /// Creates a chat, or finds it: of two chats with one id the first wins and is given back.
    async fn create(&self, chat: Chat) -> Result<Arc<Chat>, StoreError>;

    /// Starts an append and returns at once. Its outcome arrives in [`Outcomes`], never before the
    /// events are durable. Appends to one chat may be started while earlier ones are under way
    /// where [`ChatLog::pipelines`] says so; when one fails, so do those behind it.
    fn append(&self, append: Append);

    /// Whether appends to one chat may be started before the outcome of the last is known.
    fn pipelines(&self) -> bool;

    /// Reads a message as it was first said, whatever became of its text since; `None` if it was
    /// taken back, or is none.
    async fn original(&self, chat: ChatId, seq: Seq) -> Result<Option<Event>, StoreError>;

    /// Finds a chat with its head. The inbox has everything up to there when it is given, and what it
    /// lacked was told as moved.
    async fn head(&self, chat: ChatId) -> Result<Option<ChatHead>, StoreError>;

    /// Reads at most `limit` events of a chat; fewer only at its end. A missing chat is empty.
    async fn read(
        &self,
        chat: ChatId,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;
}
