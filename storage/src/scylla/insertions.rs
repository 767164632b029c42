//! Several rows of several partitions, all or none.
//!
//! No statement is atomic over partitions on a condition. So each row is inserted on the condition
//! that its id is new and names the insertion it belongs to; then the insertion itself is written,
//! and with that one write all rows are there. A process that ends before leaves rows that nobody
//! sees. A single row needs none of this.

use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::session::Database;
use super::statements::{Answer, Conditional, Read, Tries};
use crate::error::StoreError;

/// Rows on their way at once.
const AT_ONCE: usize = 32;

/// Insertions of several rows.
pub struct Insertions {
    complete: Conditional,
    find: Read,
}

/// Whether what stands in the place of a row, of the insertion `stands`, can be that very row: of the
/// same insertion, or of an attempt before that nobody knows the outcome of.
pub fn may_be_ours(tries: &Tries, stands: Option<Uuid>, insertion: Option<Uuid>) -> bool {
    stands == insertion && (tries.unsettled() || insertion.is_some())
}

/// One kind of row, as far as inserting several of it goes.
#[async_trait::async_trait]
pub trait Insert<R: Sync> {
    /// Inserts a row whose id is new. `false`: it is taken. A row that stands there already, just as
    /// it is now, is not: that was an attempt whose outcome was not known.
    async fn insert_one(&self, row: &R, insertion: Option<Uuid>) -> Result<bool, StoreError>;

    /// Removes a row if it belongs to this insertion.
    async fn take_back(&self, row: &R, insertion: Uuid) -> Result<(), StoreError>;
}

impl Insertions {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            complete: Conditional::prepare(
                database,
                "INSERT INTO {users}.insertions (id) VALUES (?) IF NOT EXISTS",
            )
            .await?,
            find: Read::prepare(database, "SELECT id FROM {users}.insertions WHERE id = ?").await?,
        })
    }

    /// Whether a row that names this insertion is there.
    async fn complete(
        &self,
        operation: &'static str,
        insertion: Option<Uuid>,
    ) -> Result<bool, StoreError> {
        let Some(insertion) = insertion else { return Ok(true) };
        Ok(self.find.row::<(Uuid,)>(operation, (insertion,)).await?.is_some())
    }

    /// What `columns` say, unless they belong to an insertion that was never completed. `place` names
    /// them where they are damaged.
    pub async fn present<C, R>(
        &self,
        operation: &'static str,
        (insertion, columns): (Option<Uuid>, C),
        read: impl FnOnce(C) -> Option<R>,
        place: impl FnOnce() -> String,
    ) -> Result<Option<R>, StoreError> {
        if !self.complete(operation, insertion).await? {
            return Ok(None);
        }
        read(columns).map(Some).ok_or_else(|| StoreError::corrupt(operation, place()))
    }

    /// Inserts rows whose ids are new, all or none. `encoded` are their bytes: the insertion is named
    /// after them, so that the same rows again are the same insertion.
    pub async fn insert<R: Sync>(
        &self,
        operation: &'static str,
        into: &(impl Insert<R> + Sync),
        rows: &[R],
        encoded: impl Iterator<Item = Vec<u8>>,
    ) -> Result<(), StoreError> {
        let taken = || Err(StoreError::unavailable(operation, "an id is taken"));
        match rows {
            [] => return Ok(()),
            [row] => return if into.insert_one(row, None).await? { Ok(()) } else { taken() },
            _ => {}
        }
        let insertion = name(encoded);
        for (i, several) in rows.chunks(AT_ONCE).enumerate() {
            let inserted =
                join_all(several.iter().map(|row| into.insert_one(row, Some(insertion)))).await;
            let all: Result<Vec<bool>, StoreError> = inserted.into_iter().collect();
            // An error leaves what nobody sees, and nobody asks for these ids again.
            if all?.contains(&false) {
                let placed = &rows[..i * AT_ONCE + several.len()];
                join_all(placed.iter().map(|row| into.take_back(row, insertion))).await;
                return taken();
            }
        }
        // Twice is once, so that an unknown outcome can be tried again.
        for _ in 0..2 {
            if self.complete.run(operation, (insertion,)).await? != Answer::Unknown {
                return Ok(());
            }
        }
        Err(StoreError::Unknown { operation })
    }
}

fn name(encoded: impl Iterator<Item = Vec<u8>>) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"barterline insertion v1");
    for row in encoded {
        hash.update((row.len() as u64).to_be_bytes());
        hash.update(row);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
