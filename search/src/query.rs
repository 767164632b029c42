//! What is asked.

use std::collections::BTreeMap;

use barterline_domain::catalogue::ATTRIBUTES_MAX;
use barterline_domain::catalogue::attribute::AttributeKey;
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_domain::listing::ListingStatus;
use barterline_domain::listing::details::Condition;
use barterline_domain::money::Currency;

use crate::cursor::{Cursor, Digest};
use crate::near::Near;

/// Longest text, and longest value of an attribute, in characters.
pub const TEXT_CHARS_MAX: usize = 200;
/// Most words of a text.
pub const WORDS_MAX: usize = 16;
/// Most hits of a page.
pub const HITS_MAX: usize = 100;
/// Most facets that are counted at once.
pub const FACETS_MAX: usize = 16;
/// Most values of which one is wanted.
pub const ANY_OF_MAX: usize = 50;

/// A search.
#[derive(Debug, Clone)]
pub struct Query {
    /// What the listing says; `None`: anything.
    pub text: Option<Words>,
    /// What it has to be.
    pub filter: Filter,
    /// In which order. With every order but [`Sort::Relevance`] only what has all words is found.
    pub sort: Sort,
    /// What is counted beside, [`FACETS_MAX`] at most.
    pub facets: Vec<Facet>,
    /// Behind which hit to go on.
    pub after: Option<Cursor>,
    /// How many hits, 1 to [`HITS_MAX`].
    pub limit: usize,
    /// The present, for what has expired.
    pub now: Timestamp,
}

/// Words that somebody typed: 1 to 200 characters, at most 16 words. What has all of them comes first,
/// then what has some. Text without a letter or digit in it finds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(String);

/// What a listing has to be; by default anything, also a draft.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Of this category, or one below it.
    pub category: Option<CategoryId>,
    /// What it costs.
    pub price: Option<PriceRange>,
    /// What is said of it.
    pub attributes: BTreeMap<AttributeKey, AttributeFilter>,
    /// Where it is.
    pub near: Option<Near>,
    /// One of these; none: any.
    pub conditions: Vec<Condition>,
    /// One of these at the time of the query; none: any.
    pub statuses: Vec<ListingStatus>,
    /// Whose it is.
    pub seller: Option<UserId>,
}

/// Prices of one currency, in minor units, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange {
    /// Of which currency.
    pub currency: Currency,
    /// The least.
    pub min: Option<u64>,
    /// The greatest.
    pub max: Option<u64>,
}

/// What an attribute has to be.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeFilter {
    /// One of these choices or texts, whatever the case.
    AnyOf(Vec<String>),
    /// Yes or no.
    Flag(bool),
    /// A number, both ends included.
    Range {
        /// The least.
        min: Option<f64>,
        /// The greatest.
        max: Option<f64>,
    },
}

/// In which order; ties by id, the newer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The best match first. Needs a text.
    Relevance,
    /// The newest first.
    Newest,
    /// The cheapest first. Needs a currency: [`Filter::price`].
    PriceUp,
    /// The dearest first. Needs a currency: [`Filter::price`].
    PriceDown,
    /// The nearest first, what has no place last. Needs [`Filter::near`].
    Distance,
}

/// Something whose values are counted. When its own filter is set, its values are counted as if it
/// were not, as somebody may want one more of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facet {
    /// The categories right below that of the filter, or the topmost ones.
    Category,
    /// How much things were used.
    Condition,
    /// Where listings stand.
    Status,
    /// The values of an attribute.
    Attribute(AttributeKey),
}

/// Why a query makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Empty, too long, or too many words.
    #[error("a text is of 1 to 200 characters, and 16 words at most")]
    Text,
    /// No hits, or too many.
    #[error("a page has 1 to 100 hits")]
    Limit,
    /// Too many.
    #[error("at most 16 facets are counted")]
    Facets,
    /// Too many attributes, too many values of one, or too long ones.
    #[error(
        "at most 32 attributes are asked for, each with 1 to 50 values of 200 characters at most"
    )]
    Attributes,
    /// Its least is above its greatest, or is no number.
    #[error("the least of a range is a number, and not above its greatest")]
    Range,
    /// Not a distance.
    #[error("a distance is a number of kilometres above 0")]
    Distance,
    /// Relevance to nothing.
    #[error("relevance is that to a text: say one")]
    NoText,
    /// Prices of several currencies have no order.
    #[error("prices are sorted of one currency: say which")]
    NoCurrency,
    /// Near to nothing.
    #[error("distance is that from a place: say where")]
    NoPlace,
    /// Of no page, or of that of another query.
    #[error("the cursor is none, or that of another search")]
    Cursor,
}

