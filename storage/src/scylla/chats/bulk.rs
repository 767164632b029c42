//! Chats, read whole and filled: see [`crate::scylla::bulk`].

use std::sync::Arc;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;
use scylla::value::{CqlTimestamp, CqlValue};
use uuid::Uuid;

use super::append::batch_len;
use super::read::column;
use super::rows::{DEVICE_TTL_S, InboxColumns};
use super::{BUCKET_EVENTS, Store, bucket_of};
use crate::bulk::ChatItem;
use crate::bulk::standing::{Import, Standing};
use crate::error::StoreError;
use crate::record::chat_rows::{chat_bytes, event_bytes};
use crate::record::index::Side;
use crate::scylla::columns::{Id as _, time};
use crate::scylla::session::Database;
use crate::scylla::statements::{
    Answer, CHANGE_TIMEOUT, Conditional, SerialRead, Write, WriteBatch,
};

const OPERATION: &str = "import";

/// Which import a store is of, until a server opens it.
pub(in crate::scylla) struct Note {
    read: SerialRead,
    begin: Conditional,
    change: Conditional,
}

/// Writes into the log that are not conditional.
pub(in crate::scylla) struct Puts {
    stamp: i64,
    event: Write,
    head: Write,
    opened: Write,
}

impl Note {
    pub async fn prepare(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            read: SerialRead::prepare(
                database,
                "SELECT epoch, import FROM {chats}.store_epoch WHERE part = 'store'",
            )
            .await?,
            begin: Conditional::prepare(
                database,
                "INSERT INTO {chats}.store_epoch (part, epoch, import) VALUES ('store', ?, ?) \
                 IF NOT EXISTS",
            )
            .await?,
            change: Conditional::prepare(
                database,
                "UPDATE {chats}.store_epoch SET import = ? WHERE part = 'store' IF import = ?",
            )
            .await?,
        })
    }

    async fn row(&self) -> Result<Option<(Option<i32>, Option<String>)>, StoreError> {
        self.read.row(OPERATION, ()).await
    }

    /// What is noted.
    pub async fn stands(&self) -> Result<Option<String>, StoreError> {
        Ok(self.row().await?.map(|(_, import)| import.unwrap_or_default()))
    }

    /// The epoch of a store that is not empty.
    pub async fn epoch(&self) -> Result<u32, StoreError> {
        let epoch = self.row().await?.and_then(|(epoch, _)| epoch);
        let epoch = epoch.and_then(|epoch| u32::try_from(epoch).ok());
        epoch.ok_or_else(|| StoreError::corrupt(OPERATION, "store_epoch"))
    }

    /// How the store stands.
    pub async fn read(&self) -> Result<Standing, StoreError> {
        Self::standing(self.stands().await?.as_deref())
    }

    /// How a store stands of which this is noted.
    pub fn standing(noted: Option<&str>) -> Result<Standing, StoreError> {
        match noted {
            None => Ok(Standing::Empty),
            Some("") => Ok(Standing::Served),
            Some(text) => serde_json::from_str(text)
                .map(Standing::Imported)
                .map_err(|_| StoreError::corrupt(OPERATION, "store_epoch, import")),
        }
    }

    /// Notes an import in the place of exactly what was noted before; gives what is noted now. Fails
    /// if somebody else did meanwhile: there is no way back from a store that is served.
    pub async fn replace(
        &self,
        before: Option<String>,
        import: &Import,
    ) -> Result<String, StoreError> {
        let text = serde_json::to_string(import)
            .map_err(|error| StoreError::unavailable(OPERATION, error))?;
        let answer = match &before {
            None => self.begin.run(OPERATION, (import.epoch.cast_signed(), &text)).await?,
            Some(before) => self.change.run(OPERATION, (&text, before)).await?,
        };
        self.noted(answer, &text).await?;
        Ok(text)
    }

    /// Lets a server have the store, if what was imported into it is whole.
    pub async fn begin_to_serve(&self) -> Result<(), StoreError> {
        let standing = self.read().await?;
        standing.whole()?;
        if !matches!(standing, Standing::Imported(_)) {
            return Ok(());
        }
        let before = self.stands().await?.unwrap_or_default();
        let answer = self.change.run(OPERATION, ("", &before)).await?;
        self.noted(answer, "").await
    }

    async fn noted(&self, answer: Answer, text: &str) -> Result<(), StoreError> {
        // Several servers that start at once all want the same.
        if answer == Answer::Applied || self.stands().await?.as_deref() == Some(text) {
            return Ok(());
        }
        Err(StoreError::unavailable(OPERATION, "somebody else uses the store: try again"))
    }
}

