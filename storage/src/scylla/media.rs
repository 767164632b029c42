//! Files by id, and by owner; and when each is to be looked at again.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ChatId, MediaId, UserId};
use barterline_domain::media::{Media, ORPHAN_LIFETIME};
use futures_util::future::{join_all, try_join};
use scylla::value::MaybeUnset;
use uuid::Uuid;

use super::columns::{ABOVE_EVERY_ID, Id as _};
use super::media_looks::Looks;
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::media::{Look, MediaStore};
use crate::record::rows::Row as _;

const FIND: &str = "SELECT record FROM {listings}.media WHERE id = ?";
/// Years of a person that are asked for at once.
const YEARS: i32 = 100;
const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// Files by id, by owner, and by when they are to be looked at again.
pub struct ScyllaMedia {
    insert: Conditional,
    replace: Conditional,
    delete: Conditional,
    find: Read,
    settled: SerialRead,
    note_year: Write,
    note: Write,
    forget: Write,
    years: Read,
    in_year: Read,
    import: Write,
    import_removal: Write,
    looks: Looks,
}

impl ScyllaMedia {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let conditional = |text| Conditional::prepare(database, text);
        let read = |text| Read::prepare(database, text);
        let write = |text| Write::prepare(database, text);
        Ok(Self {
            insert: conditional(
                "INSERT INTO {listings}.media (id, owner, chat, record, version) \
                 VALUES (?, ?, ?, ?, ?) IF NOT EXISTS",
            )
            .await?,
            replace: conditional(
                "UPDATE {listings}.media SET record = ?, version = ? WHERE id = ? IF version = ?",
            )
            .await?,
            delete: conditional("DELETE FROM {listings}.media WHERE id = ? IF version = ?").await?,
            find: read(FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            note_year: write("INSERT INTO {listings}.media_years (owner, year) VALUES (?, ?)")
                .await?,
            note: write(
                "INSERT INTO {listings}.media_by_owner (owner, year, media) VALUES (?, ?, ?)",
            )
            .await?,
            forget: write(
                "DELETE FROM {listings}.media_by_owner WHERE owner = ? AND year = ? AND media = ?",
            )
            .await?,
            years: read(
                "SELECT year FROM {listings}.media_years WHERE owner = ? AND year <= ? LIMIT ?",
            )
            .await?,
            in_year: read(
                "SELECT media FROM {listings}.media_by_owner \
                 WHERE owner = ? AND year = ? AND media < ? LIMIT ?",
            )
            .await?,
            import: write(
                "INSERT INTO {listings}.media (id, owner, chat, record, version) \
                 VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
            import_removal: write("DELETE FROM {listings}.media USING TIMESTAMP ? WHERE id = ?")
                .await?,
            looks: Looks::open(database).await?,
        })
    }

    /// Puts one from an archive, which has no looks: whatever was to be looked at is found by this one.
    pub(super) async fn import(&self, media: &Media, stamp: i64) -> Result<(), StoreError> {
        let operation = "import a file";
        let look = Look { at: media.created.plus(ORPHAN_LIFETIME), media: media.id };
        try_join(self.looks.add(operation, look), self.note(operation, media)).await?;
        let values = (
            media.id.to_column(),
            media.owner.to_column(),
            chat(media),
            media.to_bytes(),
            column(media.version),
            stamp,
        );
        self.import.run(operation, values).await
    }

    /// Removes one that an archive says is no more.
    pub(super) async fn import_removal(
        &self,
        media: MediaId,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let operation = "import the end of a file";
        let found = self.find(media).await?;
        self.import_removal.run(operation, (stamp, media.to_column())).await?;
        match found {
            Some(found) => self.forget(operation, &found).await,
            None => Ok(()),
        }
    }

    /// Writes down whose a file is. Means nothing until the file is there.
    async fn note(&self, operation: &'static str, media: &Media) -> Result<(), StoreError> {
        let (owner, year) = (media.owner.to_column(), year(media.id));
        let id = &media.id.as_bytes()[..];
        let written = try_join(
            self.note_year.run(operation, (owner, year)),
            self.note.run(operation, (owner, year, id)),
        );
        written.await.map(|_| ())
    }

    /// Takes that back.
    async fn forget(&self, operation: &'static str, media: &Media) -> Result<(), StoreError> {
        let id = &media.id.as_bytes()[..];
        self.forget.run(operation, (media.owner.to_column(), year(media.id), id)).await
    }

    /// A person's files of one year below `before`, newest first.
    async fn of_year(
        &self,
        operation: &'static str,
        (owner, year): (UserId, i32),
        mut before: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<Media>, StoreError> {
        let mut all = Vec::new();
        while all.len() < limit {
            let page = limit - all.len();
            let bound = i32::try_from(page).unwrap_or(i32::MAX);
            let values = (owner.to_column(), year, &before, bound);
            let ids = self.in_year.rows::<(Vec<u8>,)>(operation, values).await?;
            let Some((last,)) = ids.last().cloned() else { break };
            let found = join_all(ids.iter().map(|(id,)| self.find_bytes(operation, id))).await;
            for media in found {
                all.extend(media?.filter(|media| media.owner == owner));
            }
            if ids.len() < page {
                break;
            }
            before = last;
        }
        Ok(all)
    }

    async fn find_bytes(
        &self,
        operation: &'static str,
        id: &[u8],
    ) -> Result<Option<Media>, StoreError> {
        let damaged = |_| StoreError::corrupt(operation, "table media_by_owner");
        self.find(MediaId::from_bytes(id.try_into().map_err(damaged)?)).await
    }
}

#[async_trait]
impl MediaStore for ScyllaMedia {
    async fn insert(&self, media: Media, look: Timestamp) -> Result<(), StoreError> {
        let operation = "insert a file";
        let look = Look { at: look, media: media.id };
        // Whatever stands there now, no file came to be.
        let failed = |_| StoreError::unavailable(operation, "the indexes of files take no writes");
        let noted = try_join(self.looks.add(operation, look), self.note(operation, &media));
        noted.await.map_err(failed)?;
        let (id, record) = (media.id.to_column(), media.to_bytes());
        let (owner, chat) = (media.owner.to_column(), chat(&media));
        let mut tries = Tries::new(operation);
        loop {
            let values = (id, owner, chat, &record, column(media.version));
            if tries.settle(self.insert.run(operation, values)).await? {
                return Ok(());
            }
            let settled = self.settled.row::<(Vec<u8>,)>(operation, (id,));
            if let Some((stands,)) = tries.after(settled).await? {
                let ours = tries.unsettled() && stands == record;
                let taken = StoreError::unavailable(operation, format!("{} is taken", media.id));
                return if ours { Ok(()) } else { Err(taken) };
            }
        }
    }

    async fn find(&self, media: MediaId) -> Result<Option<Media>, StoreError> {
        let operation = "find a file";
        let row = self.find.row::<(Vec<u8>,)>(operation, (media.to_column(),)).await?;
        row.map(|(record,)| read(operation, media, &record)).transpose()
    }

    async fn replace(&self, media: Media) -> Result<bool, StoreError> {
        let operation = "replace a file";
        let (id, record) = (media.id.to_column(), media.to_bytes());
        let mut tries = Tries::new(operation);
        loop {
            let settled = self.settled.row::<(Vec<u8>,)>(operation, (id,));
            let Some((stands,)) = tries.after(settled).await? else { return Ok(false) };
            if tries.unsettled() && stands == record {
                return Ok(true);
            }
            let before = read(operation, media.id, &stands)?.version;
            if before + 1 != media.version {
                return Ok(false);
            }
            let values = (&record, column(media.version), id, column(before));
            if tries.settle(self.replace.run(operation, values)).await? {
                return Ok(true);
            }
        }
    }

    async fn remove(&self, media: MediaId, version: u64) -> Result<bool, StoreError> {
        let operation = "remove a file";
        let id = media.to_column();
        let mut tries = Tries::new(operation);
        let mut had = None;
        loop {
            let settled = self.settled.row::<(Vec<u8>,)>(operation, (id,));
            let Some((stands,)) = tries.after(settled).await? else { break };
            let before = read(operation, media, &stands)?;
            if before.version != version {
                return Ok(false);
            }
            had = Some(before);
            if tries.settle(self.delete.run(operation, (id, column(version)))).await? {
                break;
            }
        }
        // It is gone: a row of the index that stays means nothing.
        if let Some(before) = had
            && let Err(error) = self.forget(operation, &before).await
        {
            tracing::debug!(%error, "the index by owner keeps a file that is gone");
        }
        Ok(true)
    }

    async fn list_by_owner(
        &self,
        owner: UserId,
        before: Option<MediaId>,
        limit: usize,
    ) -> Result<Vec<Media>, StoreError> {
        let operation = "list a person's files";
        let below = before.map_or(ABOVE_EVERY_ID.to_vec(), |before| before.as_bytes().to_vec());
        let mut newest = before.map_or(i32::MAX, year);
        let mut all = Vec::new();
        loop {
            let values = (owner.to_column(), newest, YEARS);
            let years = self.years.rows::<(i32,)>(operation, values).await?;
            for (year,) in &years {
                let left = limit - all.len();
                if left == 0 {
                    return Ok(all);
                }
                all.extend(self.of_year(operation, (owner, *year), below.clone(), left).await?);
            }
            match years.last() {
                Some((oldest,)) if years.len() == YEARS as usize => newest = oldest - 1,
                _ => return Ok(all),
            }
        }
    }

    async fn look_again(&self, look: Look) -> Result<(), StoreError> {
        self.looks.add("have a file looked at", look).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Look>, StoreError> {
        self.looks.due("list files to be looked at", now, limit).await
    }

    async fn looked(&self, look: Look) -> Result<(), StoreError> {
        self.looks.take("take a file off the list", look).await
    }
}

/// The year an id was made in, of 365 days since 1970: it begins with milliseconds (RFC 9562, section 5.7).
fn year(media: MediaId) -> i32 {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&media.as_bytes()[..6]);
    // 2^48 ms are 8,925 of them.
    (u64::from_be_bytes(millis) / YEAR_MS) as i32
}

/// The chat that a file is for, as staff see it; nothing of one that is for something else.
fn chat(media: &Media) -> MaybeUnset<Uuid> {
    MaybeUnset::from_option(media.chat().map(ChatId::to_column))
}

/// A version as it is stored: it counts changes, and comes nowhere near the end.
fn column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

fn read(operation: &'static str, id: MediaId, record: &[u8]) -> Result<Media, StoreError> {
    let damaged = |_| StoreError::corrupt(operation, format!("table media, key {id}"));
    Media::from_bytes(record).map_err(damaged)
}
