//! Listings by id, and by seller.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use barterline_domain::clock::Clock;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::{Listing, ListingText};
use barterline_domain::money::{Currency, Money};
use futures_util::future::{join_all, try_join};
use scylla::DeserializeRow;
use scylla::value::{CqlTimestamp, CqlValue};
use uuid::Uuid;

use super::columns::{ABOVE_EVERY_ID, Id as _, status, status_word, time, timestamp};
use super::listing_feed::Feed;
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::listings::{Changes, FeedPlace, Listings, Replaced};
use crate::record::rows::{ListingMore, Row as _};

const FIND: &str = "SELECT seller, title, description, price_minor, currency, status, more, \
                    version, created_at, changed_at FROM {listings}.listings WHERE id = ?";
/// Weeks of a seller that are asked for at once: four years of one who sells every week.
const WEEKS: i32 = 208;
const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Listings by id, and by seller.
pub struct ScyllaListings {
    insert: Conditional,
    replace: Conditional,
    find: Read,
    settled: SerialRead,
    note_week: Write,
    note: Write,
    weeks: Read,
    in_week: Read,
    import: Write,
    feed: Feed,
}

#[derive(DeserializeRow)]
struct Columns {
    seller: Uuid,
    title: String,
    description: String,
    price_minor: i64,
    currency: String,
    status: String,
    more: Vec<u8>,
    version: i64,
    created_at: CqlTimestamp,
    changed_at: CqlTimestamp,
}

