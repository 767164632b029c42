//! What was found, counted, and the first findings in words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Broken promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Violations {
    /// Acknowledged or stored, and missing where it belongs.
    pub lost: u64,
    /// Twice where once is promised.
    pub duplicated: u64,
    /// In another order than promised.
    pub reordered: u64,
    /// Never sent like that, or not stored.
    pub phantom: u64,
    /// Missing numbers.
    pub gap: u64,
    /// What a stranger could tell of other people's chats.
    #[serde(default)]
    pub leaked: u64,
}

impl Violations {
    /// Counts those of another device as well.
    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.phantom += other.phantom;
        self.gap += other.gap;
        self.leaked += other.leaked;
    }

    /// Not a single one.
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// What was counted on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages composed.
    pub sent: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages that the other side was shown.
    pub delivered: u64,
    /// Messages read back.
    pub stored: u64,
    /// Messages whose sender never learned what became of them. No violation, but the run did not
    /// come to its end.
    pub unanswered: u64,
    /// Chats whose read-back did not come to its end.
    pub not_read_back: u64,
}

/// Everything the checker has to say.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Broken promises.
    pub violations: Violations,
    /// Counts.
    pub tally: Tally,
    /// The first findings, for people.
    pub findings: Vec<String>,
}

/// More findings are counted only.
const FINDINGS_MAX: usize = 20;

impl Verdict {
    /// Counts a loss.
    pub fn lost(&mut self, room: u32, what: fmt::Arguments<'_>) {
        self.violations.lost += 1;
        self.note("lost", room, what);
    }

    /// Counts a duplicate.
    pub fn duplicated(&mut self, room: u32, what: fmt::Arguments<'_>) {
        self.violations.duplicated += 1;
        self.note("duplicated", room, what);
    }

    /// Counts a wrong order.
    pub fn reordered(&mut self, room: u32, what: fmt::Arguments<'_>) {
        self.violations.reordered += 1;
        self.note("reordered", room, what);
    }

    /// Counts a phantom.
    pub fn phantom(&mut self, room: u32, what: fmt::Arguments<'_>) {
        self.violations.phantom += 1;
        self.note("phantom", room, what);
    }

    /// Counts a missing number.
    pub fn gap(&mut self, room: u32, what: fmt::Arguments<'_>) {
        self.violations.gap += 1;
        self.note("gap", room, what);
    }

    fn note(&mut self, kind: &str, room: u32, what: fmt::Arguments<'_>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(format!("{kind}: room {room}: {what}"));
        }
    }
}
