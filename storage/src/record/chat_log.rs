//! What stands in the log file, and in its index.
//!
//! A record is `[length u32][crc32c u32][kind u8][fields…]`; the length counts what follows the
//! checksum, the checksum covers the same. A kind never changes its fields: a new layout is a new
//! kind.

use barterline_domain::chat::{Chat, ListingSnapshot, Participants, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ChatId, ClientId, DeviceId, ListingId, UserId};
use barterline_domain::marks::Visibility;
use barterline_domain::message::RequestDigest;
use barterline_domain::personal::PersonalChange;

use super::bytes::{Get, Malformed, Put, STATE_BYTES};
use super::event_kind::{Header, erase_kind, open_digest, put_kind, read_kind};
use super::index::{Side, get_side, put_side};
use super::sealing::{Sealing, Unread};

/// Length and checksum in front of each record.
pub const RECORD_HEADER_BYTES: usize = 8;
/// Longest record: the largest body and its fields fit with room to spare.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Distance of the near skip pointers, in events.
pub const NEAR: u64 = 64;
/// Distance of the far skip pointers, in events.
pub const FAR: u64 = 4_096;

/// Where the digest of an event's request stands: behind header, kind, chat, number, time, author and id.
const DIGEST_OFFSET: usize = RECORD_HEADER_BYTES + 1 + 16 + 8 + 8 + 1 + 16;
/// Where its salt stands: behind the digest, the small state and three positions.
const SALT_OFFSET: usize = DIGEST_OFFSET + 16 + STATE_BYTES + 3 * 8;
/// Where it says what happened.
const KIND_OFFSET: usize = SALT_OFFSET + 4;

const KIND_CHAT: u8 = 1;
const KIND_EVENT: u8 = 7;
const KIND_MARK: u8 = 3;
const KIND_PERSONAL: u8 = 4;
const KIND_SIDE: u8 = 5;

/// Positions of earlier events of the same chat, so that any number is found in few reads without
/// an index. Zero: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Back {
    /// The event before.
    pub previous: u64,
    /// [`NEAR`] events before; on every multiple of it.
    pub near: u64,
    /// [`FAR`] events before; on every multiple of it.
    pub far: u64,
}

/// One device's marks in one chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// In which chat.
    pub chat: ChatId,
    /// The side of the person.
    pub role: Role,
    /// Which device stored the events.
    pub device: DeviceId,
    /// What the device has stored.
    pub delivered: Seq,
    /// What the person has seen.
    pub read: Seq,
    /// Messages by the other person up to `read`.
    pub read_messages: u64,
    /// How much of it the other person sees.
    pub visibility: Visibility,
}

/// A change of what is one person's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// In which chat.
    pub chat: ChatId,
    /// The side of the person.
    pub role: Role,
    /// What changed.
    pub change: PersonalChange,
}

/// A side of a chat as an import has it: what stood there before is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedSide {
    /// In which chat.
    pub chat: ChatId,
    /// Which side.
    pub role: Role,
    /// All of it; when it changed is where the record stands.
    pub side: Side,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A chat was opened.
    Chat(Chat),
    /// A chat's log grew.
    Event {
        /// Whose.
        chat: ChatId,
        /// By what.
        event: Event,
        /// Where the earlier ones are.
        back: Back,
        /// Random, of no meaning: while nobody knows it, the checksum tells nothing of the words.
        salt: u32,
    },
    /// Somebody's marks moved.
    Mark(Mark),
    /// Somebody changed what is theirs alone.
    Personal(Change),
    /// A side was imported.
    Side(ImportedSide),
}

/// Appends a record made by `fields` to `out`.
fn put_record(out: &mut Vec<u8>, kind: u8, fields: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u64(0);
    out.put_u8(kind);
    fields(out);
    let body = start + RECORD_HEADER_BYTES;
    let len = (out.len() - body) as u32;
    let crc = crc32c::crc32c(&out[body..]);
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..body].copy_from_slice(&crc.to_le_bytes());
}

