//! Guesses at the password of one account, wherever they come from: each is answered later than the
//! one before.
//!
//! Who guesses cannot keep the owner out: where they logged in before, nothing is delayed; and who is
//! logged in stays so.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use dashmap::DashMap;
use sha2::{Digest as _, Sha256};

use super::bounded::Bounded;
use crate::cluster::Guesses;

/// Tries before the first wait: people mistype.
const FREE: u32 = 5;
/// The longest wait: long enough for guesses to lead nowhere (1,440 a day), short enough to wait for.
const DELAY_MAX: Duration = Duration::from_mins(1);
/// After so long without a try, those before are forgotten.
const FORGET_AFTER: Duration = Duration::from_mins(15);
/// For so long a place is familiar.
const FAMILIAR_FOR: Duration = Duration::from_hours(30 * 24);
/// Most familiar places: at some 60 bytes each, 16 MB.
const FAMILIAR_MAX: usize = 1 << 18;

/// Whose password is tried: a digest, so that no address of a person is kept in memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogInName([u8; 16]);

impl LogInName {
    /// By what an address is found by, whether anybody has it or not, or by another name.
    pub fn of(name: impl AsRef<[u8]>) -> Self {
        let digest = Sha256::digest(name);
        Self(std::array::from_fn(|at| digest[at]))
    }
}

impl fmt::Display for LogInName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The same at all servers together.
pub const SHARED: Guesses = Guesses {
    free: FREE,
    delay_max: DELAY_MAX,
    forget_after: FORGET_AFTER,
    familiar_for: FAMILIAR_FOR,
};

/// Tries since the last that succeeded.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    count: u32,
    last: Timestamp,
    next: Timestamp,
}

/// What is known of log-ins.
pub struct LogIns {
    tries: Bounded<LogInName, Tries>,
    /// Where people logged in before, and when.
    familiar: DashMap<(LogInName, IpAddr), Timestamp>,
}

impl LogIns {
    pub fn new() -> Self {
        Self { tries: Bounded::new(), familiar: DashMap::new() }
    }

    /// Counts a try, or says how long to wait for it. One that is refused does not count.
    pub fn take(&self, account: LogInName, from: IpAddr, now: Timestamp) -> Result<(), Duration> {
        if self.familiar.contains_key(&(account, from)) {
            return Ok(());
        }
        self.tries.with(account, |tries| {
            if tries.next > now {
                return Err(Duration::from_millis(tries.next.as_millis() - now.as_millis()));
            }
            if tries.last.plus(FORGET_AFTER) < now {
                *tries = Tries::default();
            }
            tries.count = tries.count.saturating_add(1);
            tries.last = now;
            if let Some(beyond) = tries.count.checked_sub(FREE) {
                let delay = Duration::from_secs(1 << beyond.min(10)).min(DELAY_MAX);
                tries.next = now.plus(delay);
            }
            Ok(())
        })
    }

    /// The password was right: the next tries are free again, and this place is familiar.
    pub fn succeeded(&self, account: LogInName, from: IpAddr, now: Timestamp) {
        self.tries.with(account, |tries| *tries = Tries::default());
        let place = (account, from);
        if self.familiar.contains_key(&place) || self.familiar.len() < FAMILIAR_MAX {
            self.familiar.insert(place, now);
        }
    }

    /// A try that was taken was none.
    pub fn give_back(&self, account: LogInName) {
        self.tries.with(account, |tries| {
            tries.count = tries.count.saturating_sub(1);
            tries.next = Timestamp::default();
            // Forgotten with the next sweep: what costs nothing fills no room.
            if tries.count == 0 {
                *tries = Tries::default();
            }
        });
    }

    /// The password is another: only where it was set is familiar.
    pub fn changed(&self, account: LogInName, from: IpAddr, now: Timestamp) {
        self.familiar.retain(|(name, _), _| *name != account);
        self.succeeded(account, from, now);
    }

    /// Forgets what is old.
    pub fn sweep(&self, now: Timestamp) {
        self.tries.retain(|tries| tries.last.plus(FORGET_AFTER) >= now);
        self.familiar.retain(|_, since| since.plus(FAMILIAR_FOR) >= now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn each_guess_waits_longer_than_the_one_before_up_to_a_minute() {
        let (log_ins, ana) = (LogIns::new(), LogInName::of("ana@example.org"));
        for _ in 0..FREE {
            assert_eq!(log_ins.take(ana, THEIRS, at(0)), Ok(()));
        }
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            assert_eq!(log_ins.take(ana, THEIRS, at(now)), Err(Duration::from_secs(wait)));
            assert_eq!(log_ins.take(ana, OURS, at(now)), Err(Duration::from_secs(wait)));
            now += wait;
            assert_eq!(log_ins.take(ana, THEIRS, at(now)), Ok(()), "after {wait} s");
        }
        let bob = LogInName::of("bob@example.org");
        assert_eq!(log_ins.take(bob, THEIRS, at(now)), Ok(()), "one account at a time");
        assert_eq!(log_ins.take(ana, THEIRS, at(now + 60 + 900)), Ok(()));
        assert_eq!(log_ins.take(ana, THEIRS, at(now + 60 + 900)), Ok(()), "it is forgotten");
    }

    #[test]
    fn what_was_not_compared_was_no_guess() {
        let (log_ins, ana) = (LogIns::new(), LogInName::of("ana@example.org"));
        for _ in 0..100 {
            assert_eq!(log_ins.take(ana, THEIRS, at(0)), Ok(()));
            log_ins.give_back(ana);
        }
        log_ins.sweep(at(0));
        for _ in 0..FREE {
            assert_eq!(log_ins.take(ana, THEIRS, at(0)), Ok(()));
        }
        assert!(log_ins.take(ana, THEIRS, at(0)).is_err());
    }

    #[test]
    fn only_where_a_password_was_set_is_familiar() {
        let (log_ins, ana) = (LogIns::new(), LogInName::of("ana@example.org"));
        for place in [OURS, THEIRS] {
            log_ins.succeeded(ana, place, at(0));
        }
        log_ins.changed(ana, OURS, at(1));
        let free = |from| (0..9).all(|_| log_ins.take(ana, from, at(1)).is_ok());
        assert!(free(OURS) && !free(THEIRS));
    }

    #[test]
    fn who_guesses_does_not_keep_the_owner_out() {
        let (log_ins, ana) = (LogIns::new(), LogInName::of("ana@example.org"));
        log_ins.succeeded(ana, OURS, at(0));
        let mut refused = 0;
        for second in 0..600 {
            refused += u32::from(log_ins.take(ana, THEIRS, at(second)).is_err());
            assert_eq!(log_ins.take(ana, OURS, at(second)), Ok(()));
            log_ins.sweep(at(second));
        }
        assert!(refused > 500);
        // From a new place with the right password, once the wait is over.
        let wait = log_ins.take(ana, THEIRS, at(599)).expect_err("a wait");
        assert!(wait <= DELAY_MAX);
        log_ins.succeeded(ana, THEIRS, at(700));
        assert_eq!(log_ins.take(ana, THEIRS, at(700)), Ok(()));
        log_ins.sweep(at(40 * 24 * 3_600));
        assert!(log_ins.familiar.is_empty(), "and a place is not familiar for ever");
    }
}
