//! How a query is answered: one segment after another, each listing once. What is found is counted for
//! every facet, what one filter alone keeps out for the facet of that filter.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use barterline_domain::ids::ListingId;
use tantivy::columnar::Column;
use tantivy::{DocId, Searcher, SegmentReader};

use crate::cursor::{Cursor, Rank, Statistics};
use crate::near::Near;
use crate::page::{Hit, Page};
use crate::query::{Query, QueryError, Sort};

use super::deadline::{Deadline, Stopped};
use super::facets::Tally;
use super::filter::{Places, Sieve, Verdict};
use super::relevance::{Lookup, Matches, Scores, statistics};
use super::schema::{Fields, column, joined};

/// How many listings between two looks at the clock: some tens of microseconds.
const STRIDE: usize = 1_024;

/// A query that is sound, and how it is answered.
pub struct Plan {
    query: Query,
    digest: [u8; 8],
    lookup: Option<Lookup>,
}

/// What the words of a query match.
struct Found {
    lookup: Lookup,
    matches: Vec<Matches>,
    statistics: Statistics,
}

impl Plan {
    /// Checks a query.
    pub fn new(query: Query, fields: &Fields) -> Result<Self, QueryError> {
        query.check()?;
        let digest = query.digest();
        let lookup = query.text.as_ref().map(|words| Lookup::new(words, &fields.languages));
        if let Some(Cursor { digest: of, statistics, .. }) = &query.after {
            let words = statistics.as_ref().map(|statistics| statistics.frequencies.len());
            let expected = lookup.as_ref().filter(|_| query.sort == Sort::Relevance);
            if *of != digest || words != expected.map(Lookup::len) {
                return Err(QueryError::Cursor);
            }
        }
        Ok(Self { query, digest, lookup })
    }

    /// Answers it.
    pub fn run(
        mut self,
        searcher: &Searcher,
        fields: &Fields,
        deadline: &Deadline,
    ) -> Result<Page, Stopped> {
        let words = match self.lookup.take() {
            Some(lookup) => Some(self.look_up(lookup, searcher, fields, deadline)?),
            None => None,
        };
        let query = &self.query;
        let after = query.after.as_ref().map(|cursor| cursor.last);
        let mut top = Top { limit: query.limit + 1, after, best: BinaryHeap::new() };
        let mut tallies: Vec<_> =
            query.facets.iter().map(|facet| Tally::new(facet.clone(), &query.filter)).collect();
        let mut total = 0;
        for (at, segment) in searcher.segment_readers().iter().enumerate() {
            deadline.check()?;
            let words = words.as_ref().map(|found| (found, &found.matches[at]));
            total += self.run_in(segment, fields, words, &mut top, &mut tallies, deadline)?;
        }
        let (mut hits, is_more) = top.end();
        hits.truncate(query.limit);
        let last = hits.last().filter(|_| is_more).map(|hit| hit.rank);
        let statistics = words.filter(|_| query.sort == Sort::Relevance).map(|it| it.statistics);
        let next = last.map(|last| Cursor { digest: self.digest, last, statistics });
        let hits = hits
            .into_iter()
            .map(|hit| Hit { listing: hit.rank.listing, distance_km: hit.distance_km });
        let facets = tallies.into_iter().map(Tally::end).collect();
        Ok(Page { hits: hits.collect(), total, facets, next })
    }

    fn look_up(
        &self,
        lookup: Lookup,
        searcher: &Searcher,
        fields: &Fields,
        deadline: &Deadline,
    ) -> Result<Found, Stopped> {
        let matches = lookup.matches(searcher, fields, deadline)?;
        let statistics = match self.query.after.as_ref().and_then(|it| it.statistics.clone()) {
            Some(statistics) => statistics,
            None => statistics(&lookup, searcher, fields, &matches)?,
        };
        Ok(Found { lookup, matches, statistics })
    }

    /// Looks through a segment; returns how many were found.
    fn run_in(
        &self,
        segment: &SegmentReader,
        fields: &Fields,
        words: Option<(&Found, &Matches)>,
        top: &mut Top,
        tallies: &mut [Tally],
        deadline: &Deadline,
    ) -> Result<u64, Stopped> {
        let Query { filter, facets, now, sort, .. } = &self.query;
        let sieve = Sieve::new(segment, fields, filter, facets, *now)?;
        let counters = tallies.iter().map(|tally| tally.counter(segment, *now));
        let mut counters = counters.collect::<Result<Vec<_>, _>>()?;
        let scored = match words {
            Some((found, matches)) => {
                let scores = Scores::new(segment, matches, &found.statistics, deadline)?;
                Some(Scored { scores, lookup: &found.lookup })
            }
            None => None,
        };
        let keys = Keys::new(segment, *sort, filter.near, scored.as_ref())?;
        let candidates: Box<dyn Iterator<Item = DocId>> = match &scored {
            Some(scored) => Box::new(scored.candidates(*sort)),
            None => Box::new(sieve.candidates()),
        };
        let mut total = 0;
        for (at, doc) in candidates.enumerate() {
            if at % STRIDE == 0 {
                deadline.check()?;
            }
            match sieve.verdict(doc) {
                Verdict::Found => {
                    total += 1;
                    for counter in &mut counters {
                        counter.count(doc);
                    }
                    keys.offer(doc, top);
                }
                Verdict::CountedFor(facets) => {
                    for facet in facets {
                        counters[*facet].count(doc);
                    }
                }
                Verdict::Out => {}
            }
        }
        for (tally, counter) in tallies.iter_mut().zip(counters) {
            tally.add(counter, deadline)?;
        }
        Ok(total)
    }
}

