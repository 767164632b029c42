//! What operators see. Looks at nobody.

pub mod addresses;
pub mod metrics;
pub mod process;
pub mod refusals;
pub mod tracing;
