//! Blocks by blocker.

use std::ops::Bound::{Excluded, Included, Unbounded};

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use redb::TableDefinition;

use super::engine::{Engine, failed, table};
use crate::blocks::Blocks;
use crate::bulk::{Item, PAGE_ITEMS, Page, Place};
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
        self.0.write(move |write| put_block(write, blocker, blocked, on)).await
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

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    engine.read(|read| {
        let Some(blocks) = table(read, BLOCKS)? else { return Ok(Page::default()) };
        let after: Option<[u8; 32]> = after.and_then(|place| place.0[..].try_into().ok());
        let from = after.as_ref().map_or(Unbounded, Excluded);
        let range = blocks.range::<&[u8; 32]>((from, Unbounded)).map_err(failed)?;
        let mut page = Page::default();
        for row in range.take(PAGE_ITEMS) {
            let (key, ()) = row.map(|(key, _)| (*key.value(), ())).map_err(failed)?;
            let (mut blocker, mut blocked) = ([0; 16], [0; 16]);
            blocker.copy_from_slice(&key[..16]);
            blocked.copy_from_slice(&key[16..]);
            let item = Item::Block(UserId::from_bytes(blocker), UserId::from_bytes(blocked));
            page.items.push((Place(key.to_vec()), item));
        }
        page.end();
        Ok(page)
    })
}

/// Sets or takes back a block; gives whether that changed anything.
pub(super) fn put_block(
    write: &redb::WriteTransaction,
    blocker: UserId,
    blocked: UserId,
    on: bool,
) -> Result<bool, StoreError> {
    let mut blocks = write.open_table(BLOCKS).map_err(failed)?;
    let key = key(blocker, blocked);
    let before = if on {
        blocks.insert(&key, ()).map_err(failed)?.is_some()
    } else {
        blocks.remove(&key).map_err(failed)?.is_some()
    };
    Ok(before != on)
}
