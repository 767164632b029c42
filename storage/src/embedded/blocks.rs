//! Blocks by blocker.

use std::ops::Bound::{Excluded, Included};

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use redb::TableDefinition;

use super::engine::{Engine, failed, table};
use crate::blocks::Blocks;
use crate::error::StoreError;

const BLOCKS: TableDefinition<'static, &[u8; 32], ()> = TableDefinition::new("blocks");

/// Blocks by blocker.
pub struct EmbeddedBlocks(pub Engine);

fn key(blocker: UserId, blocked: UserId) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(blocker.as_bytes());
    key[16..].copy_from_slice(blocked.as_bytes());
    key
}

#[async_trait]
impl Blocks for EmbeddedBlocks {
    async fn set(&self, blocker: UserId, blocked: UserId, on: bool) -> Result<bool, StoreError> {
        let set = move |write: &redb::WriteTransaction| {
            let mut blocks = write.open_table(BLOCKS).map_err(failed)?;
            let key = key(blocker, blocked);
            let before = if on {
                blocks.insert(&key, ()).map_err(failed)?.is_some()
            } else {
                blocks.remove(&key).map_err(failed)?.is_some()
            };
            Ok(before != on)
        };
        self.0.write(set).await
    }

    async fn contains(&self, blocker: UserId, blocked: UserId) -> Result<bool, StoreError> {
        self.0.read(|read| {
            let Some(blocks) = table(read, BLOCKS)? else { return Ok(false) };
            Ok(blocks.get(&key(blocker, blocked)).map_err(failed)?.is_some())
        })
    }

    async fn list(
        &self,
        blocker: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.0.read(|read| {
            let Some(blocks) = table(read, BLOCKS)? else { return Ok(Vec::new()) };
            let (first, last) = ([0; 16], [0xff; 16]);
            let from = key(blocker, after.unwrap_or(UserId::from_bytes(first)));
            let to = key(blocker, UserId::from_bytes(last));
            let from = if after.is_some() { Excluded(&from) } else { Included(&from) };
            let range = blocks.range::<&[u8; 32]>((from, Included(&to))).map_err(failed)?;
            let mut blocked = Vec::new();
            for row in range.take(limit) {
                let (key, _) = row.map_err(failed)?;
                let mut id = [0; 16];
                id.copy_from_slice(&key.value()[16..]);
                blocked.push(UserId::from_bytes(id));
            }
            Ok(blocked)
        })
    }
}