impl Words {
    /// Takes what somebody typed.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let text = text.trim();
        let is_sound = (1..=TEXT_CHARS_MAX).contains(&text.chars().count())
            && text.split_whitespace().count() <= WORDS_MAX;
        if is_sound { Ok(Self(text.to_owned())) } else { Err(QueryError::Text) }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Query {
    /// Says what is wrong, if anything.
    pub fn check(&self) -> Result<(), QueryError> {
        if !(1..=HITS_MAX).contains(&self.limit) {
            return Err(QueryError::Limit);
        }
        if self.facets.len() > FACETS_MAX {
            return Err(QueryError::Facets);
        }
        self.filter.check()?;
        match self.sort {
            Sort::Relevance if self.text.is_none() => Err(QueryError::NoText),
            Sort::PriceUp | Sort::PriceDown if self.filter.price.is_none() => {
                Err(QueryError::NoCurrency)
            }
            Sort::Distance if self.filter.near.is_none() => Err(QueryError::NoPlace),
            Sort::Relevance | Sort::Newest | Sort::PriceUp | Sort::PriceDown | Sort::Distance => {
                Ok(())
            }
        }
    }

    /// What makes this search another than others, whose cursors are not for it. Limit and facets may
    /// differ from page to page, and time goes on.
    pub(crate) fn digest(&self) -> [u8; 8] {
        let mut digest = Digest::new();
        digest.part(self.sort as u64);
        digest.bytes(self.text.as_ref().map_or("", Words::as_str).as_bytes());
        self.filter.digest(&mut digest);
        digest.end()
    }
}

impl Filter {
    fn check(&self) -> Result<(), QueryError> {
        if let Some(PriceRange { min: Some(min), max: Some(max), .. }) = self.price
            && min > max
        {
            return Err(QueryError::Range);
        }
        if self.attributes.len() > ATTRIBUTES_MAX {
            return Err(QueryError::Attributes);
        }
        for wanted in self.attributes.values() {
            wanted.check()?;
        }
        match self.near {
            Some(Near { km: Some(km), .. }) if !(km > 0.0 && km.is_finite()) => {
                Err(QueryError::Distance)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn digest(&self, digest: &mut Digest) {
        digest.bytes(self.category.as_ref().map_or("", CategoryId::as_str).as_bytes());
        digest.part(u64::from(self.price.is_some()));
        if let Some(PriceRange { currency, min, max }) = &self.price {
            digest.bytes(currency.code().as_bytes());
            digest.maybe(*min);
            digest.maybe(*max);
        }
        digest.part(self.attributes.len() as u64);
        for (key, wanted) in &self.attributes {
            digest.bytes(key.as_str().as_bytes());
            wanted.digest(digest);
        }
        digest.maybe(self.near.map(|near| near.point.lat.to_bits()));
        digest.maybe(self.near.map(|near| near.point.lon.to_bits()));
        digest.maybe(self.near.and_then(|near| near.km).map(f64::to_bits));
        digest.part(self.conditions.iter().fold(0, |set, it| set | 1 << *it as u64));
        digest.part(self.statuses.iter().fold(0, |set, it| set | 1 << *it as u64));
        digest.bytes(self.seller.as_ref().map_or(&[], |seller| seller.as_bytes()));
    }
}

impl AttributeFilter {
    fn check(&self) -> Result<(), QueryError> {
        match self {
            Self::AnyOf(values) => {
                let is_long = |value: &String| value.chars().count() > TEXT_CHARS_MAX;
                let is_sound =
                    (1..=ANY_OF_MAX).contains(&values.len()) && !values.iter().any(is_long);
                if is_sound { Ok(()) } else { Err(QueryError::Attributes) }
            }
            Self::Range { min, max } => {
                let (min, max) = (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
                if min <= max { Ok(()) } else { Err(QueryError::Range) }
            }
            Self::Flag(_) => Ok(()),
        }
    }

    fn digest(&self, digest: &mut Digest) {
        match self {
            Self::AnyOf(values) => {
                digest.part(values.len() as u64);
                for value in values {
                    digest.bytes(value.as_bytes());
                }
            }
            // More than there are values.
            Self::Flag(flag) => digest.part(1_000 + u64::from(*flag)),
            Self::Range { min, max } => {
                digest.part(1_002);
                digest.maybe(min.map(f64::to_bits));
                digest.maybe(max.map(f64::to_bits));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_bounds() {
        for wrong in ["", "  ", &"x".repeat(201), &"a ".repeat(17)] {
            assert_eq!(Words::parse(wrong), Err(QueryError::Text), "{wrong}");
        }
        assert_eq!(Words::parse(" red bike ").expect("words").as_str(), "red bike");
        Words::parse(&"é".repeat(200)).expect("200 characters");
    }
}
