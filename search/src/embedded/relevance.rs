//! How well listings match words.
//!
//! Each word is looked up as it is, without its ending in each language, with typing errors, and the
//! last one as the beginning of a word. What a listing gets for a word depends on the listing and on
//! [`Statistics`] alone, and is summed in integers: the same on every page and every server. The kinds
//! of matches lie in bands, so that no frequency lifts a typing error above the word itself.

#![expect(clippy::cast_precision_loss, reason = "a score is no finer than 24 bits")]

use std::collections::HashMap;

use tantivy::postings::{Postings, TermInfo};
use tantivy::query::{DfaWrapper, FuzzyTermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{DocId, DocSet, Searcher, SegmentReader, TERMINATED, Term};

use crate::cursor::{GROUPS, Statistics, TERMS_MAX};
use crate::query::Words;

use super::deadline::{Deadline, Stopped};
use super::language::Language;
use super::schema::Fields;
use super::text::{Splitter, terms};

/// From how many letters on one typing error is forgiven, and two.
const ONE_TYPO_LETTERS: usize = 4;
const TWO_TYPOS_LETTERS: usize = 8;
/// From how many letters on the last word is taken for a beginning: one letter begins too many.
const PREFIX_LETTERS: usize = 2;

/// What a word in a title, in what else is said, and in a description is worth.
pub const BOOSTS: [f32; GROUPS] = [2.0, 1.2, 0.7];
/// BM25 with its usual settings (Robertson and Zaragoza, 2009): how soon more of the same word says
/// nothing new, and how much longer texts are held down.
const K1: f32 = 1.2;
const B: f32 = 0.75;
/// Steps of a score. The most for a word is ln(2^32) · (1 + 2.2 · 3.9), about 213: times 32 words and
/// 100 000 steps it fits 32 bits.
const STEPS: f32 = 100_000.0;

/// How a term of the index matches a word, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    TwoTypos,
    OneTypo,
    Prefix,
    Stem,
    Exact,
}

impl Kind {
    /// Share of a word's worth that a match of this kind has at least.
    fn floor(self) -> f32 {
        match self {
            Self::TwoTypos => 0.0,
            Self::OneTypo => 0.25,
            Self::Prefix => 0.5,
            Self::Stem | Self::Exact => 1.0,
        }
    }

    /// What frequencies add to it. At most 2.2 · 3.9 = 8.6, so that a kind stays below the next.
    fn scale(self) -> f32 {
        match self {
            Self::TwoTypos | Self::OneTypo => 0.029,
            Self::Prefix => 0.058,
            Self::Stem => 0.85,
            Self::Exact => 1.0,
        }
    }

    fn is_typo(self) -> bool {
        self <= Self::OneTypo
    }
}

/// A word as it is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub exact: String,
    /// By language.
    pub stems: Vec<String>,
    /// Together with the word before and behind it: `dish washer` is a `dishwasher`.
    pub joined: Vec<Joined>,
    pub is_prefix: bool,
    /// How many typing errors are forgiven.
    pub typos: u8,
}

/// Two words as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub exact: String,
    pub is_prefix: bool,
}

/// The words of a query as they are looked up, [`TERMS_MAX`] at most.
#[derive(Debug, Clone)]
pub struct Lookup(Vec<Wanted>);

/// A term of a segment that matches.
struct Variant {
    group: usize,
    field: Field,
    kind: Kind,
    info: TermInfo,
}

/// What finds the words that are almost one, by how many typos.
type Almost = Vec<(Kind, DfaWrapper)>;

/// Longest word in which typos are looked for.
const TYPO_BYTES_MAX: usize = 48;
/// Terms between two looks at the time.
const TERMS_BETWEEN: usize = 1_024;

/// The terms of a segment that match, by word.
pub struct Matches(Vec<Vec<Variant>>);

