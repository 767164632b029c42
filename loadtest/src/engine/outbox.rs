//! What one device has to say: in order, until it is acknowledged *and* all others were shown it.
//!
//! What was in flight when a connection was lost is always sent again on the next one, even if the
//! resumed stream has shown it meanwhile: a client that has only its outbox cannot know, and a
//! server that does not know its messages again must not get away with it.
//!
//! Counters have no gap, so a message is found by subtraction. Pure.

use std::collections::VecDeque;

/// One message under way.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, which come in any order")]
pub struct Entry {
    /// When it was due.
    pub due_ns: u64,
    /// The highest number known when it was written first; every retry repeats it.
    pub base: u64,
    /// It was written at least once.
    pub written: bool,
    /// When it was written last.
    pub written_ns: u64,
    in_flight: bool,
    /// It was in flight when a connection was lost, or was refused for now: it has to be sent again,
    /// known as durable or not.
    again: bool,
    /// It takes a newer base when it is sent again.
    pub rebase: bool,
    answered: bool,
    /// A device of the other side was shown it.
    delivered: bool,
    /// So many other devices have not been shown it.
    missing: u8,
}

impl Entry {
    fn is_finished(&self) -> bool {
        self.answered && self.missing == 0 && !self.in_flight && !self.again
    }
}

/// What an answer or a delivery changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When the message was due.
    pub due_ns: u64,
    /// It was not known before.
    pub first: bool,
    /// An append of this connection is answered with it.
    pub was_in_flight: bool,
    /// Acknowledged and delivered now, and not both before.
    pub done: bool,
}

/// Messages by counter.
#[derive(Debug)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    /// Counter of the first entry.
    first: u32,
    /// Index of the first entry that may have to be written on this connection.
    cursor: usize,
    in_flight: usize,
    /// So many other devices must be shown each message.
    listeners: u8,
}

impl Outbox {
    /// An empty outbox of a device to which `listeners` others listen.
    pub fn new(listeners: u8) -> Self {
        Self { entries: VecDeque::new(), first: 1, cursor: 0, in_flight: 0, listeners }
    }

    /// Takes a message and gives its counter.
    pub fn push(&mut self, due_ns: u64) -> u32 {
        self.entries.push_back(Entry {
            due_ns,
            base: 0,
            written: false,
            written_ns: 0,
            in_flight: false,
            again: false,
            rebase: false,
            answered: false,
            delivered: false,
            missing: self.listeners,
        });
        self.first + self.entries.len() as u32 - 1
    }

    /// Written on this connection and not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The next message to write on this connection, marked as in flight.
    pub fn next(&mut self) -> Option<(u32, &mut Entry)> {
        while let Some(entry) = self.entries.get(self.cursor) {
            if (entry.again || !entry.answered) && !entry.in_flight {
                break;
            }
            self.cursor += 1;
        }
        let index = self.cursor;
        let entry = self.entries.get_mut(index)?;
        self.cursor += 1;
        entry.in_flight = true;
        entry.again = false;
        self.in_flight += 1;
        Some((self.first + index as u32, entry))
    }

    /// The sender learned that the message is durable. `None` if it knew.
    pub fn answered(&mut self, counter: u32) -> Option<Change> {
        let index = self.index(counter)?;
        let entry = &mut self.entries[index];
        let was_in_flight = std::mem::take(&mut entry.in_flight);
        self.in_flight -= usize::from(was_in_flight);
        let known = std::mem::replace(&mut entry.answered, true);
        let change = Change {
            due_ns: entry.due_ns,
            first: !known,
            was_in_flight,
            done: !known && entry.delivered,
        };
        self.forget_finished();
        (!known || was_in_flight).then_some(change)
    }

    /// The sender was shown the message as an event. `None` if it knew. What is in flight is answered
    /// all the same.
    pub fn shown(&mut self, counter: u32) -> Option<Change> {
        let index = self.index(counter)?;
        let entry = &mut self.entries[index];
        let first = !std::mem::replace(&mut entry.answered, true);
        let done = first && entry.delivered;
        let change = Change { due_ns: entry.due_ns, first, was_in_flight: false, done };
        self.forget_finished();
        first.then_some(change)
    }

    /// The sender knows that the message is durable, or that it is refused for good.
    pub fn is_answered(&self, counter: u32) -> bool {
        self.index(counter).is_none_or(|index| self.entries[index].answered)
    }

    /// Whether so it is with every message before this one.
    pub fn all_answered_before(&self, counter: u32) -> bool {
        let before = self.index(counter).unwrap_or(0);
        self.entries.range(..before).all(|entry| entry.answered)
    }

    /// This message is in flight.
    pub fn has_in_flight(&self, counter: u32) -> bool {
        self.index(counter).is_some_and(|index| self.entries[index].in_flight)
    }

    /// Since when this message is in flight, if it is.
    pub fn in_flight_since(&self, counter: u32) -> Option<u64> {
        let entry = &self.entries[self.index(counter)?];
        entry.in_flight.then_some(entry.written_ns)
    }

    /// Another device was shown the message for the first time, one of the other side if `peer`.
    pub fn delivered(&mut self, counter: u32, peer: bool) -> Option<Change> {
        let index = self.index(counter)?;
        let entry = &mut self.entries[index];
        entry.missing = entry.missing.saturating_sub(1);
        let first = peer && !std::mem::replace(&mut entry.delivered, true);
        let change = Change {
            due_ns: entry.due_ns,
            first,
            was_in_flight: false,
            done: first && entry.answered,
        };
        self.forget_finished();
        Some(change)
    }

