//! `/v1/accounts/password-resets`

pub mod confirm;
pub mod request;
