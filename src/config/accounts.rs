//! What passwords cost.

use super::section::section;

section! {
    /// Accounts.
    pub struct Accounts = "accounts" {
        /// Passwords hashed at once. Each takes 19 MiB and a core.
        hashes_at_once: usize = 2, 1..=256;
        /// Password hashes that may wait for their turn. Beyond, the answer is 503.
        hashes_waiting: usize = 64, 0..=10_000;
    }
}
