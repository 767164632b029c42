//! Words of listings, and what asks for those that somebody typed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::embedded::Language;
use crate::embedded::relevance::{BOOSTS, Lookup, Wanted};
use crate::embedded::text::{Splitter, terms};
use crate::query::WORDS_MAX;

/// Fields of words, those of [`BOOSTS`], and of their stems.
const FIELDS: [(&str, &str); 3] =
    [("title", "title_stems"), ("extra", "extra_stems"), ("body", "body_stems")];
/// What a word without its ending is worth beside the word itself.
const STEM: f32 = 0.85;
/// What a word gets at least, by how it is found.
const AS_IT_IS: f32 = 1.0;
const BEGUN: f32 = 0.5;
const ONE_TYPO: f32 = 0.25;
const TWO_TYPOS: f32 = 0.1;
/// What all words together are worth beside some: more than these get. A word gets
/// 2 · ln(2^32) + 1, about 46, and 16 of them less than this.
const ALL: f32 = 1_024.0;
/// Stems that are looked for of each word. With as many, 16 words ask for 16 · (3 + 3 · 6 + 2 · 6)
/// terms, about 530; the index takes 1,024.
const STEMS_MAX: usize = 6;

const _: () = assert!(WORDS_MAX == 16, "ALL and STEMS_MAX are worked out for as many");

/// Words as they are written, with blanks between.
pub fn listing_words(text: &str) -> String {
    terms(&mut Splitter::Listing.exact(), text).join(" ")
}

/// Words without their endings in each language, each once in its place.
pub fn listing_stems(text: &str, languages: &[Language]) -> String {
    let stem = |language: &Language| terms(&mut Splitter::Listing.stems(*language), text);
    let all: Vec<_> = languages.iter().map(stem).collect();
    let places = all.iter().map(Vec::len).max().unwrap_or_default();
    let each = (0..places).flat_map(|place| {
        all.iter().filter_map(move |stems| stems.get(place)).collect::<BTreeSet<_>>()
    });
    each.map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// What has some of the words, what has all first.
pub fn scored(lookup: &Lookup) -> Value {
    let words = words(lookup);
    if words.is_empty() {
        return json!({"match_none": {}});
    }
    let scored: Vec<_> = words.iter().map(Word::scored).collect();
    let some = json!({"bool": {"should": scored, "minimum_should_match": 1}});
    let all = json!({"constant_score": {"filter": all(lookup), "boost": ALL}});
    json!({"bool": {"must": some, "should": all}})
}

/// What has all of the words.
pub fn all(lookup: &Lookup) -> Value {
    let words = words(lookup);
    if words.is_empty() {
        return json!({"match_none": {}});
    }
    json!({"bool": {"filter": words.iter().map(Word::found).collect::<Vec<_>>()}})
}

fn words(lookup: &Lookup) -> Vec<Word<'_>> {
    lookup.words().iter().take(WORDS_MAX).map(Word::of).collect()
}

/// A word, and its forms without endings.
struct Word<'a> {
    wanted: &'a Wanted,
    stems: BTreeSet<&'a str>,
}

