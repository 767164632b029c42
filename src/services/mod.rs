//! The rules, one door for both edges; isolated from each other by the stores they hold.

pub mod accounts;
pub mod audit;
pub mod chats;
pub mod listings;
pub mod people;
pub mod reports;
pub mod staff;
