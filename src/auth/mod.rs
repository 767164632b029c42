//! Who is asking: access tokens and the keys they are signed with. Verifies; stores no passwords.

pub mod keyring;
pub mod permission;
pub mod principal;
pub mod sealed;
pub mod token;
