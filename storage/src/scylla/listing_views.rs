//! Views by listing: counters.
//!
//! An addition is sent once. Whose outcome is unknown may have been made: it is not made again.

use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::ids::ListingId;
use futures_util::future::join_all;
use scylla::value::Counter;
use tokio::time::sleep;

use super::columns::Id as _;
use super::session::Database;
use super::statements::{Addition, Read};
use crate::error::StoreError;
use crate::listing_views::ListingViews;

/// Counters that are added to at once.
const AT_ONCE: usize = 32;
/// Tries to import a counter.
const TRIES_MAX: u32 = 3;
/// When an addition that nobody heard of again is made, if it ever is: a database waits for its replicas for five
/// seconds at most, unless its operator chose more.
const SETTLED_IN: Duration = Duration::from_secs(10);

/// Views by listing.
pub struct ScyllaListingViews {
    add: Addition,
    find: Read,
}

impl ScyllaListingViews {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            add: Addition::prepare(
                database,
                "UPDATE {listings}.listing_views SET views = views + ? WHERE listing = ?",
            )
            .await?,
            find: Read::prepare(
                database,
                "SELECT views FROM {listings}.listing_views WHERE listing = ?",
            )
            .await?,
        })
    }

    /// Has a listing counted as often as an archive says: twice is once, as what is missing is added. Nobody else
    /// adds to it meanwhile.
    pub(super) async fn import(&self, listing: ListingId, views: u64) -> Result<(), StoreError> {
        let operation = "import views";
        let mut tries = 1;
        loop {
            let missing = column(views).saturating_sub(self.stands(operation, listing).await?);
            if missing == 0 {
                return Ok(());
            }
            match self.add.run(operation, (Counter(missing), listing.to_column())).await {
                Err(StoreError::Unknown { .. }) if tries < TRIES_MAX => tries += 1,
                settled => return settled,
            }
            sleep(SETTLED_IN).await;
        }
    }

    /// What a counter says.
    async fn stands(&self, operation: &'static str, listing: ListingId) -> Result<i64, StoreError> {
        let row = self.find.row::<(Counter,)>(operation, (listing.to_column(),)).await?;
        Ok(row.map_or(0, |(Counter(views),)| views))
    }
}

#[async_trait]
impl ListingViews for ScyllaListingViews {
    async fn add(&self, views: &[(ListingId, u64)]) -> Result<(), StoreError> {
        let operation = "add views";
        for (number, some) in views.chunks(AT_ONCE).enumerate() {
            let adds = some.iter().map(|(listing, more)| {
                self.add.run(operation, (Counter(column(*more)), listing.to_column()))
            });
            // Each is waited for, so that none is on its way when this returns.
            let results = join_all(adds).await;
            let is_begun = number > 0 || results.iter().any(Result::is_ok);
            let mut errors = results.into_iter().filter_map(Result::err);
            let Some(first) = errors.next() else { continue };
            let is_unknown = |error: &StoreError| matches!(error, StoreError::Unknown { .. });
            if is_begun || is_unknown(&first) || errors.any(|error| is_unknown(&error)) {
                return Err(StoreError::Unknown { operation });
            }
            return Err(first);
        }
        Ok(())
    }

    async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
        let stands = self.stands("count views", listing).await?;
        Ok(u64::try_from(stands).unwrap_or_default())
    }
}

/// A number of views as it is stored: nobody looks so often.
fn column(views: u64) -> i64 {
    i64::try_from(views).unwrap_or(i64::MAX)
}