/// The scores of a segment.
struct Scored<'a> {
    scores: Scores,
    lookup: &'a Lookup,
}

impl Scored<'_> {
    /// What has a word; with an order that knows nothing of words, what has all of them: the cheapest
    /// of what has some is mostly something else.
    fn candidates(&self, sort: Sort) -> impl Iterator<Item = DocId> {
        let found = self.scores.found().iter().copied();
        found.filter(move |doc| sort == Sort::Relevance || self.scores.has_all(*doc, self.lookup))
    }
}

/// Where the listings of a segment stand.
struct Keys<'a> {
    id: (Column<u64>, Column<u64>),
    by: By<'a>,
    near: Option<(Near, Places)>,
}

enum By<'a> {
    Relevance(Option<&'a Scored<'a>>),
    /// The greatest first.
    Falling(Column<u64>),
    Rising(Column<u64>),
    Distance,
}

impl<'a> Keys<'a> {
    fn new(
        segment: &SegmentReader,
        sort: Sort,
        near: Option<Near>,
        scored: Option<&'a Scored<'a>>,
    ) -> Result<Self, Stopped> {
        let columns = segment.fast_fields();
        let by = match sort {
            Sort::Relevance => By::Relevance(scored),
            Sort::Newest => By::Falling(columns.u64(column::CREATED)?),
            Sort::PriceUp => By::Rising(columns.u64(column::PRICE)?),
            Sort::PriceDown => By::Falling(columns.u64(column::PRICE)?),
            Sort::Distance => By::Distance,
        };
        let near = match near {
            Some(near) => Some((near, Places::of(segment)?)),
            None => None,
        };
        Ok(Self { id: (columns.u64(column::ID_HIGH)?, columns.u64(column::ID_LOW)?), by, near })
    }

    fn offer(&self, doc: DocId, top: &mut Top) {
        let distance_km = self.near.as_ref().and_then(|(near, places)| {
            places.point(doc).map(|point| near.point.distance_km(point))
        });
        let key = match &self.by {
            By::Relevance(scored) => scored.map_or(0, |it| it.scores.key(doc, it.lookup)),
            By::Falling(column) => column.first(doc).unwrap_or(0),
            By::Rising(column) => u64::MAX - column.first(doc).unwrap_or(0),
            By::Distance => distance_km.map_or(0, |km| u64::MAX - millimetres(km)),
        };
        if top.is_beyond(key) {
            return;
        }
        let half = |column: &Column<u64>| column.first(doc).unwrap_or_default();
        let listing: ListingId = joined(half(&self.id.0), half(&self.id.1));
        top.offer(Candidate { rank: Rank { key, listing }, distance_km });
    }
}

/// Half around the earth is 2 · 10^10 of them.
#[expect(clippy::cast_sign_loss, reason = "no distance is below 0")]
fn millimetres(km: f64) -> u64 {
    (km * 1e6) as u64
}

/// Something that may be a hit.
struct Candidate {
    rank: Rank,
    distance_km: Option<f64>,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

/// The first hits behind a place.
struct Top {
    limit: usize,
    after: Option<Rank>,
    /// The last one at its head.
    best: BinaryHeap<Reverse<Candidate>>,
}

impl Top {
    /// Whether nothing with this key can be among them.
    fn is_beyond(&self, key: u64) -> bool {
        let is_before_page = self.after.is_some_and(|after| key > after.key);
        let is_full = self.best.len() == self.limit;
        let last = self.best.peek().filter(|_| is_full);
        is_before_page || last.is_some_and(|Reverse(last)| key < last.rank.key)
    }

    fn offer(&mut self, candidate: Candidate) {
        if self.after.is_some_and(|after| candidate.rank >= after) {
            return;
        }
        self.best.push(Reverse(candidate));
        if self.best.len() > self.limit {
            self.best.pop();
        }
    }

    /// The hits in their order, and whether there is one beyond the page.
    fn end(self) -> (Vec<Candidate>, bool) {
        let is_more = self.best.len() == self.limit;
        let hits = self.best.into_sorted_vec();
        (hits.into_iter().map(|Reverse(hit)| hit).collect(), is_more)
    }
}
