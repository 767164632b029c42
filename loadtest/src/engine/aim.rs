//! Kills that hit: SIGKILL goes out in the very turn in which enough appends are in flight.
//!
//! When the load alone does not bring that many together, the gate is closed: due messages are held
//! back until three times as many wait, then they all go out at once, as a crowd would send them.
//! The kill then comes either in the middle of that burst or after some of it was acknowledged.

/// Where a kill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aim {
    /// Nobody is to be killed.
    #[default]
    Off,
    /// Messages are held back until enough wait.
    Gathering(Target),
    /// The gate is open; the next moment with enough in flight is taken.
    Ready {
        /// Who, and when.
        target: Target,
        /// Answers that came since the gate was opened.
        answers: usize,
    },
    /// It is done; so many were in flight.
    Hit {
        /// Sent on a live connection and not answered.
        in_flight: usize,
    },
}

/// Whom to kill, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The process.
    pub pid: u32,
    /// So many appends must be in flight.
    pub in_flight: usize,
    /// So many answers must have come first, so that the kill strikes at different places of a
    /// group.
    pub after_answers: usize,
}

/// What to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    None,
    /// Let the held-back messages go.
    Release,
    /// Kill this process now.
    Kill(u32),
}

impl Aim {
    /// Takes aim.
    pub fn at(target: Target) -> Self {
        Self::Gathering(target)
    }

    /// Messages may be written.
    pub fn gate_open(&self) -> bool {
        !matches!(self, Self::Gathering(_))
    }

    /// Looks whether enough messages wait, or are in flight already.
    pub fn composed(&mut self, waiting: usize, in_flight: usize) -> Order {
        let Self::Gathering(target) = *self else {
            return Order::None;
        };
        if in_flight < target.in_flight && waiting + in_flight < 3 * target.in_flight {
            return Order::None;
        }
        *self = Self::Ready { target, answers: 0 };
        Order::Release
    }

    /// A message was written.
    pub fn written(&mut self, in_flight: usize) -> Order {
        self.strike(in_flight, 0)
    }

    /// A message is about to be counted as answered.
    pub fn answered(&mut self, in_flight: usize) -> Order {
        self.strike(in_flight, 1)
    }

    fn strike(&mut self, in_flight: usize, answered: usize) -> Order {
        let Self::Ready { target, answers } = self else {
            return Order::None;
        };
        *answers += answered;
        if in_flight >= target.in_flight {
            if *answers >= target.after_answers {
                let pid = target.pid;
                *self = Self::Hit { in_flight };
                return Order::Kill(pid);
            }
        } else if *answers > 0 {
            // The moment has passed.
            *self = Self::Gathering(*target);
        }
        Order::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target = Target { pid: 7, in_flight: 100, after_answers: 2 };

    #[test]
    fn a_kill_waits_for_the_crowd_and_for_some_answers() {
        let mut aim = Aim::at(TARGET);
        assert!(!aim.gate_open());
        assert_eq!(aim.composed(299, 0), Order::None);
        assert_eq!(aim.composed(300, 0), Order::Release);
        assert!(aim.gate_open());
        for in_flight in 1..=300 {
            assert_eq!(aim.written(in_flight), Order::None);
        }
        assert_eq!(aim.answered(300), Order::None);
        assert_eq!(aim.answered(299), Order::Kill(7));
        assert_eq!(aim, Aim::Hit { in_flight: 299 });
    }

    #[test]
    fn a_missed_moment_is_waited_for_again() {
        let mut aim = Aim::at(TARGET);
        assert_eq!(aim.composed(0, 150), Order::Release);
        assert_eq!(aim.answered(99), Order::None);
        assert!(!aim.gate_open());
    }
}
