//! What a client keeps of its inbox.

use std::collections::HashMap;

use barterline_domain::ids::ChatId;
use barterline_protocol::push::Row;

use super::backend;

/// The rows that a client has. One that comes again as it was tells it nothing: where several
/// servers write, a cursor goes back a little, so that nothing is passed over.
#[derive(Default)]
pub struct Inbox(HashMap<ChatId, Row>);

impl Inbox {
    /// Stores rows; gives the chats of which they tell something new, in the same order.
    #[track_caller]
    pub fn hears(&mut self, rows: &[Row]) -> Vec<ChatId> {
        let is_news = |row: &&Row| self.0.insert(row.chat, (*row).clone()).as_ref() != Some(*row);
        let news: Vec<_> = rows.iter().filter(is_news).map(|row| row.chat).collect();
        assert!(backend::is_cluster() || news.len() == rows.len(), "told again: {rows:?}");
        news
    }
}
