//! Judges what was seen: no I/O, no clock. The engine reports each fact once, in the order in
//! which it happened on its connection; [`Checker::finish`] gives the verdict.
//!
//! What is held against the server:
//!
//! - **lost**: acknowledged and not stored; stored and never delivered to one of the devices of
//!   either side; where nothing is stored, acknowledged and never delivered to the other side.
//! - **duplicated**: one message under two numbers; one number twice on the same connection; an
//!   event at or below the `have` that the connection's `hello` gave; two answers to one send.
//! - **reordered**: on one connection, an event below one that came before; in the store, messages
//!   of one sender in another order than they were sent in.
//! - **phantom**: what nobody sent: an unknown id, another text, the wrong author; a number that
//!   showed one message here and another there; something delivered that is not stored.
//! - **gap**: numbers missing in the store; numbers that a live connection jumped over and that
//!   only came when asked for, although no `behind` had announced it.
//!
//! What is not: an event again on a *later* connection, if it lies above that connection's `have`
//! (the client may hold more than it could claim, after a jump); the sender's own message as an
//! event instead of the acknowledgement or, after a retry, besides it; an acknowledgement after
//! events with higher numbers (a client knows its own messages are under way and does not take
//! them for holes); numbers that came by `pull` after `behind`.
//!
//! Memory: 16 bytes a message and 4 a number, whatever the bodies weigh.

mod ledger;
mod stream;
mod verdict;

#[cfg(test)]
mod tests;

use ledger::{Flags, Ledger};
use stream::{Step, Streams};
pub use verdict::{Verdict, Violations};

use crate::message::{Name, Place, Side};

/// An event as a device or the store showed it.
#[derive(Debug, Clone, Copy)]
pub struct Sighting {
    /// Its number; 0 where the protocol has none.
    pub seq: u64,
    /// Which message its id names; `None` for an id of nobody.
    pub name: Option<Name>,
    /// The side it is said to come from; `None` where the protocol does not say.
    pub from: Option<Side>,
    /// Hash of the text.
    pub hash: u64,
    /// It says what the server noted: nobody sent it, and only its number counts.
    pub is_note: bool,
}

/// What an event means to the client that saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// The message, when this is the first time that this device hears of it.
    pub first: Option<Name>,
    /// Numbers that this connection jumped over and that are not yet filled.
    pub holes: usize,
}

/// Follows every stream of a run.
#[derive(Debug)]
pub struct Checker {
    numbered: bool,
    chats: Vec<Chat>,
    verdict: Verdict,
}

#[derive(Debug)]
struct Chat {
    ledger: Ledger,
    streams: Streams,
    /// The last number read back.
    stored: u64,
    /// The read-back came to its end.
    read_back: bool,
    /// The newest message of each device in the read-back, by side and device.
    stored_counters: Box<[u32]>,
}

impl Checker {
    /// A checker for a server that numbers and stores messages, or for one that does neither, with
    /// at most so many devices on each side of a chat.
    pub fn new(numbered: bool, chats: usize, devices: usize) -> Self {
        let chat = || Chat {
            ledger: Ledger::new(devices),
            streams: Streams::new(devices),
            stored: 0,
            read_back: false,
            stored_counters: vec![0; 2 * devices].into(),
        };
        Self {
            numbered,
            chats: std::iter::repeat_with(chat).take(chats).collect(),
            verdict: Verdict::default(),
        }
    }

    /// There is a device at this place: it must get everything.
    pub fn join(&mut self, place: Place) {
        self.chats[place.room as usize].streams.join(place);
    }

    /// A message was composed. Counters of a side are given without a gap, from 1.
    pub fn sent(&mut self, name: Name, hash: u64) {
        self.chats[name.room as usize].ledger.add(name, hash);
    }

    /// A message was written once more: from now on two answers to it are in order.
    pub fn resent(&mut self, name: Name) {
        self.chats[name.room as usize].ledger.raise(name, Flags::RESENT);
    }

    /// A message was refused in a way that holds nothing back: what its sender said later may stand
    /// before it.
    pub fn may_stand_behind(&mut self, name: Name) {
        self.chats[name.room as usize].ledger.raise(name, Flags::PASSED);
    }

    /// The server refused a message for good.
    pub fn refused(&mut self, name: Name) {
        self.chats[name.room as usize].ledger.raise(name, Flags::REFUSED);
    }

    /// The number up to which a device has every event: its `have`.
    pub fn have(&self, place: Place) -> u64 {
        self.chats[place.room as usize].streams.of(place).have()
    }

