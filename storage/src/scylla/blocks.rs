//! Blocks by blocker.

use async_trait::async_trait;
use barterline_domain::ids::UserId;

use super::columns::Id as _;
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::blocks::Blocks;
use crate::error::StoreError;

const FIND: &str = "SELECT holds FROM {users}.blocks WHERE blocker = ? AND blocked = ?";
/// Rows of a page at least, so that blocks that were taken back do not make many small pages.
const PAGE_MIN: usize = 64;

/// Blocks by blocker.
pub struct ScyllaBlocks {
    insert: Conditional,
    change: Conditional,
    find: Read,
    settled: SerialRead,
    list: Read,
    import: Write,
}

impl ScyllaBlocks {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self {
            insert: Conditional::prepare(
                database,
                "INSERT INTO {users}.blocks (blocker, blocked, holds) VALUES (?, ?, true) \
                 IF NOT EXISTS",
            )
            .await?,
            change: Conditional::prepare(
                database,
                "UPDATE {users}.blocks SET holds = ? WHERE blocker = ? AND blocked = ? \
                 IF holds = ?",
            )
            .await?,
            find: Read::prepare(database, FIND).await?,
            settled: SerialRead::prepare(database, FIND).await?,
            list: Read::prepare(
                database,
                "SELECT blocked, holds FROM {users}.blocks WHERE blocker = ? AND blocked > ? \
                 LIMIT ?",
            )
            .await?,
            import: Write::prepare(
                database,
                "INSERT INTO {users}.blocks (blocker, blocked, holds) VALUES (?, ?, ?) \
                 USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive, or takes it back.
    pub(super) async fn import(
        &self,
        (blocker, blocked): (UserId, UserId),
        holds: bool,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let values = (blocker.to_column(), &blocked.as_bytes()[..], holds, stamp);
        self.import.run("import a block", values).await
    }
}

#[async_trait]
impl Blocks for ScyllaBlocks {
    async fn set(&self, blocker: UserId, blocked: UserId, on: bool) -> Result<bool, StoreError> {
        let operation = "set a block";
        let key = (blocker.to_column(), &blocked.as_bytes()[..]);
        let mut tries = Tries::new(operation);
        loop {
            let row = tries.after(self.settled.row::<(bool,)>(operation, key)).await?;
            let holds = row.map(|(holds,)| holds);
            if holds.unwrap_or(false) == on {
                // An attempt of unknown outcome counts as a change: telling of it twice does no harm.
                return Ok(tries.unsettled());
            }
            let attempt = async {
                match holds {
                    None => self.insert.run(operation, key).await,
                    Some(before) => self.change.run(operation, (on, key.0, key.1, before)).await,
                }
            };
            if tries.settle(attempt).await? {
                return Ok(true);
            }
        }
    }

    async fn contains(&self, blocker: UserId, blocked: UserId) -> Result<bool, StoreError> {
        let key = (blocker.to_column(), &blocked.as_bytes()[..]);
        let row = self.find.row::<(bool,)>("find a block", key).await?;
        Ok(row.is_some_and(|(holds,)| holds))
    }

    async fn list(
        &self,
        blocker: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let operation = "list blocks";
        let page = limit.max(PAGE_MIN);
        let mut after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
        let mut blocked = Vec::new();
        while blocked.len() < limit {
            let values = (blocker.to_column(), &after, i32::try_from(page).unwrap_or(i32::MAX));
            let rows = self.list.rows::<(Vec<u8>, bool)>(operation, values).await?;
            let is_last = rows.len() < page;
            for (id, holds) in rows {
                let id_bytes = id.as_slice().try_into();
                let damaged = || StoreError::corrupt(operation, format!("table blocks, {blocker}"));
                let user = UserId::from_bytes(id_bytes.map_err(|_| damaged())?);
                blocked.extend(holds.then_some(user));
                after = id;
            }
            if is_last {
                break;
            }
        }
        blocked.truncate(limit);
        Ok(blocked)
    }
}
