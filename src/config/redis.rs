//! What servers share beside the store.

use super::section::{Allowed, Any, Secret, section};

section! {
    /// What servers of one cluster share beside the store: a Redis. With it, what is ended at one server ends at
    /// all within two seconds, limits are counted together, and the store is asked less. Without it, or while
    /// it is gone, servers go on, each for itself.
    pub struct Redis = "redis" {
        /// Where it is: `redis://host:6379/0`, `rediss://` under TLS (authorities are those of the system),
        /// `redis+unix:///path`. User and password stand in settings of their own.
        url: String = String::new(), Place;
        /// The name by which the server logs in there.
        user: String = String::new(), Any("a name, or \"\" for the default user");
        /// Its password. Better in `BARTERLINE_REDIS__PASSWORD` than in a file.
        password: Secret = Secret::default(), Any("a text, never shown");
        /// What every name there begins with. Servers of one store share it, and nobody else.
        prefix: String = "barterline".to_owned(), Prefix;
        /// How long anybody waits for it. What is not answered by then is done without it, and for a second
        /// nothing more is asked.
        timeout_ms: u64 = 100, 10..=5_000;
    }
}

impl Redis {
    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.password.is_empty() && !self.user.is_empty() {
            mistakes.push("`redis.user` needs `redis.password` as well".to_owned());
        }
        if self.url.is_empty() && !self.password.is_empty() {
            mistakes.push("`redis.password` is for `redis.url`, which is not set".to_owned());
        }
        mistakes
    }
}

/// An address without a log-in.
struct Place;

impl Allowed<String> for Place {
    fn allows(&self, value: &String) -> bool {
        let known = ["redis://", "rediss://", "redis+unix://"];
        let rest = known.iter().find_map(|scheme| value.strip_prefix(scheme));
        // What follows the host of these is a log-in, or weakens TLS.
        let is_clean = |rest: &str| {
            !rest.is_empty()
                && !rest.contains(['@', '?', '#'])
                && rest.chars().all(|c| c.is_ascii_graphic())
        };
        value.is_empty() || rest.is_some_and(is_clean)
    }

    fn describe(&self) -> String {
        "like redis://127.0.0.1:6379/0, without a user or password, or \"\" without Redis"
            .to_owned()
    }
}

/// A word that begins names.
struct Prefix;

impl Allowed<String> for Prefix {
    fn allows(&self, value: &String) -> bool {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        (1..=48).contains(&value.len()) && value.chars().all(is_word)
    }

    fn describe(&self) -> String {
        "1 to 48 letters, digits, `-`, `_` and `.`".to_owned()
    }
}
