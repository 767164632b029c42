//! Favourites by person, and by listing.

use async_trait::async_trait;
use barterline_domain::ids::{ListingId, UserId};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::columns::{Id as _, time, timestamp};
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::favourites::{COUNTED_MAX, Favourite, Favourites, order};

const FIND: &str = "SELECT since FROM {listings}.favourites WHERE user_id = ? AND listing = ?";

/// Favourites by person, and by listing.
pub struct ScyllaFavourites {
    insert: Conditional,
    delete: Conditional,
    find: Read,
    settled: SerialRead,
    list: Read,
    count: Read,
    note: Write,
    forget: Write,
    import: Write,
    import_removal: Write,
}

impl ScyllaFavourites {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {listings}.favourites (user_id, listing, since) VALUES (?, ?, ?) \
                 IF NOT EXISTS",
            )
            .await?,
            delete: Conditional::prepare(
                database,
                "DELETE FROM {listings}.favourites WHERE user_id = ? AND listing = ? IF EXISTS",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            list: Read::prepare(
                database,
                "SELECT listing, since FROM {listings}.favourites WHERE user_id = ?",
            )
            .await?,
            count: Read::prepare(
                database,
                "SELECT user_id FROM {listings}.favourites_by_listing WHERE listing = ? LIMIT ?",
            )
            .await?,
            note: Write::prepare(
                database,
                "INSERT INTO {listings}.favourites_by_listing (listing, user_id) VALUES (?, ?)",
            )
            .await?,
            forget: Write::prepare(
                database,
                "DELETE FROM {listings}.favourites_by_listing WHERE listing = ? AND user_id = ?",
            )
            .await?,
            import: Write::prepare(
                database,
                "INSERT INTO {listings}.favourites (user_id, listing, since) VALUES (?, ?, ?) \
                 USING TIMESTAMP ?",
            )
            .await?,
            import_removal: Write::prepare(
                database,
                "DELETE FROM {listings}.favourites USING TIMESTAMP ? WHERE user_id = ? AND \
                 listing = ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive.
    pub(super) async fn import(
        &self,
        user: UserId,
        Favourite { listing, since }: Favourite,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let operation = "import a favourite";
        let (user, listing) = (user.to_column(), listing.to_column());
        self.note.run(operation, (listing, user)).await?;
        self.import.run(operation, (user, listing, time(since), stamp)).await
    }

    /// Takes one away again.
    pub(super) async fn import_removal(
        &self,
        user: UserId,
        listing: ListingId,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let operation = "import the end of a favourite";
        let (user, listing) = (user.to_column(), listing.to_column());
        self.import_removal.run(operation, (stamp, user, listing)).await?;
        self.forget.run(operation, (listing, user)).await
    }
}

fn favourite(
    operation: &'static str,
    listing: ListingId,
    since: CqlTimestamp,
) -> Result<Favourite, StoreError> {
    let damaged = || StoreError::corrupt(operation, format!("table favourites, listing {listing}"));
    Ok(Favourite { listing, since: timestamp(since).ok_or_else(damaged)? })
}

#[async_trait]
impl Favourites for ScyllaFavourites {
    async fn add(&self, user: UserId, favourite: Favourite) -> Result<bool, StoreError> {
        let operation = "add a favourite";
        let key = (user.to_column(), favourite.listing.to_column());
        let mut tries = Tries::new(operation);
        // Counted first: one too many for a moment, and not one too few for ever.
        self.note.run(operation, (key.1, key.0)).await?;
        loop {
            let insert = self.insert.run(operation, (key.0, key.1, time(favourite.since)));
            if tries.settle(insert).await? {
                return Ok(true);
            }
            let found = tries.after(self.settled.row::<(CqlTimestamp,)>(operation, key)).await?;
            if found.is_some() {
                // An attempt of unknown outcome counts as a change: telling of it twice does no harm.
                return Ok(tries.unsettled());
            }
        }
    }

    async fn remove(&self, user: UserId, listing: ListingId) -> Result<bool, StoreError> {
        let operation = "remove a favourite";
        let key = (user.to_column(), listing.to_column());
        let mut tries = Tries::new(operation);
        let removed = loop {
            if tries.settle(self.delete.run(operation, key)).await? {
                break true;
            }
            let found = tries.after(self.settled.row::<(CqlTimestamp,)>(operation, key)).await?;
            if found.is_none() {
                break tries.unsettled();
            }
        };
        self.forget.run(operation, (key.1, key.0)).await?;
        Ok(removed)
    }

    async fn find(
        &self,
        user: UserId,
        listing: ListingId,
    ) -> Result<Option<Favourite>, StoreError> {
        let operation = "find a favourite";
        let key = (user.to_column(), listing.to_column());
        let row = self.find.row::<(CqlTimestamp,)>(operation, key).await?;
        row.map(|(since,)| favourite(operation, listing, since)).transpose()
    }

    async fn list(&self, user: UserId) -> Result<Vec<Favourite>, StoreError> {
        let operation = "list favourites";
        let rows = self.list.rows::<(Uuid, CqlTimestamp)>(operation, (user.to_column(),)).await?;
        let all = rows
            .into_iter()
            .map(|(listing, since)| favourite(operation, ListingId::from_column(listing), since));
        let mut all = all.collect::<Result<Vec<_>, _>>()?;
        order(&mut all);
        Ok(all)
    }

    async fn count(&self, listing: ListingId) -> Result<u64, StoreError> {
        let limit = i32::try_from(COUNTED_MAX).unwrap_or(i32::MAX);
        let values = (listing.to_column(), limit);
        let rows = self.count.rows::<(Uuid,)>("count favourites", values).await?;
        Ok(rows.len() as u64)
    }
}
