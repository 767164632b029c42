//! Credentials by user, and the claims to addresses.
//!
//! A condition does not reach over partitions, so an address is a claim of its own, which names a
//! user, and counts only if that user's secret says that address. Whoever takes an address claims it
//! first:
//!
//! - **Insert**: the secret, which nobody can reach; then the claim, which is the commit point.
//! - **Change of address**: the new claim; then the secret, which is the commit point; then the old
//!   claim goes.
//! - **Removal**: the secret, which is the commit point; then the claim goes.
//!
//! A process that ends in between leaves a claim that its user's secret does not bear out. Somebody
//! else may take that over once it is older than ten minutes: until then it can be a change that is
//! under way, which takes 3 s at most. Every claim has a number of its own, given anew whenever it
//! is claimed again, and is taken over or released on the condition of that number alone.

use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use scylla::value::CqlTimeuuid;
use uuid::Uuid;

use super::columns::Id as _;
use super::session::Database;
use super::statements::{CHANGE_TIMEOUT, Conditional, Read, SerialRead, Tries, Write};
use crate::credentials::{Credential, Credentials, EmailKey, Replaced};
use crate::error::StoreError;
use crate::record::rows::Row as _;

/// For how long a claim may be of a change that is under way.
pub(super) const UNDER_WAY: Duration = Duration::from_mins(10);
/// The clocks of two nodes may differ by four minutes.
const _: () = assert!(UNDER_WAY.as_secs() > 4 * 60 + CHANGE_TIMEOUT.as_secs());

const SECRET: &str = "SELECT record, version FROM {credentials}.secrets WHERE user_id = ?";
const CLAIM: &str = "SELECT user_id, claim, now() FROM {credentials}.addresses WHERE email = ?";

/// A secret as it stands, and its version.
type Secret = (Credential, i64);

/// Who claims an address, by which claim, and what time it is, by the database's clock.
type Claim = (Uuid, CqlTimeuuid, CqlTimeuuid);

/// Credentials by user, and by address.
pub struct ScyllaCredentials {
    insert: Conditional,
    update: Conditional,
    delete: Conditional,
    secret: Read,
    settled_secret: SerialRead,
    claim: Conditional,
    claim_anew: Conditional,
    release: Conditional,
    claimed: Read,
    settled_claim: SerialRead,
    import_secret: Write,
    import_claim: Write,
    import_removal: Write,
}

