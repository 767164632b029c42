//! The generic cell rate algorithm (ITU-T I.371, annex A.1): one number for each who is metered, the
//! time at which all that was taken would have been due at the steady rate.

use std::hash::Hash;
use std::time::Duration;

use barterline_domain::clock::Timestamp;

use super::bounded::Bounded;

/// So much in so much time, and so much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Between two, at the steady rate, in microseconds.
    period_us: u64,
    /// How far ahead of the steady rate one may be, in microseconds.
    ahead_us: u64,
}

impl Rate {
    /// `count` in each `window`, of which `burst` may come at once.
    pub fn new(count: u64, window: Duration, burst: u64) -> Self {
        let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        let period_us = (window_us / count.max(1)).max(1);
        Self { period_us, ahead_us: period_us.saturating_mul(burst.saturating_sub(1)) }
    }

    /// Between two, at the steady rate, in microseconds.
    pub fn period_us(self) -> u64 {
        self.period_us
    }

    /// How far ahead of the steady rate one may be, in microseconds.
    pub fn ahead_us(self) -> u64 {
        self.ahead_us
    }

    /// So many as one: whoever has one left takes all of them, and waits the longer for what comes next.
    #[must_use]
    pub fn many(self, count: u64) -> Self {
        Self { period_us: self.period_us.saturating_mul(count.max(1)), ..self }
    }

    /// How much somebody has left who is so far ahead of the steady rate.
    pub fn standing(self, early: Duration) -> Standing {
        let early_us = u64::try_from(early.as_micros()).unwrap_or(u64::MAX);
        let left = self.ahead_us.checked_sub(early_us).map_or(0, |us| us / self.period_us + 1);
        Standing { left, whole_in: early }
    }

    /// How many may come at once.
    pub fn burst(self) -> u64 {
        self.ahead_us / self.period_us + 1
    }

    /// In what time so many come back.
    pub fn window(self) -> Duration {
        Duration::from_micros(self.ahead_us.saturating_add(self.period_us))
    }
}

/// How much one has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many may come at once now.
    pub left: u64,
    /// When a whole burst may come again, if none comes until then.
    pub whole_in: Duration,
}

/// What one has taken.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meter {
    /// When the next would be due at the steady rate, in microseconds since the epoch.
    due_us: u64,
}

impl Meter {
    /// Takes one, or says how long to wait for it.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let now_us = now.as_millis().saturating_mul(1_000);
        let due_us = self.due_us.max(now_us);
        let early_us = due_us - now_us;
        if early_us > rate.ahead_us {
            return Err(Duration::from_micros(early_us - rate.ahead_us));
        }
        self.due_us = due_us.saturating_add(rate.period_us);
        Ok(())
    }

    /// What is left.
    pub fn standing(&self, rate: Rate, now: Timestamp) -> Standing {
        let early_us = self.due_us.saturating_sub(now.as_millis().saturating_mul(1_000));
        rate.standing(Duration::from_micros(early_us))
    }
}

/// A meter for each of many.
pub struct Budget<K> {
    rate: Rate,
    meters: Bounded<K, Meter>,
}

impl<K: Eq + Hash> Budget<K> {
    pub fn new(rate: Rate) -> Self {
        Self { rate, meters: Bounded::new() }
    }

    pub fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        self.take_and_tell(key, 1, now).0
    }

    /// What is allowed.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes so many as one, and tells what is left.
    pub fn take_and_tell(
        &self,
        key: K,
        count: u64,
        now: Timestamp,
    ) -> (Result<(), Duration>, Standing) {
        self.meters.with(key, |meter| {
            let taken = meter.take(self.rate.many(count), now);
            (taken, meter.standing(self.rate, now))
        })
    }

    /// Gives back so many that were taken.
    pub fn give_back(&self, key: K, count: u64) {
        let period_us = self.rate.many(count).period_us;
        self.meters.with(key, |meter| meter.due_us = meter.due_us.saturating_sub(period_us));
    }

    /// Whether anything was taken of this key's of late.
    pub fn knows(&self, key: &K) -> bool {
        self.meters.has(key)
    }

    /// What may still be taken.
    pub fn standing(&self, key: K, now: Timestamp) -> Standing {
        self.meters.with(key, |meter| meter.standing(self.rate, now))
    }

    /// Forgets what was taken of this key's.
    pub fn forget(&self, key: &K) {
        self.meters.forget(key);
    }

    /// Forgets meters that stand as if nothing had been taken.
    pub fn sweep(&self, now: Timestamp) {
        self.sweep_after(Duration::ZERO, now);
    }

    /// Forgets meters that have stood so for a while.
    pub fn sweep_after(&self, pause: Duration, now: Timestamp) {
        let pause_us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        let now_us = now.as_millis().saturating_mul(1_000).saturating_sub(pause_us);
        self.meters.retain(|meter| meter.due_us > now_us);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_steady_rate() {
        let rate = Rate::new(10, Duration::from_secs(1), 3);
        let mut meter = Meter::default();
        let at = Timestamp::from_millis;
        for _ in 0..3 {
            assert_eq!(meter.take(rate, at(1_000)), Ok(()));
        }
        assert_eq!(meter.take(rate, at(1_000)), Err(Duration::from_millis(100)));
        assert_eq!(meter.take(rate, at(1_040)), Err(Duration::from_millis(60)));
        assert_eq!(meter.take(rate, at(1_100)), Ok(()));
        assert_eq!(meter.take(rate, at(1_100)), Err(Duration::from_millis(100)));
    }

    #[test]
    fn what_is_left_is_what_may_still_be_taken() {
        let rate = Rate::new(100, Duration::from_mins(1), 100);
        assert_eq!((rate.burst(), rate.window()), (100, Duration::from_mins(1)));
        let mut meter = Meter::default();
        let now = Timestamp::from_millis(1_000_000);
        assert_eq!(meter.standing(rate, now), Standing { left: 100, whole_in: Duration::ZERO });
        for left in (0..100).rev() {
            assert_eq!(meter.take(rate, now), Ok(()));
            assert_eq!(meter.standing(rate, now).left, left);
        }
        assert_eq!(meter.standing(rate, now).whole_in, Duration::from_mins(1));
        assert!(meter.take(rate, now).is_err());
        assert_eq!(meter.standing(rate, now.plus(Duration::from_secs(6))).left, 10);
    }

    proptest! {
        #[test]
        fn who_waits_as_told_is_taken_and_nobody_gets_more(
            steps in proptest::collection::vec(0_u64..400, 1..200),
        ) {
            let rate = Rate::new(10, Duration::from_secs(1), 5);
            let (mut meter, mut now, mut taken) = (Meter::default(), 10_000, 0_u64);
            for step in steps {
                now += step;
                if let Err(wait) = meter.take(rate, Timestamp::from_millis(now)) {
                    now += u64::try_from(wait.as_micros().div_ceil(1_000)).expect("a short wait");
                    prop_assert_eq!(meter.take(rate, Timestamp::from_millis(now)), Ok(()));
                }
                taken += 1;
                prop_assert!(taken <= 5 + (now - 10_000) / 100);
            }
        }
    }
}
