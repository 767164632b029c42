//! Every message of a chat, and which message each number stands for.

use super::verdict::Verdict;
use crate::message::{Name, Side};

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u64);

impl Flags {
    /// The sender got an acknowledgement.
    pub const ACKED: Self = Self(1 << 63);
    /// The sender was shown it as an event.
    pub const OWN_SEEN: Self = Self(1 << 62);
    /// The other side was shown it.
    pub const PEER_SEEN: Self = Self(1 << 61);
    /// The read-back showed it.
    pub const STORED: Self = Self(1 << 60);
    /// It was written more than once.
    pub const RESENT: Self = Self(1 << 59);
    /// The server refused it for good.
    pub const REFUSED: Self = Self(1 << 58);

    const ALL: u64 = 0x3f << 58;

    /// All of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[derive(Debug)]
struct Record {
    hash: u64,
    /// Its number in the lower 58 bits (0: not known yet), flags above.
    seq_and_flags: u64,
}

impl Record {
    fn seq(&self) -> u64 {
        self.seq_and_flags & !Flags::ALL
    }

    fn flags(&self) -> Flags {
        Flags(self.seq_and_flags & Flags::ALL)
    }
}

/// The messages of one chat.
#[derive(Debug, Default)]
pub struct Ledger {
    sent: [Vec<Record>; 2],
    /// By number − 1: the side in the top bit, the counter below; 0 while nobody claimed it.
    by_seq: Vec<u32>,
}

/// Numbers beyond this are taken for nonsense, not for a place to reserve memory for.
const SEQ_MAX: u64 = 1 << 28;
const SELLER: u32 = 1 << 31;

impl Ledger {
    /// The next message of a side.
    pub fn add(&mut self, name: Name, hash: u64) {
        let sent = &mut self.sent[name.side.index()];
        debug_assert_eq!(sent.len() + 1, name.counter as usize, "counters have no gap");
        sent.push(Record { hash, seq_and_flags: 0 });
    }

    /// The hash of the text of a message that was sent.
    pub fn hash(&self, name: Name) -> Option<u64> {
        self.record(name).map(|record| record.hash)
    }

    /// What happened to a message so far.
    pub fn flags(&self, name: Name) -> Flags {
        self.record(name).map(Record::flags).unwrap_or_default()
    }

    /// Sets a flag and gives those that were set before.
    pub fn raise(&mut self, name: Name, flag: Flags) -> Flags {
        let index = name.counter as usize - 1;
        match self.sent[name.side.index()].get_mut(index) {
            Some(record) => {
                let before = record.flags();
                record.seq_and_flags |= flag.0;
                before
            }
            None => Flags::default(),
        }
    }

    fn record(&self, name: Name) -> Option<&Record> {
        self.sent[name.side.index()].get((name.counter as usize).checked_sub(1)?)
    }

    /// Somebody saw `name` under `seq`: it must be so for everybody.
    pub fn claim(&mut self, name: Name, seq: u64, verdict: &mut Verdict) {
        if seq == 0 || seq > SEQ_MAX {
            verdict.phantom(name.room, format_args!("{name:?} under the impossible #{seq}"));
            return;
        }
        let index = seq as usize - 1;
        if self.by_seq.len() <= index {
            self.by_seq.resize(index + 1, 0);
        }
        let claim = name.counter | if name.side == Side::Seller { SELLER } else { 0 };
        let holder = self.by_seq[index];
        if holder == 0 {
            self.by_seq[index] = claim;
        } else if holder != claim {
            verdict.phantom(
                name.room,
                format_args!("#{seq} shows {name:?}, and elsewhere another message"),
            );
            return;
        }
        let Some(record) = self.sent[name.side.index()].get_mut(name.counter as usize - 1) else {
            return;
        };
        match record.seq() {
            0 => record.seq_and_flags |= seq,
            known if known == seq => {}
            known => verdict.duplicated(
                name.room,
                format_args!("{name:?} stands under #{known} and under #{seq}"),
            ),
        }
    }

    /// Judges what is left when the run is over. `read_back`: whether the read-back came to its
    /// end; `None` where nothing is stored.
    pub fn settle(&self, room: u32, read_back: Option<bool>, verdict: &mut Verdict) {
        for side in Side::BOTH {
            for (index, record) in self.sent[side.index()].iter().enumerate() {
                let name = Name { room, side, counter: index as u32 + 1 };
                verdict.tally.sent += 1;
                settle_one(name, record.flags(), read_back, verdict);
            }
        }
    }
}

fn settle_one(name: Name, flags: Flags, read_back: Option<bool>, verdict: &mut Verdict) {
    let room = name.room;
    let acked = flags.has(Flags::ACKED);
    let answered = acked || flags.has(Flags::OWN_SEEN);
    let delivered = flags.has(Flags::PEER_SEEN);
    let stored = flags.has(Flags::STORED);
    if !answered && !flags.has(Flags::REFUSED) {
        verdict.tally.unanswered += 1;
    }
    match read_back {
        None if answered && !delivered => {
            verdict.lost(room, format_args!("{name:?} acknowledged, never delivered"));
        }
        Some(true) => {
            if acked && !stored {
                verdict.lost(room, format_args!("{name:?} acknowledged, not stored"));
            }
            if (delivered || flags.has(Flags::OWN_SEEN)) && !stored {
                verdict.phantom(room, format_args!("{name:?} shown, not stored"));
            }
            if stored && !delivered {
                verdict.lost(room, format_args!("{name:?} stored, never delivered"));
            }
        }
        Some(false) if acked && !delivered => {
            verdict.lost(room, format_args!("{name:?} acknowledged, never delivered"));
        }
        None | Some(false) => {}
    }
}
