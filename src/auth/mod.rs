//! Who is asking: access tokens and the keys they are signed with, and those that secrets are sealed
//! with. Verifies; stores no passwords.

pub mod data_keys;
pub mod keyring;
pub mod permission;
pub mod principal;
pub mod sealed;
pub mod token;