/// Appends an event record; `sealed` is what [`seal_kind`](super::event_kind::seal_kind) made of it.
pub fn put_event(
    out: &mut Vec<u8>,
    (chat, event): (ChatId, &Event),
    (back, salt): (Back, u32),
    sealed: Option<&[u8]>,
) {
    put_record(out, KIND_EVENT, |out| {
        out.put_id(chat.as_bytes());
        out.put_u64(event.seq.0);
        out.put_u64(event.at.as_millis());
        out.put_u8(author_code(event.author));
        out.put_id(event.id.as_bytes());
        out.put_id(&open_digest(event, sealed).0);
        out.put_state(event.after);
        out.put_u64(back.previous);
        out.put_u64(back.near);
        out.put_u64(back.far);
        out.put_u32(salt);
        put_kind(out, event, sealed);
    });
}

/// Overwrites the words of a message, or of an edit, and the digest of the request, in the record of an
/// event. The record stays as long as it was, and its checksum as it is, and with it that of everything
/// around it. `false`: there are no words.
///
/// A CRC is linear: two texts of one length have the same where their difference is a multiple of its
/// polynomial, whatever stands before and behind. Four bytes that are free make it one, and those of the
/// salt are: as it was random, neither they nor the checksum tell of the words, but only how long they were.
pub fn erase_record(record: &mut [u8]) -> Result<bool, Malformed> {
    let Ok(Record::Event { .. }) = read_record(record, &Sealing::without_words()) else {
        return Err(Malformed);
    };
    let crc = crc32c::crc32c(&record[RECORD_HEADER_BYTES..]);
    if !erase_kind(record.get_mut(KIND_OFFSET..).ok_or(Malformed)?)? {
        return Ok(false);
    }
    record[DIGEST_OFFSET..DIGEST_OFFSET + 16].fill(0);
    let free = SALT_OFFSET;
    record[free..free + 4].fill(0);
    let crc_of = |record: &[u8]| crc32c::crc32c(&record[RECORD_HEADER_BYTES..]);
    let without = crc_of(record);
    // What each free bit adds to the checksum, less what earlier ones do; then those that add up to what
    // is wanted.
    let mut rows: Vec<(u32, u32)> = Vec::with_capacity(32);
    for bit in 0..32 {
        record[free..free + 4].copy_from_slice(&(1u32 << bit).to_le_bytes());
        let (mut adds, mut bits) = (crc_of(record) ^ without, 1u32 << bit);
        for (row, made_of) in &rows {
            if adds ^ row < adds {
                adds ^= row;
                bits ^= made_of;
            }
        }
        rows.push((adds, bits));
    }
    let (mut wanted, mut patch) = (crc ^ without, 0);
    for (row, made_of) in rows {
        if wanted ^ row < wanted {
            wanted ^= row;
            patch ^= made_of;
        }
    }
    record[free..free + 4].copy_from_slice(&patch.to_le_bytes());
    debug_assert_eq!(crc_of(record), crc, "four bytes in a row reach every checksum");
    Ok(true)
}

/// Appends a chat record.
pub fn put_chat(out: &mut Vec<u8>, chat: &Chat) {
    put_record(out, KIND_CHAT, |out| put_chat_fields(out, chat));
}

/// Appends a mark record.
pub fn put_mark(out: &mut Vec<u8>, mark: &Mark) {
    put_record(out, KIND_MARK, |out| {
        out.put_id(mark.chat.as_bytes());
        out.put_u8(role_code(mark.role));
        out.put_id(mark.device.as_bytes());
        out.put_u64(mark.delivered.0);
        out.put_u64(mark.read.0);
        out.put_u64(mark.read_messages);
        out.put_u8(match mark.visibility {
            Visibility::Both => 1,
            Visibility::Delivered => 2,
            Visibility::Nothing => 3,
        });
    });
}

/// Appends a record of a personal change.
pub fn put_personal(out: &mut Vec<u8>, change: &Change) {
    let (code, value) = match change.change {
        PersonalChange::Mute(None) => (1, 0),
        PersonalChange::Mute(Some(until)) => (2, until.as_millis()),
        PersonalChange::Archive(archived) => (3, archived.into()),
        PersonalChange::Pin(pinned) => (4, pinned.into()),
        PersonalChange::Unread(unread) => (5, unread.into()),
        PersonalChange::Hide(seq) => (6, seq.0),
        PersonalChange::HideThrough(seq) => (7, seq.0),
    };
    put_record(out, KIND_PERSONAL, |out| {
        out.put_id(change.chat.as_bytes());
        out.put_u8(role_code(change.role));
        out.put_u8(code);
        out.put_u64(value);
    });
}