impl Lookup {
    /// Splits words.
    pub fn new(text: &Words, languages: &[Language]) -> Self {
        let split = |mut analyzer: TextAnalyzer| terms(&mut analyzer, text.as_str());
        let words = split(Splitter::Query.exact());
        let stems: Vec<_> = languages.iter().map(|it| split(Splitter::Query.stems(*it))).collect();
        let last = words.len().saturating_sub(1);
        let mut all: Vec<Wanted> = Vec::new();
        for (at, exact) in words.iter().cloned().enumerate() {
            let stems = stems.iter().filter_map(|stems| stems.get(at).cloned()).collect();
            let letters = exact.chars().count();
            let is_prefix = at == last && letters >= PREFIX_LETTERS;
            let joined = joined(&words, at);
            match all.iter_mut().find(|known| known.exact == exact) {
                Some(known) => {
                    known.is_prefix |= is_prefix;
                    known.joined.extend(joined);
                }
                None => all.push(Wanted { typos: typos(&exact), exact, stems, joined, is_prefix }),
            }
        }
        all.truncate(TERMS_MAX);
        Self(all)
    }

    /// The words.
    pub fn words(&self) -> &[Wanted] {
        &self.0
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What matches in each segment.
    pub fn matches(
        &self,
        searcher: &Searcher,
        fields: &Fields,
        deadline: &Deadline,
    ) -> Result<Vec<Matches>, Stopped> {
        let segments = searcher.segment_readers();
        let mut matches: Vec<_> = segments.iter().map(|_| Matches(Vec::new())).collect();
        for wanted in &self.0 {
            deadline.check()?;
            // Dear to make, and the same in every segment and field.
            let almost = wanted.almost(fields)?;
            for (segment, matches) in segments.iter().zip(&mut matches) {
                matches.0.push(wanted.variants(segment, fields, &almost, deadline)?);
            }
        }
        Ok(matches)
    }
}

/// A word together with its neighbours. Numbers are not written together.
fn joined(words: &[String], at: usize) -> Vec<Joined> {
    let is_word = |word: &String| word.chars().all(char::is_alphabetic);
    let pair = |first: usize| {
        let [one, other] = words.get(first..first + 2)? else { return None };
        let is_prefix = first + 2 == words.len();
        (is_word(one) && is_word(other))
            .then(|| Joined { exact: format!("{one}{other}"), is_prefix })
    };
    at.checked_sub(1).into_iter().chain([at]).filter_map(pair).collect()
}

/// A number with another digit is another number; a short word with another letter another word.
fn typos(word: &str) -> u8 {
    let letters = word.chars().count();
    // What finds a long word of rare letters takes hundreds of megabytes.
    let is_long = word.len() > TYPO_BYTES_MAX;
    if is_long || !word.chars().all(char::is_alphabetic) || letters < ONE_TYPO_LETTERS {
        0
    } else if letters < TWO_TYPOS_LETTERS {
        1
    } else {
        2
    }
}

impl Wanted {
    fn almost(&self, fields: &Fields) -> Result<Almost, Stopped> {
        let of = |distance| {
            let kind = if distance == 1 { Kind::OneTypo } else { Kind::TwoTypos };
            // Which field does not matter to what finds it.
            let term = Term::from_field_text(fields.groups[0].exact, &self.exact);
            Ok((kind, FuzzyTermQuery::new(term, distance, true).automaton()?))
        };
        (1..=self.typos).map(of).collect::<Result<_, Stopped>>()
    }

    fn variants(
        &self,
        segment: &SegmentReader,
        fields: &Fields,
        almost: &Almost,
        deadline: &Deadline,
    ) -> Result<Vec<Variant>, Stopped> {
        let mut variants = Vec::new();
        for (group, of) in fields.groups.iter().enumerate() {
            let mut add = |field, kind, info: &TermInfo| {
                variants.push(Variant { group, field, kind, info: info.clone() });
            };
            for (field, stem) in of.stems.iter().zip(&self.stems) {
                if let Some(info) = segment.inverted_index(*field)?.terms().get(stem)? {
                    add(*field, Kind::Stem, &info);
                }
            }
            let mut seen = 0_usize;
            self.expand(segment, of.exact, almost, |kind, info| {
                add(of.exact, kind, info);
                seen += 1;
                if seen.is_multiple_of(TERMS_BETWEEN) { deadline.check() } else { Ok(()) }
            })?;
            deadline.check()?;
        }
        Ok(variants)
    }

