//! What stands in an archive's parts. A frame is `[length u32][crc32c u32][kind u8][fields…]`; the
//! length counts what follows the checksum, the checksum covers the same. A kind never changes its
//! fields.

use std::sync::Arc;

use barterline_domain::clock::Timestamp;
use barterline_domain::event::Event;
use barterline_domain::ids::{ListingId, MediaId, SavedSearchId, UserId};
use uuid::Uuid;

use super::bytes::{Get, Malformed, Put};
use super::chat_log::{get_chat_fields, put_chat_fields};
use super::chat_rows::{event_bytes, read_event};
use super::index::{get_side, put_side};
use super::rows::Row;
use super::sealing::{InChat, Unread};
use crate::bulk::{ChatItem, Gone, Item, Place};
use crate::favourites::Favourite;

/// Length and checksum in front of each frame.
pub const FRAME_HEADER_BYTES: usize = 8;
/// Longest frame: a report with everything it may carry.
pub const FRAME_BYTES_MAX: usize = 2 << 20;

const MAGIC: &[u8; 16] = b"barterline part\n";

const BEGIN: u8 = 0;
const CHAT: u8 = 1;
const EVENT: u8 = 2;
const REPORT: u8 = 3;
const LISTING: u8 = 4;
const BLOCK: u8 = 5;
const UNBLOCK: u8 = 6;
const USER_STATE: u8 = 7;
const SESSION: u8 = 8;
const CREDENTIAL: u8 = 9;
const ACCOUNT: u8 = 10;
const CREDENTIAL_GONE: u8 = 11;
const API_KEYS: u8 = 12;
const AUDIT_ENTRY: u8 = 13;
const IDENTITIES: u8 = 14;
const FAVOURITE: u8 = 15;
const FAVOURITE_GONE: u8 = 16;
const MEDIA: u8 = 17;
const MEDIA_GONE: u8 = 18;
const LISTING_VIEWS: u8 = 19;
const SAVED_SEARCH: u8 = 20;
const SAVED_SEARCH_GONE: u8 = 21;
const END: u8 = 255;

/// What begins a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// Which archive it belongs to.
    pub archive: Uuid,
    /// Which part of its kind, from one.
    pub number: u32,
}

/// What ends a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Items of the part.
    pub items: u64,
    /// Events of the part.
    pub events: u64,
    /// Items of the kind that the source had, up to here.
    pub total: u64,
    /// Behind which place the next part begins; `None` in the last.
    pub next: Option<Place>,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The first of a part.
    Begin(Begin),
    /// An item, and where it stood in its store.
    Item(Place, Item),
    /// The next event of the chat before it.
    Event(Event),
    /// Something that is no more.
    Gone(Gone),
    /// The last of a part.
    End(End),
}

/// Appends a frame to `out`. Events are of this chat.
pub fn put_frame(out: &mut Vec<u8>, frame: &Frame, kept: InChat<'_>) {
    let start = out.len();
    out.put_u64(0);
    put_fields(out, frame, kept);
    let body = start + FRAME_HEADER_BYTES;
    let len = (out.len() - body) as u32;
    let crc = crc32c::crc32c(&out[body..]);
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..body].copy_from_slice(&crc.to_le_bytes());
}

fn put_fields(out: &mut Vec<u8>, frame: &Frame, kept: InChat<'_>) {
    match frame {
        Frame::Begin(begin) => {
            out.put_u8(BEGIN);
            out.put_id(MAGIC);
            out.put_id(begin.archive.as_bytes());
            out.put_u32(begin.number);
        }
        Frame::Item(place, item) => {
            out.put_u8(code(item));
            put_place(out, place);
            put_item(out, item);
        }
        Frame::Event(event) => {
            out.put_u8(EVENT);
            out.put_u64(event.seq.0);
            out.extend(event_bytes(event, kept));
        }
        Frame::Gone(Gone::Block(blocker, blocked)) => {
            out.put_u8(UNBLOCK);
            out.put_id(blocker.as_bytes());
            out.put_id(blocked.as_bytes());
        }
        Frame::Gone(Gone::Favourite(user, listing)) => {
            out.put_u8(FAVOURITE_GONE);
            out.put_id(user.as_bytes());
            out.put_id(listing.as_bytes());
        }
        Frame::Gone(Gone::SavedSearch(user, search)) => {
            out.put_u8(SAVED_SEARCH_GONE);
            out.put_id(user.as_bytes());
            out.put_id(search.as_bytes());
        }
        Frame::Gone(Gone::Media(media)) => {
            out.put_u8(MEDIA_GONE);
            out.put_id(media.as_bytes());
        }
        Frame::Gone(Gone::Credential(user)) => {
            out.put_u8(CREDENTIAL_GONE);
            out.put_id(user.as_bytes());
        }
        Frame::End(end) => {
            out.put_u8(END);
            out.put_u64(end.items);
            out.put_u64(end.events);
            out.put_u64(end.total);
            out.put_u8(end.next.is_some().into());
            put_place(out, end.next.as_ref().unwrap_or(&Place(Vec::new())));
        }
    }
}

