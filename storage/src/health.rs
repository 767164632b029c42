//! Whether a store takes writes, for operators and whoever sends them clients.

use std::sync::Arc;

/// Whether a backend takes writes. Cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl Health {
    /// Asks so.
    pub fn new(failure: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(failure))
    }

    /// Why nothing can be written at the moment, if so, and where.
    pub fn failure(&self) -> Option<String> {
        (self.0)()
    }
}
