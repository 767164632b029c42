//! What the index keeps of each chat.

use std::sync::Arc;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Seq, SmallState};
use barterline_domain::ids::{ChatId, DeviceId};
use barterline_domain::marks::Marks;
use barterline_domain::personal::Personal;

use super::amend::Aspect;
use super::bytes::{Get, Malformed, Put};
use super::chat_log::{Back, FAR, NEAR, get_chat_fields, put_chat_fields};

/// Where a chat's log ends: enough to read backwards from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    /// The newest number.
    pub head: Seq,
    /// Its position.
    pub position: u64,
    /// Position of the newest multiple of [`NEAR`].
    pub near: u64,
    /// Position of the newest multiple of [`FAR`].
    pub far: u64,
    /// The small state at the head.
    pub state: SmallState,
}

impl Tail {
    /// Pointers for the event that follows.
    pub fn back(&self) -> Back {
        let next = self.head.next().0;
        Back {
            previous: self.position,
            near: if next.is_multiple_of(NEAR) { self.near } else { 0 },
            far: if next.is_multiple_of(FAR) { self.far } else { 0 },
        }
    }

    /// The tail after an event at `position`.
    #[must_use]
    pub fn after(&self, seq: Seq, state: SmallState, position: u64) -> Self {
        Self {
            head: seq,
            position,
            near: if seq.0.is_multiple_of(NEAR) { position } else { self.near },
            far: if seq.0.is_multiple_of(FAR) { position } else { self.far },
            state,
        }
    }
}

/// One person's side of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Side {
    /// What each device has stored.
    pub delivered: Vec<(DeviceId, Seq)>,
    /// What the person has seen.
    pub read: Seq,
    /// Messages by the other person up to `read`.
    pub read_messages: u64,
    /// What the other person sees of the marks.
    pub shown: Marks,
    /// What is theirs alone.
    pub personal: Personal,
    /// Inbox position of the last change that is theirs to see and no event.
    pub changed: u64,
}

/// Most devices of one person whose marks are kept for a chat.
const DEVICES_MAX: usize = 16;

impl Side {
    /// Keeps the devices that are furthest, if there are too many.
    pub fn forget_the_furthest_behind(&mut self) {
        while self.delivered.len() > DEVICES_MAX {
            // Of several as far behind, the same one on every backend.
            let least = self.delivered.iter().enumerate();
            let least = least.min_by_key(|(_, (device, seq))| (*seq, *device.as_bytes()));
            let Some((at, _)) = least else { return };
            self.delivered.swap_remove(at);
        }
    }

    /// One form for what means the same: devices in the order of their ids, as many as are kept.
    pub fn normalise(&mut self) {
        self.forget_the_furthest_behind();
        self.delivered.sort_unstable_by_key(|(device, _)| *device.as_bytes());
        let through = self.personal.hidden_through;
        self.personal.hidden.retain(|seq| *seq > through);
    }

    /// The person's marks: the furthest of their devices.
    pub fn marks(&self) -> Marks {
        let delivered = self.delivered.iter().map(|(_, seq)| *seq).max().unwrap_or_default();
        Marks::new(delivered, self.read)
    }
}

/// A chat as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedChat {
    /// What never changes.
    pub chat: Arc<Chat>,
    /// Where its durable log ends.
    pub tail: Tail,
    /// The buyer's side.
    pub buyer: Side,
    /// The seller's side.
    pub seller: Side,
    /// Inbox position of the last event, or of the opening.
    pub changed: u64,
}

impl IndexedChat {
    /// A chat that was just opened at `position`.
    pub fn new(chat: Arc<Chat>, position: u64) -> Self {
        Self {
            chat,
            tail: Tail::default(),
            buyer: Side::default(),
            seller: Side::default(),
            changed: position,
        }
    }

    /// One side.
    pub fn side(&self, role: Role) -> &Side {
        match role {
            Role::Buyer => &self.buyer,
            Role::Seller => &self.seller,
        }
    }

    /// Inbox position of the last change that one side may see: what the other does for themselves
    /// must not show, not even by a row that comes again.
    pub fn changed_for(&self, role: Role) -> u64 {
        self.changed.max(self.side(role).changed)
    }

    /// One side, to change.
    pub fn side_mut(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Buyer => &mut self.buyer,
            Role::Seller => &mut self.seller,
        }
    }
}

const INDEX_VERSION: u8 = 2;

