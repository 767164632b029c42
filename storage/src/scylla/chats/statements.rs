//! What the chat tables are asked.

use crate::error::StoreError;
use crate::scylla::session::Database;
use crate::scylla::statements::{Conditional, Read, SerialRead, Write};

/// Everything about the log.
pub(super) struct OfLog {
    /// Head, epoch and opening of a bucket, with its last event.
    pub end: SerialRead,
    pub event: SerialRead,
    pub opened: Read,
    pub after: Read,
    pub before: Read,
    pub open: Conditional,
    /// Moves the head of a bucket that has one.
    pub move_head: Conditional,
    /// Gives a bucket its first head.
    pub first_head: Conditional,
    pub insert: Conditional,
    /// Puts another text in the place of an event.
    pub overwrite: Conditional,
    pub last_bucket: Read,
    pub move_last_bucket: Write,
    pub amendments: Read,
    pub aspect: Read,
    pub amend: Write,
}

/// Everything about inbox rows. Writes take their stamp first and the row's key last.
pub(super) struct OfInbox {
    pub row: Read,
    pub changes: Read,
    pub counts: Read,
    pub opened: Read,
    pub row_head: Read,
    pub open: Write,
    pub head: Write,
    pub changed: Write,
    pub delivered: Write,
    pub read: Write,
    pub peer_delivered: Write,
    pub peer_read: Write,
    pub muted_until: Write,
    pub archived: Write,
    pub pinned: Write,
    pub unread: Write,
    pub hidden: Write,
    pub hidden_through: Write,
}

/// Everything about the marks of chats that are appended to.
pub(super) struct OfDirty {
    pub mark: Write,
    pub mark_from: Write,
    pub list: Read,
    pub settle: Write,
}

impl OfLog {
    pub async fn prepare(database: &Database) -> Result<Self, StoreError> {
        let bucket = "FROM {chats}.chat_log WHERE chat = ? AND bucket = ?";
        let amendments = "{chats}.chat_amendments WHERE chat = ? AND bucket = ?";
        let end =
            format!("SELECT head, epoch, opened, seq, event {bucket} ORDER BY seq DESC LIMIT 1");
        let after = format!("SELECT seq, event {bucket} AND seq > ? LIMIT ?");
        let before = format!("SELECT seq, event {bucket} AND seq < ? ORDER BY seq DESC LIMIT ?");
        let range = format!(
            "SELECT target, aspect, seq, event FROM {amendments} AND target >= ? AND target <= ?"
        );
        let aspect = format!("SELECT seq FROM {amendments} AND target = ? AND aspect = ?");
        let update = "UPDATE {chats}.chat_log SET head = ?";
        Ok(Self {
            end: SerialRead::prepare(database, &end).await?,
            event: SerialRead::prepare(database, &format!("SELECT event {bucket} AND seq = ?"))
                .await?,
            opened: Read::prepare(
                database,
                "SELECT opened FROM {chats}.chat_log WHERE chat = ? AND bucket = 0 LIMIT 1",
            )
            .await?,
            after: Read::prepare(database, &after).await?,
            before: Read::prepare(database, &before).await?,
            open: Conditional::prepare(
                database,
                "UPDATE {chats}.chat_log SET head = 0, epoch = ?, opened = ? \
                 WHERE chat = ? AND bucket = 0 IF head = null",
            )
            .await?,
            move_head: Conditional::prepare(
                database,
                &format!("{update} WHERE chat = ? AND bucket = ? IF head = ? AND epoch = ?"),
            )
            .await?,
            first_head: Conditional::prepare(
                database,
                &format!("{update}, epoch = ? WHERE chat = ? AND bucket = ? IF head = null"),
            )
            .await?,
            insert: Conditional::prepare(
                database,
                "INSERT INTO {chats}.chat_log (chat, bucket, seq, event) VALUES (?, ?, ?, ?)",
            )
            .await?,
            // Conditional, as whatever else is written there: one order of all.
            overwrite: Conditional::prepare(
                database,
                "UPDATE {chats}.chat_log SET event = ? WHERE chat = ? AND bucket = ? AND seq = ? \
                 IF EXISTS",
            )
            .await?,
            last_bucket: Read::prepare(
                database,
                "SELECT bucket FROM {chats}.chat_end WHERE chat = ?",
            )
            .await?,
            move_last_bucket: Write::prepare(
                database,
                "UPDATE {chats}.chat_end USING TIMESTAMP ? SET bucket = ? WHERE chat = ?",
            )
            .await?,
            amendments: Read::prepare(database, &range).await?,
            aspect: Read::prepare(database, &aspect).await?,
            amend: Write::prepare(
                database,
                "UPDATE {chats}.chat_amendments USING TIMESTAMP ? SET seq = ?, event = ? \
                 WHERE chat = ? AND bucket = ? AND target = ? AND aspect = ?",
            )
            .await?,
        })
    }
}

