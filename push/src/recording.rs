//! A pusher that remembers what it was given; for development and tests.

use std::collections::VecDeque;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{Alert, Outcome, Pusher};

/// How many alerts are kept; older ones are forgotten.
pub const KEPT_MAX: usize = 10_000;

/// Accepts every alert and keeps the newest [`KEPT_MAX`].
#[derive(Default)]
pub struct RecordingPusher {
    alerts: Mutex<VecDeque<Alert>>,
}

impl RecordingPusher {
    /// The alerts so far, oldest first.
    pub fn alerts(&self) -> Vec<Alert> {
        self.alerts.lock().iter().cloned().collect()
    }
}

#[async_trait]
impl Pusher for RecordingPusher {
    async fn push(&self, alert: Alert) -> Outcome {
        let mut alerts = self.alerts.lock();
        if alerts.len() == KEPT_MAX {
            alerts.pop_front();
        }
        alerts.push_back(alert);
        Outcome::Accepted
    }
}