    /// A device says hello, giving its [`Checker::have`].
    pub fn connected(&mut self, place: Place) {
        self.chats[place.room as usize].streams.of_mut(place).connected();
    }

    /// The server told a connection that it will not push everything up to `head`.
    pub fn behind(&mut self, place: Place, head: u64) {
        self.chats[place.room as usize].streams.of_mut(place).behind(head);
    }

    /// Every device knows every number that anybody was shown.
    pub fn is_complete(&self) -> bool {
        self.chats.iter().all(|chat| {
            let highest = chat.ledger.highest();
            chat.streams.present(0).all(|(_, stream)| {
                (stream.have() + 1..=highest)
                    .all(|seq| stream.knows(seq) || !chat.ledger.is_claimed(seq))
            })
        })
    }

    /// A device got an acknowledgement. `name` is `None` for what this device did not send.
    pub fn acked(&mut self, place: Place, name: Option<Name>, seq: u64) -> Heard {
        let room = place.room;
        let chat = &mut self.chats[room as usize];
        let verdict = &mut self.verdict;
        let known = name.filter(|name| {
            name.room == room && name.side == place.side && chat.ledger.hash(*name).is_some()
        });
        let Some(name) = known else {
            let what = format_args!("acknowledged to {place}: {name:?}, which it never sent");
            verdict.phantom(room, what);
            return Heard::default();
        };
        let before = chat.ledger.raise(name, Flags::ACKED);
        if before.has(Flags::ACKED) && !before.has(Flags::RESENT) {
            verdict.duplicated(room, format_args!("{name:?} sent once, acknowledged twice"));
        } else if !before.has(Flags::ACKED) {
            verdict.tally.acked += 1;
        }
        if !self.numbered {
            return Heard { first: Some(name), holes: 0 };
        }
        chat.ledger.claim(name, seq, verdict);
        let stream = chat.streams.of_mut(place);
        let first = !stream.knows(seq);
        stream.answered(seq);
        Heard { first: first.then_some(name), holes: stream.holes() }
    }

    /// A device was pushed an event.
    pub fn event(&mut self, place: Place, seen: &Sighting) -> Heard {
        let room = place.room;
        let chat = &mut self.chats[room as usize];
        let verdict = &mut self.verdict;
        let sound = chat.recognise(room, seen, verdict);
        if !self.numbered {
            let first = sound.filter(|name| chat.unnumbered_delivery(*name, place, verdict));
            return Heard { first, holes: 0 };
        }
        let at = seen.seq;
        let stream = chat.streams.of_mut(place);
        let first = !stream.knows(at);
        let step = stream.pushed(at);
        let holes = stream.holes();
        match step {
            // Whether a jump was a fault shows when the hole is filled.
            Step::Next | Step::Jumped => {}
            Step::BelowHave => {
                let what = format_args!("#{at} pushed to {place} at or below its have");
                verdict.duplicated(room, what);
            }
            Step::Late => verdict.reordered(room, format_args!("#{at} pushed to {place} too late")),
            Step::Again => {
                // After a retry, the acknowledgement and the event may both come.
                let excused = sound.is_some_and(|name| {
                    name.side == place.side && chat.ledger.flags(name).has(Flags::RESENT)
                });
                if !excused {
                    let what = format_args!("#{at} twice on one connection of {place}");
                    verdict.duplicated(room, what);
                }
            }
        }
        let Some(name) = sound else {
            return Heard { first: None, holes };
        };
        chat.shown(name, at, place, verdict);
        Heard { first: first.then_some(name), holes }
    }

    /// A device asked for a range and got this event.
    pub fn pulled(&mut self, place: Place, seen: &Sighting) -> Heard {
        let room = place.room;
        let chat = &mut self.chats[room as usize];
        let verdict = &mut self.verdict;
        let sound = chat.recognise(room, seen, verdict);
        let stream = chat.streams.of_mut(place);
        let first = !stream.knows(seen.seq);
        let jumped = stream.pulled(seen.seq);
        let holes = stream.holes();
        if jumped && sound.is_none_or(|name| name.place() != place) {
            let what = format_args!("#{} jumped over on a connection of {place}", seen.seq);
            verdict.gap(room, what);
        }
        let Some(name) = sound else {
            return Heard { first: None, holes };
        };
        chat.shown(name, seen.seq, place, verdict);
        Heard { first: first.then_some(name), holes }
    }

