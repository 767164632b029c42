//! What follows from an append: inbox rows and amendments. Each cell is stamped with its own value,
//! so that writing late, twice or out of order changes nothing.

use std::sync::Arc;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, UserId};
use scylla::value::CqlValue;

use super::read::column;
use super::{Store, bucket_of};
use crate::chat_log::{ChatMoved, Committed, Range};
use crate::error::StoreError;
use crate::record::amend::Aspect;
use crate::record::chat_rows::{chat_bytes, event_bytes};
use crate::scylla::columns::Id as _;
use crate::scylla::statements::{Write, WriteBatch};

/// The stamp of what never changes.
const ONCE: i64 = 1;
/// Events that are looked through for what they change about messages, the newest: more than any
/// server has under way in one chat.
const EVENTS_MAX: u64 = 4_096;
/// And so many at a time.
const PAGE_EVENTS: usize = 128;
/// Numbers below an epoch's, which has the 31 bits above: a chat of 4 * 10^9 messages would take its
/// people 65 years at the most that is allowed.
const EPOCH_SHIFT: u32 = 32;

/// Puts what is to be told back for the next one, if who was about to tell it goes away: a request
/// whose client is gone ends wherever it waits.
struct UntilTold<'a> {
    store: &'a Store,
    chat: ChatId,
    from: Option<Seq>,
}

impl Drop for UntilTold<'_> {
    fn drop(&mut self) {
        if let Some(from) = self.from {
            self.store.note_untold(self.chat, from);
        }
    }
}

impl Store {
    /// Writes what follows from events that stand. What cannot be written now is written by whoever
    /// reads the chat's end next, or from its mark.
    pub(super) async fn take_effect(
        &self,
        chat: &Arc<Chat>,
        events: &[Event],
    ) -> Result<(), StoreError> {
        let Some(last) = events.last() else { return Ok(()) };
        let (amended, announced) =
            tokio::join!(self.amend_targets(chat.id, events), self.announce(chat, last));
        amended.and(announced)
    }

    /// Writes what events change about earlier messages.
    pub(super) async fn amend_targets(
        &self,
        chat: ChatId,
        events: &[Event],
    ) -> Result<(), StoreError> {
        for event in events {
            let Some((target, aspect)) = Aspect::of(event) else { continue };
            let seq = column(event.seq);
            let key =
                (chat.to_column(), bucket_of(target), column(target), aspect.code().cast_signed());
            let values = (
                seq,
                seq,
                event_bytes(event, self.database.sealing().in_chat(chat)),
                key.0,
                key.1,
                key.2,
                key.3,
            );
            self.log.amend.run("amend a message", values).await?;
        }
        Ok(())
    }

    /// Sees to it that what follows from a chat's events, up to `last`, is written: by whoever finds
    /// more in its log than in the rows of its people, before anybody is shown it.
    pub(super) async fn catch_up(&self, chat: &Arc<Chat>, last: &Event) -> Result<(), StoreError> {
        let known = if let Some(known) = self.known_to_both(chat).await? {
            known
        } else {
            self.open_rows(chat).await?;
            Seq::ZERO
        };
        if known >= last.seq {
            return Ok(());
        }
        // Whatever the writes come to.
        self.note_untold(chat.id, known.next());
        self.amend_between(chat.id, known, last.seq).await?;
        self.announce(chat, last).await
    }

    /// Writes what the events above `after`, up to `head`, change about earlier messages; the newest,
    /// if they are many.
    pub(super) async fn amend_between(
        &self,
        chat: ChatId,
        after: Seq,
        head: Seq,
    ) -> Result<(), StoreError> {
        let mut after = after.max(Seq(head.0.saturating_sub(EVENTS_MAX)));
        while after < head {
            let events = self.raw_events(chat, Range::After(after), PAGE_EVENTS).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            self.amend_targets(chat, &events).await?;
        }
        Ok(())
    }

    /// The same, and tells of what was not told: before anybody else here can read further than it.
    pub(super) async fn catch_up_and_tell(
        &self,
        chat: &Arc<Chat>,
        last: &Event,
    ) -> Result<(), StoreError> {
        let _turn = self.turns.take(chat.id).await;
        self.catch_up(chat, last).await?;
        if let Some(from) = self.take_untold(chat.id, last.seq) {
            let mut untold = UntilTold { store: self, chat: chat.id, from: Some(from) };
            self.tell_moved(chat, from, last.seq).await;
            untold.from = None;
        }
        Ok(())
    }

