//! One device's view of one chat's numbers, over all of its connections; and those of all devices
//! of a chat.

use std::collections::BTreeSet;

use crate::message::{Place, Side};

/// What a pushed number is to the connection it came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The one that was due (own messages that are answered apart do not count).
    Next,
    /// Higher: the numbers between are holes now.
    Jumped,
    /// A hole of this connection, filled late.
    Late,
    /// At or below what the connection's hello said it has.
    BelowHave,
    /// Came on this connection already.
    Again,
}

/// The numbers a device knows.
#[derive(Debug, Default)]
pub struct Stream {
    /// Every number up to here is known.
    contiguous: u64,
    /// Known numbers above, with at least one missing before.
    ahead: BTreeSet<u64>,
    connection: Connection,
}

/// What came on the present connection.
#[derive(Debug, Default)]
struct Connection {
    /// Given in hello.
    have: u64,
    /// The highest number pushed, or `have`.
    last: u64,
    /// Numbers below `last` that were neither pushed nor known.
    holes: BTreeSet<u64>,
    /// The server announced that it would leave numbers out, up to here.
    announced: u64,
}

/// A jump over more than this is nonsense; only so many holes are kept.
const HOLES_MAX: u64 = 4_096;

impl Stream {
    /// The number up to which everything is known.
    pub fn have(&self) -> u64 {
        self.contiguous
    }

    /// How many holes the present connection has.
    pub fn holes(&self) -> usize {
        self.connection.holes.len()
    }

    /// A new connection, whose hello gives [`Stream::have`].
    pub fn connected(&mut self) {
        self.connection = Connection {
            have: self.contiguous,
            last: self.contiguous,
            holes: BTreeSet::new(),
            announced: 0,
        };
    }

    /// It was announced that numbers up to `head` may be missing.
    pub fn behind(&mut self, head: u64) {
        self.connection.announced = self.connection.announced.max(head);
    }

    /// The device was shown this number, or got it as an answer.
    pub fn knows(&self, seq: u64) -> bool {
        seq <= self.contiguous || self.ahead.contains(&seq)
    }

    /// An event came.
    pub fn pushed(&mut self, seq: u64) -> Step {
        let connection = &mut self.connection;
        let step = if seq <= connection.have {
            Step::BelowHave
        } else if seq > connection.last {
            let missing = (connection.last + 1..seq).take(HOLES_MAX as usize);
            let before = connection.holes.len();
            let known = |seq: &u64| *seq <= self.contiguous || self.ahead.contains(seq);
            connection.holes.extend(missing.filter(|seq| !known(seq)));
            connection.last = seq;
            if connection.holes.len() > before { Step::Jumped } else { Step::Next }
        } else if connection.holes.remove(&seq) {
            Step::Late
        } else {
            Step::Again
        };
        self.learn(seq);
        step
    }

    /// An own message got this number. Fills a hole without blame.
    pub fn answered(&mut self, seq: u64) {
        if !self.connection.holes.is_empty() {
            self.connection.holes.remove(&seq);
        }
        self.learn(seq);
    }

    /// An event came because it was asked for: was it a hole that nobody announced? It does not
    /// count as pushed, because a server need not remember what it was asked for.
    pub fn pulled(&mut self, seq: u64) -> bool {
        let hole = self.connection.holes.remove(&seq);
        self.learn(seq);
        hole && seq > self.connection.announced
    }

    fn learn(&mut self, seq: u64) {
        if seq == self.contiguous + 1 {
            self.contiguous = seq;
            while !self.ahead.is_empty() && self.ahead.remove(&(self.contiguous + 1)) {
                self.contiguous += 1;
            }
        } else if seq > self.contiguous {
            self.ahead.insert(seq);
        }
    }
}

/// The streams of a chat's devices.
#[derive(Debug)]
pub struct Streams {
    /// By side and device.
    streams: Box<[Stream]>,
    /// Which devices there are.
    present: u64,
}

const _: () = assert!(2 * crate::message::DEVICES_MAX <= u64::BITS as usize);

impl Streams {
    /// For at most so many devices on each side.
    pub fn new(devices: usize) -> Self {
        Self { streams: (0..2 * devices).map(|_| Stream::default()).collect(), present: 0 }
    }

    fn index(&self, place: Place) -> usize {
        place.side.index() * (self.streams.len() / 2) + usize::from(place.device)
    }

    /// There is a device at this place.
    pub fn join(&mut self, place: Place) {
        self.present |= 1 << self.index(place);
    }

    /// The stream of a device.
    pub fn of(&self, place: Place) -> &Stream {
        &self.streams[self.index(place)]
    }

    /// The stream of a device.
    pub fn of_mut(&mut self, place: Place) -> &mut Stream {
        &mut self.streams[self.index(place)]
    }

    /// The devices that there are.
    pub fn present(&self, room: u32) -> impl Iterator<Item = (Place, &Stream)> {
        let devices = self.streams.len() / 2;
        let there = self.streams.iter().enumerate();
        there.filter(|(index, _)| self.present >> index & 1 == 1).map(move |(index, stream)| {
            let side = Side::of_index(index / devices);
            (Place { room, side, device: (index % devices) as u8 }, stream)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_knows_numbers_over_its_connections() {
        let mut stream = Stream::default();
        assert_eq!(stream.pushed(1), Step::Next);
        stream.answered(2);
        assert_eq!(stream.pushed(3), Step::Next);
        assert_eq!(stream.pushed(6), Step::Jumped);
        assert_eq!((stream.have(), stream.holes()), (3, 2));
        stream.connected();
        // What was ahead comes again, above the have of 3.
        for seq in 4..=7 {
            assert_eq!(stream.pushed(seq), Step::Next, "#{seq}");
        }
        assert_eq!((stream.have(), stream.holes()), (7, 0));
        assert_eq!(stream.pushed(3), Step::BelowHave);
        assert_eq!(stream.pushed(5), Step::Again);
    }

    #[test]
    fn a_late_acknowledgement_fills_a_hole_without_blame() {
        let mut stream = Stream::default();
        assert_eq!(stream.pushed(2), Step::Jumped);
        stream.answered(1);
        assert_eq!((stream.have(), stream.holes()), (2, 0));
    }

    #[test]
    fn a_pull_is_blamed_unless_the_server_announced_it() {
        let mut stream = Stream::default();
        stream.pushed(2);
        assert!(stream.pulled(1));
        stream.behind(8);
        stream.pushed(9);
        assert!((3..9).all(|seq| !stream.pulled(seq)));
        assert_eq!(stream.have(), 9);
        // The announcement ended at 8.
        stream.pushed(11);
        assert!(stream.pulled(10));
    }

    #[test]
    fn what_was_pulled_may_still_be_pushed_once() {
        let mut stream = Stream::default();
        stream.behind(3);
        assert!((1..=4).all(|seq| !stream.pulled(seq)));
        assert_eq!(stream.pushed(4), Step::Next);
        assert_eq!(stream.pushed(4), Step::Again);
    }
}