    /// The next event of the read-back, which starts at number 1.
    pub fn stored(&mut self, room: u32, seen: &Sighting) {
        let chat = &mut self.chats[room as usize];
        let verdict = &mut self.verdict;
        if seen.seq <= chat.stored {
            verdict
                .reordered(room, format_args!("read back: #{} after #{}", seen.seq, chat.stored));
            return;
        }
        for missing in chat.stored + 1..seen.seq {
            verdict.gap(room, format_args!("read back: #{missing} is not there"));
        }
        chat.stored = seen.seq;
        let Some(name) = chat.recognise(room, seen, verdict) else {
            return;
        };
        chat.ledger.claim(name, seen.seq, verdict);
        let before = chat.ledger.raise(name, Flags::STORED);
        if before.has(Flags::STORED) {
            return; // The claim has told of it.
        }
        verdict.tally.stored += 1;
        if let Some(newest) = chat.overtaken(name).filter(|_| !before.has(Flags::PASSED)) {
            let what = format_args!("stored: {name:?} behind the sender's message {newest}");
            verdict.reordered(room, what);
        }
    }

    /// The read-back of a chat came to its end, at the newest number the server tells.
    pub fn stored_up_to(&mut self, room: u32, head: u64) {
        let chat = &mut self.chats[room as usize];
        chat.read_back = true;
        for missing in chat.stored + 1..=head {
            self.verdict.gap(room, format_args!("read back: #{missing} is not there"));
        }
    }

    /// The verdict.
    pub fn finish(mut self) -> Verdict {
        for (room, chat) in self.chats.iter().enumerate() {
            let read_back = self.numbered.then_some(chat.read_back);
            if read_back == Some(false) {
                self.verdict.tally.not_read_back += 1;
            }
            chat.ledger.settle(room as u32, read_back, &chat.streams, &mut self.verdict);
        }
        self.verdict
    }
}

impl Chat {
    /// The message that a sighting shows, if somebody sent it like that. What the server notes is none.
    fn recognise(&self, room: u32, seen: &Sighting, verdict: &mut Verdict) -> Option<Name> {
        let at = seen.seq;
        if seen.is_note && seen.name.is_none() {
            return None;
        }
        let Some(name) = seen.name.filter(|name| name.room == room) else {
            verdict.phantom(room, format_args!("#{at} has an id of nobody in this room"));
            return None;
        };
        let Some(hash) = self.ledger.hash(name) else {
            verdict.phantom(room, format_args!("#{at} shows {name:?}, which was never sent"));
            return None;
        };
        if seen.from.is_some_and(|from| from != name.side) {
            verdict.phantom(room, format_args!("#{at} shows {name:?} as from {:?}", seen.from));
            return None;
        }
        if hash != seen.hash {
            verdict.phantom(room, format_args!("#{at} shows {name:?} with another text"));
            return None;
        }
        Some(name)
    }

    /// A device was shown a message.
    fn shown(&mut self, name: Name, seq: u64, place: Place, verdict: &mut Verdict) {
        self.ledger.claim(name, seq, verdict);
        let flag = if name.place() == place {
            Flags::OWN_SEEN
        } else if name.side == place.side {
            Flags::TWIN_SEEN
        } else {
            Flags::PEER_SEEN
        };
        let before = self.ledger.raise(name, flag);
        if flag == Flags::PEER_SEEN && !before.has(flag) {
            verdict.tally.delivered += 1;
        }
    }

    /// The newer message of the same device that was noted before `name`, if any; notes `name`.
    fn overtaken(&mut self, name: Name) -> Option<u32> {
        let devices = self.stored_counters.len() / 2;
        let sender = name.side.index() * devices + usize::from(name.device);
        let newest = &mut self.stored_counters[sender];
        let before = *newest;
        *newest = name.counter.max(before);
        (name.counter < before).then_some(before)
    }

    /// Without numbers, the order of a sender's messages is all there is to go by. True for the
    /// first time.
    fn unnumbered_delivery(&mut self, name: Name, place: Place, verdict: &mut Verdict) -> bool {
        let own = name.side == place.side;
        let flag = if own { Flags::OWN_SEEN } else { Flags::PEER_SEEN };
        let before = self.ledger.raise(name, flag);
        if own {
            return !before.has(flag) && !before.has(Flags::ACKED);
        }
        let overtaken = self.overtaken(name);
        if before.has(Flags::PEER_SEEN) {
            verdict.duplicated(name.room, format_args!("{name:?} delivered twice"));
            return false;
        }
        verdict.tally.delivered += 1;
        if let Some(newest) = overtaken {
            verdict.reordered(
                name.room,
                format_args!("{name:?} delivered after the sender's message {newest}"),
            );
        }
        true
    }
}
