//! What a device waits for after a refusal, before it sends again from the refused message on.
//!
//! The server refuses what stands behind a refused message until that comes again. So a client that
//! would go on at once might find its newer messages taken before the older ones: it waits until
//! every send is answered, then starts anew, in order. Pure.

/// Why a device sends nothing for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Not before this time.
    until_ns: u64,
    /// Not before every number up to here is known.
    known_to: u64,
}

impl Hold {
    /// Adds a reason to those there are. True when the time has moved: somebody has to look again.
    pub fn extend(hold: &mut Option<Self>, until_ns: u64, known_to: u64) -> bool {
        let before = *hold;
        let hold = hold.get_or_insert(Self { until_ns, known_to });
        hold.until_ns = hold.until_ns.max(until_ns);
        hold.known_to = hold.known_to.max(known_to);
        before.is_none_or(|before| before.until_ns < hold.until_ns)
    }

    /// Nothing stands against sending any more.
    pub fn is_over(&self, now: u64, have: u64, in_flight: usize) -> bool {
        now >= self.until_ns && have >= self.known_to && in_flight == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_when_its_last_reason_does() {
        let mut hold = None;
        assert!(Hold::extend(&mut hold, 100, 0));
        assert!(!Hold::extend(&mut hold, 50, 7), "the later time stays");
        let hold = hold.expect("a hold");
        assert!(hold.is_over(100, 7, 0));
        assert!(!hold.is_over(99, 7, 0));
        assert!(!hold.is_over(100, 6, 0));
        assert!(!hold.is_over(100, 7, 1));
    }
}
