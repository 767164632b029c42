//! Domain to protocol: the only place that knows both. REST and sockets show the same shapes.

use barterline_domain::event::{Event, EventKind};
use barterline_domain::ids::ChatId;
use barterline_protocol::push;
use barterline_storage::inbox::InboxRow;

/// An event as clients see it.
pub fn event(chat: ChatId, event: &Event) -> push::Event {
    let (kind, text) = match &event.kind {
        EventKind::Text(body) => ("text", Some(body.as_str().to_owned())),
    };
    push::Event {
        chat,
        seq: event.seq,
        at: event.at,
        from: event.author,
        id: event.id,
        kind: kind.to_owned(),
        text,
    }
}

/// A row of somebody's inbox as they see it.
pub fn row(row: &InboxRow) -> push::Row {
    let chat = &row.chat;
    push::Row {
        chat: chat.id,
        listing: chat.listing,
        title: chat.snapshot.title.clone(),
        price: chat.snapshot.price,
        listing_version: chat.snapshot.version,
        role: row.role,
        peer: chat.participants.user(row.role.other()),
        opened_at: chat.opened_at,
        head: row.head,
        last: row.last.as_ref().map(|last| event(chat.id, last)),
        marks: row.marks,
        peer_marks: row.peer_marks,
        unread: row.unread,
    }
}
