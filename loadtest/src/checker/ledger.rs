//! Every message of a chat, and which message each number stands for.

use super::stream::Streams;
use super::verdict::Verdict;
use crate::message::{DEVICES_MAX, Name, Place, Side};

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u64);

impl Flags {
    /// The sender got an acknowledgement.
    pub const ACKED: Self = Self(1 << 63);
    /// The device that sent it was shown it as an event.
    pub const OWN_SEEN: Self = Self(1 << 62);
    /// A device of the other side was shown it.
    pub const PEER_SEEN: Self = Self(1 << 61);
    /// The read-back showed it.
    pub const STORED: Self = Self(1 << 60);
    /// It was written more than once.
    pub const RESENT: Self = Self(1 << 59);
    /// The server refused it for good.
    pub const REFUSED: Self = Self(1 << 58);
    /// Another device of the sender was shown it.
    pub const TWIN_SEEN: Self = Self(1 << 57);
    /// Later messages of its sender may stand before it.
    pub const PASSED: Self = Self(1 << 56);

    const ALL: u64 = 0xff << 56;

    /// All of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[derive(Debug)]
struct Record {
    hash: u64,
    /// Its number in the lower 56 bits (0: not known yet), flags above.
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
#[derive(Debug)]
pub struct Ledger {
    /// By side and device.
    sent: Box<[Vec<Record>]>,
    /// By number − 1: side, device and counter; 0 while nobody claimed it.
    by_seq: Vec<u32>,
}

/// Numbers beyond this are taken for nonsense, not for a place to reserve memory for.
const SEQ_MAX: u64 = 1 << 28;
/// A claim: one bit of side, five of device, the counter below.
const COUNTER_BITS: u32 = 26;
const _: () = assert!(DEVICES_MAX <= 1 << (31 - COUNTER_BITS));

fn claim_of(name: Name) -> u32 {
    (name.side.index() as u32) << 31 | u32::from(name.device) << COUNTER_BITS | name.counter
}

impl Ledger {
    /// For so many devices on each side.
    pub fn new(devices: usize) -> Self {
        Self { sent: (0..2 * devices).map(|_| Vec::new()).collect(), by_seq: Vec::new() }
    }

    /// Where the messages of a device stand; `None` for a device that is not there.
    fn sender(&self, place: Place) -> Option<usize> {
        let devices = self.sent.len() / 2;
        let device = usize::from(place.device);
        (device < devices).then(|| place.side.index() * devices + device)
    }

    /// The next message of a device.
    pub fn add(&mut self, name: Name, hash: u64) {
        let sender = self.sender(name.place()).expect("only devices that are there speak");
        let sent = &mut self.sent[sender];
        debug_assert_eq!(sent.len() + 1, name.counter as usize, "counters have no gap");
        assert!(name.counter < 1 << COUNTER_BITS, "a device speaks less in any run");
        sent.push(Record { hash, seq_and_flags: 0 });
    }

    /// The highest number that anybody saw.
    pub fn highest(&self) -> u64 {
        self.by_seq.len() as u64
    }

    /// Somebody saw a message under this number.
    pub fn is_claimed(&self, seq: u64) -> bool {
        self.by_seq.get(seq as usize - 1).is_some_and(|claim| *claim != 0)
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
        match self.record_mut(name) {
            Some(record) => {
                let before = record.flags();
                record.seq_and_flags |= flag.0;
                before
            }
            None => Flags::default(),
        }
    }

    fn record(&self, name: Name) -> Option<&Record> {
        self.sent[self.sender(name.place())?].get((name.counter as usize).checked_sub(1)?)
    }

    fn record_mut(&mut self, name: Name) -> Option<&mut Record> {
        let sender = self.sender(name.place())?;
        self.sent[sender].get_mut((name.counter as usize).checked_sub(1)?)
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
        let claim = claim_of(name);
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
        let Some(record) = self.record_mut(name) else { return };
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
    /// end; `None` where nothing is stored. `streams` are what the devices know.
    pub fn settle(
        &self,
        room: u32,
        read_back: Option<bool>,
        streams: &Streams,
        verdict: &mut Verdict,
    ) {
        let devices = self.sent.len() / 2;
        for (sender, sent) in self.sent.iter().enumerate() {
            let side = Side::of_index(sender / devices);
            let place = Place { room, side, device: (sender % devices) as u8 };
            for (index, record) in sent.iter().enumerate() {
                let name = place.message(index as u32 + 1);
                verdict.tally.sent += 1;
                settle_one(name, record.flags(), read_back, verdict);
                let promised = match read_back {
                    None => continue,
                    Some(true) => record.flags().has(Flags::STORED),
                    Some(false) => record.flags().has(Flags::ACKED),
                };
                if promised {
                    delivered_everywhere(name, record.seq(), streams, verdict);
                }
            }
        }
    }
}

fn settle_one(name: Name, flags: Flags, read_back: Option<bool>, verdict: &mut Verdict) {
    let room = name.room;
    let acked = flags.has(Flags::ACKED);
    let own_seen = flags.has(Flags::OWN_SEEN);
    let delivered = flags.has(Flags::PEER_SEEN);
    let stored = flags.has(Flags::STORED);
    if !acked && !own_seen && !flags.has(Flags::REFUSED) {
        verdict.tally.unanswered += 1;
    }
    match read_back {
        None if (acked || own_seen) && !delivered => {
            verdict.lost(room, format_args!("{name:?} acknowledged, never delivered"));
        }
        Some(true) if !stored => {
            if acked {
                verdict.lost(room, format_args!("{name:?} acknowledged, not stored"));
            }
            if delivered || own_seen || flags.has(Flags::TWIN_SEEN) {
                verdict.phantom(room, format_args!("{name:?} shown, not stored"));
            }
        }
        None | Some(_) => {}
    }
}

/// Every device but the one that sent it must have been shown it.
fn delivered_everywhere(name: Name, seq: u64, streams: &Streams, verdict: &mut Verdict) {
    if seq == 0 {
        verdict.lost(name.room, format_args!("{name:?} under a number of another message"));
        return;
    }
    for (place, stream) in streams.present(name.room) {
        if place != name.place() && !stream.knows(seq) {
            verdict.lost(name.room, format_args!("{name:?}, #{seq}, never delivered to {place}"));
        }
    }
}
