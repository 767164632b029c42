//! Credentials that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::credentials::{Credential, Credentials, EmailKey, Replaced};
use crate::error::StoreError;

breaches! {
    /// An insert does nothing.
    NothingIsInserted,
    /// An address that is taken is taken over.
    TakenIsOverwritten,
    /// A taken address passes for a free one.
    TakenPassesForFree,
    /// Of several at once each is told that it was inserted.
    AllAtOnceWin,
    /// The last credential is found, whatever the address.
    AnyIsFound,
    /// The user is another.
    UserIsAnother,
    /// The second factor is lost.
    FactorsAreLost,
    /// Whatever stands there is replaced.
    EverythingIsReplaced,
    /// A replacement does nothing.
    NothingIsReplaced,
    /// An address that was left is still found.
    LeftIsFound,
    /// An address that was left stays taken.
    LeftStaysTaken,
    /// A change of what is no more passes for done.
    ChangedPassesForDone,
    /// Of several changes at once each passes for done.
    AllChangesAreDone,
    /// Another's address is said to have changed.
    TakenPassesForChanged,
    /// A removal does nothing.
    NothingIsRemoved,
    /// The address of what was removed stays taken.
    RemovedStaysTaken,
    /// A missing credential is removed.
    MissingIsRemoved,
}

/// Credentials over sound ones.
pub struct Mutant {
    sound: Arc<dyn Credentials>,
    breach: Option<Breach>,
    /// The last that came.
    last: Mutex<Option<Credential>>,
    /// What was left or removed.
    left: Mutex<Vec<Credential>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Credentials>, breach: Option<Breach>) -> Self {
        let (last, left) = (Mutex::default(), Mutex::default());
        Self { sound, breach, last, left, at_once: AtOnce::default() }
    }

    fn was_left(&self, email: EmailKey) -> Option<Credential> {
        self.left.lock().iter().find(|left| left.email.key == email).cloned()
    }
}

#[async_trait]
impl Credentials for Mutant {
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError> {
        *self.last.lock() = Some(credential.clone());
        match self.breach {
            Some(Breach::NothingIsInserted) => return Ok(true),
            Some(Breach::AllAtOnceWin) if self.at_once.another_comes().await => return Ok(true),
            Some(Breach::LeftStaysTaken | Breach::RemovedStaysTaken)
                if self.was_left(credential.email.key).is_some() =>
            {
                return Ok(false);
            }
            _ => {}
        }
        let inserted = self.sound.insert(credential).await?;
        Ok(inserted || self.breach == Some(Breach::TakenPassesForFree))
    }

    async fn find(&self, email: EmailKey) -> Result<Option<Credential>, StoreError> {
        let found = self.sound.find(email).await?;
        let last = || self.last.lock().clone();
        Ok(match self.breach {
            Some(Breach::TakenIsOverwritten) => {
                last().filter(|last| last.email.key == email).or(found)
            }
            Some(Breach::AnyIsFound) => found.or_else(last),
            Some(Breach::UserIsAnother) => found.map(|credential| {
                let user = crate::conformance::credentials::credential(0).user;
                Credential { user, ..credential }
            }),
            Some(Breach::LeftIsFound) => found.or_else(|| self.was_left(email)),
            _ => found,
        })
    }

    async fn find_by_user(&self, user: UserId) -> Result<Option<Credential>, StoreError> {
        let found = self.sound.find_by_user(user).await?;
        let lost = self.breach == Some(Breach::FactorsAreLost);
        Ok(found.map(|it| if lost { Credential { second_factor: None, ..it } } else { it }))
    }

    async fn replace(&self, old: &Credential, new: Credential) -> Result<Replaced, StoreError> {
        let stands = self.sound.find_by_user(old.user).await?;
        let leaves = old.email.key != new.email.key;
        let replaced = match (self.breach, stands) {
            (Some(Breach::NothingIsReplaced), _) => return Ok(Replaced::Done),
            (Some(Breach::AllChangesAreDone), _) if self.at_once.another_comes().await => {
                return Ok(Replaced::Done);
            }
            (Some(Breach::EverythingIsReplaced), Some(stands)) => {
                self.sound.replace(&stands, new).await?
            }
            _ => self.sound.replace(old, new).await?,
        };
        if replaced == Replaced::Done && leaves && self.breach != Some(Breach::RemovedStaysTaken) {
            self.left.lock().push(old.clone());
        }
        Ok(match (self.breach, replaced) {
            (Some(Breach::ChangedPassesForDone), Replaced::Changed) => Replaced::Done,
            (Some(Breach::TakenPassesForChanged), Replaced::Taken) => Replaced::Changed,
            _ => replaced,
        })
    }

    async fn remove(&self, user: UserId) -> Result<bool, StoreError> {
        let stands = self.sound.find_by_user(user).await?;
        if self.breach == Some(Breach::NothingIsRemoved) {
            return Ok(stands.is_some());
        }
        if self.breach == Some(Breach::RemovedStaysTaken) {
            self.left.lock().extend(stands);
        }
        Ok(self.sound.remove(user).await? || self.breach == Some(Breach::MissingIsRemoved))
    }
}
