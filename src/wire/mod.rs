//! Domain to protocol: the only place that knows both.

pub mod outgoing;

use std::borrow::Cow;

use barterline_domain::chat::Role;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ChatId, ClientId};
use barterline_domain::listing::change::{ListingChange, Moved};
use barterline_domain::message::{Body, Content, EventKind, ExtensionData, Reaction};
use barterline_domain::personal::Personal;
use barterline_protocol::Outgoing;
use barterline_protocol::error_code::{Advice, ErrorCode};
use barterline_protocol::push;
use barterline_protocol::response::{ErrorBody, Page};
use barterline_storage::inbox::InboxRow;
use barterline_storage::user_state::UserState;

/// An event as `reader` sees it.
pub fn event_for(reader: Role, chat: ChatId, event: &Event) -> push::Event {
    if event.withheld && event.author != Author::from(reader) {
        withheld(chat, event)
    } else {
        self::event(chat, &event.seen_by(reader))
    }
}

/// An event as those see it from whom it is withheld.
pub fn withheld(chat: ChatId, event: &Event) -> push::Event {
    let Event { seq, at, author, id, .. } = *event;
    let withheld = true;
    push::Event { withheld, ..push::Event::new(chat, seq, at, author, id, kind(&event.kind)) }
}

/// An event that its reader hid.
pub fn hidden(chat: ChatId, event: &Event) -> push::Event {
    let Event { seq, at, author, id, .. } = *event;
    let hidden = true;
    push::Event { hidden, ..push::Event::new(chat, seq, at, author, id, kind(&event.kind)) }
}

/// A part of a chat's history as its reader sees it.
pub fn page(row: &InboxRow, events: &[Event]) -> Page {
    let InboxRow { chat, role, personal, head, .. } = row;
    let events = events.iter().map(|event| seen(*role, chat.id, personal, event)).collect();
    Page { chat: chat.id, events, head: *head }
}

fn seen(role: Role, chat: ChatId, personal: &Personal, event: &Event) -> push::Event {
    if personal.hides(event.seq) { hidden(chat, event) } else { event_for(role, chat, event) }
}

/// What is the reader's alone in a chat.
pub fn state(personal: &Personal) -> push::ChatState {
    push::ChatState {
        muted_until: personal.muted_until,
        archived: personal.archived,
        pinned: personal.pinned,
        unread: personal.unread,
        hidden_through: Some(personal.hidden_through).filter(|seq| *seq > Seq::ZERO),
        hidden: personal.hidden.clone(),
    }
}

/// What the reader chose for all chats.
pub fn settings(state: &UserState) -> push::Settings {
    push::Settings { shows_read: state.shows_read, shows_presence: state.shows_presence }
}

/// An event as both see it, if it is withheld from neither.
pub fn event(chat: ChatId, event: &Event) -> push::Event {
    let Event { seq, at, author, id, .. } = *event;
    let mut out = push::Event::new(chat, seq, at, author, id, kind(&event.kind));
    out.target = event.kind.target();
    let words = |body: &Body| Some(body.as_str().to_owned());
    match &event.kind {
        EventKind::Message(message) => {
            out.reply = message.reply;
            match &message.content {
                Content::Text(body) => out.text = words(body),
                Content::Media { media, caption } => {
                    out.media = Some(*media);
                    out.text = caption.as_ref().and_then(words);
                }
                Content::Extension { fallback, data, .. } => {
                    out.text = words(fallback);
                    out.data = data.as_ref().map(ExtensionData::as_str).map(str::to_owned);
                }
                Content::Gone(_) => out.gone = true,
            }
        }
        EventKind::Edit { body, .. } => {
            out.text = body.as_ref().and_then(words);
            out.gone = body.is_none();
        }
        EventKind::Delete { .. } => {}
        EventKind::Reaction { reaction, .. } => out.reaction = reaction.as_ref().map(symbol),
        EventKind::Note(body) => out.text = words(body),
        EventKind::Listing(change) => {
            out.text = Some(change.to_string());
            out.listing = Some(listing_moved(change));
        }
    }
    if let Some(amended) = &event.amended {
        out.edited = amended.edit.map(|(seq, at)| push::Edited { seq, at });
        let (buyer, seller) = (amended.buyer.as_ref(), amended.seller.as_ref());
        if buyer.or(seller).is_some() {
            let reactions =
                push::Reactions { buyer: buyer.map(symbol), seller: seller.map(symbol) };
            out.reactions = Some(reactions);
        }
    }
    out
}