    /// Terms as they are written that match the word, or almost; one may be named several times.
    fn expand(
        &self,
        segment: &SegmentReader,
        field: Field,
        almost: &Almost,
        mut add: impl FnMut(Kind, &TermInfo) -> Result<(), Stopped>,
    ) -> Result<(), Stopped> {
        let index = segment.inverted_index(field)?;
        let dictionary = index.terms();
        if let Some(info) = dictionary.get(&self.exact)? {
            add(Kind::Exact, &info)?;
        }
        for joined in &self.joined {
            if let Some(info) = dictionary.get(&joined.exact)? {
                add(Kind::Stem, &info)?;
            }
        }
        let joined = self.joined.iter().filter(|joined| joined.is_prefix);
        let beginnings = joined.map(|joined| &joined.exact);
        for beginning in beginnings.chain(self.is_prefix.then_some(&self.exact)) {
            let range = dictionary.range().gt(beginning).lt(beyond(beginning));
            let mut longer = range.into_stream()?;
            while longer.advance() {
                add(Kind::Prefix, longer.value())?;
            }
        }
        for (kind, automaton) in almost {
            let mut alike = dictionary.search(automaton).into_stream()?;
            while alike.advance() {
                if alike.key() != self.exact.as_bytes() {
                    add(*kind, alike.value())?;
                }
            }
        }
        Ok(())
    }
}

/// The first text behind all that begin with this one.
pub fn beyond(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        // No byte of UTF-8 is 0xff.
        *last += 1;
    }
    bytes
}

/// Counts how frequent the words are.
pub fn statistics(
    lookup: &Lookup,
    searcher: &Searcher,
    fields: &Fields,
    matches: &[Matches],
) -> Result<Statistics, Stopped> {
    let documents = searcher.segment_readers().iter().map(SegmentReader::max_doc);
    let documents = documents.fold(0, u32::saturating_add).max(1);
    let mut lengths = [1; GROUPS];
    for (length, group) in lengths.iter_mut().zip(&fields.groups) {
        let mut words: u64 = 0;
        for segment in searcher.segment_readers() {
            words += segment.inverted_index(group.exact)?.total_num_tokens();
        }
        let average = words.saturating_mul(1_000) / u64::from(documents);
        *length = u32::try_from(average).unwrap_or(u32::MAX).max(1);
    }
    let frequencies = (0..lookup.len()).map(|word| frequency(matches, word).min(documents));
    Ok(Statistics { documents, lengths, frequencies: frequencies.collect() })
}

/// In how many listings a word is: in the field in which it is most often. What only looks like it
/// counts if there is nothing else, as otherwise every word would be as frequent as all of its kin.
fn frequency(matches: &[Matches], word: usize) -> u32 {
    let mut by_field: HashMap<Field, u32> = HashMap::new();
    let mut alike: u32 = 0;
    for variant in matches.iter().flat_map(|Matches(words)| &words[word]) {
        let frequency = if variant.kind >= Kind::Stem {
            by_field.entry(variant.field).or_default()
        } else {
            &mut alike
        };
        *frequency = frequency.saturating_add(variant.info.doc_freq);
    }
    by_field.into_values().max().unwrap_or(alike)
}

/// What the listings of a segment get. Lists as long as the segment, as reading a place in a list is
/// what makes up the time: 15 bytes for each listing.
pub struct Scores {
    words: Vec<u8>,
    /// Words that are there without a typing error.
    sharp: Vec<u8>,
    sums: Vec<u32>,
    found: Vec<DocId>,
}

/// What one listing gets for one word.
struct Best {
    kinds: Vec<Option<Kind>>,
    group: Vec<u32>,
    all: Vec<u32>,
}

impl Scores {
    /// Scores the listings of a segment.
    pub fn new(
        segment: &SegmentReader,
        matches: &Matches,
        statistics: &Statistics,
        deadline: &Deadline,
    ) -> Result<Self, Stopped> {
        let len = segment.max_doc() as usize;
        let mut scores = Self {
            words: vec![0; len],
            sharp: vec![0; len],
            sums: vec![0; len],
            found: Vec::new(),
        };
        let mut best = Best { kinds: vec![None; len], group: vec![0; len], all: vec![0; len] };
        for (variants, frequency) in matches.0.iter().zip(&statistics.frequencies) {
            let idf = idf(*frequency, statistics.documents);
            let found = best.fill(segment, variants, idf, statistics, deadline)?;
            for doc in found {
                scores.add(doc, &mut best, idf);
            }
        }
        Ok(scores)
    }

