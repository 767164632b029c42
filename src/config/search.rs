//! What is found.

use std::time::Duration;

use barterline_search::{Language, UnknownLanguage};

use super::section::{Allowed, Any, section};

section! {
    /// What is found. Each server has an index of its own, in its data directory.
    pub struct Search = "search" {
        /// Whether this server searches. One that does not answers 501, and takes no memory for it.
        enabled: bool = true, Any("true or false");
        /// The languages in which people write, first the most usual: words are found in all their forms.
        /// Another choice makes the index anew.
        languages: String = "en".to_owned(), Languages;
        /// Between two looks at what changed, in milliseconds: what is put up for sale is found after as
        /// much.
        interval_ms: u64 = 500, 10..=60_000;
        /// Memory for what is being written into the index, in MiB.
        memory_mib: usize = 32, 16..=1_024;
    }
}

/// Most languages: each takes as much room in the index as the words themselves.
const LANGUAGES_MAX: usize = 8;

/// Languages whose words are known.
pub struct Languages;

impl Allowed<String> for Languages {
    fn allows(&self, text: &String) -> bool {
        let all: Vec<_> = text.split_whitespace().map(Language::parse).collect();
        let is_twice = |at: usize| all[..at].contains(&all[at]);
        all.len() <= LANGUAGES_MAX && all.iter().all(Result::is_ok) && !(0..all.len()).any(is_twice)
    }

    fn describe(&self) -> String {
        format!(
            "up to {LANGUAGES_MAX} languages with spaces between, none twice; {UnknownLanguage}"
        )
    }
}

impl Search {
    /// The languages, one by one.
    pub fn languages(&self) -> Vec<Language> {
        self.languages.split_whitespace().filter_map(|code| Language::parse(code).ok()).collect()
    }

    /// Between two looks at what changed.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}
