//! What the server writes about itself.

use tracing_subscriber::EnvFilter;

use super::section::{Allowed, Any, section};

section! {
    /// The server's own log, on standard error. Never holds secrets or the text of messages.
    pub struct Log = "log" {
        /// What is written.
        level: String = "info".to_owned(), Directives;
        /// One JSON object a line instead of text for people.
        json: bool = false, Any("true or false");
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