    /// Tells that events stand of which no outcome tells.
    async fn tell_moved(&self, chat: &Arc<Chat>, from: Seq, head: Seq) {
        let moved = vec![ChatMoved { chat: Arc::clone(chat), from, head }];
        self.tell_all(Committed { moved, ..Committed::default() }).await;
    }

    /// Up to where the rows of both people know a chat; `None` if one of them is missing.
    async fn known_to_both(&self, chat: &Chat) -> Result<Option<Seq>, StoreError> {
        let people = chat.participants;
        let (buyer, seller) = tokio::try_join!(
            self.head_for(people.buyer, chat.id),
            self.head_for(people.seller, chat.id)
        )?;
        Ok(buyer.zip(seller).map(|(buyer, seller)| buyer.min(seller)))
    }

    /// Writes the head of a chat into the rows of both its people.
    pub(super) async fn announce(&self, chat: &Chat, last: &Event) -> Result<(), StoreError> {
        let people = chat.participants;
        let (buyer, seller) = tokio::join!(
            self.announce_to(people.user(Role::Buyer), chat.id, last),
            self.announce_to(people.user(Role::Seller), chat.id, last)
        );
        buyer.and(seller)
    }

    async fn announce_to(
        &self,
        user: UserId,
        chat: ChatId,
        last: &Event,
    ) -> Result<(), StoreError> {
        let mut writes = WriteBatch::new(&self.database);
        let key = [CqlValue::Uuid(user.to_column()), CqlValue::Uuid(chat.to_column())];
        self.head_cells(chat, last, |write, values| {
            writes.add(write, values.into_iter().chain(key.clone()).collect());
        });
        self.touch(&mut writes, user, chat);
        writes.run("write an inbox row").await
    }

    /// What a row says of the chat's end.
    pub(super) fn head_cells(
        &self,
        chat: ChatId,
        last: &Event,
        mut add: impl FnMut(&Write, Vec<CqlValue>),
    ) {
        let values = vec![
            CqlValue::BigInt(self.head_stamp(last.seq)),
            CqlValue::BigInt(column(last.seq)),
            CqlValue::Blob(event_bytes(last, self.database.sealing().in_chat(chat))),
            CqlValue::BigInt(last.after.buyer_messages.cast_signed()),
            CqlValue::BigInt(last.after.seller_messages.cast_signed()),
        ];
        add(&self.inbox.head, values);
    }

    /// What a row says of the chat itself.
    pub(super) fn open_cells(&self, chat: &Chat, mut add: impl FnMut(&Write, Vec<CqlValue>)) {
        let values = vec![CqlValue::BigInt(ONCE), CqlValue::Blob(chat_bytes(chat))];
        add(&self.inbox.open, values);
    }

    /// The stamp of what is known of a chat at a head: one of a later epoch outranks all before.
    fn head_stamp(&self, seq: Seq) -> i64 {
        (i64::from(self.epoch) << EPOCH_SHIFT) + column(seq)
    }

    /// Writes the rows of a chat that was opened.
    pub(super) async fn open_rows(&self, chat: &Chat) -> Result<(), StoreError> {
        // The buyer's last: it stands for both where somebody asks whether this was done.
        for role in [Role::Seller, Role::Buyer] {
            let user = chat.participants.user(role);
            let mut writes = WriteBatch::new(&self.database);
            let key = [CqlValue::Uuid(user.to_column()), CqlValue::Uuid(chat.id.to_column())];
            self.open_cells(chat, |write, values| {
                writes.add(write, values.into_iter().chain(key.clone()).collect());
            });
            self.touch(&mut writes, user, chat.id);
            writes.run("open an inbox row").await?;
        }
        Ok(())
    }

    /// Adds that a row changed now.
    pub(super) fn touch(&self, writes: &mut WriteBatch, user: UserId, chat: ChatId) {
        let position = self.next_position().cast_signed();
        writes.add(
            &self.inbox.changed,
            vec![
                CqlValue::BigInt(position),
                CqlValue::BigInt(position),
                CqlValue::Uuid(user.to_column()),
                CqlValue::Uuid(chat.to_column()),
            ],
        );
    }
}
