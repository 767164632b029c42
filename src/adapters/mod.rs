//! Things outside the house that somebody else keeps: behind a trait each.

pub mod breached_passwords;
pub mod openid;
