//! The feed of changes of listings: by hour and time, which listing is about to change.
//!
//! A row is written before the change it tells of, by the clock of the server that writes. Neither
//! is the order in which changes can be read: a change lasts up to [`CHANGE_TIMEOUT`], and clocks are
//! apart. So a place in the feed is two marks, and every row is given out twice: as soon as it is
//! seen, and once more when it is ten minutes old, when all that could come before it has come.
//!
//! [`CHANGE_TIMEOUT`]: super::statements::CHANGE_TIMEOUT

use std::sync::Arc;
use std::time::{Duration, Instant};

use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::ListingId;
use scylla::value::CqlTimestamp;

use super::columns::{time, timestamp};
use super::session::Database;
use super::statements::{Read, Write};
use crate::error::StoreError;
use crate::listings::{Changes, FeedPlace};

/// After this nothing comes before a row any more: servers are eight minutes apart at most
/// ([`super::clocks::APART_MAX`] on either side), and a change lasts seconds.
const SETTLED: Duration = Duration::from_mins(10);
/// What was seen so shortly ago may not be changed yet, and is looked at again.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// A place that is older is of rows that begin to end: a day less than they live.
const KEPT: Duration = Duration::from_hours(13 * 24);
const HOUR_MS: u64 = 60 * 60 * 1000;

/// The feed.
pub struct Feed {
    note: Write,
    of_hour: Read,
    clock: Arc<dyn Clock>,
}

/// Behind a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    at: Timestamp,
    listing: [u8; 16],
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// All before it was given out after it had settled.
    settled: Mark,
    /// All before it was given out, as far as it was there by then.
    seen: Mark,
}

/// Rows of the feed, and behind which they end.
struct Rows {
    listings: Vec<ListingId>,
    end: Mark,
    more: bool,
}

impl Mark {
    /// Before everything of this time.
    fn before(at: Timestamp) -> Self {
        Self { at, listing: [0; 16] }
    }

    /// Behind everything of this time.
    fn behind(at: Timestamp) -> Self {
        Self { at, listing: [0xff; 16] }
    }

    fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.at.as_millis().to_be_bytes());
        bytes[8..].copy_from_slice(&self.listing);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (at, listing) = bytes.split_first_chunk()?;
        let at = Timestamp::from_millis(u64::from_be_bytes(*at));
        Some(Self { at, listing: listing.try_into().ok()? })
    }
}

impl Place {
    fn to_feed(self) -> FeedPlace {
        FeedPlace([self.settled.to_bytes(), self.seen.to_bytes()].concat())
    }

    fn from_feed(place: &FeedPlace) -> Option<Self> {
        let (settled, seen) = place.0.split_at_checked(24)?;
        Some(Self { settled: Mark::from_bytes(settled)?, seen: Mark::from_bytes(seen)? })
    }
}

impl Feed {
    /// Prepares the statements.
    pub async fn open(database: &Database, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Ok(Self {
            note: Write::prepare(
                database,
                "INSERT INTO {listings}.listing_changes (hour, at, listing) VALUES (?, ?, ?)",
            )
            .await?,
            of_hour: Read::prepare(
                database,
                "SELECT at, listing FROM {listings}.listing_changes \
                 WHERE hour = ? AND (at, listing) > (?, ?) LIMIT ?",
            )
            .await?,
            clock,
        })
    }

    /// Writes down that a listing is about to change. Means nothing if it does not.
    pub async fn note(
        &self,
        operation: &'static str,
        listing: ListingId,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let written =
            self.note.run(operation, (hour(now), time(now), &listing.as_bytes()[..])).await;
        // Whatever stands there now, no listing changed.
        let failed = |_| StoreError::unavailable(operation, "the feed of changes takes no writes");
        written.map_err(failed)
    }

    /// Notes it once more behind a change that took so long that readers may have looked too early.
    pub async fn note_if_late(&self, operation: &'static str, listing: ListingId, begun: Instant) {
        if begun.elapsed() * 2 >= UNDER_WAY {
            // If it cannot be, readers look again when it has settled.
            let _ = self.note(operation, listing).await;
        }
    }

    /// Where it stands now.
    pub fn end(&self) -> FeedPlace {
        let now = self.clock.now();
        let settled = Mark::before(ago(now, SETTLED));
        Place { settled, seen: Mark::before(ago(now, UNDER_WAY)) }.to_feed()
    }

    /// The next page behind a place.
    pub async fn changes(
        &self,
        after: &FeedPlace,
        limit: usize,
    ) -> Result<Option<Changes>, StoreError> {
        let now = self.clock.now();
        let Some(mut place) = Place::from_feed(after) else { return Ok(None) };
        // Whoever read by a clock that was ahead may have passed what others wrote since.
        let is_ahead = place.settled.at > now || place.seen.at > now.plus(SETTLED);
        if is_ahead || now.since(place.settled.at) > KEPT {
            return Ok(None);
        }
        let until = Mark::behind(ago(now, SETTLED));
        let Rows { mut listings, end, more } = self.read(place.settled, until, limit).await?;
        place.settled = end;
        place.seen = place.seen.max(end);
        if more {
            return Ok(Some(Changes { listings, next: place.to_feed(), more }));
        }
        // Servers whose clocks are ahead write into the next hour.
        let until = Mark::behind(now.plus(SETTLED));
        let rows = self.read(place.seen, until, limit - listings.len()).await?;
        listings.extend(rows.listings);
        // Not further: others may yet write what is earlier than the last.
        let seen = if rows.more { rows.end } else { Mark::before(ago(now, UNDER_WAY)) };
        place.seen = place.seen.max(seen);
        Ok(Some(Changes { listings, next: place.to_feed(), more: rows.more }))
    }

    /// At most `limit` rows between two marks.
    async fn read(&self, after: Mark, until: Mark, limit: usize) -> Result<Rows, StoreError> {
        let operation = "read the feed of changes";
        let mut rows = Rows { listings: Vec::new(), end: after.max(until), more: false };
        for hour in hour(after.at)..=hour(until.at) {
            let left = limit - rows.listings.len();
            if left == 0 {
                rows.more = true;
                return Ok(rows);
            }
            let bound = i32::try_from(left).unwrap_or(i32::MAX);
            let values = (hour, time(after.at), &after.listing[..], bound);
            let page = self.of_hour.rows::<(CqlTimestamp, Vec<u8>)>(operation, values).await?;
            let is_full = page.len() == left;
            for (at, listing) in page {
                let damaged = || StoreError::corrupt(operation, "table listing_changes");
                let listing = listing.try_into().map_err(|_| damaged())?;
                let mark = Mark { at: timestamp(at).ok_or_else(damaged)?, listing };
                if mark > until {
                    rows.end = after.max(until);
                    return Ok(rows);
                }
                rows.listings.push(ListingId::from_bytes(listing));
                rows.end = mark;
            }
            if is_full {
                rows.more = true;
                return Ok(rows);
            }
        }
        rows.end = after.max(until);
        Ok(rows)
    }
}

fn ago(now: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(by))
}

/// The hour of a time, since 1970.
fn hour(at: Timestamp) -> i32 {
    i32::try_from(at.as_millis() / HOUR_MS).unwrap_or(i32::MAX)
}
