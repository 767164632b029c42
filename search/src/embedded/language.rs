//! Languages whose words are found in other forms than they were written.

use std::fmt;

use tantivy::tokenizer::Language as Stemming;

/// A language whose endings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language(&'static (&'static str, Stemming));

/// No such language, or its endings are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not one of ar, da, de, el, en, es, fi, fr, hu, it, nl, no, pt, ro, ru, sv, ta, tr (ISO 639-1)"
)]
pub struct UnknownLanguage;

const KNOWN: [(&str, Stemming); 18] = [
    ("ar", Stemming::Arabic),
    ("da", Stemming::Danish),
    ("de", Stemming::German),
    ("el", Stemming::Greek),
    ("en", Stemming::English),
    ("es", Stemming::Spanish),
    ("fi", Stemming::Finnish),
    ("fr", Stemming::French),
    ("hu", Stemming::Hungarian),
    ("it", Stemming::Italian),
    ("nl", Stemming::Dutch),
    ("no", Stemming::Norwegian),
    ("pt", Stemming::Portuguese),
    ("ro", Stemming::Romanian),
    ("ru", Stemming::Russian),
    ("sv", Stemming::Swedish),
    ("ta", Stemming::Tamil),
    ("tr", Stemming::Turkish),
];

impl Language {
    /// The language with this code of two letters (ISO 639-1).
    pub fn parse(code: &str) -> Result<Self, UnknownLanguage> {
        KNOWN.iter().find(|(known, _)| *known == code).map(Self).ok_or(UnknownLanguage)
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        self.0.0
    }

    pub(super) fn stemming(self) -> Stemming {
        self.0.1
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