/// The columns of [`super::rows::InboxColumns`].
const ROW: &str = "chat, opened, head, last, buyer_messages, seller_messages, delivered, read, \
                   read_messages, peer_delivered, peer_read, muted_until, archived, pinned, \
                   unread, hidden, hidden_through, changed";

impl OfInbox {
    pub async fn prepare(database: &Database) -> Result<Self, StoreError> {
        let row = "WHERE user_id = ? AND chat = ?";
        let of_user = "FROM {chats}.inbox WHERE user_id = ?";
        let counts = "SELECT chat, opened, buyer_messages, seller_messages, read_messages, unread";
        let update = |using: &'static str, cells: &'static str| async move {
            let text = format!("UPDATE {{chats}}.inbox USING {using} SET {cells} {row}");
            Write::prepare(database, &text).await
        };
        let set = |cells| update("TIMESTAMP ?", cells);
        let head = "head = ?, last = ?, buyer_messages = ?, seller_messages = ?";
        Ok(Self {
            row: Read::prepare(database, &format!("SELECT {ROW} {of_user} AND chat = ?")).await?,
            changes: Read::prepare(database, &format!("SELECT chat, changed {of_user}")).await?,
            counts: Read::prepare(database, &format!("{counts} {of_user}")).await?,
            opened: Read::prepare(database, &format!("SELECT opened FROM {{chats}}.inbox {row}"))
                .await?,
            row_head: Read::prepare(
                database,
                &format!("SELECT opened, head FROM {{chats}}.inbox {row}"),
            )
            .await?,
            open: set("opened = ?").await?,
            head: set(head).await?,
            changed: set("changed = ?").await?,
            delivered: update("TTL ? AND TIMESTAMP ?", "delivered[?] = ?").await?,
            read: set("read = ?, read_messages = ?").await?,
            peer_delivered: set("peer_delivered = ?").await?,
            peer_read: set("peer_read = ?").await?,
            muted_until: set("muted_until = ?").await?,
            archived: set("archived = ?").await?,
            pinned: set("pinned = ?").await?,
            unread: set("unread = ?").await?,
            hidden: set("hidden = hidden + ?").await?,
            hidden_through: set("hidden_through = ?").await?,
        })
    }
}

impl OfDirty {
    pub async fn prepare(database: &Database) -> Result<Self, StoreError> {
        let row = "WHERE slot = ? AND hour = ? AND chat = ?";
        let update = "UPDATE {chats}.dirty_chats USING TIMESTAMP ? SET";
        Ok(Self {
            mark: Write::prepare(database, &format!("{update} marked_at = ? {row}")).await?,
            mark_from: Write::prepare(database, &format!("{update} from_seq = ? {row}")).await?,
            list: Read::prepare(
                database,
                "SELECT chat, marked_at, from_seq, settled_at FROM {chats}.dirty_chats \
                 WHERE slot = ? AND hour = ?",
            )
            .await?,
            settle: Write::prepare(database, &format!("{update} settled_at = ? {row}")).await?,
        })
    }
}
