//! What is answered.

use barterline_domain::ids::ListingId;

use crate::cursor::Cursor;
use crate::query::Facet;

/// Most values of a facet: those that are there most often.
pub const FACET_VALUES_MAX: usize = 50;

/// Some of what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In the order that was asked for.
    pub hits: Vec<Hit>,
    /// How many there are on all pages together, now.
    pub total: u64,
    /// In the order that was asked for.
    pub facets: Vec<Counted>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<Cursor>,
}

/// Something that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Which listing.
    pub listing: ListingId,
    /// How far it is, if it is known where it is and from where to measure.
    pub distance_km: Option<f64>,
}

/// The values of a facet, the most frequent first, [`FACET_VALUES_MAX`] at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Which one.
    pub facet: Facet,
    /// What there is.
    pub values: Vec<FacetValue>,
}

/// A value, and how many listings have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetValue {
    /// As the filter takes it, and as conditions and statuses are called in JSON; a text as most
    /// sellers write it.
    pub value: String,
    /// How many.
    pub count: u64,
}
