//! The index file: where each chat's log ends, and who takes part in what. A checkpoint of what the
//! log says; only the checkpoint thread writes it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, UserId};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable as _, TableDefinition, TableError,
    WriteTransaction,
};

use super::group::Link;
use crate::error::StoreError;
use crate::record::amend::Aspect;
use crate::record::bytes::{Get, Put};
use crate::record::index::{
    Amendment, IndexedChat, amendment_key, indexed_chat_bytes, read_amendment_key,
    read_indexed_chat,
};

const CHATS: TableDefinition<'static, &[u8; 16], &[u8]> = TableDefinition::new("chats");
const MEMBERS: TableDefinition<'static, &[u8; 32], ()> = TableDefinition::new("members");
const AMENDMENTS: TableDefinition<'static, &[u8; 25], &[u8; 16]> =
    TableDefinition::new("amendments");
/// Where edits stand, by message and number.
const EDITS: TableDefinition<'static, &[u8; 32], u64> = TableDefinition::new("edits");
/// Messages that were taken back, or edited, and are to be looked at for words to overwrite.
const DUE: TableDefinition<'static, &[u8; 24], ()> = TableDefinition::new("erasures_due");
/// Records that are to be overwritten, by position.
const ERASURES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("erasures");
const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");

const INDEX_CACHE_BYTES: usize = 16 << 20;

/// Up to where the index follows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// Start of the last group taken in.
    pub start: u64,
    /// Its end.
    pub position: u64,
    /// Its number and checksum.
    pub link: Link,
}

/// What changed since the last checkpoint.
#[derive(Default)]
pub struct Changes {
    /// Chats as they are now.
    pub chats: Vec<IndexedChat>,
    /// Who takes part in what.
    pub members: Vec<(UserId, ChatId)>,
    /// Which event decides what about which message.
    pub amendments: Amendments,
    /// Where edits stand.
    pub edits: Edits,
}

/// By message and aspect, the event that decides it.
pub type Amendments = BTreeMap<(ChatId, Seq, Aspect), Amendment>;

/// By message and the edit's number, where it stands.
pub type Edits = BTreeMap<(ChatId, Seq, Seq), u64>;

/// A record as it is to be, and its position.
pub type Erasure = (u64, Vec<u8>);

/// One file.
pub struct Index {
    db: Database,
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(place) => StoreError::corrupt("chat index", place),
        error => StoreError::unavailable("chat index", error),
    }
}

fn member(user: UserId, chat: ChatId) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(user.as_bytes());
    key[16..].copy_from_slice(chat.as_bytes());
    key
}

fn due_key(chat: ChatId, target: Seq) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(chat.as_bytes());
    key[16..].copy_from_slice(&target.0.to_be_bytes());
    key
}

fn edit_key(chat: ChatId, target: Seq, seq: Seq) -> [u8; 32] {
    let mut key = [0; 32];
    key[..24].copy_from_slice(&due_key(chat, target));
    key[24..].copy_from_slice(&seq.0.to_be_bytes());
    key
}