impl ScyllaListings {
    /// Prepares the statements.
    pub async fn open(database: &Database, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {listings}.listings (id, seller, title, description, price_minor, \
                 currency, status, more, version, created_at, changed_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            replace: Conditional::prepare(
                database,
                "UPDATE {listings}.listings SET seller = ?, title = ?, description = ?, \
                 price_minor = ?, currency = ?, status = ?, more = ?, version = ?, \
                 created_at = ?, changed_at = ? WHERE id = ? IF version = ?",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            note_week: Write::prepare(
                database,
                "INSERT INTO {listings}.seller_weeks (seller, week) VALUES (?, ?)",
            )
            .await?,
            note: Write::prepare(
                database,
                "INSERT INTO {listings}.listings_by_seller (seller, week, listing) \
                 VALUES (?, ?, ?)",
            )
            .await?,
            weeks: Read::prepare(
                database,
                "SELECT week FROM {listings}.seller_weeks WHERE seller = ? AND week <= ? LIMIT ?",
            )
            .await?,
            in_week: Read::prepare(
                database,
                "SELECT listing FROM {listings}.listings_by_seller \
                 WHERE seller = ? AND week = ? AND listing < ? LIMIT ?",
            )
            .await?,
            import: Write::prepare(
                database,
                "INSERT INTO {listings}.listings (id, seller, title, description, price_minor, \
                 currency, status, more, version, created_at, changed_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
            feed: Feed::open(database, clock).await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(&self, listing: &Listing, stamp: i64) -> Result<(), StoreError> {
        let operation = "import a listing";
        self.note(operation, listing).await?;
        let mut values = cells_with_id(listing);
        values.push(CqlValue::BigInt(stamp));
        self.import.run(operation, values).await
    }

    /// Writes down that the seller made this listing. Means nothing until the listing is there.
    async fn note(&self, operation: &'static str, listing: &Listing) -> Result<(), StoreError> {
        let (seller, week) = (listing.seller.to_column(), week(listing.id));
        let id = &listing.id.as_bytes()[..];
        let written = try_join(
            self.note_week.run(operation, (seller, week)),
            self.note.run(operation, (seller, week, id)),
        );
        // Whatever stands there now, no listing came to be.
        let failed = |_| StoreError::unavailable(operation, "the seller's index takes no writes");
        written.await.map(|_| ()).map_err(failed)
    }

    /// The seller's listings of one week below `before`, newest first.
    async fn of_week(
        &self,
        operation: &'static str,
        seller: UserId,
        week: i32,
        mut before: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<Listing>, StoreError> {
        let mut listings = Vec::new();
        while listings.len() < limit {
            let page = limit - listings.len();
            let bound = i32::try_from(page).unwrap_or(i32::MAX);
            let values = (seller.to_column(), week, &before, bound);
            let ids = self.in_week.rows::<(Vec<u8>,)>(operation, values).await?;
            let Some((last,)) = ids.last().cloned() else { break };
            let found = join_all(ids.iter().map(|(id,)| self.find_bytes(operation, id))).await;
            for listing in found {
                listings.extend(listing?.filter(|listing| listing.seller == seller));
            }
            if ids.len() < page {
                break;
            }
            before = last;
        }
        Ok(listings)
    }

    async fn find_bytes(
        &self,
        operation: &'static str,
        id: &[u8],
    ) -> Result<Option<Listing>, StoreError> {
        let damaged = |_| StoreError::corrupt(operation, "table listings_by_seller");
        self.find(ListingId::from_bytes(id.try_into().map_err(damaged)?)).await
    }
}

/// What a listing's row has beside its id, in the order of the statements.
fn cells(listing: &Listing) -> Vec<CqlValue> {
    let text = |text: &str| CqlValue::Text(text.to_owned());
    vec![
        CqlValue::Uuid(listing.seller.to_column()),
        text(listing.text.title()),
        text(listing.text.description()),
        CqlValue::BigInt(stored(listing.price.minor)),
        text(listing.price.currency.code()),
        text(status_word(listing.status)),
        CqlValue::Blob(ListingMore::of(listing).to_bytes()),
        CqlValue::BigInt(stored(listing.version)),
        CqlValue::Timestamp(time(listing.created_at)),
        CqlValue::Timestamp(time(listing.changed_at)),
    ]
}

/// The same with the id before it.
fn cells_with_id(listing: &Listing) -> Vec<CqlValue> {
    let id = CqlValue::Uuid(listing.id.to_column());
    std::iter::once(id).chain(cells(listing)).collect()
}

#[async_trait]
impl Listings for ScyllaListings {
    async fn insert(&self, listing: Listing) -> Result<(), StoreError> {
        let operation = "insert a listing";
        let begun = Instant::now();
        try_join(self.note(operation, &listing), self.feed.note(operation, listing.id)).await?;
        let id = listing.id.to_column();
        let mut tries = Tries::new(operation);
        loop {
            if tries.settle(self.insert.run(operation, cells_with_id(&listing))).await? {
                self.feed.note_if_late(operation, listing.id, begun).await;
                return Ok(());
            }
            let settled = tries.after(self.settled.row(operation, (id,))).await?;
            if let Some(columns) = settled {
                let ours = tries.unsettled() && read(listing.id, columns)? == listing;
                let taken = StoreError::unavailable(operation, format!("{} is taken", listing.id));
                if !ours {
                    return Err(taken);
                }
                self.feed.note_if_late(operation, listing.id, begun).await;
                return Ok(());
            }
        }
    }

    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        let row = self.find.row("find a listing", (listing.to_column(),)).await?;
        row.map(|columns| read(listing, columns)).transpose()
    }

    async fn replace(&self, listing: Listing) -> Result<Replaced, StoreError> {
        let operation = "replace a listing";
        let begun = Instant::now();
        self.feed.note(operation, listing.id).await?;
        let id = listing.id.to_column();
        let mut tries = Tries::new(operation);
        loop {
            let settled = tries.after(self.settled.row(operation, (id,))).await?;
            let Some(columns) = settled else { return Ok(Replaced::Missing) };
            let before = read(listing.id, columns)?;
            if tries.unsettled() && before == listing {
                self.feed.note_if_late(operation, listing.id, begun).await;
                return Ok(Replaced::Yes);
            }
            if before.version + 1 != listing.version {
                return Ok(Replaced::VersionChanged);
            }
            let mut values = cells(&listing);
            values.extend([CqlValue::Uuid(id), CqlValue::BigInt(stored(before.version))]);
            if tries.settle(self.replace.run(operation, values)).await? {
                self.feed.note_if_late(operation, listing.id, begun).await;
                return Ok(Replaced::Yes);
            }
        }
    }

    async fn list_by_seller(
        &self,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Vec<Listing>, StoreError> {
        let operation = "list a seller's listings";
        let below = before.map_or(ABOVE_EVERY_ID.to_vec(), |before| before.as_bytes().to_vec());
        let mut newest = before.map_or(i32::MAX, week);
        let mut listings = Vec::new();
        loop {
            let values = (seller.to_column(), newest, WEEKS);
            let weeks = self.weeks.rows::<(i32,)>(operation, values).await?;
            for (week,) in &weeks {
                let left = limit - listings.len();
                if left == 0 {
                    return Ok(listings);
                }
                let found = self.of_week(operation, seller, *week, below.clone(), left).await?;
                listings.extend(found);
            }
            match weeks.last() {
                Some((oldest,)) if weeks.len() == WEEKS as usize => newest = oldest - 1,
                _ => return Ok(listings),
            }
        }
    }

    async fn feed_end(&self) -> Result<FeedPlace, StoreError> {
        Ok(self.feed.end())
    }

    async fn changes(
        &self,
        after: &FeedPlace,
        limit: usize,
    ) -> Result<Option<Changes>, StoreError> {
        self.feed.changes(after, limit).await
    }
}

/// The week an id was made in: it begins with milliseconds (RFC 9562, section 5.7).
fn week(listing: ListingId) -> i32 {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&listing.as_bytes()[..6]);
    // 2^48 ms are 465,410 weeks.
    (u64::from_be_bytes(millis) / WEEK_MS) as i32
}

/// A number as it is stored. Versions count edits, and amounts end at 2^53 - 1: none comes near.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(id: ListingId, columns: Columns) -> Result<Listing, StoreError> {
    let listing = || {
        let minor = columns.price_minor;
        let more = ListingMore::from_bytes(&columns.more).ok()?;
        let ListingMore { details, reason, expires_at, history } = more;
        Some(Listing {
            id,
            seller: UserId::from_column(columns.seller),
            text: ListingText::parse(&columns.title, columns.description).ok()?,
            price: Money {
                minor: minor.try_into().ok()?,
                currency: Currency::parse(&columns.currency).ok()?,
            },
            details,
            status: status(&columns.status)?,
            reason,
            expires_at,
            history,
            version: columns.version.try_into().ok()?,
            created_at: timestamp(columns.created_at)?,
            changed_at: timestamp(columns.changed_at)?,
        })
    };
    listing().ok_or_else(|| StoreError::corrupt("listings", format!("table listings, key {id}")))
}
