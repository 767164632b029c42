//! Who somebody is elsewhere: all of one person's in one row, in the file of the credentials.

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use redb::{ReadableTable as _, TableDefinition};

use super::engine::{Engine, failed, table as open};
use super::table::{self, Rows, find, find_in, put};
use crate::bulk::{Item, Page, Place};
use crate::error::StoreError;
use crate::identities::{Identities, Identity, IdentityKey, IdentityRing, Linked};

const RINGS: Rows = TableDefinition::new("identities");
const OWNERS: TableDefinition<'static, &[u8; 32], &[u8; 16]> =
    TableDefinition::new("identity_owners");

/// Identities by person, and by what they are.
pub struct EmbeddedIdentities(pub Engine);

#[async_trait]
impl Identities for EmbeddedIdentities {
    async fn insert(&self, identity: Identity) -> Result<Linked, StoreError> {
        let insert = move |write: &redb::WriteTransaction| {
            let taken = {
                let owners = write.open_table(OWNERS).map_err(failed)?;
                owners.get(&identity.key).map_err(failed)?.is_some()
            };
            if taken {
                return Ok(Linked::Taken);
            }
            let user = identity.user;
            let ring = of_user(write, user)?;
            if ring.is_full() {
                return Ok(Linked::TooMany);
            }
            put_ring(write, user, &ring.with(identity)).map(|()| Linked::Done)
        };
        self.0.write(insert).await
    }

    async fn find(&self, key: IdentityKey) -> Result<Option<Identity>, StoreError> {
        self.0.read(|read| {
            let Some(owners) = open(read, OWNERS)? else { return Ok(None) };
            let Some(owner) = owners.get(&key).map_err(failed)? else { return Ok(None) };
            let ring: Option<IdentityRing> = find(read, RINGS, &owner.value()[..])?;
            Ok(ring.and_then(|ring| ring.find(key).cloned()))
        })
    }

    async fn list(&self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        let ring: Option<IdentityRing> = self.0.read(|read| find(read, RINGS, user.as_bytes()))?;
        Ok(ring.unwrap_or_default().0)
    }

    async fn remove(&self, user: UserId, key: IdentityKey) -> Result<bool, StoreError> {
        let remove = move |write: &redb::WriteTransaction| {
            let Some(ring) = of_user(write, user)?.without(key) else { return Ok(false) };
            put_ring(write, user, &ring).map(|()| true)
        };
        self.0.write(remove).await
    }

    async fn remove_all(&self, user: UserId) -> Result<(), StoreError> {
        let remove = move |write: &redb::WriteTransaction| {
            if of_user(write, user)? == IdentityRing::default() {
                return Ok(());
            }
            put_ring(write, user, &IdentityRing::default())
        };
        self.0.write(remove).await
    }
}

fn of_user(write: &redb::WriteTransaction, user: UserId) -> Result<IdentityRing, StoreError> {
    Ok(find_in(write, RINGS, user.as_bytes())?.unwrap_or_default())
}

/// A page of them, for an archive.
pub(super) fn page(engine: &Engine, after: Option<&Place>) -> Result<Page, StoreError> {
    table::page(engine, RINGS, after, |key, ring| {
        let user = key.try_into().map(UserId::from_bytes);
        let damaged = |_| StoreError::corrupt("database", table::place(RINGS, key));
        Ok(Item::Identities(user.map_err(damaged)?, ring))
    })
}

/// One of them, for an archive.
pub(super) fn item(read: &redb::ReadTransaction, user: UserId) -> Result<Option<Item>, StoreError> {
    Ok(find(read, RINGS, user.as_bytes())?.map(|ring| Item::Identities(user, ring)))
}

/// Puts a person's identities, and whose each is.
pub(super) fn put_ring(
    write: &redb::WriteTransaction,
    user: UserId,
    ring: &IdentityRing,
) -> Result<(), StoreError> {
    let before = of_user(write, user)?;
    put(write, RINGS, user.as_bytes(), ring)?;
    let mut owners = write.open_table(OWNERS).map_err(failed)?;
    let key_is_theirs = |owners: &redb::Table<'_, &[u8; 32], &[u8; 16]>, key: &IdentityKey| {
        let owner = owners.get(key).map_err(failed)?;
        Ok::<_, StoreError>(owner.is_some_and(|owner| owner.value() == user.as_bytes()))
    };
    for gone in before.0.iter().map(|it| it.key).filter(|key| ring.find(*key).is_none()) {
        // In an archive it may be another's before it is no more this person's.
        if key_is_theirs(&owners, &gone)? {
            owners.remove(&gone).map_err(failed)?;
        }
    }
    for identity in &ring.0 {
        owners.insert(&identity.key, user.as_bytes()).map_err(failed)?;
    }
    Ok(())
}
