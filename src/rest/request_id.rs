//! The name of the request that is being answered: the same in its answer, in a problem, and in the
//! log.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Longest name that a client may give.
const CHARS_MAX: usize = 64;

/// A request's name: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

tokio::task_local! {
    /// So that a problem has it wherever it is made.
    static CURRENT: RequestId;
}

impl RequestId {
    /// A name of ours.
    pub fn of(id: Uuid) -> Self {
        Self(id.to_string().into())
    }

    /// Takes a client's name, if it is short and plain: it ends up in a log.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let sound = (1..=CHARS_MAX).contains(&text.len()) && text.chars().all(plain);
        sound.then(|| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the request that this task answers, if it answers one.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Answers a request under this name.
    pub fn scope<F: Future>(&self, answer: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), answer)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for sound in ["a", "7f3c-1.b_Z", &"x".repeat(64)] {
            assert_eq!(RequestId::parse(sound).as_ref().map(RequestId::as_str), Some(sound));
        }
        for wrong in ["", "a b", "a\"b", "{}", "ü", "a\n", &"x".repeat(65)] {
            assert_eq!(RequestId::parse(wrong), None, "{wrong:?}");
        }
    }
}
