//! The operators' port: health, metrics, and with `--load-test` the route that makes rooms.

mod health;
pub mod load_test;
mod metrics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::get;
use barterline_storage::embedded::log::Log;
use prometheus_client::registry::Registry;

/// What the routes look at.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

struct Inner {
    log: Log,
    draining: AtomicBool,
    metrics: Registry,
}

impl Admin {
    /// The operators' view of these parts.
    pub fn new(log: Log, metrics: Registry) -> Self {
        Self(Arc::new(Inner { log, draining: AtomicBool::new(false), metrics }))
    }

    /// Says "not ready" from here on.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// The routes of the admin port.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(metrics::handle))
            .with_state(self)
    }
}
