//! What changed in somebody's inbox since they last asked, for clients without a socket: under the
//! cursor that sockets use, with a wait in the place of a stream.

use std::pin::pin;

use barterline_domain::bearer::Bearer;
use barterline_protocol::limits::ROWS_MAX;
use barterline_storage::inbox::{InboxRow, Position};

use super::{ChatError, Chats};
use crate::hub::polls::{Poll, TooManyPolls};

/// What changed.
#[derive(Debug)]
pub struct Changes {
    /// The rows, whole, in the order of their last change.
    pub rows: Vec<InboxRow>,
    /// Everything that changed up to here is in `rows`, or was before.
    pub cursor: Position,
    /// Not everything that changed fits: ask again from the cursor.
    pub more: bool,
    /// They are what changed since the caller's cursor; otherwise they are all there is.
    pub resumed: bool,
}

/// Why nobody waited.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The caller waits too often at once.
    #[error("too many of the caller's requests wait already")]
    TooMany,
    /// Too many people wait.
    #[error("too many requests wait already")]
    Busy,
    /// The rows cannot be read.
    #[error(transparent)]
    Chat(#[from] ChatError),
}

impl Chats {
    /// The inbox position of a cursor. One of another epoch, of another server or from the future
    /// counts as none.
    pub fn known(&self, cursor: Position) -> Option<u64> {
        let Position { epoch, position } = self.position();
        // Another node's clock may be ahead of this one's.
        let newest = position.saturating_add(self.inbox.overlap());
        (cursor.epoch == epoch && cursor.position <= newest).then_some(cursor.position)
    }

    /// From where to read what changed since a position.
    pub fn overlapped(&self, since: u64) -> u64 {
        since.saturating_sub(self.inbox.overlap())
    }

    /// What changed since `cursor`, everything without one. If nothing did, waits for it until
    /// `enough` has.
    pub async fn sync(
        &self,
        caller: Bearer,
        cursor: Option<Position>,
        enough: impl Future<Output = ()>,
    ) -> Result<Changes, SyncError> {
        let since = cursor.and_then(|cursor| self.known(cursor));
        let mut enough = pin!(enough);
        let mut poll: Option<Poll<'_>> = None;
        loop {
            let changes = self.changes(caller, since).await?;
            // What was told before and comes again is no reason to answer.
            if since.is_none_or(|since| changes.rows.iter().any(|row| row.changed > since)) {
                return Ok(changes);
            }
            let woken = async {
                if let Some(poll) = &poll {
                    poll.woken().await;
                }
            };
            tokio::select! {
                // In this order: who does not want to wait takes no place among those who do.
                biased;
                () = &mut enough => return Ok(changes),
                () = woken => {}
            }
            if poll.is_none() {
                // The rows are read once more: something may have changed before it began.
                poll = Some(self.hub.poll(caller.user)?);
            }
        }
    }

    /// A page of what changed since an inbox position.
    async fn changes(&self, caller: Bearer, since: Option<u64>) -> Result<Changes, ChatError> {
        // Read before the rows: what changes while they are read is announced again.
        let Position { epoch, position } = self.position();
        let told = since.unwrap_or(0);
        let (mut after, mut rows) = (self.overlapped(told), Vec::new());
        loop {
            let page = self.changed_after(caller, after, ROWS_MAX).await?;
            rows.extend(page.rows);
            let position = match page.next {
                // Nothing of this page is shown, or all of it was told before: the cursor has to
                // come further than it was.
                Some(next) if rows.is_empty() || next <= told => {
                    after = next;
                    continue;
                }
                Some(next) => next.min(position),
                None => position,
            };
            let (more, cursor) = (page.next.is_some(), Position { epoch, position });
            return Ok(Changes { rows, cursor, more, resumed: since.is_some() });
        }
    }
}

impl From<TooManyPolls> for SyncError {
    fn from(error: TooManyPolls) -> Self {
        match error {
            TooManyPolls::OfUser => Self::TooMany,
            TooManyPolls::InAll => Self::Busy,
        }
    }
}