impl Index {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // The log's own cache is the index in memory: this one only serves misses.
        let db = crate::embedded::engine::open_file(path, INDEX_CACHE_BYTES).map_err(|error| {
            let hint = "without it, it is made anew from the log";
            match error {
                StoreError::Corrupt { place, .. } => {
                    StoreError::corrupt("open the chat index", format!("{place} ({hint})"))
                }
                other => other,
            }
        })?;
        let index = Self { db };
        let empty = index.db.begin_read().map_err(failed)?.list_tables().map_err(failed)?.count();
        if empty == 0 {
            index.write(&Changes::default(), Checkpoint::default())?;
        }
        Ok(index)
    }

    /// Up to where the index follows the log.
    pub fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let meta = read.open_table(META).map_err(failed)?;
        let Some(value) = meta.get("checkpoint").map_err(failed)? else {
            return Ok(Checkpoint::default());
        };
        let mut get = Get(value.value());
        match (get.u8(), get.u64(), get.u64(), get.u64(), get.u32()) {
            (Ok(1), Ok(start), Ok(position), Ok(number), Ok(crc)) => {
                Ok(Checkpoint { start, position, link: Link { number, crc } })
            }
            (Ok(version), ..) if version > 1 => Err(StoreError::unavailable(
                "open the chat index",
                format!("its format version is {version}; this server knows 1"),
            )),
            _ => Err(StoreError::corrupt("chat index", "meta, checkpoint")),
        }
    }

    /// Finds a chat.
    pub fn chat(&self, chat: ChatId) -> Result<Option<IndexedChat>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let chats = read.open_table(CHATS).map_err(failed)?;
        let value = chats.get(chat.as_bytes()).map_err(failed)?;
        value
            .map(|value| {
                read_indexed_chat(value.value())
                    .map_err(|_| StoreError::corrupt("chat index", format!("chat {chat}")))
            })
            .transpose()
    }

    /// At most `limit` chats by id, above the one whose bytes these are.
    pub fn chats_after(
        &self,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ChatId>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let chats = read.open_table(CHATS).map_err(failed)?;
        let after: Option<[u8; 16]> = after.and_then(|after| after.try_into().ok());
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = chats.range::<&[u8; 16]>((from, Bound::Unbounded)).map_err(failed)?;
        range
            .take(limit)
            .map(|row| Ok(ChatId::from_bytes(*row.map_err(failed)?.0.value())))
            .collect()
    }

    /// Whether `user` takes part in `chat`.
    pub fn is_member(&self, user: UserId, chat: ChatId) -> Result<bool, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let members = read.open_table(MEMBERS).map_err(failed)?;
        let found = members.get(&member(user, chat)).map_err(failed)?;
        Ok(found.is_some())
    }

    /// The chats of `user`.
    pub fn chats_of(&self, user: UserId) -> Result<Vec<ChatId>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let members = read.open_table(MEMBERS).map_err(failed)?;
        let from = member(user, ChatId::from_bytes([0; 16]));
        let to = member(user, ChatId::from_bytes([0xff; 16]));
        let mut chats = Vec::new();
        for row in members.range::<&[u8; 32]>(&from..=&to).map_err(failed)? {
            let (key, ()) = row.map(|(key, _)| (key, ())).map_err(failed)?;
            let mut chat = [0; 16];
            chat.copy_from_slice(&key.value()[16..]);
            chats.push(ChatId::from_bytes(chat));
        }
        Ok(chats)
    }

    /// What later events made of the messages `first` to `last` of a chat.
    pub fn amendments(
        &self,
        chat: ChatId,
        first: Seq,
        last: Seq,
    ) -> Result<Vec<(Seq, Aspect, Amendment)>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let table = read.open_table(AMENDMENTS).map_err(failed)?;
        let from = amendment_key(chat, first, None);
        let to = amendment_key(chat, last.next(), None);
        let mut found = Vec::new();
        for row in table.range::<&[u8; 25]>(&from..&to).map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            let damaged = |_| StoreError::corrupt("chat index", format!("amendments of {chat}"));
            let (target, aspect) = read_amendment_key(key.value()).map_err(damaged)?;
            found.push((target, aspect, Amendment::read(value.value()).map_err(damaged)?));
        }
        Ok(found)
    }

    /// Keeps what is to be overwritten, in one durable step.
    pub fn keep_erasures(&self, erasures: &[Erasure]) -> Result<(), StoreError> {
        self.change(|write| {
            let mut table = write.open_table(ERASURES).map_err(failed)?;
            for (position, record) in erasures {
                table.insert(position, record.as_slice()).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// What is to be overwritten, and may have been in part.
    pub fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let table = match read.open_table(ERASURES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table.map_err(failed)?,
        };
        let rows = table.iter().map_err(failed)?;
        rows.map(|row| row.map(|(at, record)| (at.value(), record.value().to_vec())))
            .collect::<Result<_, _>>()
            .map_err(failed)
    }

    /// What was to be overwritten is.
    pub fn drop_erasures(&self) -> Result<(), StoreError> {
        self.change(|write| write.delete_table(ERASURES).map(drop).map_err(failed))
    }

    /// Some of the messages that are to be looked at for words to overwrite.
    pub fn due(&self, limit: usize) -> Result<Vec<(ChatId, Seq)>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let table = read.open_table(DUE).map_err(failed)?;
        let rows = table.iter().map_err(failed)?.take(limit);
        rows.map(|row| {
            let (key, _) = row.map_err(failed)?;
            let (chat, target) = key.value().split_at(16);
            let array = |_| StoreError::corrupt("chat index", "erasures_due");
            let chat = ChatId::from_bytes(chat.try_into().map_err(array)?);
            Ok((chat, Seq(u64::from_be_bytes(target.try_into().map_err(array)?))))
        })
        .collect()
    }

    /// They were looked at.
    pub fn drop_due(&self, due: &[(ChatId, Seq)]) -> Result<(), StoreError> {
        self.change(|write| {
            let mut table = write.open_table(DUE).map_err(failed)?;
            for (chat, target) in due {
                table.remove(&due_key(*chat, *target)).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// Where the edits of a message stand.
    pub fn edits(&self, chat: ChatId, target: Seq) -> Result<Vec<u64>, StoreError> {
        let read = self.db.begin_read().map_err(failed)?;
        let table = read.open_table(EDITS).map_err(failed)?;
        let (from, to) =
            (edit_key(chat, target, Seq::ZERO), edit_key(chat, target.next(), Seq::ZERO));
        let rows = table.range::<&[u8; 32]>(&from..&to).map_err(failed)?;
        rows.map(|row| Ok(row.map_err(failed)?.1.value())).collect()
    }

    /// Takes in what changed up to `checkpoint`, in one durable step.
    pub fn write(&self, changes: &Changes, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let Changes { chats, members, amendments, edits } = changes;
        self.change(|write| {
            let mut table = write.open_table(CHATS).map_err(failed)?;
            for chat in chats {
                let bytes = indexed_chat_bytes(chat);
                table.insert(chat.chat.id.as_bytes(), bytes.as_slice()).map_err(failed)?;
            }
            let mut table = write.open_table(MEMBERS).map_err(failed)?;
            for (user, chat) in members {
                table.insert(&member(*user, *chat), ()).map_err(failed)?;
            }
            let mut table = write.open_table(AMENDMENTS).map_err(failed)?;
            for ((chat, target, aspect), amendment) in amendments {
                let key = amendment_key(*chat, *target, Some(*aspect));
                table.insert(&key, &amendment.to_bytes()).map_err(failed)?;
            }
            let mut table = write.open_table(EDITS).map_err(failed)?;
            for ((chat, target, seq), position) in edits {
                table.insert(&edit_key(*chat, *target, *seq), position).map_err(failed)?;
            }
            let mut table = write.open_table(DUE).map_err(failed)?;
            for (chat, target, aspect) in amendments.keys() {
                // An edit may come too late.
                if aspect.is_presence() || aspect.is_text() {
                    table.insert(&due_key(*chat, *target), ()).map_err(failed)?;
                }
            }
            let mut meta = Vec::new();
            meta.put_u8(1);
            meta.put_u64(checkpoint.start);
            meta.put_u64(checkpoint.position);
            meta.put_u64(checkpoint.link.number);
            meta.put_u32(checkpoint.link.crc);
            let mut table = write.open_table(META).map_err(failed)?;
            table.insert("checkpoint", meta.as_slice()).map_err(failed)?;
            Ok(())
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut write = self.db.begin_write().map_err(failed)?;
        write.set_durability(Durability::Immediate).map_err(failed)?;
        // Opening after a crash must not walk the whole file.
        write.set_quick_repair(true);
        change(&write)?;
        write.commit().map_err(failed)
    }
}
