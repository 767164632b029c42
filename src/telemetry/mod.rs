//! What operators see. Looks at nobody.

pub mod metrics;
