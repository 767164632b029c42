//! Second copies of messages, on their way over one connection: `--duplicate`.
//!
//! A copy lasts as long as its connection. If that ends, the device that composed the message answers
//! for it alone. Pure.

use std::collections::VecDeque;

use crate::message::Name;

/// A message that is sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// Which one.
    pub name: Name,
    /// When the message was due: its text follows from that.
    pub due_ns: u64,
    /// As in the first one.
    pub base: u64,
}

/// The copies of one connection.
#[derive(Debug, Default)]
pub struct Copies {
    waiting: VecDeque<Copy>,
    /// At most as many as may be in flight, so they are found by looking through them.
    in_flight: Vec<Copy>,
}

impl Copies {
    /// Takes a copy.
    pub fn push(&mut self, copy: Copy) {
        self.waiting.push_back(copy);
    }

    /// The next one to write, in flight from now on.
    pub fn next(&mut self) -> Option<Copy> {
        let copy = self.waiting.pop_front()?;
        self.in_flight.push(copy);
        Some(copy)
    }

    /// Written and not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Neither waiting nor in flight.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// A copy of this message is in flight.
    pub fn has(&self, name: Name) -> bool {
        self.in_flight.iter().any(|copy| copy.name == name)
    }

    /// A copy was answered. Gives it, if it was in flight.
    pub fn answered(&mut self, name: Name) -> Option<Copy> {
        let index = self.in_flight.iter().position(|copy| copy.name == name)?;
        Some(self.in_flight.swap_remove(index))
    }

    /// A copy was refused for now: it comes again before all others, because the server waits for
    /// it.
    pub fn refused_for_now(&mut self, name: Name) {
        if let Some(copy) = self.answered(name) {
            self.waiting.push_front(copy);
        }
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Place, Side};

    #[test]
    fn a_refused_copy_comes_again_first() {
        let place = Place { room: 0, side: Side::Buyer, device: 0 };
        let copy = |counter| Copy { name: place.message(counter), due_ns: 5, base: 3 };
        let mut copies = Copies::default();
        (1..=3).for_each(|counter| copies.push(copy(counter)));
        assert_eq!((copies.next(), copies.next()), (Some(copy(1)), Some(copy(2))));
        assert!(copies.has(copy(2).name) && !copies.has(copy(3).name));
        copies.refused_for_now(copy(2).name);
        assert_eq!(copies.answered(copy(2).name), None);
        assert_eq!(copies.answered(copy(1).name), Some(copy(1)));
        assert_eq!((copies.next(), copies.next()), (Some(copy(2)), Some(copy(3))));
        assert_eq!(copies.in_flight(), 2);
        copies.disconnected();
        assert!(copies.is_empty());
    }
}
