//! Accounts that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::account::{AccountRole, Bio, DisplayName};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;

use super::breaches;
use crate::accounts::{Account, Accounts, ProfileChange};
use crate::error::StoreError;

breaches! {
    /// An insert does nothing.
    NothingIsInserted,
    /// An insert with a taken id passes for done.
    TakenIdsAreAccepted,
    /// Of an insert that fails the free ids are inserted.
    FreeOnesAreInserted,
    /// Names are found in another form.
    NamesAreChanged,
    /// A missing account is found.
    MissingOnesAreFound,
    /// A suspension does nothing.
    NobodyIsSuspended,
    /// A suspension is for good.
    SuspensionsStay,
    /// A suspension gives the account as it was before.
    OldAccountIsGiven,
    /// Of two suspensions the later counts.
    LaterTimeCounts,
    /// A suspension makes up a missing account.
    MissingOnesAreSuspended,
    /// A change of a profile does nothing.
    ProfilesStay,
    /// What is not given of a profile is lost.
    TheRestIsLost,
    /// A change gives the account as it was before.
    OldProfileIsGiven,
    /// Of changes at once the last stays.
    LastChangeStays,
    /// An erased account passes for one that can be changed.
    ErasedAreChanged,
    /// Roles are added to those that are there.
    RolesAreAdded,
    /// New roles give the account as it was before.
    OldRolesAreGiven,
    /// An erased account passes for one that can have roles.
    ErasedHaveRoles,
    /// An erasure leaves the picture.
    PicturesAreLeft,
    /// Of two erasures the later counts.
    LaterErasureCounts,
    /// An erasure makes up a missing account.
    MissingOnesAreErased,
}

/// Accounts over sound ones.
pub struct Mutant {
    sound: Arc<dyn Accounts>,
    breach: Option<Breach>,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Accounts>, breach: Option<Breach>) -> Self {
        Self { sound, breach }
    }
}

fn nobody(id: UserId) -> Account {
    Account { id, ..crate::conformance::accounts::account(0) }
}

#[async_trait]
impl Accounts for Mutant {
    async fn insert(&self, accounts: Vec<Account>) -> Result<(), StoreError> {
        let inserted = match self.breach {
            Some(Breach::NothingIsInserted) => return Ok(()),
            _ => self.sound.insert(accounts.clone()).await,
        };
        match self.breach {
            Some(Breach::TakenIdsAreAccepted) => Ok(()),
            Some(Breach::FreeOnesAreInserted) if inserted.is_err() => {
                for account in accounts {
                    let _taken = self.sound.insert(vec![account]).await;
                }
                inserted
            }
            _ => inserted,
        }
    }

    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let found = self.sound.find(user).await?;
        Ok(match self.breach {
            Some(Breach::NamesAreChanged) => found.map(|account| {
                let name = account.name.as_str().to_uppercase();
                Account { name: DisplayName::parse(&name).expect("a name"), ..account }
            }),
            Some(Breach::MissingOnesAreFound) => found.or_else(|| Some(nobody(user))),
            _ => found,
        })
    }

    async fn suspend(
        &self,
        user: UserId,
        at: Option<Timestamp>,
    ) -> Result<Option<Account>, StoreError> {
        let before = self.sound.find(user).await?;
        match self.breach {
            Some(Breach::NobodyIsSuspended) => return Ok(before),
            Some(Breach::SuspensionsStay) if at.is_none() => return Ok(before),
            Some(Breach::LaterTimeCounts) => {
                self.sound.suspend(user, None).await?;
            }
            _ => {}
        }
        let after = self.sound.suspend(user, at).await?;
        Ok(match self.breach {
            Some(Breach::OldAccountIsGiven) => before,
            Some(Breach::MissingOnesAreSuspended) => after.or_else(|| Some(nobody(user))),
            _ => after,
        })
    }

    async fn change(
        &self,
        user: UserId,
        mut change: ProfileChange,
    ) -> Result<Option<Account>, StoreError> {
        let before = self.sound.find(user).await?;
        match self.breach {
            Some(Breach::ProfilesStay) => return Ok(before),
            Some(Breach::TheRestIsLost) => {
                change.bio = change.bio.or(Some(Bio::default()));
            }
            Some(Breach::LastChangeStays) => {
                // Read before, written as a whole behind others.
                tokio::task::yield_now().await;
                if let Some(before) = &before {
                    change.bio = change.bio.or_else(|| Some(before.bio.clone()));
                    change.locale = change.locale.or_else(|| Some(before.locale.clone()));
                }
            }
            _ => {}
        }
        let after = self.sound.change(user, change).await?;
        Ok(match self.breach {
            Some(Breach::OldProfileIsGiven) => before,
            Some(Breach::ErasedAreChanged) => after.or(before),
            _ => after,
        })
    }

    async fn set_roles(
        &self,
        user: UserId,
        mut roles: Vec<AccountRole>,
    ) -> Result<Option<Account>, StoreError> {
        let before = self.sound.find(user).await?;
        if self.breach == Some(Breach::RolesAreAdded) {
            roles.extend(before.iter().flat_map(|before| before.roles.clone()));
        }
        let after = self.sound.set_roles(user, roles).await?;
        Ok(match self.breach {
            Some(Breach::OldRolesAreGiven) => before,
            Some(Breach::ErasedHaveRoles) => after.or(before),
            _ => after,
        })
    }

    async fn erase(&self, user: UserId, at: Timestamp) -> Result<Option<Account>, StoreError> {
        let avatar = self.sound.find(user).await?.and_then(|before| before.avatar);
        let after = self.sound.erase(user, at).await?;
        Ok(match self.breach {
            Some(Breach::PicturesAreLeft) => after.map(|after| Account { avatar, ..after }),
            Some(Breach::LaterErasureCounts) => {
                after.map(|after| Account { erased_at: Some(at), ..after })
            }
            Some(Breach::MissingOnesAreErased) => after.or_else(|| Some(nobody(user))),
            _ => after,
        })
    }
}