    /// The server refused a message for good: nobody will be shown it.
    pub fn refused_for_good(&mut self, counter: u32) -> Option<Change> {
        let index = self.index(counter)?;
        let entry = &mut self.entries[index];
        entry.delivered = true;
        entry.missing = 0;
        self.answered(counter)
    }

    /// The server refused a message for now. True if it was in flight.
    pub fn refused_for_now(&mut self, counter: u32) -> bool {
        let Some(entry) = self.index(counter).map(|index| &mut self.entries[index]) else {
            return false;
        };
        let was = std::mem::take(&mut entry.in_flight);
        entry.again = true;
        self.in_flight -= usize::from(was);
        was
    }

    /// A message is to take a newer base before it is sent again.
    pub fn rebase(&mut self, counter: u32) {
        if let Some(index) = self.index(counter) {
            self.entries[index].rebase = true;
        }
    }

    /// Looks at every message again when the next one is asked for.
    pub fn rewind(&mut self) {
        self.cursor = 0;
    }

    /// The connection is gone: nothing is in flight any more. Gives how many were.
    pub fn disconnected(&mut self) -> usize {
        for entry in &mut self.entries {
            entry.again |= std::mem::take(&mut entry.in_flight);
        }
        self.cursor = 0;
        std::mem::take(&mut self.in_flight)
    }

    fn index(&self, counter: u32) -> Option<usize> {
        let index = counter.checked_sub(self.first)? as usize;
        (index < self.entries.len()).then_some(index)
    }

    fn forget_finished(&mut self) {
        while self.entries.front().is_some_and(Entry::is_finished) {
            self.entries.pop_front();
            self.first += 1;
            self.cursor = self.cursor.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_done_when_it_is_answered_and_delivered_in_whichever_order() {
        let mut outbox = Outbox::new(1);
        assert_eq!((outbox.push(5), outbox.push(6)), (1, 2));
        assert_eq!(outbox.next().map(|(counter, _)| counter), Some(1));
        assert_eq!(outbox.next().map(|(counter, _)| counter), Some(2));
        assert!(outbox.next().is_none());
        assert_eq!(outbox.delivered(2, true).map(|change| change.done), Some(false));
        assert_eq!(outbox.answered(2).map(|change| change.done), Some(true));
        assert_eq!(outbox.in_flight(), 1);
        assert_eq!(outbox.answered(1).map(|change| change.done), Some(false));
        assert_eq!(outbox.answered(1), None);
        assert_eq!(outbox.delivered(1, true).map(|change| change.done), Some(true));
        assert!(outbox.is_empty());
        assert_eq!(outbox.push(7), 3);
        assert_eq!(outbox.next().map(|(counter, _)| counter), Some(3));
    }

    #[test]
    fn a_message_stays_until_every_other_device_was_shown_it() {
        let mut outbox = Outbox::new(3);
        outbox.push(5);
        outbox.next();
        let own = outbox.delivered(1, false).map(|change| (change.first, change.done));
        assert_eq!(own, Some((false, false)));
        assert_eq!(outbox.answered(1).map(|change| change.done), Some(false));
        let peer = outbox.delivered(1, true).map(|change| (change.first, change.done));
        assert_eq!(peer, Some((true, true)));
        assert!(!outbox.is_empty());
        let other = outbox.delivered(1, true).map(|change| (change.first, change.done));
        assert_eq!(other, Some((false, false)));
        assert!(outbox.is_empty());
    }

    #[test]
    fn after_a_disconnect_what_is_not_answered_is_written_again_in_order() {
        let mut outbox = Outbox::new(1);
        for due in 0..4 {
            outbox.push(due);
        }
        for _ in 0..3 {
            outbox.next();
        }
        outbox.answered(2);
        assert_eq!(outbox.disconnected(), 2);
        let again: Vec<u32> =
            std::iter::from_fn(|| outbox.next().map(|(counter, _)| counter)).collect();
        assert_eq!(again, [1, 3, 4]);
    }

    #[test]
    fn what_was_in_flight_is_asked_again_even_if_an_event_has_answered_it() {
        let mut outbox = Outbox::new(1);
        outbox.push(0);
        outbox.next();
        outbox.disconnected();
        assert_eq!(outbox.delivered(1, true).map(|change| change.done), Some(false));
        assert!(!outbox.is_answered(1));
        assert_eq!(outbox.shown(1).map(|change| change.done), Some(true));
        assert!(outbox.is_answered(1) && !outbox.is_empty());
        assert_eq!(outbox.next().map(|(counter, _)| counter), Some(1));
        assert_eq!(outbox.shown(1), None);
        assert!(outbox.has_in_flight(1), "the answer is still to come");
        let repeat = outbox.answered(1).map(|change| (change.first, change.done));
        assert_eq!(repeat, Some((false, false)));
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_refused_for_now_comes_again_after_a_rewind() {
        let mut outbox = Outbox::new(1);
        outbox.push(0);
        outbox.push(0);
        outbox.next();
        outbox.next();
        assert!(outbox.refused_for_now(1));
        assert!(outbox.next().is_none());
        outbox.rewind();
        assert_eq!(outbox.next().map(|(counter, _)| counter), Some(1));
        assert!(outbox.next().is_none(), "the second still waits for its answer");
    }
}
