//! Which listings of a segment are what was asked for.

use barterline_domain::catalogue::attribute::AttributeKey;
use barterline_domain::clock::Timestamp;
use barterline_domain::listing::ListingStatus;
use barterline_domain::place::Point;
use tantivy::columnar::Column;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, SegmentReader, TERMINATED, Term};

use crate::near::Reach;
use crate::query::{AttributeFilter, Facet, Filter, PriceRange};

use super::deadline::Stopped;
use super::relevance::beyond;
use super::schema::{Fields, column, said, said_text, status_at};
use super::text::fold;

/// Some of the listings of a segment, a bit for each.
pub struct Bits(Vec<u64>);

impl Bits {
    fn none(len: DocId) -> Self {
        Self(vec![0; (len as usize).div_ceil(64)])
    }

    fn living(segment: &SegmentReader) -> Self {
        let mut bits = Self::none(segment.max_doc());
        for doc in segment.doc_ids_alive() {
            bits.set(doc);
        }
        bits
    }

    fn set(&mut self, doc: DocId) {
        self.0[doc as usize / 64] |= 1 << (doc % 64);
    }

    fn has(&self, doc: DocId) -> bool {
        self.0[doc as usize / 64] >> (doc % 64) & 1 == 1
    }

    fn keep(&mut self, other: &Self) {
        for (one, other) in self.0.iter_mut().zip(&other.0) {
            *one &= other;
        }
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = DocId> {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at as DocId * 64 + bit)
            })
        })
    }
}

/// Where the listings of a segment are.
#[derive(Clone)]
pub struct Places {
    lat: Column<f64>,
    lon: Column<f64>,
}

impl Places {
    pub fn of(segment: &SegmentReader) -> Result<Self, Stopped> {
        let columns = segment.fast_fields();
        Ok(Self { lat: columns.f64(column::LAT)?, lon: columns.f64(column::LON)? })
    }

    /// The middle of the cell where a listing is.
    pub fn point(&self, doc: DocId) -> Option<Point> {
        Some(Point { lat: self.lat.first(doc)?, lon: self.lon.first(doc)? })
    }
}

/// Where the listings of a segment stand at a time.
#[derive(Clone)]
pub struct Statuses {
    status: Column<u64>,
    expires: Column<u64>,
    now: Timestamp,
}

impl Statuses {
    pub fn of(segment: &SegmentReader, now: Timestamp) -> Result<Self, Stopped> {
        let columns = segment.fast_fields();
        let (status, expires) = (columns.u64(column::STATUS)?, columns.u64(column::EXPIRES)?);
        Ok(Self { status, expires, now })
    }

    /// The number of its status.
    pub fn at(&self, doc: DocId) -> Option<u64> {
        Some(status_at(self.status.first(doc)?, self.expires.first(doc), self.now))
    }

    /// Whether it is for sale.
    pub fn is_active(&self, doc: DocId) -> bool {
        self.at(doc) == Some(ListingStatus::Active as u64)
    }
}

/// What a listing has to be.
enum Test {
    In(Bits),
    Price(Column<u64>, u64, u64),
    /// In thousandths.
    Number(Option<Column<i64>>, i64, i64),
    Condition(Column<u64>, u64),
    Status(Statuses, u64),
    Within(Places, Reach),
}

impl Test {
    fn passes(&self, doc: DocId) -> bool {
        match self {
            Self::In(bits) => bits.has(doc),
            Self::Price(prices, min, max) => {
                prices.first(doc).is_some_and(|price| (min..=max).contains(&&price))
            }
            Self::Number(numbers, min, max) => {
                let number = numbers.as_ref().and_then(|numbers| numbers.first(doc));
                number.is_some_and(|number| (min..=max).contains(&&number))
            }
            Self::Condition(conditions, set) => {
                conditions.first(doc).is_some_and(|condition| set >> condition & 1 == 1)
            }
            Self::Status(statuses, set) => {
                statuses.at(doc).is_some_and(|status| set >> status & 1 == 1)
            }
            Self::Within(places, reach) => {
                places.point(doc).is_some_and(|point| reach.contains(point))
            }
        }
    }
}

/// A test, and for which facets it is left out.
struct Part {
    test: Test,
    lifted_for: Vec<usize>,
}

/// Whom a listing counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is found.
    Found,
    /// It fails one test, which is left out for these facets.
    CountedFor(&'a [usize]),
    /// It is not.
    Out,
}

/// The tests of a segment.
pub struct Sieve {
    /// What lives and passes the tests that are never left out and cost a bit.
    base: Bits,
    parts: Vec<Part>,
}

