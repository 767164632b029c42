//! What somebody asks for, held against the kinds of things there are.

use std::collections::BTreeMap;

use barterline_domain::catalogue::attribute::{Attribute, AttributeKey, AttributeKind};
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::catalogue::{Catalogue, InvalidAttributes};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_domain::listing::ListingStatus;
use barterline_domain::listing::details::Condition;
use barterline_search::cursor::Cursor;
use barterline_search::near::Near;
use barterline_search::query::FACETS_MAX;
use barterline_search::{AttributeFilter, Facet, Filter, PriceRange, Query, Sort, Words};
use serde::Deserialize;

use super::{FOR_SALE, SearchError};

/// What somebody asks for; by default all that is for sale, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// What the listing says.
    pub text: Option<Words>,
    /// Of which kind it is.
    pub category: Option<CategoryId>,
    /// What is said of it: by the keys of the category's attributes.
    pub attributes: BTreeMap<String, Wanted>,
    /// What it costs.
    pub price: Option<PriceRange>,
    /// Where it is.
    pub near: Option<Near>,
    /// How much it was used: one of these.
    pub conditions: Vec<Condition>,
    /// Where it stands: one of these; none: what is for sale.
    pub statuses: Vec<ListingStatus>,
    /// Whose it is.
    pub seller: Option<UserId>,
    /// In which order; `None`: by relevance to a text, else the newest first.
    pub sort: Option<Sort>,
    /// Whether categories, conditions and what the category counts are to be counted.
    pub with_facets: bool,
    /// Behind which part.
    pub after: Option<Cursor>,
    /// How many at most.
    pub limit: usize,
}

/// What an attribute has to be, in JSON.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// Yes or no.
    Flag(bool),
    /// A choice, or a text.
    One(String),
    /// One of several.
    AnyOf(Vec<String>),
    /// A number, both ends included.
    Range(Range),
}

/// Numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<String, f64>")]
pub struct Range {
    min: Option<f64>,
    max: Option<f64>,
}

// From names alone: of an array serde would take the first for `min`.
impl TryFrom<BTreeMap<String, f64>> for Range {
    type Error = &'static str;

    fn try_from(mut ends: BTreeMap<String, f64>) -> Result<Self, &'static str> {
        let range = Self { min: ends.remove("min"), max: ends.remove("max") };
        if ends.is_empty() { Ok(range) } else { Err("a range has `min` and `max`") }
    }
}

impl Asked {
    /// Says what is wrong with it at this time, if anything. Nothing is searched.
    pub fn check(self, catalogue: &Catalogue, now: Timestamp) -> Result<(), SearchError> {
        self.query(catalogue, now).map(drop)
    }

    /// The same as a query, if it makes sense at this time.
    pub(super) fn query(self, catalogue: &Catalogue, now: Timestamp) -> Result<Query, SearchError> {
        if self.statuses.contains(&ListingStatus::Draft) {
            return Err(SearchError::Drafts);
        }
        if let Some(category) = &self.category
            && !catalogue.has(category)
        {
            return Err(InvalidAttributes::Category(category.to_string()).into());
        }
        let by_default = if self.text.is_some() { Sort::Relevance } else { Sort::Newest };
        let statuses = if self.statuses.is_empty() { FOR_SALE.to_vec() } else { self.statuses };
        let attributes = filters(catalogue, self.category.as_ref(), self.attributes)?;
        let facets =
            if self.with_facets { facets(catalogue, self.category.as_ref()) } else { Vec::new() };
        let filter = Filter {
            category: self.category,
            price: self.price,
            attributes,
            near: self.near,
            conditions: self.conditions,
            statuses,
            seller: self.seller,
        };
        let query = Query {
            text: self.text,
            filter,
            sort: self.sort.unwrap_or(by_default),
            facets,
            after: self.after,
            limit: self.limit,
            now,
        };
        query.check()?;
        Ok(query)
    }
}

/// What is counted: categories, conditions, and the category's attributes that are for that.
fn facets(catalogue: &Catalogue, category: Option<&CategoryId>) -> Vec<Facet> {
    let counted = category.into_iter().flat_map(|id| catalogue.attributes(id));
    // Of numbers nobody wants to see each.
    let is_counted = |it: &&Attribute| it.facet && !matches!(it.kind, AttributeKind::Number { .. });
    let counted = counted.filter(is_counted);
    let counted = counted.map(|attribute| Facet::Attribute(attribute.key.clone()));
    [Facet::Category, Facet::Condition].into_iter().chain(counted).take(FACETS_MAX).collect()
}

/// What attributes have to be, each as its kind is asked for.
fn filters(
    catalogue: &Catalogue,
    category: Option<&CategoryId>,
    wanted: BTreeMap<String, Wanted>,
) -> Result<BTreeMap<AttributeKey, AttributeFilter>, SearchError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let category = category.ok_or(SearchError::NoCategory)?;
    let filter = |(key, wanted): (String, Wanted)| {
        let attribute = catalogue.attributes(category).find(|it| it.key.as_str() == key);
        let Some(attribute) = attribute else {
            let unknown = AttributeKey::try_from(key).map(InvalidAttributes::Unknown);
            return Err(unknown.unwrap_or_else(Into::into).into());
        };
        let filter = filter(&attribute.kind, wanted);
        let filter = filter.map_err(|wanted| SearchError::Wanted { key, wanted })?;
        Ok((attribute.key.clone(), filter))
    };
    wanted.into_iter().map(filter).collect()
}

fn filter(kind: &AttributeKind, wanted: Wanted) -> Result<AttributeFilter, &'static str> {
    match (kind, wanted) {
        (AttributeKind::Flag {}, Wanted::Flag(flag)) => Ok(AttributeFilter::Flag(flag)),
        (AttributeKind::Flag {}, _) => Err("true or false"),
        (AttributeKind::Number { .. }, Wanted::Range(Range { min, max })) => {
            Ok(AttributeFilter::Range { min, max })
        }
        (AttributeKind::Number { .. }, _) => Err("a number, as {\"min\": 1, \"max\": 2}"),
        (AttributeKind::Text {}, Wanted::One(text)) => Ok(AttributeFilter::AnyOf(vec![text])),
        (AttributeKind::Text {}, Wanted::AnyOf(texts)) => Ok(AttributeFilter::AnyOf(texts)),
        (AttributeKind::Text {}, _) => Err("a text, or a list of texts"),
        (AttributeKind::Choice { of, .. }, wanted) => {
            let choices = match wanted {
                Wanted::One(choice) => vec![choice],
                Wanted::AnyOf(choices) => choices,
                Wanted::Flag(_) | Wanted::Range(_) => return Err("a choice, or a list of choices"),
            };
            let is_known = |choice: &String| of.keys().any(|key| key.as_str() == choice);
            if choices.iter().all(is_known) {
                Ok(AttributeFilter::AnyOf(choices))
            } else {
                Err("it has no such choice")
            }
        }
    }
}
