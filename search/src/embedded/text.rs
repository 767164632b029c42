//! How text becomes terms: the same way for listings and for what somebody looks for.
//!
//! Case, accents and marks do not matter. Digits and letters are words of their own (`256gb` is `256
//! gb`). Chinese and Japanese have no blanks between words: each pair of characters is a term, and in
//! listings each character as well. An emoji is a term.

use std::mem;

use tantivy::tokenizer::{
    AsciiFoldingFilter, RawTokenizer, Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer,
};

use super::language::Language;

/// Splits text into terms.
#[derive(Debug, Clone, Copy)]
pub enum Splitter {
    /// Of a listing: whatever somebody may look for.
    Listing,
    /// Of a query: only what has to be there.
    Query,
}

impl Splitter {
    /// Terms as they are written.
    pub fn exact(self) -> TextAnalyzer {
        TextAnalyzer::builder(self).filter(AsciiFoldingFilter).build()
    }

    /// Terms without their endings. Accents go last, as endings have some.
    pub fn stems(self, language: Language) -> TextAnalyzer {
        let stemmer = Stemmer::new(language.stemming());
        TextAnalyzer::builder(self).filter(stemmer).filter(AsciiFoldingFilter).build()
    }
}

/// All terms of a text.
pub fn terms(analyzer: &mut TextAnalyzer, text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    analyzer.token_stream(text).process(&mut |token| terms.push(token.text.clone()));
    terms
}

/// The text in lower case, without accents.
pub fn fold(text: &str) -> String {
    let mut analyzer =
        TextAnalyzer::builder(RawTokenizer::default()).filter(AsciiFoldingFilter).build();
    terms(&mut analyzer, &lower(text)).concat()
}

/// The text in lower case, without marks.
pub fn lower(text: &str) -> String {
    small(text).collect()
}

/// Marks go last, as a Turkish capital leaves one behind: its dot.
fn small(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).filter(|c| !is_mark(*c))
}

/// What a character is in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Digit,
    /// Of a script without blanks between words.
    Ideograph,
    Symbol,
    Hyphen,
    Apostrophe,
    Blank,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}' => Self::Ideograph,
            '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => {
                Self::Symbol
            }
            '-' | '\u{2010}' | '\u{2011}' => Self::Hyphen,
            '\'' | '\u{2019}' => Self::Apostrophe,
            c if c.is_numeric() => Self::Digit,
            c if c.is_alphabetic() || is_within_words(c) => Self::Letter,
            _ => Self::Blank,
        }
    }
}

/// Marks without which words of India, Thailand, Laos, Tibet and Burma are others, and which are no letters by
/// themselves: those that silence a vowel, and tones.
fn is_within_words(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{963}' | '\u{966}'..='\u{dff}' | '\u{e31}' | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}' | '\u{eb1}' | '\u{eb4}'..='\u{ecd}' | '\u{f71}'..='\u{f84}'
        | '\u{102b}'..='\u{103e}')
}

/// Accents that stand beside their letter, vowels that are mostly left out, joiners, the shapes and
/// colours of emoji, soft hyphens.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{ad}'
        | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// A run of characters of one kind, and what stands right before it.
struct Run {
    kind: Kind,
    text: String,
    before: Kind,
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut before = Kind::Blank;
    for c in small(text) {
        let kind = Kind::of(c);
        match (kind, runs.last_mut()) {
            (Kind::Blank | Kind::Hyphen | Kind::Apostrophe, _) => {}
            (Kind::Letter | Kind::Digit | Kind::Ideograph, Some(run)) if before == kind => {
                run.text.push(c);
            }
            _ => runs.push(Run { kind, text: c.to_string(), before }),
        }
        before = kind;
    }
    runs
}

impl Splitter {
    fn split(self, text: &str) -> Vec<String> {
        let runs = runs(text);
        let mut words = Vec::with_capacity(runs.len());
        for (at, run) in runs.iter().enumerate() {
            let next = runs.get(at + 1).map(|next| next.before);
            // `women's`, `l'avion`: not a word.
            let is_clipped = [Some(run.before), next].contains(&Some(Kind::Apostrophe));
            if is_clipped && run.kind == Kind::Letter && run.text.chars().count() == 1 {
                continue;
            }
            if run.kind == Kind::Ideograph {
                self.split_ideographs(&run.text, &mut words);
                continue;
            }
            words.push(run.text.clone());
            // `T-shirt` is looked for as `tshirt` too.
            if let (Self::Listing, Some(last)) = (self, at.checked_sub(1).map(|at| &runs[at]))
                && run.before == Kind::Hyphen
            {
                words.push(format!("{}{}", last.text, run.text));
            }
        }
        words
    }

    fn split_ideographs(self, text: &str, words: &mut Vec<String>) {
        let chars: Vec<char> = text.chars().collect();
        if matches!(self, Self::Listing) || chars.len() == 1 {
            words.extend(chars.iter().map(char::to_string));
        }
        words.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
    }
}

impl Tokenizer for Splitter {
    type TokenStream<'a> = Terms;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Terms {
        Terms { rest: self.split(text).into_iter(), token: Token::default() }
    }
}

/// Terms one after another.
pub struct Terms {
    rest: std::vec::IntoIter<String>,
    token: Token,
}

impl TokenStream for Terms {
    fn advance(&mut self) -> bool {
        let next = self.rest.next();
        let is_there = next.is_some();
        drop(mem::replace(&mut self.token.text, next.unwrap_or_default()));
        self.token.position = self.token.position.wrapping_add(1);
        is_there
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(splitter: Splitter, text: &str) -> String {
        terms(&mut splitter.exact(), text).join(" ")
    }

    #[test]
    fn text_is_split_the_way_people_look_for_it() {
        for (text, expected) in [
            ("Red BIKE, 28\"!", "red bike 28"),
            ("Čapek über Straße", "capek uber strasse"),
            ("Cafe\u{301}", "cafe"),
            ("iPhone13 256GB", "iphone 13 256 gb"),
            ("women's l'avion rock'n'roll", "women avion rock roll"),
            ("e-bike", "e bike"),
            ("自転車 車", "自転 転車 車"),
            ("مُحَمَّد", "محمد"),
            ("🚲👍🏽❤\u{fe0f}", "🚲 👍 ❤"),
            ("İstanbul", "istanbul"),
            ("\u{0}\u{202e} -- ''", ""),
        ] {
            assert_eq!(split(Splitter::Query, text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_folded_is_what_is_split() {
        for text in ["İstanbul", "Cafe\u{301}", "ŠKODA", "مُحَمَّد"] {
            assert_eq!(split(Splitter::Query, text), fold(text), "{text}");
        }
    }

    #[test]
    fn a_listing_is_found_by_more_than_it_says() {
        assert_eq!(split(Splitter::Listing, "T-Shirt"), "t shirt tshirt");
        assert_eq!(split(Splitter::Listing, "自転車"), "自 転 車 自転 転車");
    }

    #[test]
    fn stems_stand_beside_their_words() {
        let text = "Häuser bicycles 256GB 🚲 自転車";
        let count = terms(&mut Splitter::Query.exact(), text).len();
        for code in ["en", "de", "tr", "ar"] {
            let language = Language::parse(code).expect("a language");
            assert_eq!(terms(&mut Splitter::Query.stems(language), text).len(), count, "{code}");
        }
    }
}
