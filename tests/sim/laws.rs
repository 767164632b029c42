//! What must hold at every step, by name. The number is the guarantee's.

use std::fmt;

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub law: &'static str,
    pub detail: String,
}

/// Nothing was broken, or this was.
pub type Verdict<T = ()> = Result<T, Violation>;

/// Holds a law against what happened.
pub fn law(name: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation { law: name, detail: detail() }) }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.detail)
    }
}
