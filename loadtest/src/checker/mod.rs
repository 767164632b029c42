//! Judges what was seen: no I/O, no clock. The engine reports each fact once, in the order in
//! which it happened on its connection; [`Checker::finish`] gives the verdict.
//!
//! What is held against the server:
//!
//! - **lost**: acknowledged and not stored; stored (or, where nothing is stored, acknowledged or
//!   sent) and never delivered to the other side.
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
use stream::{Step, Stream};
pub use verdict::{Verdict, Violations};

use crate::message::{Name, Side};

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
}

/// What an event means to the client that saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// The message, when this is the first time that this side hears of it.
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

#[derive(Debug, Default)]
struct Chat {
    ledger: Ledger,
    /// One for each device; at present one device a side.
    streams: [Stream; 2],
    /// The last number read back.
    stored: u64,
    /// The read-back came to its end.
    read_back: bool,
    /// The newest message of each side in the read-back.
    stored_counters: [u32; 2],
}

impl Checker {
    /// A checker for a server that numbers and stores messages, or for one that does neither.
    pub fn new(numbered: bool, chats: usize) -> Self {
        Self {
            numbered,
            chats: std::iter::repeat_with(Chat::default).take(chats).collect(),
            verdict: Verdict::default(),
        }
    }

    /// A message was composed. Counters of a side are given without a gap, from 1.
    pub fn sent(&mut self, name: Name, hash: u64) {
        self.chats[name.room as usize].ledger.add(name, hash);
    }

    /// A message was written once more: from now on two answers to it are in order.
    pub fn resent(&mut self, name: Name) {
        self.chats[name.room as usize].ledger.raise(name, Flags::RESENT);
    }

    /// The server refused a message for good.
    pub fn refused(&mut self, name: Name) {
        self.chats[name.room as usize].ledger.raise(name, Flags::REFUSED);
    }

    /// The number up to which a side's device has every event: its `have`.
    pub fn have(&self, room: u32, side: Side) -> u64 {
        self.chats[room as usize].streams[side.index()].have()
    }

    /// The device of a side says hello, giving its [`Checker::have`].
    pub fn connected(&mut self, room: u32, side: Side) {
        self.chats[room as usize].streams[side.index()].connected();
    }

    /// The server told a connection that it will not push everything.
    pub fn behind(&mut self, room: u32, side: Side) {
        self.chats[room as usize].streams[side.index()].behind();
    }

    /// A connection of `side` got an acknowledgement.
    pub fn acked(&mut self, room: u32, side: Side, name: Option<Name>, seq: u64) {
        let chat = &mut self.chats[room as usize];
        let verdict = &mut self.verdict;
        let known = name.filter(|name| {
            name.room == room && name.side == side && chat.ledger.hash(*name).is_some()
        });
        let Some(name) = known else {
            verdict.phantom(
                room,
                format_args!("acknowledged to {side:?}: {name:?}, which it never sent"),
            );
            return;
        };
        let before = chat.ledger.raise(name, Flags::ACKED);
        if before.has(Flags::ACKED) && !before.has(Flags::RESENT) {
            verdict.duplicated(room, format_args!("{name:?} sent once, acknowledged twice"));
        } else if !before.has(Flags::ACKED) {
            verdict.tally.acked += 1;
        }
        if self.numbered {
            chat.ledger.claim(name, seq, verdict);
            chat.streams[side.index()].answered(seq);
        }
    }

    /// A connection of `side` was pushed an event.
    pub fn event(&mut self, room: u32, side: Side, seen: &Sighting) -> Heard {
        let chat = &mut self.chats[room as usize];
        let verdict = &mut self.verdict;
        let sound = chat.recognise(room, seen, verdict);
        let own = sound.is_some_and(|name| name.side == side);
        if self.numbered {
            let step = chat.streams[side.index()].pushed(seen.seq);
            // After a retry, the acknowledgement and the event may both come.
            let excused =
                own && sound.is_some_and(|name| chat.ledger.flags(name).has(Flags::RESENT));
            let at = seen.seq;
            match step {
                // Whether a jump was a fault shows when the hole is filled.
                Step::Next | Step::Jumped => {}
                Step::BelowHave => verdict.duplicated(
                    room,
                    format_args!("#{at} pushed to {side:?} at or below its have"),
                ),
                Step::Late => {
                    verdict.reordered(room, format_args!("#{at} pushed to {side:?} too late"));
                }
                Step::Again if excused => {}
                Step::Again => {
                    verdict.duplicated(
                        room,
                        format_args!("#{at} twice on one connection of {side:?}"),
                    );
                }
            }
        }
        let holes = chat.streams[side.index()].holes();
        let Some(name) = sound else {
            return Heard { first: None, holes };
        };
        if self.numbered {
            chat.ledger.claim(name, seen.seq, verdict);
        }
        let flag = if own { Flags::OWN_SEEN } else { Flags::PEER_SEEN };
        let before = chat.ledger.raise(name, flag);
        let mut first = !before.has(flag);
        if own {
            first &= !before.has(Flags::ACKED);
        } else {
            if first {
                verdict.tally.delivered += 1;
            }
            if !self.numbered {
                chat.unnumbered_delivery(name, before, verdict);
            }
        }
        Heard { first: first.then_some(name), holes }
    }

    /// A device asked for a range and got this event.
    pub fn pulled(&mut self, room: u32, side: Side, seen: &Sighting) -> Heard {
        let chat = &mut self.chats[room as usize];
        let verdict = &mut self.verdict;
        let sound = chat.recognise(room, seen, verdict);
        let own = sound.is_some_and(|name| name.side == side);
        if chat.streams[side.index()].pulled(seen.seq) && !own {
            verdict
                .gap(room, format_args!("#{} jumped over on a connection of {side:?}", seen.seq));
        }
        let holes = chat.streams[side.index()].holes();
        let Some(name) = sound else {
            return Heard { first: None, holes };
        };
        chat.ledger.claim(name, seen.seq, verdict);
        let flag = if own { Flags::OWN_SEEN } else { Flags::PEER_SEEN };
        let before = chat.ledger.raise(name, flag);
        let mut first = !before.has(flag);
        if own {
            first &= !before.has(Flags::ACKED);
        } else if first {
            verdict.tally.delivered += 1;
        }
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
        let newest = &mut chat.stored_counters[name.side.index()];
        if name.counter < *newest {
            verdict.reordered(
                room,
                format_args!("stored: {name:?} behind the sender's message {newest}"),
            );
        }
        *newest = name.counter.max(*newest);
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
            chat.ledger.settle(room as u32, read_back, &mut self.verdict);
        }
        self.verdict
    }
}

impl Chat {
    /// The message that a sighting shows, if somebody sent it like that.
    fn recognise(&self, room: u32, seen: &Sighting, verdict: &mut Verdict) -> Option<Name> {
        let at = seen.seq;
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

    /// Without numbers, the order of a sender's messages is all there is to go by.
    fn unnumbered_delivery(&mut self, name: Name, before: Flags, verdict: &mut Verdict) {
        let newest = &mut self.stored_counters[name.side.index()];
        if before.has(Flags::PEER_SEEN) {
            verdict.duplicated(name.room, format_args!("{name:?} delivered twice"));
        } else if name.counter < *newest {
            verdict.reordered(
                name.room,
                format_args!("{name:?} delivered after the sender's message {newest}"),
            );
        }
        *newest = name.counter.max(*newest);
    }
}
