//! `/v1/accounts/me/email`

pub mod confirm;
pub mod request;
