//! What somebody may be about to type: phrases of the newest titles that have one that begins so.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use barterline_domain::clock::Timestamp;
use barterline_domain::listing::ListingStatus;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::embedded::suggest::{BYTES_MIN, PHRASE_WORDS_MAX, most_written, phrases, words};
use crate::embedded::text::fold;
use crate::engine::SUGGESTIONS_MAX;
use crate::query::TEXT_CHARS_MAX;

use super::TITLES_MAX;
use super::answer::Unreadable;
use super::question::stands;

/// What somebody began to type.
#[derive(Debug)]
pub struct Suggestion {
    words: Vec<String>,
    is_next_word: bool,
    limit: usize,
}

/// The last words, and what they may go on with.
#[derive(Debug)]
pub struct Completion {
    before: Vec<String>,
    prefix: String,
    limit: usize,
}

#[derive(Deserialize)]
struct Answer {
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "_source")]
    source: Source,
}

#[derive(Deserialize)]
struct Source {
    shown: String,
}

impl Suggestion {
    /// Takes what was typed, and how many phrases are wanted.
    pub fn new(typed: &str, limit: usize) -> Self {
        let typed: String = typed.chars().take(TEXT_CHARS_MAX).collect();
        Self {
            words: words(&typed).collect(),
            is_next_word: typed.ends_with(char::is_whitespace),
            limit: limit.min(SUGGESTIONS_MAX),
        }
    }

    /// What is to be tried, one after another until something is found: the last three words, else fewer.
    pub fn completions(&self) -> impl Iterator<Item = Completion> {
        let lengths = (1..=self.words.len().min(PHRASE_WORDS_MAX)).rev();
        lengths.map_while(move |length| {
            let (before, last) = self.words.split_at(self.words.len() - length);
            let mut prefix = fold(&last.join(" "));
            // With one letter begins nearly everything.
            if prefix.len() < BYTES_MIN {
                return None;
            }
            if self.is_next_word {
                prefix.push(' ');
            }
            Some(Completion { before: before.to_vec(), prefix, limit: self.limit })
        })
    }
}

impl Completion {
    /// What is asked.
    pub fn body(&self, now: Timestamp) -> Value {
        let begins = json!({"prefix": {"phrase": {"value": self.prefix}}});
        json!({
            "size": TITLES_MAX,
            "track_total_hits": false,
            "_source": ["shown"],
            "query": {"bool": {"filter": [begins, stands(ListingStatus::Active, now)]}},
            "sort": [{"created_at": "desc"}, {"id": "desc"}],
        })
    }

    /// Reads the answer: phrases that go on, the most frequent first, of those the shortest.
    pub fn read(&self, answer: &[u8]) -> Result<Vec<String>, Unreadable> {
        let Answer { hits } = serde_json::from_slice(answer)?;
        let mut found: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for title in hits.hits.into_iter().map(|found| found.source.shown) {
            for phrase in phrases(&title) {
                let Some((folded, written)) = phrase.split_once('\0') else { continue };
                if folded.starts_with(&self.prefix) && folded != self.prefix {
                    let ways = found.entry(folded.to_owned()).or_default();
                    *ways.entry(written.to_owned()).or_default() += 1;
                }
            }
        }
        let mut found: Vec<_> = found.into_values().filter_map(most_written).collect();
        found.sort_by_key(|(phrase, count)| (Reverse(*count), phrase.len()));
        found.truncate(self.limit);
        let whole = |(phrase, _): (String, u32)| {
            let words = self.before.iter().chain([&phrase]).map(String::as_str);
            words.collect::<Vec<_>>().join(" ")
        };
        Ok(found.into_iter().map(whole).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str, titles: &[&str]) -> Vec<Vec<String>> {
        let hits: Vec<_> = titles.iter().map(|it| json!({"_source": {"shown": it}})).collect();
        let answer = json!({"hits": {"hits": hits}}).to_string();
        let suggestion = Suggestion::new(typed, 3);
        suggestion.completions().map(|it| it.read(answer.as_bytes()).expect("phrases")).collect()
    }

    #[test]
    fn what_was_typed_goes_on_with_what_titles_say() {
        let titles = ["Café Racer blue", "Cafe racer", "Cafeteria chairs"];
        let longer = ["my café racer", "my café racer blue"].map(str::to_owned);
        assert_eq!(read("my cafe r", &titles), [vec![], longer.to_vec()]);
        assert_eq!(read("cafe ", &titles), [vec!["café racer", "café racer blue"]]);
        assert!(read("c", &titles).is_empty());
        assert!(read("", &titles).is_empty());
    }

    #[test]
    fn an_answer_without_titles_is_none() {
        let suggestion = Suggestion::new("cafe", 3);
        let completion = suggestion.completions().next().expect("a word");
        assert!(completion.read(b"{}").is_err());
        assert_eq!(completion.body(Timestamp::from_millis(1))["size"], TITLES_MAX);
    }
}
