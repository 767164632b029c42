//! Domain to protocol: the only place that knows both.

pub mod outgoing;

use barterline_domain::event::{Event, EventKind};
use barterline_domain::ids::ChatId;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::push;
use barterline_storage::inbox::InboxRow;

/// An event as clients see it.
pub fn event(chat: ChatId, event: &Event) -> push::Event {
    let EventKind::Text(body) = &event.kind;
    push::Event {
        chat,
        seq: event.seq,
        at: event.at,
        from: event.author,
        id: event.id,
        kind: "text".into(),
        text: Some(body.as_str().to_owned()),
    }
}

/// An inbox row as its reader sees it.
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

/// What a refusal means, for developers.
pub fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::UnknownKind => "this protocol version has no frame of this kind",
        ErrorCode::InvalidRequest => "a field is missing, doubled or of the wrong type",
        ErrorCode::ChatNotFound => "you have no such chat",
        ErrorCode::OwnListing => "you cannot open a chat on your own listing",
        ErrorCode::ListingNotFound => "there is no such listing",
        ErrorCode::ListingClosed => "the listing is sold or withdrawn",
        ErrorCode::TextEmpty => "the text is empty",
        ErrorCode::TextTooLong => "the text is longer than 4000 characters",
        ErrorCode::TextControl => "the text holds a control character",
        ErrorCode::KindUnsupported => "messages of this kind cannot be sent",
        ErrorCode::SeqAhead => "the number is above the newest of this chat",
        ErrorCode::BaseOld => "base is more than 4096 events back: pull up to head first",
        ErrorCode::IdConflict => "the id names another message already",
        ErrorCode::AfterRefused => {
            "an earlier message of this chat was refused: send that one again first"
        }
        ErrorCode::TokenInvalid => "the token is not valid here",
        ErrorCode::TokenExpired => "the token has expired",
        ErrorCode::Busy => "too much at once: try again after the wait",
        ErrorCode::Unavailable => {
            "the store takes no writes at the moment: try again after the wait"
        }
        ErrorCode::Damaged => "stored data is damaged here; the operator has been told",
    }
}
