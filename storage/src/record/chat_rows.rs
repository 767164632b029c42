//! Columns of the chat tables: an event and a chat, each as one versioned value.

use barterline_domain::chat::Chat;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ClientId;
use barterline_domain::message::RequestDigest;

use super::bytes::{Get, Malformed, Put};
use super::chat_log::{author, author_code, get_chat_fields, put_chat_fields};
use super::event_kind::{Header, is_erased, open_digest, put_kind, read_kind, seal_kind};
use super::sealing::{InChat, Unread};

const CHAT_VERSION: u8 = 1;
const EVENT_VERSION: u8 = 2;

/// The value of an event. Its number is a column of its own.
pub fn event_bytes(event: &Event, kept: InChat<'_>) -> Vec<u8> {
    let sealed = seal_kind(event, kept);
    let mut out = vec![EVENT_VERSION];
    out.put_u64(event.at.as_millis());
    out.put_u8(author_code(event.author));
    out.put_id(event.id.as_bytes());
    out.put_id(&open_digest(event, sealed.as_deref()).0);
    out.put_state(event.after);
    put_kind(&mut out, event, sealed.as_deref());
    out
}

/// Reads the value of event `seq`.
pub fn read_event(seq: Seq, bytes: &[u8], kept: InChat<'_>) -> Result<Event, Unread> {
    let mut get = Get(bytes);
    if get.u8()? != EVENT_VERSION {
        return Err(Unread::Malformed);
    }
    let at = get.timestamp()?;
    let author = author(get.u8()?)?;
    let id = ClientId::from_bytes(get.id()?);
    let digest = RequestDigest(get.id()?);
    let after = get.state()?;
    // Here an event without its words is written anew, as one that has none.
    if is_erased(get.0) {
        return Err(Unread::Malformed);
    }
    let header = Header { chat: kept.chat, seq, at, author, id, digest, after };
    let event = read_kind(&mut get, header, kept.sealing)?;
    get.end()?;
    Ok(event)
}

/// The value of a chat.
pub fn chat_bytes(chat: &Chat) -> Vec<u8> {
    let mut out = vec![CHAT_VERSION];
    put_chat_fields(&mut out, chat);
    out
}

/// Reads the value of a chat.
pub fn read_chat(bytes: &[u8]) -> Result<Chat, Malformed> {
    let mut get = Get(bytes);
    if get.u8()? != CHAT_VERSION {
        return Err(Malformed);
    }
    let chat = get_chat_fields(&mut get)?;
    get.end()?;
    Ok(chat)
}
