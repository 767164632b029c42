//! Messages as they were said and as they became, for those who have to judge them.

use std::collections::HashMap;

use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::message::EventKind;
use barterline_storage::chat_log::Range;

use super::{ChatError, Chats, Membership};

/// Events looked through for the newest messages: what is withheld or no message does not count.
const PAGES_MAX: usize = 8;
const PAGE_EVENTS: usize = 128;

/// What is looked through and kept of the edits between the first and the newest text.
const EDITS_PAGES_MAX: usize = 32;
const EDITS_BYTES_MAX: usize = 256 * 1024;

/// A message as it was first said, or as an edit left it.
#[derive(Debug)]
pub struct Revision {
    /// The message's number.
    pub seq: Seq,
    /// The event that said it, or edited it.
    pub event: Event,
}

impl Chats {
    /// The newest messages of a chat that its member sees, `limit` at most.
    pub async fn quote_newest(
        &self,
        membership: &Membership,
        limit: usize,
    ) -> Result<Vec<Revision>, ChatError> {
        let chat = membership.chat.id;
        let (mut newest, mut before) = (Vec::new(), Seq::MAX);
        for _ in 0..PAGES_MAX {
            let events = self.log.read(chat, Range::Before(before), PAGE_EVENTS).await?;
            let Some(oldest) = events.first() else { break };
            before = oldest.seq;
            newest.extend(events.into_iter().rev().filter(|event| sees(membership, event)));
            if newest.len() >= limit {
                break;
            }
        }
        newest.truncate(limit);
        newest.reverse();
        self.revisions(membership, newest).await
    }

    /// These messages; `None` if one is none, or none that the member sees.
    pub async fn quote(
        &self,
        membership: &Membership,
        messages: &[Seq],
    ) -> Result<Option<Vec<Revision>>, ChatError> {
        let chat = membership.chat.id;
        let mut events = Vec::with_capacity(messages.len());
        for seq in messages {
            let Some(before) = seq.0.checked_sub(1) else { return Ok(None) };
            let found = self.log.read(chat, Range::After(Seq(before)), 1).await?.pop();
            match found {
                Some(event) if event.seq == *seq && sees(membership, &event) => events.push(event),
                _ => return Ok(None),
            }
        }
        self.revisions(membership, events).await.map(Some)
    }

    /// Each message with all that was its text: as it was said, its edits, and the newest.
    async fn revisions(
        &self,
        membership: &Membership,
        messages: Vec<Event>,
    ) -> Result<Vec<Revision>, ChatError> {
        let seen = |event: &Event| event.seen_by(membership.role).into_owned();
        let messages: Vec<_> = messages.iter().map(seen).collect();
        let mut edits = self.edits_between(membership, &messages).await?;
        let mut revisions = Vec::with_capacity(messages.len());
        for message in messages {
            let seq = message.seq;
            let Some(newest) = newest_edit(&message) else {
                revisions.push(Revision { seq, event: message });
                continue;
            };
            let chat = membership.chat.id;
            let original = self.log.original(chat, seq).await?;
            let before = Seq(newest.0.saturating_sub(1));
            let newest = self.log.read(chat, Range::After(before), 1).await?.pop();
            let between = edits.remove(&seq).unwrap_or_default();
            let all = original.into_iter().chain(between).chain(newest);
            revisions.extend(all.map(|event| Revision { seq, event }));
        }
        Ok(revisions)
    }

    /// The edits of `messages`, ascending, that were edited again, as far as there is room: nobody
    /// may edit so often that what they said cannot be reported.
    async fn edits_between(
        &self,
        membership: &Membership,
        messages: &[Event],
    ) -> Result<HashMap<Seq, Vec<Event>>, ChatError> {
        let newest: HashMap<_, _> = messages
            .iter()
            .filter_map(|message| Some((message.seq, newest_edit(message)?)))
            .collect();
        let (Some(first), Some(last)) = (newest.keys().min(), newest.values().max()) else {
            return Ok(HashMap::new());
        };
        let (mut after, mut room) = (*first, EDITS_BYTES_MAX);
        let mut edits: HashMap<_, Vec<_>> = HashMap::new();
        for _ in 0..EDITS_PAGES_MAX {
            let chat = membership.chat.id;
            let page = self.log.read(chat, Range::After(after), PAGE_EVENTS).await?;
            let Some(end) = page.last() else { break };
            after = end.seq;
            for event in page {
                let EventKind::Edit { target, body: Some(body) } = &event.kind else { continue };
                let again = newest.get(target).is_some_and(|newest| event.seq < *newest);
                if again && shown(membership, &event) && body.as_str().len() <= room {
                    room -= body.as_str().len();
                    edits.entry(*target).or_default().push(event);
                }
            }
            if after >= *last {
                break;
            }
        }
        Ok(edits)
    }
}

fn newest_edit(message: &Event) -> Option<Seq> {
    let (seq, _) = message.amended.as_ref()?.edit?;
    Some(seq)
}

fn shown(membership: &Membership, event: &Event) -> bool {
    !event.withheld || event.author == Author::from(membership.role)
}

fn sees(membership: &Membership, event: &Event) -> bool {
    shown(membership, event) && {
        let kind = &event.kind;
        matches!(kind, EventKind::Message(_) | EventKind::Note(_) | EventKind::Listing(_))
    }
}
