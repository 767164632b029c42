//! Messages as they were said and as they became, for those who have to judge them.

use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::ChatId;
use barterline_domain::message::EventKind;
use barterline_storage::chat_log::Range;
use barterline_storage::error::StoreError;

use super::{ChatError, Chats, Membership};

/// Events behind a message in which its edits are looked for.
const EDITS_WITHIN: u64 = 4_096;
/// Events read at once.
const READ_EVENTS: usize = 256;

/// A message at one time of its life.
#[derive(Debug)]
pub struct Revision {
    /// The message's number.
    pub seq: Seq,
    /// The event that said it, or edited it.
    pub event: Event,
}

impl Chats {
    /// The newest messages of a chat that its member sees, of the newest `limit` events.
    pub async fn quote_newest(
        &self,
        membership: &Membership,
        limit: usize,
    ) -> Result<Vec<Revision>, ChatError> {
        let chat = membership.chat.id;
        let mut events = self.log.read(chat, Range::Before(Seq::MAX), limit).await?;
        events.retain(|event| sees(membership, event));
        self.revisions(chat, events).await
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
        self.revisions(chat, events).await.map(Some)
    }

    async fn revisions(
        &self,
        chat: ChatId,
        events: Vec<Event>,
    ) -> Result<Vec<Revision>, ChatError> {
        let mut revisions = Vec::with_capacity(events.len());
        for event in events {
            match event.amended.as_ref().and_then(|amended| amended.edit) {
                Some((last, _)) => self.edited(chat, event.seq, last, &mut revisions).await?,
                None => revisions.push(Revision { seq: event.seq, event }),
            }
        }
        Ok(revisions)
    }

    /// A message as it was first said, and then its edits up to the `last`.
    async fn edited(
        &self,
        chat: ChatId,
        seq: Seq,
        last: Seq,
        revisions: &mut Vec<Revision>,
    ) -> Result<(), StoreError> {
        let original = self.log.original(chat, seq).await?;
        revisions.extend(original.map(|event| Revision { seq, event }));
        let mut after = seq.max(Seq(last.0.saturating_sub(EDITS_WITHIN)));
        while after < last {
            let mut events = self.log.read(chat, Range::After(after), READ_EVENTS).await?;
            let Some(reached) = events.last() else { break };
            after = reached.seq;
            events.retain(|event| {
                let edits = matches!(event.kind, EventKind::Edit { target, .. } if target == seq);
                edits && event.seq <= last
            });
            revisions.extend(events.into_iter().map(|event| Revision { seq, event }));
        }
        Ok(())
    }
}

fn sees(membership: &Membership, event: &Event) -> bool {
    let shown = !event.withheld || event.author == Author::from(membership.role);
    shown && matches!(event.kind, EventKind::Message(_) | EventKind::Note(_))
}