impl Puts {
    pub async fn prepare(database: &Database, stamp: i64) -> Result<Self, StoreError> {
        let update = "UPDATE {chats}.chat_log USING TIMESTAMP ? SET";
        Ok(Self {
            stamp,
            event: Write::prepare(
                database,
                "INSERT INTO {chats}.chat_log (chat, bucket, seq, event) VALUES (?, ?, ?, ?) \
                 USING TIMESTAMP ?",
            )
            .await?,
            head: Write::prepare(
                database,
                &format!("{update} head = ?, epoch = ? WHERE chat = ? AND bucket = ?"),
            )
            .await?,
            opened: Write::prepare(
                database,
                &format!("{update} opened = ? WHERE chat = ? AND bucket = 0"),
            )
            .await?,
        })
    }
}

impl Store {
    /// Takes no writes from here on, or takes them again.
    pub(in crate::scylla) async fn set_read_only(&self, on: bool) {
        let gate = self.database.gate();
        if on {
            gate.close().await;
            // Whose last attempt has no known outcome still reads, and may be told that it stands.
            tokio::time::sleep(CHANGE_TIMEOUT).await;
        } else {
            gate.open();
        }
    }

    /// Which time of being read-only this is.
    pub(in crate::scylla) fn held(&self) -> Option<Uuid> {
        self.database.gate().held()
    }

    /// A chat as an archive has it.
    pub(in crate::scylla) async fn item(&self, id: ChatId) -> Result<Option<ChatItem>, StoreError> {
        let Some(chat) = self.chat(id).await? else { return Ok(None) };
        // Marks before the head, which none of them is above.
        let people = chat.participants;
        let (buyer, seller) = tokio::try_join!(
            self.row_columns(people.buyer, id),
            self.row_columns(people.seller, id)
        )?;
        let end = self.end_of(id).await?;
        let damaged = || StoreError::corrupt(OPERATION, format!("chat {id}"));
        let head = end.ok_or_else(damaged)?.head;
        let side = |own: &Option<InboxColumns>, other: &Option<InboxColumns>| {
            let shown = other.as_ref().map(InboxColumns::peer_marks).unwrap_or_default();
            own.as_ref().map_or(Side { shown, ..Side::default() }, |own| own.side(shown))
        };
        Ok(Some(ChatItem {
            head,
            buyer: side(&buyer, &seller),
            seller: side(&seller, &buyer),
            chat,
        }))
    }

    /// Puts events of a chat, and what they change about earlier messages.
    pub(in crate::scylla) async fn import_events(
        &self,
        puts: &Puts,
        chat: &Arc<Chat>,
        events: &[Event],
    ) -> Result<(), StoreError> {
        let id = CqlValue::Uuid(chat.id.to_column());
        let mut rest = events;
        while let Some(len) = batch_len(rest) {
            let (several, others) = rest.split_at(len);
            let mut writes = WriteBatch::new(&self.database);
            for event in several {
                let values = vec![
                    id.clone(),
                    CqlValue::BigInt(bucket_of(event.seq)),
                    CqlValue::BigInt(column(event.seq)),
                    CqlValue::Blob(event_bytes(event, self.database.sealing().in_chat(chat.id))),
                    CqlValue::BigInt(puts.stamp),
                ];
                writes.add(&puts.event, values);
            }
            writes.run(OPERATION).await?;
            rest = others;
        }
        self.amend_targets(chat.id, events).await
    }

