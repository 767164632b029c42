//! How often values are there.

use std::collections::BTreeMap;
use std::ops::Bound;

use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::Timestamp;
use serde::Serialize;
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use crate::page::{Counted, FACET_VALUES_MAX, FacetValue};
use crate::query::{Facet, Filter};

use super::deadline::{Deadline, Stopped};
use super::filter::Statuses;
use super::relevance::beyond;
use super::schema::{CONDITIONS, STATUSES, column, said};

/// Values of a facet that are counted, beside those of the catalogue: some 5 MB.
const VALUES_MAX: usize = 10_000;
/// Names between two looks at the time.
const NAMES_BETWEEN: usize = 1_024;

/// The counts of a facet over all segments.
pub struct Tally {
    facet: Facet,
    /// What the names of values begin with, which is not told.
    prefix: String,
    /// By value, and how it is written how often.
    values: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The counts of a facet in a segment.
pub struct Counter {
    values: Values,
    counts: Vec<u64>,
}

enum Values {
    /// Names in a dictionary: those from this one on, as many as there are counts.
    Names(StrColumn, u64),
    Condition(Column<u64>),
    Status(Statuses),
    /// The segment has none.
    None,
}

impl Tally {
    pub fn new(facet: Facet, filter: &Filter) -> Self {
        let prefix = match &facet {
            Facet::Category => {
                let above = filter.category.as_ref().map(CategoryId::as_str);
                above.map(|above| format!("{above}/")).unwrap_or_default()
            }
            Facet::Attribute(key) => said(key, ""),
            Facet::Condition | Facet::Status => String::new(),
        };
        Self { facet, prefix, values: BTreeMap::new() }
    }

    /// Begins to count in a segment.
    pub fn counter(&self, segment: &SegmentReader, now: Timestamp) -> Result<Counter, Stopped> {
        let columns = segment.fast_fields();
        let (values, len) = match &self.facet {
            Facet::Category => self.names(columns.str(column::CATEGORY)?)?,
            Facet::Attribute(_) => self.names(columns.str(column::SAID)?)?,
            Facet::Condition => {
                (Values::Condition(columns.u64(column::CONDITION)?), CONDITIONS.len())
            }
            Facet::Status => (Values::Status(Statuses::of(segment, now)?), STATUSES.len()),
        };
        Ok(Counter { values, counts: vec![0; len] })
    }

    fn names(&self, names: Option<StrColumn>) -> Result<(Values, usize), Stopped> {
        let Some(names) = names else { return Ok((Values::None, 0)) };
        let all = names.num_terms() as u64;
        if self.prefix.is_empty() {
            return Ok((Values::Names(names, 0), all as usize));
        }
        let from = Bound::Included(self.prefix.as_bytes().to_vec());
        let to = Bound::Excluded(beyond(&self.prefix));
        let (from, to) = names.dictionary().term_bounds_to_ord(from, to)?;
        let place = |bound| match bound {
            Bound::Included(at) | Bound::Excluded(at) => all.min(at),
            Bound::Unbounded => all,
        };
        let (from, to) = (place(from), place(to));
        Ok((Values::Names(names, from), to.saturating_sub(from) as usize))
    }

    /// Takes the counts of a segment.
    pub fn add(&mut self, counter: Counter, deadline: &Deadline) -> Result<(), Stopped> {
        let counts = counter.counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        // Of what people wrote as they liked, what is there most often.
        let mut counts: Vec<_> = counts.collect();
        counts.sort_unstable_by_key(|(at, count)| (std::cmp::Reverse(*count), *at));
        counts.truncate(VALUES_MAX);
        counts.sort_unstable();
        for (done, (at, count)) in counts.into_iter().enumerate() {
            if done % NAMES_BETWEEN == 0 {
                deadline.check()?;
            }
            let Some(name) = counter.values.name(at)? else { continue };
            let name = name.strip_prefix(&self.prefix).unwrap_or(&name);
            if self.facet == Facet::Category && name.contains('/') {
                continue;
            }
            let (value, written) = name.split_once('\0').unwrap_or((name, name));
            let written = written.to_owned();
            if self.values.len() >= 2 * VALUES_MAX && !self.values.contains_key(value) {
                continue;
            }
            *self.values.entry(value.to_owned()).or_default().entry(written).or_default() += count;
        }
        Ok(())
    }

    /// The values that are there most often; ties by name.
    pub fn end(self) -> Counted {
        let mut values: Vec<_> = self
            .values
            .into_iter()
            .map(|(value, written)| {
                let count = written.values().sum();
                let most = written.into_iter().rev().max_by_key(|(_, count)| *count);
                let name = match (&self.facet, most) {
                    (Facet::Category, _) | (_, None) => format!("{}{value}", self.prefix),
                    (_, Some((written, _))) => written,
                };
                FacetValue { value: name, count }
            })
            .collect();
        // Stable: what comes first by name stays first.
        values.sort_by_key(|value| std::cmp::Reverse(value.count));
        values.truncate(FACET_VALUES_MAX);
        Counted { facet: self.facet, values }
    }
}

impl Counter {
    /// Counts a listing.
    pub fn count(&mut self, doc: DocId) {
        let Self { values, counts } = self;
        let one = |at: u64| {
            if let Some(count) = counts.get_mut(at as usize) {
                *count += 1;
            }
        };
        match values {
            Values::Names(names, from) => {
                names
                    .ords()
                    .values_for_doc(doc)
                    .filter_map(|at| at.checked_sub(*from))
                    .for_each(one);
            }
            Values::Condition(conditions) => conditions.first(doc).into_iter().for_each(one),
            Values::Status(statuses) => statuses.at(doc).into_iter().for_each(one),
            Values::None => {}
        }
    }
}

impl Values {
    fn name(&self, at: usize) -> Result<Option<String>, Stopped> {
        match self {
            Self::Names(names, from) => {
                let mut name = String::new();
                let is_there = names.ord_to_str(from + at as u64, &mut name)?;
                Ok(is_there.then_some(name))
            }
            Self::Condition(_) => Ok(CONDITIONS.get(at).and_then(named)),
            Self::Status(_) => Ok(STATUSES.get(at).and_then(named)),
            Self::None => Ok(None),
        }
    }
}

/// What a value is called in JSON.
fn named(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}
