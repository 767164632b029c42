//! What passwords cost, and who is asked to confirm an address.

use super::section::{Any, section};

section! {
    /// Accounts.
    pub struct Accounts = "accounts" {
        /// Passwords hashed at once. Each takes 19 MiB and a core.
        hashes_at_once: usize = 2, 1..=256;
        /// Password hashes that may wait for their turn. Beyond, the answer is 503.
        hashes_waiting: usize = 64, 0..=10_000;
        /// Whether an account is made only when its address is confirmed by mail. Where there is no
        /// mail (`mail.transport`), nobody is asked.
        verify_email: bool = true, Any("true or false");
    }
}
