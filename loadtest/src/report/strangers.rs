//! `strangers`: what somebody outside a chat could tell.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Questions about chats of other people, and about chats that do not exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strangers {
    /// Chats of either kind.
    pub chats: usize,
    /// By the kind of question.
    pub kinds: Vec<Asked>,
}

/// One kind of question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// `http` or `socket`.
    pub door: String,
    /// What was asked for.
    pub request: String,
    /// All answers were the same, byte by byte.
    pub same_answers: bool,
    /// For chats that exist.
    pub existing: Times,
    /// For chats that do not.
    pub absent: Times,
    /// The former's median to the latter's.
    pub p50_ratio: f64,
    /// The same where nine in ten lie below.
    pub p90_ratio: f64,
    /// Area under the ROC curve: the chance that an answer about a chat that exists takes longer
    /// than one about a chat that does not. At 0.5 the time tells nothing.
    pub auc: f64,
    /// Its standard error where the time tells nothing.
    pub auc_standard_error: f64,
    /// The area lies more than five standard errors and more than 0.05 from 0.5.
    pub told_by_time: bool,
}

/// From the first byte of a question to the last of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How many.
    pub requests: usize,
    /// Median.
    pub p50_us: f64,
    /// Nine in ten.
    pub p90_us: f64,
}

impl Strangers {
    /// Appends lines for people.
    pub fn summarize(&self, out: &mut impl Write) -> std::fmt::Result {
        writeln!(out, "  strangers   {} chats of others, {0} that do not exist", self.chats)?;
        self.kinds.iter().try_for_each(|asked| asked.summarize(out))
    }
}

impl Asked {
    fn summarize(&self, out: &mut impl Write) -> std::fmt::Result {
        let (a, b) = (&self.existing, &self.absent);
        writeln!(
            out,
            "    {:<6} {:<7}  p50 {:.1} and {:.1} µs ({:.3}), p90 {:.1} and {:.1} ({:.3}), \
             AUC {:.3} ± {:.3}, {} answers",
            self.door,
            self.request,
            a.p50_us,
            b.p50_us,
            self.p50_ratio,
            a.p90_us,
            b.p90_us,
            self.p90_ratio,
            self.auc,
            self.auc_standard_error,
            if self.same_answers { "the same" } else { "DIFFERENT" }
        )
    }
}