impl Sieve {
    pub fn new(
        segment: &SegmentReader,
        fields: &Fields,
        filter: &Filter,
        facets: &[Facet],
        now: Timestamp,
    ) -> Result<Self, Stopped> {
        let mut sieve = Self { base: Bits::living(segment), parts: Vec::new() };
        let source = Source { segment, fields };
        let never = |_: &Facet| false;
        if let Some(category) = &filter.category {
            let term = Term::from_field_text(fields.category, category.as_str());
            sieve.add(source.with_any(&[term])?, facets, never);
        }
        if let Some(seller) = &filter.seller {
            sieve.add(source.with_any(&[fields.seller(seller)])?, facets, never);
        }
        if let Some(PriceRange { currency, min, max }) = &filter.price {
            let term = Term::from_field_text(fields.currency, currency.code());
            sieve.add(source.with_any(&[term])?, facets, never);
            if min.is_some() || max.is_some() {
                let prices = segment.fast_fields().u64(column::PRICE)?;
                let (min, max) = (min.unwrap_or(0), max.unwrap_or(u64::MAX));
                sieve.add(Test::Price(prices, min, max), facets, never);
            }
        }
        for (key, wanted) in &filter.attributes {
            let is_own = |facet: &Facet| *facet == Facet::Attribute(key.clone());
            sieve.add(source.attribute(key, wanted)?, facets, is_own);
        }
        if !filter.conditions.is_empty() {
            let conditions = segment.fast_fields().u64(column::CONDITION)?;
            let set = filter.conditions.iter().fold(0, |set, it| set | 1 << *it as u64);
            sieve.add(Test::Condition(conditions, set), facets, |it| *it == Facet::Condition);
        }
        if !filter.statuses.is_empty() {
            let set = filter.statuses.iter().fold(0, |set, it| set | 1 << *it as u64);
            let test = Test::Status(Statuses::of(segment, now)?, set);
            sieve.add(test, facets, |it| *it == Facet::Status);
        }
        if let Some((point, km)) = filter.near.and_then(|near| Some((near.point, near.km?))) {
            let test = Test::Within(Places::of(segment)?, Reach::new(point, km));
            sieve.add(test, facets, never);
        }
        Ok(sieve)
    }

    fn add(&mut self, test: Test, facets: &[Facet], is_own: impl Fn(&Facet) -> bool) {
        let own = facets.iter().enumerate().filter(|(_, facet)| is_own(facet));
        let lifted_for: Vec<_> = own.map(|(at, _)| at).collect();
        match test {
            Test::In(bits) if lifted_for.is_empty() => self.base.keep(&bits),
            test => self.parts.push(Part { test, lifted_for }),
        }
    }

    /// What may pass, in order.
    pub fn candidates(&self) -> impl Iterator<Item = DocId> {
        self.base.iter()
    }

    /// Whom a listing counts for.
    pub fn verdict(&self, doc: DocId) -> Verdict<'_> {
        if !self.base.has(doc) {
            return Verdict::Out;
        }
        let mut failed = self.parts.iter().filter(|part| !part.test.passes(doc));
        match (failed.next(), failed.next()) {
            (None, _) => Verdict::Found,
            (Some(part), None) if !part.lifted_for.is_empty() => {
                Verdict::CountedFor(&part.lifted_for)
            }
            (Some(_), _) => Verdict::Out,
        }
    }
}

/// Where tests come from.
struct Source<'a> {
    segment: &'a SegmentReader,
    fields: &'a Fields,
}

impl Source<'_> {
    fn with_any(&self, terms: &[Term]) -> Result<Test, Stopped> {
        let mut bits = Bits::none(self.segment.max_doc());
        for term in terms {
            let index = self.segment.inverted_index(term.field())?;
            if let Some(postings) = index.read_postings(term, IndexRecordOption::Basic)? {
                mark(&mut bits, postings);
            }
        }
        Ok(Test::In(bits))
    }

    fn attribute(&self, key: &AttributeKey, wanted: &AttributeFilter) -> Result<Test, Stopped> {
        let term = |value: &str| Term::from_field_text(self.fields.said, &said(key, value));
        match wanted {
            AttributeFilter::Flag(flag) => self.with_any(&[term(&flag.to_string())]),
            AttributeFilter::AnyOf(values) => {
                let choices: Vec<_> = values.iter().map(|value| term(&fold(value))).collect();
                let mut test = self.with_any(&choices)?;
                if let Test::In(bits) = &mut test {
                    for value in values {
                        self.mark_text(self.fields.said, &said_text(key, value), bits)?;
                    }
                }
                Ok(test)
            }
            AttributeFilter::Range { min, max } => {
                let name = format!("{}.{key}", column::NUMBERS);
                let numbers = self.segment.fast_fields().column_opt(&name)?;
                // Floats beyond the range of integers stop at its ends.
                let min = min.map_or(i64::MIN, |min| (min * 1_000.0 - SLACK).ceil() as i64);
                let max = max.map_or(i64::MAX, |max| (max * 1_000.0 + SLACK).floor() as i64);
                Ok(Test::Number(numbers, min, max))
            }
        }
    }

    fn mark_text(&self, field: Field, prefix: &str, bits: &mut Bits) -> Result<(), Stopped> {
        let index = self.segment.inverted_index(field)?;
        let range = index.terms().range().ge(prefix).lt(beyond(prefix));
        let mut spellings = range.into_stream()?;
        while spellings.advance() {
            let info = spellings.value();
            mark(bits, index.read_postings_from_terminfo(info, IndexRecordOption::Basic)?);
        }
        Ok(())
    }
}

/// A float is not exactly what a person wrote: 0.3 · 1000 is below 300 by less than this.
const SLACK: f64 = 1e-3;

fn mark(bits: &mut Bits, mut postings: impl DocSet) {
    while postings.doc() != TERMINATED {
        bits.set(postings.doc());
        postings.advance();
    }
}
