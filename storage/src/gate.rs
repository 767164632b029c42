//! Lets writes through, or none of them: while a store is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::StoreError;

/// Why a write does not get through.
pub const READ_ONLY: &str = "it is read-only while it is moved";

/// Stands open at first. All clones are one.
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    closed: AtomicBool,
    held: Mutex<Option<Uuid>>,
    under_way: AtomicUsize,
    idle: Notify,
}

/// One write that got through, until it is dropped.
pub struct Passage(Gate);

impl Gate {
    /// Lets a write through.
    pub fn enter(&self, operation: &'static str) -> Result<Passage, StoreError> {
        // Counted before it looks, so that who closes waits for it or it sees that.
        self.0.under_way.fetch_add(1, Ordering::SeqCst);
        let passage = Passage(self.clone());
        if self.0.closed.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable(operation, READ_ONLY));
        }
        Ok(passage)
    }

    /// Which time of being closed this is; `None` while it is open.
    pub fn held(&self) -> Option<Uuid> {
        *self.0.held.lock()
    }

    /// Lets nothing through any more.
    pub fn shut(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.held.lock().get_or_insert_with(Uuid::new_v4);
    }

    /// Lets nothing through any more; what got through has ended when this returns.
    pub async fn close(&self) {
        self.shut();
        loop {
            let mut idle = std::pin::pin!(self.0.idle.notified());
            idle.as_mut().enable();
            if self.0.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Lets everything through again.
    pub fn open(&self) {
        *self.0.held.lock() = None;
        self.0.closed.store(false, Ordering::SeqCst);
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if self.0.0.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn who_closes_waits_for_what_got_through() {
        let gate = Gate::default();
        let (first, second) = (gate.enter("a").expect("open"), gate.enter("b").expect("open"));
        let mut closing = std::pin::pin!(gate.close());
        assert_eq!(gate.held(), None);
        assert_eq!(poll!(&mut closing), Poll::Pending);
        let refused = gate.enter("write").err().expect("closed").to_string();
        assert_eq!(refused, "write: the store is not available: it is read-only while it is moved");
        drop(first);
        assert_eq!(poll!(&mut closing), Poll::Pending);
        drop(second);
        assert_eq!(poll!(&mut closing), Poll::Ready(()));
        let held = gate.held();
        gate.shut();
        assert!(held.is_some() && gate.held() == held, "closed once");
        gate.open();
        assert!(gate.enter("write").is_ok() && gate.held().is_none());
    }
}
