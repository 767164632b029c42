//! How long acknowledgements and deliveries took.
//!
//! A message's time starts when it was *due*, so a stall of the server is not hidden by a harness
//! that waits with it (coordinated omission). Only messages that were due within the measuring
//! window count, however late they arrive.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest time that is told apart: ten minutes, in microseconds.
const MICROS_MAX: u64 = 600_000_000;

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// Nine in ten.
    pub p90: u64,
    /// All but one in a hundred.
    pub p99: u64,
    /// All but one in a thousand.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// A histogram of one kind of wait.
#[derive(Debug)]
pub struct Waits(Histogram<u64>);

impl Waits {
    /// An empty one. Three significant digits: 0.1 % is finer than any machine's noise.
    pub fn new() -> Self {
        Self(Histogram::new_with_max(MICROS_MAX, 3).expect("the bounds are constants"))
    }

    /// Counts a wait.
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos / 1_000);
    }

    /// What was counted.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_microseconds() {
        let mut waits = Waits::new();
        for micros in 1..=1_000_u64 {
            waits.record(micros * 1_000);
        }
        let percentiles = waits.percentiles();
        assert_eq!((percentiles.p50, percentiles.p99), (500, 990));
        assert_eq!(percentiles.max, 1_000);
        waits.record(u64::MAX);
        assert!(waits.percentiles().max >= MICROS_MAX);
    }
}
