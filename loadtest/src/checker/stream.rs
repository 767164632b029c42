//! One device's view of one chat's numbers, over all of its connections.

use std::collections::BTreeSet;

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
    /// The server announced that it would leave some out.
    behind: bool,
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
            behind: false,
        };
    }

    /// What is missing from now on has been announced.
    pub fn behind(&mut self) {
        self.connection.behind = true;
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

    /// An event came because it was asked for: was it a hole that nobody announced?
    pub fn pulled(&mut self, seq: u64) -> bool {
        let hole = self.connection.holes.remove(&seq);
        self.connection.last = self.connection.last.max(seq);
        self.learn(seq);
        hole && !self.connection.behind
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
        stream.behind();
        stream.pushed(9);
        assert!((3..9).all(|seq| !stream.pulled(seq)));
        assert_eq!(stream.have(), 9);
    }
}
