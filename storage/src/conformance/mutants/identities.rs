//! Identities that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::error::StoreError;
use crate::identities::{Identities, Identity, IdentityKey, Linked};

breaches! {
    /// An insert does nothing.
    NothingIsInserted,
    /// One that is somebody's passes for new.
    TakenPassesForNew,
    /// Of several at once all hear that it is theirs.
    AllLink,
    /// Of several at once the last is kept.
    LastIsKept,
    /// Too many pass for inserted.
    TooManyPassForInserted,
    /// What the issuer was called is lost.
    ProvidersAreLost,
    /// Whoever looks alike in the first half is the same person.
    HalfAKeyIsEnough,
    /// Everybody's are listed.
    AllAreListed,
    /// The newest come first.
    NewestComeFirst,
    /// Nothing is removed.
    NothingIsRemoved,
    /// Anybody removes.
    AnybodyRemoves,
    /// What was removed cannot be linked.
    RemovedStayTaken,
    /// A missing one passes for removed.
    MissingIsRemoved,
    /// One of all is left.
    OneIsLeft,
    /// With one's own, everybody's are removed.
    EverybodysAreRemoved,
}

/// Identities over sound ones.
pub struct Mutant {
    sound: Arc<dyn Identities>,
    breach: Option<Breach>,
    /// What was inserted.
    inserted: Mutex<Vec<Identity>>,
    /// What was removed.
    removed: Mutex<Vec<IdentityKey>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Identities>, breach: Option<Breach>) -> Self {
        let (inserted, removed, at_once) = Default::default();
        Self { sound, breach, inserted, removed, at_once }
    }
}

#[async_trait]
impl Identities for Mutant {
    async fn insert(&self, identity: Identity) -> Result<Linked, StoreError> {
        self.inserted.lock().push(identity.clone());
        match self.breach {
            Some(Breach::NothingIsInserted) => return Ok(Linked::Done),
            Some(Breach::LastIsKept | Breach::AllLink) if self.at_once.another_comes().await => {
                return Ok(Linked::Done);
            }
            Some(Breach::RemovedStayTaken) if self.removed.lock().contains(&identity.key) => {
                return Ok(Linked::Taken);
            }
            _ => {}
        }
        let linked = self.sound.insert(identity).await?;
        Ok(match (self.breach, linked) {
            (Some(Breach::TakenPassesForNew), Linked::Taken)
            | (Some(Breach::TooManyPassForInserted), Linked::TooMany) => Linked::Done,
            (_, linked) => linked,
        })
    }

    async fn find(&self, key: IdentityKey) -> Result<Option<Identity>, StoreError> {
        if self.breach == Some(Breach::HalfAKeyIsEnough) {
            let inserted = self.inserted.lock().clone();
            let mut alike = inserted.into_iter().filter(|it| it.key[..16] == key[..16]);
            return Ok(alike.next());
        }
        let found = self.sound.find(key).await?;
        Ok(found.map(|found| match self.breach {
            Some(Breach::ProvidersAreLost) => Identity { provider: String::new(), ..found },
            _ => found,
        }))
    }

    async fn list(&self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        let mut listed = self.sound.list(user).await?;
        match self.breach {
            Some(Breach::AllAreListed) => {
                let inserted = self.inserted.lock().clone();
                listed.extend(inserted.into_iter().filter(|identity| identity.user != user));
            }
            Some(Breach::NewestComeFirst) => listed.reverse(),
            _ => {}
        }
        Ok(listed)
    }

    async fn remove(&self, user: UserId, key: IdentityKey) -> Result<bool, StoreError> {
        let found = self.sound.find(key).await?;
        self.removed.lock().push(key);
        match (self.breach, found) {
            (Some(Breach::NothingIsRemoved), found) => {
                Ok(found.is_some_and(|found| found.user == user))
            }
            (Some(Breach::AnybodyRemoves), Some(found)) => self.sound.remove(found.user, key).await,
            (Some(Breach::MissingIsRemoved), None) => Ok(true),
            _ => self.sound.remove(user, key).await,
        }
    }

    async fn remove_all(&self, user: UserId) -> Result<(), StoreError> {
        match self.breach {
            Some(Breach::OneIsLeft) => {
                for gone in self.sound.list(user).await?.iter().skip(1) {
                    self.sound.remove(user, gone.key).await?;
                }
                Ok(())
            }
            Some(Breach::EverybodysAreRemoved) => {
                let inserted = self.inserted.lock().clone();
                for gone in inserted {
                    self.sound.remove_all(gone.user).await?;
                }
                Ok(())
            }
            _ => self.sound.remove_all(user).await,
        }
    }
}