/// Appends a record of an imported side.
pub fn put_imported_side(out: &mut Vec<u8>, imported: &ImportedSide) {
    put_record(out, KIND_SIDE, |out| {
        out.put_id(imported.chat.as_bytes());
        out.put_u8(role_code(imported.role));
        put_side(out, &imported.side);
    });
}

fn get_personal(get: &mut Get<'_>) -> Result<Change, Malformed> {
    let (chat, role) = (ChatId::from_bytes(get.id()?), role(get.u8()?)?);
    let (code, value) = (get.u8()?, get.u64()?);
    let flag = || match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed),
    };
    let change = match code {
        1 if value == 0 => PersonalChange::Mute(None),
        2 => PersonalChange::Mute(Some(Timestamp::from_millis(value))),
        3 => PersonalChange::Archive(flag()?),
        4 => PersonalChange::Pin(flag()?),
        5 => PersonalChange::Unread(flag()?),
        6 => PersonalChange::Hide(Seq(value)),
        7 => PersonalChange::HideThrough(Seq(value)),
        _ => return Err(Malformed),
    };
    Ok(Change { chat, role, change })
}

/// Length of the record that starts `bytes`, header included; `None` if the header is cut off or
/// cannot be true.
pub fn record_len(bytes: &[u8]) -> Option<usize> {
    let len = Get(bytes).u32().ok()? as usize;
    (1..=RECORD_BYTES_MAX).contains(&len).then_some(len + RECORD_HEADER_BYTES)
}

/// Reads the record that fills `bytes`.
pub fn read_record(bytes: &[u8], sealing: &Sealing) -> Result<Record, Unread> {
    let mut header = Get(bytes);
    let len = header.u32()? as usize;
    let crc = header.u32()?;
    let body = header.0;
    if body.len() != len || crc32c::crc32c(body) != crc {
        return Err(Unread::Malformed);
    }
    let mut get = Get(body);
    let record = match get.u8()? {
        KIND_CHAT => Record::Chat(get_chat_fields(&mut get)?),
        KIND_EVENT => get_event(&mut get, sealing)?,
        KIND_MARK => Record::Mark(Mark {
            chat: ChatId::from_bytes(get.id()?),
            role: role(get.u8()?)?,
            device: DeviceId::from_bytes(get.id()?),
            delivered: get.seq()?,
            read: get.seq()?,
            read_messages: get.u64()?,
            visibility: match get.u8()? {
                1 => Visibility::Both,
                2 => Visibility::Delivered,
                3 => Visibility::Nothing,
                _ => return Err(Unread::Malformed),
            },
        }),
        KIND_PERSONAL => Record::Personal(get_personal(&mut get)?),
        KIND_SIDE => Record::Side(ImportedSide {
            chat: ChatId::from_bytes(get.id()?),
            role: role(get.u8()?)?,
            side: get_side(&mut get)?,
        }),
        _ => return Err(Unread::Malformed),
    };
    get.end()?;
    Ok(record)
}

fn get_event(get: &mut Get<'_>, sealing: &Sealing) -> Result<Record, Unread> {
    let chat = ChatId::from_bytes(get.id()?);
    let seq = get.seq()?;
    let at = get.timestamp()?;
    let author = author(get.u8()?)?;
    let id = ClientId::from_bytes(get.id()?);
    let digest = RequestDigest(get.id()?);
    let after = get.state()?;
    let back = Back { previous: get.u64()?, near: get.u64()?, far: get.u64()? };
    let salt = get.u32()?;
    let event = read_kind(get, Header { chat, seq, at, author, id, digest, after }, sealing)?;
    Ok(Record::Event { chat, event, back, salt })
}

pub(super) fn put_chat_fields(out: &mut Vec<u8>, chat: &Chat) {
    out.put_id(chat.id.as_bytes());
    out.put_id(chat.listing.as_bytes());
    out.put_id(chat.participants.buyer.as_bytes());
    out.put_id(chat.participants.seller.as_bytes());
    out.put_u64(chat.opened_at.as_millis());
    out.put_u64(chat.snapshot.version);
    out.put_money(chat.snapshot.price);
    out.put_text(&chat.snapshot.title);
}