impl ScyllaCredentials {
    /// Prepares the statements.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let conditional = |text| Conditional::prepare(database, text);
        Ok(Self {
            insert: conditional(
                "INSERT INTO {credentials}.secrets (user_id, record, version) VALUES (?, ?, 1) \
                 IF NOT EXISTS",
            )
            .await?,
            update: conditional(
                "UPDATE {credentials}.secrets SET record = ?, version = ? WHERE user_id = ? \
                 IF version = ?",
            )
            .await?,
            delete: conditional(
                "DELETE FROM {credentials}.secrets WHERE user_id = ? IF version = ?",
            )
            .await?,
            secret: Read::prepare(database, SECRET).await?,
            settled_secret: SerialRead::prepare(database, SECRET).await?,
            claim: conditional(
                "INSERT INTO {credentials}.addresses (email, user_id, claim) \
                 VALUES (?, ?, now()) IF NOT EXISTS",
            )
            .await?,
            claim_anew: conditional(
                "UPDATE {credentials}.addresses SET user_id = ?, claim = now() WHERE email = ? \
                 IF claim = ?",
            )
            .await?,
            release: conditional(
                "DELETE FROM {credentials}.addresses WHERE email = ? IF claim = ?",
            )
            .await?,
            claimed: Read::prepare(database, CLAIM).await?,
            settled_claim: SerialRead::prepare(database, CLAIM).await?,
            import_secret: Write::prepare(
                database,
                "INSERT INTO {credentials}.secrets (user_id, record, version) VALUES (?, ?, 1) \
                 USING TIMESTAMP ?",
            )
            .await?,
            import_claim: Write::prepare(
                database,
                "INSERT INTO {credentials}.addresses (email, user_id, claim) \
                 VALUES (?, ?, now()) USING TIMESTAMP ?",
            )
            .await?,
            import_removal: Write::prepare(
                database,
                "DELETE FROM {credentials}.secrets USING TIMESTAMP ? WHERE user_id = ?",
            )
            .await?,
        })
    }

    /// Puts one from an archive. The claim to an address that it leaves is borne out no more.
    pub(super) async fn import(&self, it: &Credential, stamp: i64) -> Result<(), StoreError> {
        let (operation, user) = ("import a credential", it.user.to_column());
        self.import_secret.run(operation, (user, it.to_bytes(), stamp)).await?;
        self.import_claim.run(operation, (it.email.key.0.as_slice(), user, stamp)).await
    }

    /// Removes one that an archive says is no more. Its claim is borne out no more.
    pub(super) async fn import_removal(&self, user: UserId, stamp: i64) -> Result<(), StoreError> {
        self.import_removal.run("import a removal", (stamp, user.to_column())).await
    }

    /// A user's credential if its address is theirs: not one whose insertion was never completed.
    pub(super) async fn whole(&self, user: UserId) -> Result<Option<Credential>, StoreError> {
        let operation = "find a credential";
        let mut before = None;
        loop {
            let Some(credential) = self.find_by_user(user).await? else { return Ok(None) };
            let claim =
                self.claimed.row::<Claim>(operation, (credential.email.key.0.as_slice(),)).await?;
            if claim.is_some_and(|claim| claim.0 == user.to_column()) {
                return Ok(Some(credential));
            }
            // They may have moved to another address between the two reads.
            if before.as_ref() == Some(&credential) {
                return Ok(None);
            }
            before = Some(credential);
        }
    }

    /// A user's secret as every conditional write before left it.
    async fn settled(
        &self,
        operation: &'static str,
        user: UserId,
    ) -> Result<Option<Secret>, StoreError> {
        let row = self.settled_secret.row::<(Vec<u8>, i64)>(operation, (user.to_column(),)).await?;
        let read = |(record, version): (Vec<u8>, i64)| Ok((read(user, &record)?, version));
        row.map(read).transpose()
    }

    /// Claims an address for a user; `false` when it is another's.
    async fn claim(
        &self,
        operation: &'static str,
        mut tries: Tries,
        email: EmailKey,
        user: UserId,
    ) -> Result<bool, StoreError> {
        let (address, ours) = (email.0.as_slice(), user.to_column());
        loop {
            if tries.settle(self.claim.run(operation, (address, ours))).await? {
                return Ok(true);
            }
            let claim = tries.after(self.settled_claim.row(operation, (address,))).await?;
            let Some((owner, claim, now)): Option<Claim> = claim else { continue };
            if owner != ours {
                let owner = UserId::from_column(owner);
                let secret = tries.after(self.settled(operation, owner)).await?;
                let borne_out = secret.is_some_and(|(secret, _)| secret.email.key == email);
                if borne_out || age(claim, now) < UNDER_WAY {
                    return Ok(false);
                }
            }
            // Also a claim of one's own: who releases an earlier one must not hit this.
            if tries.settle(self.claim_anew.run(operation, (ours, address, claim))).await? {
                return Ok(true);
            }
        }
    }

    /// The claim by which a user has an address, to be released once it is not theirs any more.
    async fn claim_of(
        &self,
        operation: &'static str,
        email: EmailKey,
        user: UserId,
    ) -> Result<Option<CqlTimeuuid>, StoreError> {
        let claim = self.settled_claim.row::<Claim>(operation, (email.0.as_slice(),)).await?;
        Ok(claim.filter(|claim| claim.0 == user.to_column()).map(|claim| claim.1))
    }

    /// Frees an address. The change is made already: a claim that stays is borne out no more, and
    /// whoever wants the address takes it over.
    async fn release(
        &self,
        operation: &'static str,
        mut tries: Tries,
        (email, claim): (EmailKey, Option<CqlTimeuuid>),
    ) {
        let Some(claim) = claim else { return };
        let released = self.release.run(operation, (email.0.as_slice(), claim));
        if let Err(error) = tries.settle(released).await {
            tracing::debug!(%error, "a claim to an address stays until somebody takes it over");
        }
    }
}

