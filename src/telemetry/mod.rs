//! What the server tells about itself. Looks at nobody.

pub mod metrics;
pub mod process;
pub mod tracing;
