//! What operators see. Looks at nobody.

pub mod metrics;
pub mod tracing;