#[async_trait]
impl Credentials for ScyllaCredentials {
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError> {
        let operation = "insert a credential";
        let (user, record) = (credential.user, credential.to_bytes());
        let mut tries = Tries::new(operation);
        loop {
            let values = (user.to_column(), &record);
            if tries.settle(self.insert.run(operation, values)).await? {
                break;
            }
            if let Some((stands, _)) = tries.after(self.settled(operation, user)).await? {
                if tries.unsettled() && stands == credential {
                    break;
                }
                return Ok(false);
            }
        }
        if self.claim(operation, tries.next_step(), credential.email.key, user).await? {
            return Ok(true);
        }
        // Nobody can reach it: that it stays would do no harm.
        let take_back = self.delete.run(operation, (user.to_column(), 1_i64));
        if let Err(error) = tries.next_step().settle(take_back).await {
            tracing::debug!(%user, %error, "a secret without an address stays");
        }
        Ok(false)
    }

    async fn find(&self, email: EmailKey) -> Result<Option<Credential>, StoreError> {
        let operation = "find a credential";
        let claim = self.claimed.row::<Claim>(operation, (email.0.as_slice(),)).await?;
        let Some((owner, _, _)) = claim else { return Ok(None) };
        let found = self.find_by_user(UserId::from_column(owner)).await?;
        Ok(found.filter(|credential| credential.email.key == email))
    }

    async fn find_by_user(&self, user: UserId) -> Result<Option<Credential>, StoreError> {
        let row = self.secret.row::<(Vec<u8>, i64)>("find a credential", (user.to_column(),));
        row.await?.map(|(record, _)| read(user, &record)).transpose()
    }

    async fn replace(&self, old: &Credential, new: Credential) -> Result<Replaced, StoreError> {
        let operation = "replace a credential";
        let (user, moves) = (old.user, old.email.key != new.email.key);
        if new.user != user {
            return Ok(Replaced::Changed);
        }
        let mut tries = Tries::new(operation);
        let stands = tries.after(self.settled(operation, user)).await?;
        let Some((_, version)) = stands.filter(|(stands, _)| stands == old) else {
            return Ok(Replaced::Changed);
        };
        let mut left = None;
        if moves {
            left = tries.after(self.claim_of(operation, old.email.key, user)).await?;
            if !self.claim(operation, tries.next_step(), new.email.key, user).await? {
                return Ok(Replaced::Taken);
            }
        }
        let record = new.to_bytes();
        // Drawn, so that of two who write the same each knows its own: a code that is used counts once.
        let ours = (Uuid::new_v4().as_u128() as i64) & i64::MAX;
        loop {
            let values = (&record, ours, user.to_column(), version);
            if tries.settle(self.update.run(operation, values)).await? {
                break;
            }
            match tries.after(self.settled(operation, user)).await? {
                Some((_, stands)) if stands == version => {}
                Some((_, stands)) if tries.unsettled() && stands == ours => break,
                _ => return Ok(Replaced::Changed),
            }
        }
        self.release(operation, tries.next_step(), (old.email.key, left)).await;
        Ok(Replaced::Done)
    }

    async fn remove(&self, user: UserId) -> Result<bool, StoreError> {
        let operation = "remove a credential";
        let mut tries = Tries::new(operation);
        let mut had: Option<(EmailKey, Option<CqlTimeuuid>)> = None;
        loop {
            let Some((stands, version)) = tries.after(self.settled(operation, user)).await? else {
                if !tries.unsettled() {
                    return Ok(false);
                }
                break;
            };
            let claim = tries.after(self.claim_of(operation, stands.email.key, user)).await?;
            had = Some((stands.email.key, claim));
            if tries.settle(self.delete.run(operation, (user.to_column(), version))).await? {
                break;
            }
        }
        if let Some((email, claim)) = had {
            self.release(operation, tries.next_step(), (email, claim)).await;
        }
        Ok(true)
    }
}

fn read(user: UserId, record: &[u8]) -> Result<Credential, StoreError> {
    let damaged =
        |_| StoreError::corrupt("read a credential", format!("table secrets, key {user}"));
    Credential::from_bytes(record).map_err(damaged)
}

/// How old a claim is at `now`: both say their time themselves (RFC 9562, section 5.1).
pub(super) fn age(claim: CqlTimeuuid, now: CqlTimeuuid) -> Duration {
    let since_1970 = |id: CqlTimeuuid| {
        let (seconds, nanos) = Uuid::from(id).get_timestamp().map_or((0, 0), |at| at.to_unix());
        Duration::new(seconds, nanos)
    };
    since_1970(now).saturating_sub(since_1970(claim))
}
