//! Finds what later events made of the messages that are read.

use std::collections::BTreeMap;
use std::ops::Bound;

use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;
use barterline_domain::message::EventKind;

use super::state::Shared;
use crate::error::StoreError;
use crate::record::amend::{Aspect, amend};
use crate::record::index::Amendment;

/// Amendments of messages, by message.
type Found = BTreeMap<Seq, Vec<(Aspect, Amendment)>>;

impl Shared {
    /// Merges into `events`, ascending and without a gap, what later events made of them.
    pub(super) fn amend(&self, chat: ChatId, events: &mut [Event]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(());
        };
        let found = self.amendments(chat, first.seq, last.seq)?;
        for event in events {
            match event.kind {
                EventKind::Message(_) => {
                    if let Some(amendments) = found.get(&event.seq) {
                        self.amend_message(chat, event, amendments)?;
                    }
                }
                EventKind::Edit { target, .. } => {
                    let gone = match found.get(&target) {
                        Some(known) => is_gone(known),
                        None => self.is_gone(chat, target)?,
                    };
                    if gone {
                        event.empty();
                    }
                }
                EventKind::Delete { .. }
                | EventKind::Reaction { .. }
                | EventKind::Note(_)
                | EventKind::Listing(_) => {}
            }
        }
        Ok(())
    }

    /// Empties what was taken back, which may not be overwritten yet.
    pub(super) fn empty_gone(&self, chat: ChatId, events: &mut [Event]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let found = self.amendments(chat, first.seq, last.seq)?;
        for event in events {
            let gone = match event.kind {
                EventKind::Message(_) => found.get(&event.seq).is_some_and(|by| is_gone(by)),
                EventKind::Edit { target, .. } => self.is_gone(chat, target)?,
                _ => false,
            };
            if gone {
                event.empty();
            }
        }
        Ok(())
    }

    /// Whether a message was taken back.
    pub(super) fn is_gone(&self, chat: ChatId, seq: Seq) -> Result<bool, StoreError> {
        let found = self.amendments(chat, seq, seq)?;
        Ok(found.get(&seq).is_some_and(|found| is_gone(found)))
    }

    /// The amendments of the messages `first` to `last`.
    fn amendments(&self, chat: ChatId, first: Seq, last: Seq) -> Result<Found, StoreError> {
        // Those in memory first: a checkpoint in between moves them to where is looked next.
        let from = Bound::Included((chat, first, Aspect::FIRST));
        let to = Bound::Excluded((chat, last.next(), Aspect::FIRST));
        let fresh: Vec<_> = {
            let state = self.state.lock();
            let range = state.amendments.range((from, to));
            range.map(|((_, target, aspect), found)| ((*target, *aspect), *found)).collect()
        };
        let indexed = self.index.amendments(chat, first, last)?;
        let mut all: BTreeMap<_, _> =
            indexed.into_iter().map(|(target, aspect, found)| ((target, aspect), found)).collect();
        all.extend(fresh);
        let mut found = Found::new();
        for ((target, aspect), amendment) in all {
            found.entry(target).or_default().push((aspect, amendment));
        }
        Ok(found)
    }

    fn amend_message(
        &self,
        chat: ChatId,
        message: &mut Event,
        amendments: &[(Aspect, Amendment)],
    ) -> Result<(), StoreError> {
        let mut by = Vec::with_capacity(amendments.len());
        for (aspect, Amendment { seq, position }) in amendments {
            by.push((*aspect, self.event_at(chat, *seq, *position)?.0));
        }
        amend(message, by);
        Ok(())
    }
}

fn is_gone(amendments: &[(Aspect, Amendment)]) -> bool {
    amendments.iter().any(|(aspect, _)| *aspect == Aspect::Presence)
}
