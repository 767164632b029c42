//! What logging in costs and how long it lasts.

use super::section::section;

section! {
    /// Accounts and log-ins.
    pub struct Accounts = "accounts" {
        /// Passwords that are hashed at the same time. Each takes 19 MiB and a core for some 30 ms.
        hashing_threads: u64 = 2, 1..=64;
        /// Log-ins and registrations that wait for a hash; those beyond are told to try later.
        hashing_queue: u64 = 64, 1..=10_000;
    }
}