    /// Puts the ends of a chat's buckets, and the rows of its people. All its events are there.
    pub(in crate::scylla) async fn import_chat(
        &self,
        puts: &Puts,
        item: ChatItem,
    ) -> Result<(), StoreError> {
        let ChatItem { chat, head, buyer, seller } = item;
        let id = chat.id.to_column();
        let last = match head {
            Seq::ZERO => None,
            head => Some(self.event_serial(chat.id, head).await?.ok_or_else(|| {
                StoreError::corrupt(OPERATION, format!("the end of chat {}", chat.id))
            })?),
        };
        self.move_end(chat.id, bucket_of(head)).await?;
        for bucket in (0..=bucket_of(head)).rev() {
            let end = (bucket + 1) * BUCKET_EVENTS.cast_signed() - 1;
            let values = (puts.stamp, end.min(column(head)), self.epoch.cast_signed(), id, bucket);
            puts.head.run(OPERATION, values).await?;
        }
        puts.opened.run(OPERATION, (puts.stamp, chat_bytes(&chat), id)).await?;
        self.import_row(puts, &chat, Role::Seller, last.as_ref(), &seller, &buyer).await?;
        self.import_row(puts, &chat, Role::Buyer, last.as_ref(), &buyer, &seller).await
    }

    async fn import_row(
        &self,
        puts: &Puts,
        chat: &Chat,
        role: Role,
        last: Option<&Event>,
        own: &Side,
        other: &Side,
    ) -> Result<(), StoreError> {
        let user = chat.participants.user(role);
        let key = [CqlValue::Uuid(user.to_column()), CqlValue::Uuid(chat.id.to_column())];
        let mut writes = WriteBatch::new(&self.database);
        let mut add = |write: &Write, values: Vec<CqlValue>| {
            writes.add(write, values.into_iter().chain(key.clone()).collect());
        };
        let number = |seq: Seq| CqlValue::BigInt(column(seq));
        self.open_cells(chat, &mut add);
        if let Some(last) = last {
            self.head_cells(chat.id, last, &mut add);
        }
        let changed = CqlValue::BigInt(own.changed.cast_signed());
        add(&self.inbox.changed, vec![changed.clone(), changed]);
        for (device, seq) in &own.delivered {
            let device = CqlValue::Uuid(device.to_column());
            let ttl = CqlValue::Int(DEVICE_TTL_S);
            add(&self.inbox.delivered, vec![ttl, number(*seq), device, number(*seq)]);
        }
        let read_messages = CqlValue::BigInt(own.read_messages.cast_signed());
        add(&self.inbox.read, vec![number(own.read), number(own.read), read_messages]);
        for (write, seq) in [
            (&self.inbox.peer_delivered, other.shown.delivered),
            (&self.inbox.peer_read, other.shown.read),
            (&self.inbox.hidden_through, own.personal.hidden_through),
        ] {
            add(write, vec![number(seq), number(seq)]);
        }
        let stamp = CqlValue::BigInt(puts.stamp);
        let until = own.personal.muted_until.map_or(0, |until| time(until).0);
        let hidden = own.personal.hidden.iter().map(|seq| number(*seq)).collect();
        for (write, cell) in [
            (&self.inbox.muted_until, CqlValue::Timestamp(CqlTimestamp(until))),
            (&self.inbox.archived, CqlValue::Boolean(own.personal.archived)),
            (&self.inbox.pinned, CqlValue::Boolean(own.personal.pinned)),
            (&self.inbox.unread, CqlValue::Boolean(own.personal.unread)),
            (&self.inbox.hidden, CqlValue::Set(hidden)),
        ] {
            add(write, vec![stamp.clone(), cell]);
        }
        writes.run(OPERATION).await
    }
}
