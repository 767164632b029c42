//! Who somebody is elsewhere: all of one person's in one row, and the claims to each.
//!
//! As an address is ([`super::credentials`]), an identity is a claim that names a person, and counts
//! only if that person's row has it:
//!
//! - **Insertion**: the claim; then the row, which is the commit point.
//! - **Removal**: the row, which is the commit point; then the claim goes.
//!
//! A process that ends in between leaves a claim that no row bears out. Somebody else may take that
//! over once it is older than ten minutes: until then it can be an insertion that is under way.

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use scylla::value::CqlTimeuuid;
use uuid::Uuid;

use super::columns::Id as _;
use super::credentials::{UNDER_WAY, age};
use super::session::Database;
use super::statements::{Conditional, Read, SerialRead, Tries, Write};
use crate::error::StoreError;
use crate::identities::{Identities, Identity, IdentityKey, IdentityRing, Linked};
use crate::record::rows::Row as _;

const RING: &str = "SELECT record, version FROM {credentials}.identities WHERE user_id = ?";
const CLAIM: &str = "SELECT user_id, claim, now() FROM {credentials}.identity_claims WHERE key = ?";

/// Who claims an identity, by which claim, and what time it is, by the database's clock.
type Claim = (Uuid, CqlTimeuuid, CqlTimeuuid);

/// Identities by person, and by what they are.
pub struct ScyllaIdentities {
    insert: Conditional,
    update: Conditional,
    ring: Read,
    settled_ring: SerialRead,
    claim: Conditional,
    claim_anew: Conditional,
    release: Conditional,
    claimed: Read,
    settled_claim: SerialRead,
    import_ring: Write,
    import_claim: Write,
}

impl ScyllaIdentities {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let conditional = |text| Conditional::prepare(database, text);
        Ok(Self {
            insert: conditional(
                "INSERT INTO {credentials}.identities (user_id, record, version) \
                 VALUES (?, ?, 1) IF NOT EXISTS",
            )
            .await?,
            update: conditional(
                "UPDATE {credentials}.identities SET record = ?, version = ? WHERE user_id = ? \
                 IF version = ?",
            )
            .await?,
            ring: Read::prepare(database, RING).await?,
            settled_ring: SerialRead::prepare(database, RING).await?,
            claim: conditional(
                "INSERT INTO {credentials}.identity_claims (key, user_id, claim) \
                 VALUES (?, ?, now()) IF NOT EXISTS",
            )
            .await?,
            claim_anew: conditional(
                "UPDATE {credentials}.identity_claims SET user_id = ?, claim = now() \
                 WHERE key = ? IF claim = ?",
            )
            .await?,
            release: conditional(
                "DELETE FROM {credentials}.identity_claims WHERE key = ? IF claim = ?",
            )
            .await?,
            claimed: Read::prepare(database, CLAIM).await?,
            settled_claim: SerialRead::prepare(database, CLAIM).await?,
            import_ring: Write::prepare(
                database,
                "INSERT INTO {credentials}.identities (user_id, record, version) \
                 VALUES (?, ?, 1) USING TIMESTAMP ?",
            )
            .await?,
            import_claim: Write::prepare(
                database,
                "INSERT INTO {credentials}.identity_claims (key, user_id, claim) \
                 VALUES (?, ?, now()) USING TIMESTAMP ?",
            )
            .await?,
        })
    }

    /// Puts a person's identities from an archive. Claims to those that they have no more are borne
    /// out no more.
    pub(super) async fn import(
        &self,
        user: UserId,
        ring: &IdentityRing,
        stamp: i64,
    ) -> Result<(), StoreError> {
        let (operation, id) = ("import identities", user.to_column());
        self.import_ring.run(operation, (id, ring.to_bytes(), stamp)).await?;
        for identity in &ring.0 {
            self.import_claim.run(operation, (&identity.key[..], id, stamp)).await?;
        }
        Ok(())
    }

    /// A person's identities.
    pub(super) async fn ring(&self, user: UserId) -> Result<Option<IdentityRing>, StoreError> {
        let row = self.ring.row::<(Vec<u8>, i64)>("find identities", (user.to_column(),)).await?;
        Ok(row.map(|row| read(user, row)).transpose()?.map(|(ring, _)| ring))
    }

    /// A person's identities as every conditional write before left them.
    async fn settled(
        &self,
        operation: &'static str,
        user: UserId,
    ) -> Result<Option<(IdentityRing, i64)>, StoreError> {
        let row = self.settled_ring.row::<(Vec<u8>, i64)>(operation, (user.to_column(),)).await?;
        row.map(|row| read(user, row)).transpose()
    }

    /// Claims an identity for a person; `None` when it is somebody's.
    async fn claim(
        &self,
        operation: &'static str,
        mut tries: Tries,
        (key, user): (IdentityKey, UserId),
    ) -> Result<Option<CqlTimeuuid>, StoreError> {
        let ours = user.to_column();
        loop {
            // Which number the database gave it is read below.
            let made = tries.settle(self.claim.run(operation, (&key[..], ours))).await?;
            let claim = tries.after(self.settled_claim.row(operation, (&key[..],))).await?;
            let Some((owner, claim, now)): Option<Claim> = claim else { continue };
            if made && owner == ours {
                return Ok(Some(claim));
            }
            let named = UserId::from_column(owner);
            let ring = tries.after(self.settled(operation, named)).await?;
            let borne_out = ring.is_some_and(|(ring, _)| ring.find(key).is_some());
            if borne_out || (owner != ours && age(claim, now) < UNDER_WAY) {
                return Ok(None);
            }
            // Also a claim of one's own: who releases an earlier one must not hit this.
            if tries.settle(self.claim_anew.run(operation, (ours, &key[..], claim))).await? {
                let claim = tries.after(self.settled_claim.row(operation, (&key[..],))).await?;
                let claim = claim.filter(|claim: &Claim| claim.0 == ours);
                if let Some((_, claim, _)) = claim {
                    return Ok(Some(claim));
                }
            }
        }
    }

    /// Frees an identity. A claim that stays is borne out no more, and whoever links the identity
    /// takes it over.
    async fn release(
        &self,
        operation: &'static str,
        mut tries: Tries,
        (key, claim): (IdentityKey, CqlTimeuuid),
    ) {
        let released = self.release.run(operation, (&key[..], claim));
        if let Err(error) = tries.settle(released).await {
            tracing::debug!(%error, "a claim to an identity stays until somebody takes it over");
        }
    }

    /// Puts what `change` makes of a person's identities in their place, or gives its refusal. It is
    /// told whether they may be what an attempt before has made of them.
    async fn update<T>(
        &self,
        operation: &'static str,
        mut tries: Tries,
        user: UserId,
        change: impl Fn(IdentityRing, bool) -> Result<IdentityRing, T> + Sync,
    ) -> Result<Result<(), T>, StoreError> {
        let id = user.to_column();
        loop {
            let stands = tries.after(self.settled(operation, user)).await?;
            let before = stands.as_ref().map_or_else(IdentityRing::default, |it| it.0.clone());
            let after = match change(before.clone(), tries.unsettled()) {
                Ok(after) if after == before => return Ok(Ok(())),
                Ok(after) => after,
                Err(refused) => return Ok(Err(refused)),
            };
            let record = after.to_bytes();
            let attempt = async {
                match stands {
                    None => self.insert.run(operation, (id, &record)).await,
                    Some((_, version)) => {
                        self.update.run(operation, (&record, version + 1, id, version)).await
                    }
                }
            };
            if tries.settle(attempt).await? {
                return Ok(Ok(()));
            }
        }
    }

    /// The claim by which a person has an identity, to be released once it is not theirs any more.
    async fn claim_of(
        &self,
        operation: &'static str,
        key: IdentityKey,
        user: UserId,
    ) -> Result<Option<CqlTimeuuid>, StoreError> {
        let claim = self.settled_claim.row::<Claim>(operation, (&key[..],)).await?;
        Ok(claim.filter(|claim| claim.0 == user.to_column()).map(|claim| claim.1))
    }
}

