//! How much anybody may do.

use super::section::{Any, section};

section! {
    /// How much anybody may do. Whoever is over a limit is told how long to wait.
    pub struct Limits = "limits" {
        /// Whether there are any. Load tests have none.
        enabled: bool = true, Any("true or false");
        /// Requests of one connection in a minute.
        connection_per_minute: u64 = 1_200, 1..=10_000_000;
        /// Of these, so many at once.
        connection_burst: u64 = 200, 1..=10_000_000;
        /// Messages of one person in a minute, over all devices and chats.
        user_per_minute: u64 = 600, 1..=10_000_000;
        /// Of these, so many at once.
        user_burst: u64 = 150, 1..=10_000_000;
        /// Messages of one person in one chat in a minute.
        chat_per_minute: u64 = 300, 1..=10_000_000;
        /// Of these, so many at once.
        chat_burst: u64 = 100, 1..=10_000_000;
        /// Chats that one person opens in an hour.
        new_chats_per_hour: u64 = 60, 1..=10_000_000;
        /// Of these, so many at once.
        new_chats_burst: u64 = 30, 1..=10_000_000;
        /// Sockets opened from one address (with IPv6, one network of 64 bits) in a minute. Many
        /// people may stand behind one.
        address_per_minute: u64 = 600, 1..=10_000_000;
        /// Of these, so many at once.
        address_burst: u64 = 300, 1..=10_000_000;
        /// Requests over HTTP of one client in a minute: of an account, where the request bears its
        /// access token, of an API key, or else of an address (with IPv6, one network of 64 bits).
        requests_per_minute: u64 = 100, 1..=10_000_000;
        /// Of these, so many at once.
        requests_burst: u64 = 100, 1..=10_000_000;
        /// Of the bytes of files, over HTTP and of one client likewise, in a minute: a page of a chat may show
        /// many pictures. Where a link is the proof, they count for the address.
        downloads_per_minute: u64 = 600, 1..=10_000_000;
        /// Of these, so many at once.
        downloads_burst: u64 = 300, 1..=10_000_000;
        /// Log-ins from one address in a minute. Besides, each account has five free tries; then each
        /// waits twice as long as the one before, up to a minute, but where the account logged in
        /// before.
        log_ins_per_minute: u64 = 30, 1..=10_000_000;
        /// Of these, so many at once.
        log_ins_burst: u64 = 20, 1..=10_000_000;
        /// Accounts that are made from one address in an hour.
        registrations_per_hour: u64 = 60, 1..=10_000_000;
        /// Of these, so many at once.
        registrations_burst: u64 = 20, 1..=10_000_000;
        /// Refresh tokens that are used from one address in a minute.
        refreshes_per_minute: u64 = 60, 1..=10_000_000;
        /// Of these, so many at once.
        refreshes_burst: u64 = 60, 1..=10_000_000;
        /// Requests from one address in an hour that have mail sent to somebody.
        mail_requests_per_hour: u64 = 20, 1..=10_000_000;
        /// Of these, so many at once.
        mail_requests_burst: u64 = 20, 1..=10_000_000;
        /// Mails that one person gets in an hour because somebody asked for them. What is asked for
        /// beyond is answered as ever, and not sent.
        mails_per_hour: u64 = 5, 1..=10_000_000;
        /// Of these, so many at once.
        mails_burst: u64 = 5, 1..=10_000_000;
    }
}