const fn code(item: &Item) -> u8 {
    match item {
        Item::Chat(_) => CHAT,
        Item::Report(_) => REPORT,
        Item::AuditEntry(_) => AUDIT_ENTRY,
        Item::ListingViews(..) => LISTING_VIEWS,
        Item::Listing(_) => LISTING,
        Item::Media(_) => MEDIA,
        Item::Favourite(..) => FAVOURITE,
        Item::SavedSearch(..) => SAVED_SEARCH,
        Item::Block(..) => BLOCK,
        Item::UserState(..) => USER_STATE,
        Item::Session(_) => SESSION,
        Item::ApiKeys(..) => API_KEYS,
        Item::Identities(..) => IDENTITIES,
        Item::Credential(_) => CREDENTIAL,
        Item::Account(_) => ACCOUNT,
    }
}

fn put_place(out: &mut Vec<u8>, place: &Place) {
    out.put_u32(place.0.len() as u32);
    out.extend_from_slice(&place.0);
}

fn put_item(out: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Chat(item) => {
            put_chat_fields(out, &item.chat);
            out.put_u64(item.head.0);
            put_side(out, &item.buyer);
            put_side(out, &item.seller);
        }
        Item::Report(row) => out.extend(row.to_bytes()),
        Item::AuditEntry(row) => out.extend(row.to_bytes()),
        Item::ListingViews(listing, count) => {
            out.put_id(listing.as_bytes());
            out.put_u64(*count);
        }
        Item::Listing(row) => out.extend(row.to_bytes()),
        Item::Media(row) => out.extend(row.to_bytes()),
        Item::Favourite(user, it) => {
            out.put_id(user.as_bytes());
            out.put_id(it.listing.as_bytes());
            out.put_u64(it.since.as_millis());
        }
        Item::SavedSearch(user, row) => {
            out.put_id(user.as_bytes());
            out.extend(row.to_bytes());
        }
        Item::Block(blocker, blocked) => {
            out.put_id(blocker.as_bytes());
            out.put_id(blocked.as_bytes());
        }
        Item::UserState(user, row) => {
            out.put_id(user.as_bytes());
            out.extend(row.to_bytes());
        }
        Item::Session(row) => out.extend(row.to_bytes()),
        Item::ApiKeys(user, row) => {
            out.put_id(user.as_bytes());
            out.extend(row.to_bytes());
        }
        Item::Identities(user, row) => {
            out.put_id(user.as_bytes());
            out.extend(row.to_bytes());
        }
        Item::Credential(row) => out.extend(row.to_bytes()),
        Item::Account(row) => out.extend(row.to_bytes()),
    }
}

/// Length of the body that follows the header that starts `bytes`, and its checksum.
pub fn read_header(bytes: [u8; FRAME_HEADER_BYTES]) -> Result<(usize, u32), Malformed> {
    let mut get = Get(&bytes);
    let (len, crc) = (get.u32()? as usize, get.u32()?);
    if (1..=FRAME_BYTES_MAX).contains(&len) { Ok((len, crc)) } else { Err(Malformed) }
}

