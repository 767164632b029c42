//! Files by id, and by owner; and when each is to be looked at again.

use std::ops::Bound::{Excluded, Included};

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};
use barterline_domain::media::{Media, ORPHAN_LIFETIME};
use redb::TableDefinition;

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put, put_new};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;
use crate::media::{Look, MediaStore};

const MEDIA: Rows = TableDefinition::new("media");
const BY_OWNER: TableDefinition<'static, &[u8; 32], ()> = TableDefinition::new("media_by_owner");
/// By time and file: what is to be looked at again.
const LOOKS: TableDefinition<'static, &[u8; 24], ()> = TableDefinition::new("media_looks");

/// Files by id, by owner, and by when they are to be looked at again.
pub struct EmbeddedMedia(pub Engine);

fn by_owner(owner: UserId, media: [u8; 16]) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(owner.as_bytes());
    key[16..].copy_from_slice(&media);
    key
}

fn look_key(Look { at, media }: Look) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&at.as_millis().to_be_bytes());
    key[8..].copy_from_slice(media.as_bytes());
    key
}

fn look_of(key: &[u8; 24]) -> Look {
    let (mut at, mut media) = ([0; 8], [0; 16]);
    at.copy_from_slice(&key[..8]);
    media.copy_from_slice(&key[8..]);
    let at = Timestamp::from_millis(u64::from_be_bytes(at));
    Look { at, media: MediaId::from_bytes(media) }
}

#[async_trait]
impl MediaStore for EmbeddedMedia {
    async fn insert(&self, media: Media, look: Timestamp) -> Result<(), StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let row = (&media.id.as_bytes()[..], &media);
            if let Err(taken) = put_new(write, MEDIA, std::iter::once(row))? {
                return Ok(Err(taken));
            }
            note_owner(write, &media)?;
            put_look(write, Look { at: look, media: media.id }).map(Ok)
        };
        self.0.write(insert).await?
    }

    async fn find(&self, media: MediaId) -> Result<Option<Media>, StoreError> {
        self.0.read(|read| find(read, MEDIA, media.as_bytes()))
    }

    async fn replace(&self, media: Media) -> Result<bool, StoreError> {
        let replace = move |write: &redb::WriteTransaction| {
            let key = media.id.as_bytes();
            match find_in::<Media>(write, MEDIA, key)? {
                Some(stored) if stored.version + 1 == media.version => {
                    put(write, MEDIA, key, &media).map(|()| true)
                }
                Some(_) | None => Ok(false),
            }
        };
        self.0.write(replace).await
    }

    async fn remove(&self, media: MediaId, version: u64) -> Result<bool, StoreError> {
        let remove = move |write: &redb::WriteTransaction| {
            let stored: Option<Media> = find_in(write, MEDIA, media.as_bytes())?;
            match stored {
                None => Ok(true),
                Some(stored) if stored.version == version => {
                    remove_row(write, &stored).map(|()| true)
                }
                Some(_) => Ok(false),
            }
        };
        self.0.write(remove).await
    }

    async fn list_by_owner(
        &self,
        owner: UserId,
        before: Option<MediaId>,
        limit: usize,
    ) -> Result<Vec<Media>, StoreError> {
        self.0.read(|read| {
            let Some(index) = open(read, BY_OWNER)? else { return Ok(Vec::new()) };
            let (from, last) = (by_owner(owner, [0; 16]), by_owner(owner, [0xff; 16]));
            let before = before.map(|before| by_owner(owner, *before.as_bytes()));
            let to = before.as_ref().map_or(Included(&last), Excluded);
            let range = index.range::<&[u8; 32]>((Included(&from), to)).map_err(failed)?;
            let mut all = Vec::new();
            for row in range.rev().take(limit) {
                let (key, _) = row.map_err(failed)?;
                all.extend(find::<Media>(read, MEDIA, &key.value()[16..])?);
            }
            Ok(all)
        })
    }

    async fn look_again(&self, look: Look) -> Result<(), StoreError> {
        self.0.write(move |write| put_look(write, look)).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Look>, StoreError> {
        self.0.read(|read| {
            let Some(looks) = open(read, LOOKS)? else { return Ok(Vec::new()) };
            let last = Look { at: now, media: MediaId::from_bytes([0xff; 16]) };
            let (from, to) = ([0_u8; 24], look_key(last));
            let range = looks.range::<&[u8; 24]>((Included(&from), Included(&to)));
            let mut due = Vec::new();
            for row in range.map_err(failed)?.take(limit) {
                let (key, _) = row.map_err(failed)?;
                due.push(look_of(key.value()));
            }
            Ok(due)
        })
    }

    async fn looked(&self, look: Look) -> Result<(), StoreError> {
        let take = move |write: &redb::WriteTransaction| {
            let mut looks = write.open_table(LOOKS).map_err(failed)?;
            looks.remove(&look_key(look)).map_err(failed)?;
            Ok(())
        };
        self.0.write(take).await
    }
}

/// Notes whose a file is.
fn note_owner(write: &redb::WriteTransaction, media: &Media) -> Result<(), StoreError> {
    let mut index = write.open_table(BY_OWNER).map_err(failed)?;
    index.insert(&by_owner(media.owner, *media.id.as_bytes()), ()).map_err(failed)?;
    Ok(())
}

fn put_look(write: &redb::WriteTransaction, look: Look) -> Result<(), StoreError> {
    let mut looks = write.open_table(LOOKS).map_err(failed)?;
    looks.insert(&look_key(look), ()).map_err(failed)?;
    Ok(())
}

fn remove_row(write: &redb::WriteTransaction, media: &Media) -> Result<(), StoreError> {
    let mut rows = write.open_table(MEDIA).map_err(failed)?;
    rows.remove(&media.id.as_bytes()[..]).map_err(failed)?;
    let mut index = write.open_table(BY_OWNER).map_err(failed)?;
    index.remove(&by_owner(media.owner, *media.id.as_bytes())).map_err(failed)?;
    Ok(())
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, MEDIA, after, |_, media| Ok(Item::Media(Box::new(media))))
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, id: MediaId) -> Result<Option<Item>, StoreError> {
    Ok(find(read, MEDIA, id.as_bytes())?.map(|media| Item::Media(Box::new(media))))
}

/// Puts one from an archive, which has no looks: whatever was to be looked at is found by this one.
pub(super) fn put_media(write: &redb::WriteTransaction, media: &Media) -> Result<(), StoreError> {
    put(write, MEDIA, media.id.as_bytes(), media)?;
    note_owner(write, media)?;
    put_look(write, Look { at: media.created.plus(ORPHAN_LIFETIME), media: media.id })
}

/// Removes one that an archive says is no more, if it is there.
pub(super) fn remove_media(write: &redb::WriteTransaction, id: MediaId) -> Result<(), StoreError> {
    match find_in::<Media>(write, MEDIA, id.as_bytes())? {
        Some(media) => remove_row(write, &media),
        None => Ok(()),
    }
}
