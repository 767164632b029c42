//! What a load message is called and what it says.
//!
//! The client id of every message is its place: run, room, side, device and running number. So an
//! answer leads to its message without a table, and a stranger's id is recognised at sight. Only a
//! hash of the text is kept; the text itself can be made again from the name.

use std::fmt;

use barterline_domain::chat::Role;
use barterline_domain::event::Author;
use barterline_domain::ids::ClientId;

/// A side of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Opened the chat.
    Buyer,
    /// Owns the listing.
    Seller,
}

impl Side {
    /// Both, the buyer first.
    pub const BOTH: [Self; 2] = [Self::Buyer, Self::Seller];

    /// 0 or 1.
    pub const fn index(self) -> usize {
        match self {
            Self::Buyer => 0,
            Self::Seller => 1,
        }
    }

    /// The side with this index; anything but 0 is the seller.
    pub const fn of_index(index: usize) -> Self {
        match index {
            0 => Self::Buyer,
            _ => Self::Seller,
        }
    }

    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Self::Buyer => Self::Seller,
            Self::Seller => Self::Buyer,
        }
    }

    /// The side an event's author is on; `None` for the server itself.
    pub const fn of_author(author: Author) -> Option<Self> {
        match author {
            Author::Buyer => Some(Self::Buyer),
            Author::Seller => Some(Self::Seller),
            Author::System => None,
        }
    }
}

impl From<Role> for Side {
    fn from(role: Role) -> Self {
        match role {
            Role::Buyer => Self::Buyer,
            Role::Seller => Self::Seller,
        }
    }
}

/// Most devices on one side of a room, those that only listen included.
pub const DEVICES_MAX: usize = 32;

/// A device on one side of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Index of the room.
    pub room: u32,
    /// Whose device.
    pub side: Side,
    /// 0, 1, 2 … below [`DEVICES_MAX`].
    pub device: u8,
}

/// Which message: the `counter`-th (from 1) of a device on a side of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    /// Index of the room.
    pub room: u32,
    /// Who says it.
    pub side: Side,
    /// On which device.
    pub device: u8,
    /// 1, 2, 3 …
    pub counter: u32,
}

impl Place {
    /// The `counter`-th message that is composed here.
    pub fn message(self, counter: u32) -> Name {
        Name { room: self.room, side: self.side, device: self.device, counter }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} on device {}", self.side, self.device)
    }
}

impl Name {
    /// Where it was composed.
    pub fn place(self) -> Place {
        Place { room: self.room, side: self.side, device: self.device }
    }

    /// The client id of this message in the run `nonce`.
    pub fn id(self, nonce: u32) -> ClientId {
        let mut bytes = [0; 16];
        bytes[0..4].copy_from_slice(&nonce.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.room.to_be_bytes());
        bytes[8] = self.side.index() as u8;
        bytes[9] = self.device;
        bytes[12..16].copy_from_slice(&self.counter.to_be_bytes());
        ClientId::from_bytes(bytes)
    }

    /// The message that [`Name::id`] named; `None` for anybody else's id.
    pub fn of_id(id: &ClientId, nonce: u32) -> Option<Self> {
        let bytes = id.as_bytes();
        let word = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let strange = word(0) != nonce
            || bytes[8] > 1
            || usize::from(bytes[9]) >= DEVICES_MAX
            || bytes[10..12] != [0; 2]
            || word(12) == 0;
        (!strange).then(|| Self {
            room: word(4),
            side: Side::of_index(usize::from(bytes[8])),
            device: bytes[9],
            counter: word(12),
        })
    }
}

/// A 64-bit hash of a text: enough to tell a changed text, at a fraction of a nanosecond a byte.
/// Not for anything that an adversary chooses.
pub fn hash_text(text: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(K);
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = words.iter().fold(K ^ text.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(*word)).rotate_left(23)
    });
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = mix(hash, u64::from_le_bytes(last));
    mix(hash, K)
}

/// What the messages of a run say.
#[derive(Debug)]
pub enum Texts {
    /// So many bytes each: the name, the time it was due, then small talk.
    Sized(usize),
    /// Said word for word: by room, by side, in order.
    Script(Vec<[Vec<String>; 2]>),
}

const SMALL_TALK: &[u8] =
    b"Is it still available? I can pick it up on Saturday before noon and pay \
cash, if that suits you. Would you take a little less? It has to fit into the back of a small car, \
so please tell me how wide and how heavy it is, and whether the scratch on the side can be seen. ";

impl Texts {
    /// Appends the text of `name`, which was due `due_ns` after the start of the run.
    pub fn write(&self, name: Name, due_ns: u64, out: &mut Vec<u8>) {
        match self {
            Self::Sized(bytes) => {
                let end = out.len() + bytes;
                out.push(b'r');
                digits(out, u64::from(name.room), 5);
                out.extend_from_slice(if name.side == Side::Buyer { b" b" } else { b" s" });
                digits(out, u64::from(name.counter), 7);
                out.extend_from_slice(b" t");
                digits(out, due_ns, 13);
                out.extend_from_slice(b": ");
                let from = name.counter as usize % 32;
                while out.len() < end {
                    let talk = &SMALL_TALK[from..];
                    out.extend_from_slice(&talk[..talk.len().min(end - out.len())]);
                }
                out.truncate(end);
            }
            Self::Script(rooms) => {
                let said = rooms
                    .get(name.room as usize)
                    .and_then(|room| room[name.side.index()].get(name.counter as usize - 1));
                out.extend_from_slice(said.map_or("…", String::as_str).as_bytes());
            }
        }
    }
}

/// Appends the last `width` decimal digits of `value`.
fn digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name { room: 7, side: Side::Seller, device: 3, counter: 42 };

    #[test]
    fn an_id_leads_back_to_its_message_and_a_strangers_does_not() {
        let id = NAME.id(99);
        assert_eq!(Name::of_id(&id, 99), Some(NAME));
        assert_eq!(Name::of_id(&id, 98), None);
        assert_eq!(Name::of_id(&ClientId::from_bytes([9; 16]), 99), None);
    }

    #[test]
    fn sized_texts_have_their_size_and_tell_who_speaks() {
        for bytes in [1, 40, 120, 540, 4_000] {
            let mut text = Vec::new();
            Texts::Sized(bytes).write(NAME, 1_234_567, &mut text);
            assert_eq!(text.len(), bytes);
        }
        let mut text = Vec::new();
        Texts::Sized(120).write(NAME, 1_234_567, &mut text);
        assert!(text.starts_with(b"r00007 s0000042 t0000001234567: "));
    }

    #[test]
    fn a_changed_text_has_another_hash() {
        let text = b"could you do two hundred?".to_vec();
        for at in 0..text.len() {
            let mut other = text.clone();
            other[at] ^= 1;
            assert_ne!(hash_text(&text), hash_text(&other), "byte {at}");
        }
        assert_ne!(hash_text(b"a"), hash_text(b"a\0"));
        assert_ne!(hash_text(b""), hash_text(b"\0\0\0\0\0\0\0\0"));
    }
}