/// The index's row of a chat.
pub fn indexed_chat_bytes(row: &IndexedChat) -> Vec<u8> {
    let mut out = vec![INDEX_VERSION];
    put_chat_fields(&mut out, &row.chat);
    out.put_u64(row.tail.head.0);
    out.put_u64(row.tail.position);
    out.put_u64(row.tail.near);
    out.put_u64(row.tail.far);
    out.put_state(row.tail.state);
    put_side(&mut out, &row.buyer);
    put_side(&mut out, &row.seller);
    out.put_u64(row.changed);
    out
}

/// Reads the index's row of a chat.
pub fn read_indexed_chat(bytes: &[u8]) -> Result<IndexedChat, Malformed> {
    let mut get = Get(bytes);
    if get.u8()? != INDEX_VERSION {
        return Err(Malformed);
    }
    let chat = Arc::new(get_chat_fields(&mut get)?);
    let tail = Tail {
        head: get.seq()?,
        position: get.u64()?,
        near: get.u64()?,
        far: get.u64()?,
        state: get.state()?,
    };
    let buyer = get_side(&mut get)?;
    let seller = get_side(&mut get)?;
    let changed = get.u64()?;
    get.end()?;
    Ok(IndexedChat { chat, tail, buyer, seller, changed })
}

pub(super) fn put_side(out: &mut Vec<u8>, side: &Side) {
    out.put_u32(side.delivered.len() as u32);
    for (device, seq) in &side.delivered {
        out.put_id(device.as_bytes());
        out.put_u64(seq.0);
    }
    out.put_u64(side.read.0);
    out.put_u64(side.read_messages);
    out.put_u64(side.shown.delivered.0);
    out.put_u64(side.shown.read.0);
    put_personal(out, &side.personal);
    out.put_u64(side.changed);
}

pub(super) fn get_side(get: &mut Get<'_>) -> Result<Side, Malformed> {
    let devices = get.u32()?;
    let mut delivered = Vec::new();
    for _ in 0..devices {
        delivered.push((DeviceId::from_bytes(get.id()?), get.seq()?));
    }
    let (read, read_messages) = (get.seq()?, get.u64()?);
    let shown = Marks { delivered: get.seq()?, read: get.seq()? };
    let (personal, changed) = (get_personal(get)?, get.u64()?);
    Ok(Side { delivered, read, read_messages, shown, personal, changed })
}

fn put_personal(out: &mut Vec<u8>, personal: &Personal) {
    let flags =
        [personal.muted_until.is_some(), personal.archived, personal.pinned, personal.unread];
    let flags = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag));
    out.put_u8(flags);
    out.put_u64(personal.muted_until.map_or(0, Timestamp::as_millis));
    out.put_u64(personal.hidden_through.0);
    out.put_u32(personal.hidden.len() as u32);
    for seq in &personal.hidden {
        out.put_u64(seq.0);
    }
}

fn get_personal(get: &mut Get<'_>) -> Result<Personal, Malformed> {
    let flags = get.u8()?;
    let until = get.timestamp()?;
    if flags > 0b1111 || (flags & 1 == 0 && until.as_millis() != 0) {
        return Err(Malformed);
    }
    let hidden_through = get.seq()?;
    let mut hidden = Vec::new();
    for _ in 0..get.u32()? {
        hidden.push(get.seq()?);
    }
    Ok(Personal {
        muted_until: (flags & 1 != 0).then_some(until),
        archived: flags & 2 != 0,
        pinned: flags & 4 != 0,
        unread: flags & 8 != 0,
        hidden_through,
        hidden,
    })
}

/// Which event decides an aspect of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amendment {
    /// Its number.
    pub seq: Seq,
    /// Where its record stands in the log.
    pub position: u64,
}

/// Key of an amendment in the index; keys sort by chat, then by message.
pub fn amendment_key(chat: ChatId, target: Seq, aspect: Option<Aspect>) -> [u8; 25] {
    let mut key = [0; 25];
    key[..16].copy_from_slice(chat.as_bytes());
    key[16..24].copy_from_slice(&target.0.to_be_bytes());
    key[24] = aspect.map_or(0, Aspect::code);
    key
}

/// Message and aspect of a key.
pub fn read_amendment_key(key: &[u8; 25]) -> Result<(Seq, Aspect), Malformed> {
    let mut target = [0; 8];
    target.copy_from_slice(&key[16..24]);
    Ok((Seq(u64::from_be_bytes(target)), Aspect::from_code(key[24])?))
}

impl Amendment {
    /// Its bytes in the index.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.seq.0.to_le_bytes());
        out[8..].copy_from_slice(&self.position.to_le_bytes());
        out
    }

    /// Reads its bytes.
    pub fn read(bytes: &[u8; 16]) -> Result<Self, Malformed> {
        let mut get = Get(bytes);
        Ok(Self { seq: get.seq()?, position: get.u64()? })
    }
}