#[async_trait]
impl Identities for ScyllaIdentities {
    async fn insert(&self, identity: Identity) -> Result<Linked, StoreError> {
        let operation = "link an identity";
        let (key, user) = (identity.key, identity.user);
        let tries = Tries::new(operation);
        // Their own claim would be taken over.
        let ring = tries.after(self.settled(operation, user)).await?;
        if ring.as_ref().is_some_and(|(ring, _)| ring.find(key).is_some()) {
            return Ok(Linked::Taken);
        }
        let Some(claim) = self.claim(operation, tries.next_step(), (key, user)).await? else {
            return Ok(Linked::Taken);
        };
        let insert = |ring: IdentityRing, unsettled| match ring.find(key) {
            Some(stands) if unsettled && *stands == identity => Ok(ring),
            Some(_) => Err(Linked::Taken),
            None if ring.is_full() => Err(Linked::TooMany),
            None => Ok(ring.with(identity.clone())),
        };
        match self.update(operation, tries.next_step(), user, insert).await? {
            Ok(()) => Ok(Linked::Done),
            Err(refused) => {
                // What came of the same request meanwhile stands on the claim.
                if refused == Linked::TooMany {
                    self.release(operation, tries.next_step(), (key, claim)).await;
                }
                Ok(refused)
            }
        }
    }

    async fn find(&self, key: IdentityKey) -> Result<Option<Identity>, StoreError> {
        let claim = self.claimed.row::<Claim>("find an identity", (&key[..],)).await?;
        let Some((owner, _, _)) = claim else { return Ok(None) };
        let ring = self.ring(UserId::from_column(owner)).await?;
        Ok(ring.and_then(|ring| ring.find(key).cloned()))
    }

    async fn list(&self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        Ok(self.ring(user).await?.unwrap_or_default().0)
    }

    async fn remove(&self, user: UserId, key: IdentityKey) -> Result<bool, StoreError> {
        let operation = "remove an identity";
        let tries = Tries::new(operation);
        let stands = tries.after(self.settled(operation, user)).await?;
        if stands.is_none_or(|(ring, _)| ring.find(key).is_none()) {
            return Ok(false);
        }
        let claim = tries.after(self.claim_of(operation, key, user)).await?;
        // Gone meanwhile is gone.
        let remove = |ring: IdentityRing, _| {
            let without = ring.clone().without(key);
            Ok::<_, std::convert::Infallible>(without.unwrap_or(ring))
        };
        let Ok(()) = self.update(operation, tries.next_step(), user, remove).await?;
        if let Some(claim) = claim {
            self.release(operation, tries.next_step(), (key, claim)).await;
        }
        Ok(true)
    }

    async fn remove_all(&self, user: UserId) -> Result<(), StoreError> {
        for identity in self.ring(user).await?.unwrap_or_default().0 {
            self.remove(user, identity.key).await?;
        }
        Ok(())
    }
}

fn read(
    user: UserId,
    (record, version): (Vec<u8>, i64),
) -> Result<(IdentityRing, i64), StoreError> {
    let damaged =
        |_| StoreError::corrupt("read identities", format!("table identities, key {user}"));
    Ok((IdentityRing::from_bytes(&record).map_err(damaged)?, version))
}
