//! Overwrites the words of messages that were taken back: in the log, and where edits stand beside it.
//!
//! Done behind the appends, by whoever looks at the chat's mark (`dirty`), so that it is done if the
//! server dies, and a chat is not held up by it. What was overwritten leaves the disks when their files
//! are compacted.

use std::collections::{BTreeMap, BTreeSet};

use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;
use barterline_domain::message::{EventKind, RequestDigest};

use super::read::column;
use super::{Store, bucket_of};
use crate::chat_log::Range;
use crate::error::StoreError;
use crate::record::chat_rows::event_bytes;
use crate::record::sealing::Sealing;
use crate::scylla::columns::Id as _;
use crate::scylla::statements::Tries;

const OPERATION: &str = "overwrite what was taken back";
/// Events that are read at a time.
const PAGE: usize = 128;

impl Store {
    /// How the words of events are kept.
    pub(in crate::scylla) fn sealing(&self) -> &Sealing {
        self.database.sealing()
    }

    /// Events above a number as they were appended, but for words that were taken back: those may not be
    /// overwritten yet.
    pub(in crate::scylla) async fn events_left(
        &self,
        chat: ChatId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let mut events = self.raw_events(chat, Range::After(after), limit).await?;
        let mut amended = events.clone();
        self.amend(chat, &mut amended).await?;
        for (event, amended) in events.iter_mut().zip(amended) {
            if amended.digest == RequestDigest::FORGOTTEN {
                event.empty();
            }
        }
        Ok(events)
    }

    /// Overwrites what the events above `from`, up to `head`, took back, and edits among them that came
    /// too late. Done twice it changes nothing.
    pub(in crate::scylla) async fn erase_between(
        &self,
        chat: ChatId,
        from: Seq,
        head: Seq,
    ) -> Result<(), StoreError> {
        let (mut gone, mut after) = (BTreeSet::new(), from);
        while after < head {
            let events = self.raw_events(chat, Range::After(after), PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in &events {
                match event.kind {
                    EventKind::Delete { target } => {
                        gone.insert(target);
                    }
                    EventKind::Edit { target, body: Some(_) }
                        if !gone.contains(&target) && self.is_gone(chat, target).await? =>
                    {
                        gone.insert(target);
                    }
                    _ => {}
                }
            }
        }
        // Those of which edits have words beside the log; they come last, so that it is seen what is left.
        let mut edited = BTreeMap::new();
        for target in gone {
            if let Some(message) = self.event_serial(chat, target).await? {
                self.overwrite(chat, &message).await?;
            }
            let amended = self.amendments(chat, target, target).await?;
            let amended = amended.into_values().flatten();
            let edits = amended.filter(|(aspect, _)| aspect.is_text());
            let edits = edits.filter_map(|(aspect, edit)| Some((aspect, emptied(&edit)?)));
            let edits: Vec<_> = edits.collect();
            if !edits.is_empty() {
                edited.insert(target, edits);
            }
        }
        let Some((first, _)) = edited.first_key_value() else { return Ok(()) };
        let mut after = *first;
        while after < head {
            let events = self.raw_events(chat, Range::After(after), PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in &events {
                if let EventKind::Edit { target, .. } = event.kind
                    && edited.contains_key(&target)
                {
                    self.overwrite(chat, event).await?;
                }
            }
        }
        for (target, edits) in edited {
            for (aspect, edit) in edits {
                let key = (
                    chat.to_column(),
                    bucket_of(target),
                    column(target),
                    aspect.code().cast_signed(),
                );
                // Behind the stamps of all edits that there are.
                let (stamp, seq) = (column(head.next()), column(edit.seq));
                let values = (
                    stamp,
                    seq,
                    event_bytes(&edit, self.database.sealing().in_chat(chat)),
                    key.0,
                    key.1,
                    key.2,
                    key.3,
                );
                self.log.amend.run(OPERATION, values).await?;
            }
        }
        Ok(())
    }

    /// Puts an event without its words in the place of the event.
    async fn overwrite(&self, chat: ChatId, event: &Event) -> Result<(), StoreError> {
        let Some(emptied) = emptied(event) else { return Ok(()) };
        let bytes = event_bytes(&emptied, self.database.sealing().in_chat(chat));
        let mut tries = Tries::new(OPERATION);
        loop {
            let key = (chat.to_column(), bucket_of(event.seq), column(event.seq));
            let overwrite = self.log.overwrite.run(OPERATION, (&bytes, key.0, key.1, key.2));
            if tries.settle(overwrite).await? {
                return Ok(());
            }
        }
    }
}

/// An event without its words; `None` if it has none.
fn emptied(event: &Event) -> Option<Event> {
    let mut emptied = event.clone();
    emptied.empty();
    (emptied != *event).then_some(emptied)
}
