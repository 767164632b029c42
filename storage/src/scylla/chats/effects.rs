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
use crate::scylla::statements::WriteBatch;

/// The stamp of what never changes.
const ONCE: i64 = 1;
/// Events that are looked through for what they change about messages, the newest: more than any
/// server has under way in one chat.
pub(super) const EVENTS_MAX: u64 = 4_096;
/// Numbers below an epoch's: a chat of 10^12 messages would take its sender 30,000 years.
const EPOCH_SHIFT: u32 = 40;

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
            let values = (seq, seq, event_bytes(event), key.0, key.1, key.2, key.3);
            self.log.amend.run("amend a message", values).await?;
        }
        Ok(())
    }

    /// Sees to it that what follows from a chat's events, up to `last`, is written: by whoever finds
    /// more in its log than in the rows of its people, before anybody is shown it. Gives the first
    /// event that they lacked.
    pub(super) async fn catch_up(
        &self,
        chat: &Arc<Chat>,
        last: &Event,
    ) -> Result<Option<Seq>, StoreError> {
        let known = if let Some(known) = self.known_to_both(chat).await? {
            known
        } else {
            self.open_rows(chat).await?;
            Seq::ZERO
        };
        if known >= last.seq {
            return Ok(None);
        }
        let lacking = (last.seq.0 - known.0).min(EVENTS_MAX);
        let range = Range::Before(last.seq.next());
        let events = self.raw_events(chat.id, range, lacking as usize).await?;
        self.amend_targets(chat.id, &events).await?;
        self.announce(chat, last).await?;
        Ok(Some(known.next()))
    }

    /// The same, and tells of it: before anybody else here can read further than the rows were.
    pub(super) async fn catch_up_and_tell(
        &self,
        chat: &Arc<Chat>,
        last: &Event,
    ) -> Result<(), StoreError> {
        let _turn = self.turn(chat.id).lock().await;
        if let Some(from) = self.catch_up(chat, last).await? {
            self.tell_moved(chat, from, last.seq).await;
        }
        Ok(())
    }

    /// Tells that events stand of which no outcome tells.
    pub(super) async fn tell_moved(&self, chat: &Arc<Chat>, from: Seq, head: Seq) {
        let moved = vec![ChatMoved { chat: Arc::clone(chat), from, head }];
        self.tell_all(Committed { moved, ..Committed::default() }).await;
    }

    /// Up to where the rows of both people know a chat; `None` if one of them is missing.
    async fn known_to_both(&self, chat: &Chat) -> Result<Option<Seq>, StoreError> {
        let people = chat.participants;
        let (buyer, seller) = tokio::try_join!(
            self.row_columns(people.buyer, chat.id),
            self.row_columns(people.seller, chat.id)
        )?;
        let rows = buyer.zip(seller);
        let rows = rows.filter(|(buyer, seller)| buyer.is_open() && seller.is_open());
        Ok(rows.map(|(buyer, seller)| buyer.head().min(seller.head())))
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
        let after = last.after;
        let mut writes = WriteBatch::new(&self.database);
        writes.add(
            &self.inbox.head,
            vec![
                CqlValue::BigInt(self.head_stamp(last.seq)),
                CqlValue::BigInt(column(last.seq)),
                CqlValue::Blob(event_bytes(last)),
                CqlValue::BigInt(after.buyer_messages.cast_signed()),
                CqlValue::BigInt(after.seller_messages.cast_signed()),
                CqlValue::Uuid(user.to_column()),
                CqlValue::Uuid(chat.to_column()),
            ],
        );
        self.touch(&mut writes, user, chat);
        writes.run("write an inbox row").await
    }

    /// The stamp of what is known of a chat at a head: one of a later epoch outranks all before.
    fn head_stamp(&self, seq: Seq) -> i64 {
        (i64::from(self.epoch) << EPOCH_SHIFT) + column(seq)
    }

    /// Writes the rows of a chat that was opened.
    pub(super) async fn open_rows(&self, chat: &Chat) -> Result<(), StoreError> {
        for role in [Role::Buyer, Role::Seller] {
            let user = chat.participants.user(role);
            let mut writes = WriteBatch::new(&self.database);
            writes.add(
                &self.inbox.open,
                vec![
                    CqlValue::BigInt(ONCE),
                    CqlValue::Blob(chat_bytes(chat)),
                    CqlValue::Uuid(user.to_column()),
                    CqlValue::Uuid(chat.id.to_column()),
                ],
            );
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