impl<'a> Word<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        let mut stems = BTreeSet::new();
        for stem in &wanted.stems {
            if stems.len() < STEMS_MAX {
                stems.insert(stem.as_str());
            }
        }
        Self { wanted, stems }
    }

    /// The ways in which it is found, and what each is worth.
    fn ways(&self) -> Vec<(f32, Value)> {
        let Wanted { exact, joined, is_prefix, typos, .. } = self.wanted;
        let mut ways = Vec::new();
        let whole: Vec<_> = [exact].into_iter().chain(joined.iter().map(|it| &it.exact)).collect();
        ways.push((AS_IT_IS, json!({"terms": {"words": whole}})));
        if !self.stems.is_empty() {
            ways.push((AS_IT_IS, json!({"terms": {"stems": self.stems}})));
        }
        let begun = joined.iter().filter(|it| it.is_prefix).map(|it| &it.exact);
        for beginning in begun.chain(is_prefix.then_some(exact)) {
            ways.push((BEGUN, json!({"prefix": {"words": {"value": beginning}}})));
        }
        for (worth, fuzziness) in [(ONE_TYPO, 1), (TWO_TYPOS, 2)] {
            if fuzziness <= *typos {
                let fuzzy = json!({
                    "value": exact,
                    "fuzziness": fuzziness,
                    "transpositions": true,
                    "rewrite": "constant_score",
                });
                ways.push((worth, json!({"fuzzy": {"words": fuzzy}})));
            }
        }
        ways
    }

    /// What has it, in whatever way.
    fn found(&self) -> Value {
        let ways: Vec<_> = self.ways().into_iter().map(|(_, way)| way).collect();
        json!({"bool": {"should": ways, "minimum_should_match": 1}})
    }

    /// The same, by how good that is: the best way, and how rare the word is where it stands.
    fn scored(&self) -> Value {
        let constant =
            |(worth, way): (f32, Value)| json!({"constant_score": {"filter": way, "boost": worth}});
        let ways: Vec<_> = self.ways().into_iter().map(constant).collect();
        let mut rare = Vec::new();
        for ((words, stems), boost) in FIELDS.into_iter().zip(BOOSTS) {
            let term = |field: &str, value: &str, boost: f32| {
                let wanted = json!({"value": value, "boost": boost});
                json!({"term": {field: wanted}})
            };
            rare.push(term(words, &self.wanted.exact, boost));
            rare.extend(self.stems.iter().map(|stem| term(stems, stem, boost * STEM)));
        }
        json!({"bool": {
            "should": [{"dis_max": {"queries": ways}}, {"dis_max": {"queries": rare}}],
            "minimum_should_match": 1,
        }})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Words;

    fn lookup(text: &str, languages: &[&str]) -> Lookup {
        let languages: Vec<_> =
            languages.iter().map(|code| Language::parse(code).expect("a language")).collect();
        Lookup::new(&Words::parse(text).expect("words"), &languages)
    }

    /// How many terms a question asks for.
    fn count(value: &Value) -> usize {
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, of)| match name.as_str() {
                    "term" | "terms" | "prefix" | "fuzzy" => 1,
                    _ => count(of),
                })
                .sum(),
            Value::Array(all) => all.iter().map(count).sum(),
            _ => 0,
        }
    }

    #[test]
    fn the_longest_text_asks_for_no_more_than_the_index_takes() {
        let languages = ["ar", "da", "de", "en", "es", "fi", "fr", "hu"];
        let text = (b'a'..=b'p')
            .map(|c| format!("bicyclesheiten{}", char::from(c)))
            .collect::<Vec<_>>()
            .join(" ");
        assert!(count(&scored(&lookup(&text[..199], &languages))) < 1_024);
        let digits = "a1 ".repeat(16);
        assert!(count(&scored(&lookup(&digits, &languages))) < 1_024);
    }

    #[test]
    fn nothing_that_somebody_typed_is_more_than_a_word() {
        let asked = scored(&lookup("red* AND (bike~2 OR _id:7) \\ \"x", &["en"])).to_string();
        for sign in ["red*", "(", "~", "_id", "\\", "query_string"] {
            assert!(!asked.contains(sign), "{sign} in {asked}");
        }
        let nothing = json!({"match_none": {}});
        assert_eq!(scored(&lookup("?!", &["en"])), nothing);
        assert_eq!(all(&lookup("?!", &["en"])), nothing);
    }

    #[test]
    fn stems_stand_beside_each_other_once() {
        let language = |code| Language::parse(code).expect("a language");
        assert_eq!(listing_stems("Red bikes", &[language("en")]), "red bike");
        let both = listing_stems("Red bikes", &[language("en"), language("de")]);
        assert!(both.starts_with("red "), "{both}");
        assert!(both.split(' ').any(|stem| stem == "bike"), "{both}");
        assert_eq!(listing_stems("Red bikes", &[]), "");
        assert_eq!(listing_words("T-Shirt, blue"), "t shirt tshirt blue");
    }
}
