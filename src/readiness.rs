//! Whether the server can do its work: what a balancer asks before it sends anybody here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::RwLock;

/// Why writes are refused, if they are.
pub type WriteFailure = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The server's readiness. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Default)]
struct Inner {
    phase: AtomicU8,
    write_failure: RwLock<Option<WriteFailure>>,
}

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Readiness {
    /// From now on requests are answered.
    pub fn serving(&self) {
        self.0.phase.store(SERVING, Ordering::Release);
    }

    /// From now on nobody new should come.
    pub fn draining(&self) {
        self.0.phase.store(DRAINING, Ordering::Release);
    }

    /// Asks the store, each time, why it takes no writes.
    pub fn watch_store(&self, failure: WriteFailure) {
        *self.0.write_failure.write() = Some(failure);
    }

    /// Why nobody should be sent here; `None` when ready.
    pub fn refusal(&self) -> Option<String> {
        match self.0.phase.load(Ordering::Acquire) {
            STARTING => Some("starting".to_owned()),
            DRAINING => Some("draining".to_owned()),
            _ => {
                let failure = self.0.write_failure.read().clone()?;
                failure().map(|reason| format!("the store takes no writes: {reason}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_serving_with_a_store_that_writes() {
        let readiness = Readiness::default();
        assert_eq!(readiness.refusal().as_deref(), Some("starting"));
        readiness.serving();
        assert_eq!(readiness.refusal(), None);
        readiness.watch_store(Arc::new(|| Some("disk full".to_owned())));
        assert_eq!(
            readiness.refusal().as_deref(),
            Some("the store takes no writes: disk full")
        );
        readiness.draining();
        assert_eq!(readiness.refusal().as_deref(), Some("draining"));
    }
}