/// Reads the body of a frame. An event is of this chat.
pub fn read_frame(body: &[u8], crc: u32, kept: InChat<'_>) -> Result<Frame, Unread> {
    if crc32c::crc32c(body) != crc {
        return Err(Unread::Malformed);
    }
    let mut get = Get(body);
    let frame = match get.u8()? {
        BEGIN => {
            if get.id()? != *MAGIC {
                return Err(Unread::Malformed);
            }
            Frame::Begin(Begin { archive: Uuid::from_bytes(get.id()?), number: get.u32()? })
        }
        EVENT => {
            let seq = get.seq()?;
            Frame::Event(read_event(seq, take_rest(&mut get), kept)?)
        }
        UNBLOCK => {
            let (blocker, blocked) = (get.id()?, get.id()?);
            let (blocker, blocked) = (UserId::from_bytes(blocker), UserId::from_bytes(blocked));
            Frame::Gone(Gone::Block(blocker, blocked))
        }
        FAVOURITE_GONE => {
            let (user, listing) = (get.id()?, get.id()?);
            let listing = ListingId::from_bytes(listing);
            Frame::Gone(Gone::Favourite(UserId::from_bytes(user), listing))
        }
        SAVED_SEARCH_GONE => {
            let (user, search) = (get.id()?, get.id()?);
            let search = SavedSearchId::from_bytes(search);
            Frame::Gone(Gone::SavedSearch(UserId::from_bytes(user), search))
        }
        MEDIA_GONE => Frame::Gone(Gone::Media(MediaId::from_bytes(get.id()?))),
        CREDENTIAL_GONE => Frame::Gone(Gone::Credential(UserId::from_bytes(get.id()?))),
        END => {
            let (items, events, total) = (get.u64()?, get.u64()?, get.u64()?);
            let has_next = get.u8()?;
            let place = get_place(&mut get)?;
            let next = match has_next {
                0 if place.0.is_empty() => None,
                1 => Some(place),
                _ => return Err(Unread::Malformed),
            };
            Frame::End(End { items, events, total, next })
        }
        code => {
            let place = get_place(&mut get)?;
            Frame::Item(place, get_item(code, &mut get)?)
        }
    };
    get.end()?;
    Ok(frame)
}

fn take_rest<'a>(get: &mut Get<'a>) -> &'a [u8] {
    std::mem::take(&mut get.0)
}

fn get_place(get: &mut Get<'_>) -> Result<Place, Malformed> {
    let len = get.u32()? as usize;
    let (place, rest) = get.0.split_at_checked(len).ok_or(Malformed)?;
    get.0 = rest;
    Ok(Place(place.to_vec()))
}

fn get_item(code: u8, get: &mut Get<'_>) -> Result<Item, Malformed> {
    Ok(match code {
        CHAT => Item::Chat(Box::new(ChatItem {
            chat: Arc::new(get_chat_fields(get)?),
            head: get.seq()?,
            buyer: get_side(get)?,
            seller: get_side(get)?,
        })),
        REPORT => Item::Report(Box::new(Row::from_bytes(take_rest(get))?)),
        LISTING_VIEWS => {
            let listing = ListingId::from_bytes(get.id()?);
            Item::ListingViews(listing, get.u64()?)
        }
        LISTING => Item::Listing(Box::new(Row::from_bytes(take_rest(get))?)),
        MEDIA => Item::Media(Box::new(Row::from_bytes(take_rest(get))?)),
        FAVOURITE => {
            let user = UserId::from_bytes(get.id()?);
            let listing = ListingId::from_bytes(get.id()?);
            let since = Timestamp::from_millis(get.u64()?);
            Item::Favourite(user, Favourite { listing, since })
        }
        SAVED_SEARCH => {
            let user = UserId::from_bytes(get.id()?);
            Item::SavedSearch(user, Row::from_bytes(take_rest(get))?)
        }
        BLOCK => {
            let (blocker, blocked) = (get.id()?, get.id()?);
            Item::Block(UserId::from_bytes(blocker), UserId::from_bytes(blocked))
        }
        USER_STATE => {
            let user = UserId::from_bytes(get.id()?);
            Item::UserState(user, Row::from_bytes(take_rest(get))?)
        }
        AUDIT_ENTRY => Item::AuditEntry(Box::new(Row::from_bytes(take_rest(get))?)),
        API_KEYS => {
            let user = UserId::from_bytes(get.id()?);
            Item::ApiKeys(user, Row::from_bytes(take_rest(get))?)
        }
        IDENTITIES => {
            let user = UserId::from_bytes(get.id()?);
            Item::Identities(user, Row::from_bytes(take_rest(get))?)
        }
        SESSION => Item::Session(Row::from_bytes(take_rest(get))?),
        CREDENTIAL => Item::Credential(Box::new(Row::from_bytes(take_rest(get))?)),
        ACCOUNT => Item::Account(Box::new(Row::from_bytes(take_rest(get))?)),
        _ => return Err(Malformed),
    })
}
