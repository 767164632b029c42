//! What people may do in chats.

use barterline_domain::message::Reaction;
use barterline_protocol::limits::{DELETE_WINDOW_MS, EDIT_WINDOW_MS, REACTIONS};

use super::section::{Allowed, Word, section};

section! {
    /// Chats.
    pub struct Chat = "chat" {
        /// How long a message may be edited, in milliseconds.
        edit_window_ms: u64 = EDIT_WINDOW_MS, 0..=31_536_000_000;
        /// How long a message may be taken back for both, in milliseconds.
        delete_window_ms: u64 = DELETE_WINDOW_MS, 0..=31_536_000_000;
        /// Chats that one person may have, as buyer and seller together. Whoever has so many can neither
        /// open one nor be written to in a new one. On a cluster their inbox is one partition of 1 kB
        /// a chat.
        chats_per_person: usize = 50_000, 1..=1_000_000;
        /// Chats about what is sold or withdrawn: `open`, they go on (whoever bought it has to arrange the
        /// rest), or `frozen`, their buyers say nothing new there until the seller goes on. What was said can
        /// be edited, taken back and reacted to in both.
        closed_listings: String = "open".to_owned(), Word(&["open", "frozen"]);
        /// The reactions there are. Those that were given stay when the list changes.
        reactions: String = REACTIONS.to_owned(), Symbols;
    }
}

impl Chat {
    /// The reactions, one by one.
    pub fn reactions(&self) -> Vec<String> {
        self.reactions.split_whitespace().map(str::to_owned).collect()
    }
}

/// Most reactions there can be: each client is told all of them in `welcome`.
const SYMBOLS_MAX: usize = 32;

struct Symbols;

impl Allowed<String> for Symbols {
    fn allows(&self, value: &String) -> bool {
        let mut symbols = value.split_whitespace();
        symbols.clone().count() <= SYMBOLS_MAX
            && symbols.all(|symbol| Reaction::parse(symbol).is_ok())
    }

    fn describe(&self) -> String {
        format!("up to {SYMBOLS_MAX} symbols of at most 64 bytes, with a space between")
    }
}