    fn add(&mut self, doc: DocId, best: &mut Best, idf: f32) {
        let at = doc as usize;
        let Some(kind) = best.kinds[at].take() else { return };
        let floor = steps(idf * kind.floor());
        let score = std::mem::take(&mut best.all[at]).saturating_add(floor);
        self.sums[at] = self.sums[at].saturating_add(score);
        if self.words[at] == 0 {
            self.found.push(doc);
        }
        self.words[at] += 1;
        self.sharp[at] += u8::from(!kind.is_typo());
    }

    /// The listings that have a word, in no order.
    pub fn found(&self) -> &[DocId] {
        &self.found
    }

    /// Whether a listing has all words.
    pub fn has_all(&self, doc: DocId, lookup: &Lookup) -> bool {
        usize::from(self.words[doc as usize]) == lookup.len()
    }

    /// Where a listing stands: what has all words first, of those what has the fewest typing errors,
    /// then the better match.
    pub fn key(&self, doc: DocId, lookup: &Lookup) -> u64 {
        let tier = if self.has_all(doc, lookup) { 1 + self.sharp[doc as usize] } else { 0 };
        u64::from(tier) << 32 | u64::from(self.sums[doc as usize])
    }
}

impl Best {
    /// Reads what matches a word; returns the listings that do.
    fn fill(
        &mut self,
        segment: &SegmentReader,
        variants: &[Variant],
        idf: f32,
        statistics: &Statistics,
        deadline: &Deadline,
    ) -> Result<Vec<DocId>, Stopped> {
        let mut found = Vec::new();
        for (group, boost) in BOOSTS.into_iter().enumerate() {
            let mut in_group = Vec::new();
            let average = statistics.lengths[group] as f32 / 1_000.0;
            for variant in variants.iter().filter(|variant| variant.group == group) {
                deadline.check()?;
                let index = segment.inverted_index(variant.field)?;
                let lengths = segment.get_fieldnorms_reader(variant.field)?;
                let mut postings = index
                    .read_postings_from_terminfo(&variant.info, IndexRecordOption::WithFreqs)?;
                let worth = idf * boost * variant.kind.scale();
                while postings.doc() != TERMINATED {
                    let at = postings.doc() as usize;
                    let length = lengths.fieldnorm(postings.doc()) as f32 / average;
                    let often = postings.term_freq() as f32;
                    let share = often * (K1 + 1.0) / (often + K1 * (1.0 - B + B * length));
                    if self.kinds[at].is_none() {
                        found.push(postings.doc());
                    }
                    self.kinds[at] = self.kinds[at].max(Some(variant.kind));
                    if self.group[at] == 0 {
                        in_group.push(at);
                    }
                    self.group[at] = self.group[at].max(steps(worth * share));
                    postings.advance();
                }
            }
            for at in in_group {
                self.all[at] = self.all[at].saturating_add(std::mem::take(&mut self.group[at]));
            }
        }
        Ok(found)
    }
}

/// What a word that is everywhere says.
const IDF_MIN: f32 = 0.05;

/// How much a word says: the rarer the more.
fn idf(frequency: u32, documents: u32) -> f32 {
    let (frequency, documents) = (frequency as f32, documents as f32);
    // Even a word that is everywhere says something: else nothing but the id would decide.
    (1.0 + (documents - frequency + 0.5) / (frequency + 0.5)).ln().max(IDF_MIN)
}

/// A score in whole steps.
#[expect(clippy::cast_sign_loss, reason = "no score is below 0")]
fn steps(score: f32) -> u32 {
    (score * STEPS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_matches_stay_below_one_another() {
        let most = (K1 + 1.0) * BOOSTS.iter().sum::<f32>();
        let kinds = [Kind::TwoTypos, Kind::OneTypo, Kind::Prefix, Kind::Stem];
        for pair in kinds.windows(2) {
            let worse = pair[0].floor() + pair[0].scale() * most;
            assert!(worse < pair[1].floor(), "{pair:?}: {worse}");
        }
        assert!(idf(0, u32::MAX) * (1.0 + most) * STEPS * (TERMS_MAX as f32) < u32::MAX as f32);
    }

    #[test]
    fn short_words_and_numbers_are_meant() {
        let counts = ["bik", "bike", "bicycle", "bicycles", "1000", "größer"].map(typos);
        assert_eq!(counts, [0, 1, 1, 2, 0, 1]);
    }
}
