//! What somebody may be about to type: phrases from titles of what is for sale. Those of drafts and of
//! what is gone are nobody's to see.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use barterline_domain::clock::Timestamp;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Searcher, TERMINATED, Term};

use super::deadline::{Deadline, Stopped};
use super::filter::Statuses;
use super::relevance::beyond;
use super::schema::Fields;
use super::text::{fold, lower};

/// Words of a phrase at most, and of a title of which phrases are taken: 33 phrases.
pub const PHRASE_WORDS_MAX: usize = 3;
const TITLE_WORDS_MAX: usize = 12;
/// Phrases whose listings are counted, for each that is wanted: some are of listings that are gone.
const CANDIDATES: usize = 8;

/// The phrases of a title, as terms: folded to be found, and as written in lower case.
pub fn phrases(title: &str) -> BTreeSet<String> {
    let words: Vec<_> = words(title).take(TITLE_WORDS_MAX).collect();
    let lengths = 1..=PHRASE_WORDS_MAX;
    let phrases = lengths.flat_map(|length| words.windows(length)).map(|phrase| phrase.join(" "));
    phrases.map(|phrase| format!("{}\0{phrase}", fold(&phrase))).collect()
}

/// Fewest bytes that are completed: two letters, or one of those that are a word.
pub const BYTES_MIN: usize = 2;
/// Most phrases that are weighed against each other: some 10 MB.
const PHRASES_MAX: usize = 100_000;
/// Phrases between two looks at the time.
const PHRASES_BETWEEN: usize = 1_024;

/// Between blanks, without what is around letters.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let bare =
        |word: &str| lower(word.trim_matches(|c: char| c.is_ascii() && !c.is_alphanumeric()));
    text.split_whitespace().map(bare).filter(|word| !word.is_empty())
}

/// Completes what was typed: its last three words if anything begins so, else fewer.
pub fn suggest(
    searcher: &Searcher,
    fields: &Fields,
    typed: &str,
    limit: usize,
    now: Timestamp,
    deadline: &Deadline,
) -> Result<Vec<String>, Stopped> {
    let words: Vec<_> = words(typed).collect();
    let is_next_word = typed.ends_with(char::is_whitespace);
    for length in (1..=words.len().min(PHRASE_WORDS_MAX)).rev() {
        let (before, last) = words.split_at(words.len() - length);
        let mut prefix = fold(&last.join(" "));
        // With one letter begins nearly everything.
        if prefix.len() < BYTES_MIN {
            break;
        }
        if is_next_word {
            prefix.push(' ');
        }
        let found = completions(searcher, fields, &prefix, limit, now, deadline)?;
        if !found.is_empty() {
            let whole = |phrase: String| {
                let words = before.iter().chain([&phrase]).map(String::as_str);
                words.collect::<Vec<_>>().join(" ")
            };
            return Ok(found.into_iter().map(whole).collect());
        }
    }
    Ok(Vec::new())
}

/// Phrases that begin so and go on, the most frequent first, of those the shortest.
fn completions(
    searcher: &Searcher,
    fields: &Fields,
    prefix: &str,
    limit: usize,
    now: Timestamp,
    deadline: &Deadline,
) -> Result<Vec<String>, Stopped> {
    let mut frequencies: HashMap<Vec<u8>, u32> = HashMap::new();
    for segment in searcher.segment_readers() {
        deadline.check()?;
        let index = segment.inverted_index(fields.phrase)?;
        let mut phrases = index.terms().range().gt(prefix).lt(beyond(prefix)).into_stream()?;
        let mut seen = 0_usize;
        while phrases.advance() {
            seen += 1;
            if seen.is_multiple_of(PHRASES_BETWEEN) {
                deadline.check()?;
            }
            let often = phrases.value().doc_freq;
            if let Some(known) = frequencies.get_mut(phrases.key()) {
                *known += often;
            } else if frequencies.len() < PHRASES_MAX {
                frequencies.insert(phrases.key().to_vec(), often);
            }
        }
    }
    let mut candidates: Vec<_> = frequencies.into_iter().collect();
    candidates.sort_unstable_by(|(one, often), (other, more)| (more, one).cmp(&(often, other)));
    candidates.truncate(limit * CANDIDATES);
    // By their folded form, with each way of writing.
    let mut found: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for (phrase, _) in candidates {
        let Ok(phrase) = String::from_utf8(phrase) else { continue };
        let Some((folded, written)) = phrase.split_once('\0') else { continue };
        let count = count_active(searcher, fields, &phrase, now, deadline)?;
        if folded != prefix && count > 0 {
            *found.entry(folded.to_owned()).or_default().entry(written.to_owned()).or_default() +=
                count;
        }
    }
    let mut found: Vec<_> = found.into_values().filter_map(most_written).collect();
    found.sort_by_key(|(phrase, count)| (Reverse(*count), phrase.len()));
    found.truncate(limit);
    Ok(found.into_iter().map(|(phrase, _)| phrase).collect())
}

/// How a phrase is mostly written, and how often it is there in all.
pub fn most_written(ways: BTreeMap<String, u32>) -> Option<(String, u32)> {
    let count = ways.values().sum();
    ways.into_iter().max_by_key(|(_, count)| *count).map(|(written, _)| (written, count))
}

fn count_active(
    searcher: &Searcher,
    fields: &Fields,
    phrase: &str,
    now: Timestamp,
    deadline: &Deadline,
) -> Result<u32, Stopped> {
    let term = Term::from_field_text(fields.phrase, phrase);
    let mut count = 0;
    for segment in searcher.segment_readers() {
        deadline.check()?;
        let index = segment.inverted_index(fields.phrase)?;
        let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else {
            continue;
        };
        let statuses = Statuses::of(segment, now)?;
        while postings.doc() != TERMINATED {
            let doc = postings.doc();
            count += u32::from(!segment.is_deleted(doc) && statuses.is_active(doc));
            postings.advance();
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_up_to_three_words_of_a_title() {
        let phrases: Vec<_> = phrases("Café Racer, (blue)").into_iter().collect();
        let expected = [
            "blue\0blue",
            "cafe\0café",
            "cafe racer\0café racer",
            "cafe racer blue\0café racer blue",
            "racer\0racer",
            "racer blue\0racer blue",
        ];
        assert_eq!(phrases, expected);
        assert!(super::phrases("!? ...").is_empty());
    }
}
