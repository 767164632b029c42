//! What a connection lacks of a chat: read from the store and sent, beside its requests where that
//! takes long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use barterline_domain::event::Seq;
use barterline_protocol::Outgoing;
use barterline_protocol::push::{Rows, StateMoved};
use barterline_storage::error::StoreError;

use super::Gateway;
use crate::hub::slot::{Dirty, Slot, marks_moved};
use crate::services::chats::{ChatError, Membership};
use crate::wire;

/// For all reads of one: the store answers each in less, or not at all.
const PULL_TIMEOUT: Duration = Duration::from_secs(10);

/// One step of it. A connection has one at a time: what is pulled of a chat is sent in order. When it is
/// dropped, what it had not sent is still noted, but for marks: drop it only where rows tell of them.
pub struct Pull {
    pub dirty: Dirty,
    reading: Pin<Box<dyn Future<Output = Pulled> + Send>>,
}

/// What came of it.
pub struct Pulled {
    pub outcome: Result<(), ChatError>,
    /// The person's part in the chat, if it was not known.
    pub found: Option<Membership>,
}

impl Pull {
    /// Of what is noted of a chat.
    pub fn begin(
        gateway: &Gateway,
        slot: &Arc<Slot>,
        dirty: Dirty,
        known: Option<Membership>,
    ) -> Self {
        let (gateway, slot) = (gateway.clone(), Arc::clone(slot));
        let reading = async move {
            let mut found = None;
            let reading = read(&gateway, &slot, dirty, known, &mut found);
            let outcome = tokio::time::timeout(PULL_TIMEOUT, reading).await;
            let outcome = outcome.unwrap_or_else(|_| {
                // Whether they were told or not: marks that are told twice are told once.
                slot.put_marks_back(dirty.chat);
                Err(StoreError::unavailable("push a chat", "no answer in time").into())
            });
            Pulled { outcome, found }
        };
        Self { dirty, reading: Box::pin(reading) }
    }
}

impl Future for Pull {
    type Output = Pulled;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Pulled> {
        self.reading.as_mut().poll(cx)
    }
}

async fn read(
    gateway: &Gateway,
    slot: &Slot,
    dirty: Dirty,
    known: Option<Membership>,
    found: &mut Option<Membership>,
) -> Result<(), ChatError> {
    let chats = &gateway.0.chats;
    if slot.take_marks(dirty.chat) {
        let row = chats.row(slot.bearer(), dirty.chat).await;
        let row = row.inspect_err(|_| slot.put_marks_back(dirty.chat))?;
        for (role, marks) in [(row.role, row.marks), (row.role.other(), row.peer_marks)] {
            slot.answer(None, &Outgoing::Marks(marks_moved(dirty.chat, role, marks)));
        }
        let state = wire::state(&row.personal);
        slot.answer(None, &Outgoing::State(StateMoved { chat: dirty.chat, state }));
    }
    if slot.noted_from(dirty.chat) == Some(Seq(1)) {
        // A chat that is new to the client: what it is about, then what is said.
        let row = chats.row(slot.bearer(), dirty.chat).await?;
        slot.answer(None, &Outgoing::Rows(Rows { rows: vec![wire::row(&row)] }));
    }
    let membership = match known {
        Some(known) => known,
        None => found.insert(chats.membership(slot.user, dirty.chat).await?).clone(),
    };
    Ok(chats.hub().pull(slot, &membership.chat).await?)
}