fn listing_moved(change: &ListingChange) -> push::ListingMoved {
    push::ListingMoved {
        version: change.version(),
        price: change.price().map(|Moved { old, new }| push::PriceMoved { old, new }),
        status: change.status().map(|Moved { old, new }| push::StatusMoved { old, new }),
    }
}

fn symbol(reaction: &Reaction) -> String {
    reaction.as_str().to_owned()
}

/// The name of what happened, without taking memory for those that are ours.
fn kind(kind: &EventKind) -> Cow<'static, str> {
    match kind.name() {
        "text" => "text".into(),
        "media" => "media".into(),
        "edit" => "edit".into(),
        "delete" => "delete".into(),
        "reaction" => "reaction".into(),
        "system" => "system".into(),
        "listing" => "listing".into(),
        other => other.to_owned().into(),
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
        last: row.last.as_ref().map(|last| seen(row.role, chat.id, &row.personal, last)),
        marks: row.marks,
        peer_marks: row.peer_marks,
        unread: row.unread,
        state: state(&row.personal),
    }
}

/// What a client waits before it sends a message again that was refused as retryable.
const RETRY_AFTER_MS: u64 = 1_000;

/// The frame that tells of a refused send.
pub fn refusal(code: ErrorCode, chat: ChatId, id: ClientId, head: Option<Seq>) -> Outgoing {
    let retry_after_ms = (code.advice() == Advice::Retry).then_some(RETRY_AFTER_MS);
    Outgoing::Error(ErrorBody {
        code: code.name().to_owned(),
        message: explain(code).to_owned(),
        chat: Some(chat),
        id: Some(id),
        head,
        retry_after_ms,
        ..ErrorBody::default()
    })
}

/// What a refusal means, for developers.
pub fn explain(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::UnknownKind => "this protocol version has no frame of this kind",
        ErrorCode::InvalidRequest => "a field is missing, doubled or of the wrong type",
        ErrorCode::ChatNotFound => "you have no such chat",
        ErrorCode::OwnListing => "you cannot open a chat on your own listing",
        ErrorCode::ListingNotFound => "there is no such listing",
        ErrorCode::ListingClosed => "the listing is sold, withdrawn or expired",
        ErrorCode::TextEmpty => "the text is empty",
        ErrorCode::TextTooLong => "the text is longer than 4000 characters",
        ErrorCode::TextControl => "the text holds a control character",
        ErrorCode::KindUnsupported => "messages of this kind cannot be sent",
        ErrorCode::TargetNotFound => "there is no such message in this chat",
        ErrorCode::TargetNotYours => "the message is the other person's",
        ErrorCode::TargetGone => "the message was taken back",
        ErrorCode::TargetTooOld => "too much time has passed since the message was said",
        ErrorCode::ReactionUnsupported => "the reaction is none of those that welcome lists",
        ErrorCode::MediaNotFound => "there is no such upload",
        ErrorCode::MediaNotReady => "the upload is not whole yet, or is still being looked at",
        ErrorCode::MediaUsed => "another message shows the upload: upload it again",
        ErrorCode::DataTooLong => "the data is longer than 8192 bytes",
        ErrorCode::InboxFull => "one of the two has as many chats as anybody may have",
        ErrorCode::HiddenFull => "as many messages of this chat are hidden as may be one by one",
        ErrorCode::UserNotFound => "there is no such person",
        ErrorCode::RateLimited => "too many requests: try again after the wait",
        ErrorCode::SeqAhead => "the number is above the newest of this chat",
        ErrorCode::BaseOld => "base is more than 4096 events back: pull up to head first",
        ErrorCode::IdConflict => "the id names another message already",
        ErrorCode::AfterRefused => {
            "an earlier message of this chat was refused: send that one again first"
        }
        ErrorCode::TokenInvalid => "the token is not valid here",
        ErrorCode::TokenExpired => "the token has expired",
        ErrorCode::OutOfScope => "the API key lacks the scope that this takes",
        ErrorCode::Busy => "too much at once: try again after the wait",
        ErrorCode::Unavailable => {
            "the store takes no writes at the moment: try again after the wait"
        }
        ErrorCode::Damaged => "stored data is damaged here; the operator has been told",
    }
}
