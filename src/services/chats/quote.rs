//! Messages as they were said and as they became, for those who have to judge them.

use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::message::EventKind;
use barterline_storage::chat_log::Range;

use super::{ChatError, Chats, Membership};

/// Events looked through for the newest messages: what is withheld or no message does not count.
const PAGES_MAX: usize = 8;
const PAGE_EVENTS: usize = 128;

/// A message as it was first said, or as its newest edit left it.
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

    async fn revisions(
        &self,
        membership: &Membership,
        events: Vec<Event>,
    ) -> Result<Vec<Revision>, ChatError> {
        let chat = membership.chat.id;
        let mut revisions = Vec::with_capacity(events.len());
        for event in events {
            let seq = event.seq;
            let Some((last, _)) = event.amended.as_ref().and_then(|amended| amended.edit) else {
                revisions.push(Revision { seq, event });
                continue;
            };
            let original = self.log.original(chat, seq).await?;
            revisions.extend(original.map(|event| Revision { seq, event }));
            let before = Seq(last.0.saturating_sub(1));
            let edit = self.log.read(chat, Range::After(before), 1).await?.pop();
            // An edit that is withheld from the member is not theirs to show.
            let edit = edit.filter(|edit| {
                let edits = matches!(edit.kind, EventKind::Edit { target, .. } if target == seq);
                edits && shown(membership, edit)
            });
            revisions.extend(edit.map(|event| Revision { seq, event }));
        }
        Ok(revisions)
    }
}

fn shown(membership: &Membership, event: &Event) -> bool {
    !event.withheld || event.author == Author::from(membership.role)
}

fn sees(membership: &Membership, event: &Event) -> bool {
    shown(membership, event) && matches!(event.kind, EventKind::Message(_) | EventKind::Note(_))
}
