//! What operators see. Looks at nobody.

pub mod metrics;
pub mod process;
pub mod tracing;
