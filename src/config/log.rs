//! What the server writes about itself.

use tracing_subscriber::EnvFilter;

use super::section::{Allowed, Any, Word, section};

section! {
    /// The server's own log, on standard error. Never holds secrets or the text of messages.
    pub struct Log = "log" {
        /// What is written.
        level: String = "info".to_owned(), Directives;
        /// One JSON object a line instead of text for people.
        json: bool = false, Any("true or false");
        /// Whether each request over HTTP has a line: method, route, status, size, time, who. By
        /// default where machines read the log, and not on somebody's terminal. A request that failed
        /// on the server's side has its line always.
        access: String = "json".to_owned(), Word(&["always", "json", "never"]);
        /// How much of a client's address that line has, and those about log-ins and refusals
        /// (`barterline::auth`, `barterline::refused`): all of it, its network (24 bits of IPv4, 48 of IPv6), or nothing.
        addresses: String = "network".to_owned(), Word(&["full", "network", "none"]);
    }
}

/// What the log's filter understands.
struct Directives;

impl Allowed<String> for Directives {
    fn allows(&self, value: &String) -> bool {
        value.parse::<EnvFilter>().is_ok()
    }

    fn describe(&self) -> String {
        "error, warn, info, debug, trace, or directives such as \
         info,barterline::gateway=debug"
            .to_owned()
    }
}