pub(super) fn get_chat_fields(get: &mut Get<'_>) -> Result<Chat, Malformed> {
    let id = ChatId::from_bytes(get.id()?);
    let listing = ListingId::from_bytes(get.id()?);
    let participants = Participants {
        buyer: UserId::from_bytes(get.id()?),
        seller: UserId::from_bytes(get.id()?),
    };
    let opened_at = get.timestamp()?;
    let version = get.u64()?;
    let price = get.money()?;
    let title = get.text()?.to_owned();
    let snapshot = ListingSnapshot { title, price, version };
    Ok(Chat { id, listing, participants, snapshot, opened_at })
}

pub(super) fn author_code(author: Author) -> u8 {
    match author {
        Author::Buyer => 1,
        Author::Seller => 2,
        Author::System => 3,
    }
}

pub(super) fn author(code: u8) -> Result<Author, Malformed> {
    match code {
        1 => Ok(Author::Buyer),
        2 => Ok(Author::Seller),
        3 => Ok(Author::System),
        _ => Err(Malformed),
    }
}

fn role_code(role: Role) -> u8 {
    match role {
        Role::Buyer => 1,
        Role::Seller => 2,
    }
}

fn role(code: u8) -> Result<Role, Malformed> {
    match code {
        1 => Ok(Role::Buyer),
        2 => Ok(Role::Seller),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use barterline_domain::event::{Event, SmallState};
    use barterline_domain::listing::ListingStatus;
    use barterline_domain::listing::change::{ListingChange, Moved};
    use barterline_domain::message::{Body, EventKind};

    use super::*;

    const CHAT: ChatId = ChatId::from_bytes([1; 16]);

    fn event(kind: EventKind) -> Event {
        let (seq, at, id) = (Seq(9), Timestamp::from_millis(7), ClientId::from_bytes([3; 16]));
        let (digest, after) = (kind.digest(), SmallState::default());
        let author = Author::Seller;
        Event { seq, at, author, id, digest, kind, after, withheld: false, amended: None }
    }

    #[test]
    fn words_are_overwritten_under_the_same_checksums() {
        for text in ["k", "ok", "three words here", &"long ".repeat(700)] {
            let body = Body::parse(text.to_owned()).expect("words");
            for kind in [
                EventKind::text(text),
                EventKind::Edit { target: Seq(4), body: Some(body.clone()) },
            ] {
                let (chat, event) = (CHAT, event(kind));
                let back = Back { previous: 77, ..Back::default() };
                let mut record = Vec::new();
                put_event(&mut record, (chat, &event), (back, 0x1234_5678), None);
                let before = record.clone();
                assert_eq!(erase_record(&mut record), Ok(true));
                assert_eq!(record.len(), before.len());
                assert_eq!(record[..RECORD_HEADER_BYTES], before[..RECORD_HEADER_BYTES]);
                // Also of whatever they stand in.
                let within = |record: &[u8]| [b"before", record, b"behind"].concat();
                assert_eq!(crc32c::crc32c(&within(&record)), crc32c::crc32c(&within(&before)));
                let mut event = event.clone();
                event.empty();
                let Ok(Record::Event { event: left, .. }) =
                    read_record(&record, &Sealing::default())
                else {
                    panic!("no event")
                };
                assert_eq!(left, event);
                assert_eq!(erase_record(&mut record), Ok(false), "once");
            }
        }
        let mut note = Vec::new();
        let body = Body::parse("sold".to_owned()).expect("words");
        put_event(&mut note, (CHAT, &event(EventKind::Note(body))), Default::default(), None);
        assert_eq!(erase_record(&mut note), Ok(false), "it stays");
        let sold = Moved { old: ListingStatus::Active, new: ListingStatus::Sold };
        let change = ListingChange::parse((0, 2), None, Some(sold)).expect("a change");
        let mut told = Vec::new();
        put_event(&mut told, (CHAT, &event(EventKind::Listing(change))), Default::default(), None);
        assert_eq!(erase_record(&mut told), Ok(false), "it has no words");
    }
}
