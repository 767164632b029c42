//! Credentials that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::account::Email;
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::credentials::{Credential, Credentials};
use crate::error::StoreError;

breaches! {
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
}

/// Credentials over sound ones.
pub struct Mutant {
    sound: Arc<dyn Credentials>,
    breach: Option<Breach>,
    /// The last that came.
    last: Mutex<Option<Credential>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Credentials>, breach: Option<Breach>) -> Self {
        Self { sound, breach, last: Mutex::default(), at_once: AtOnce::default() }
    }
}

#[async_trait]
impl Credentials for Mutant {
    async fn insert(&self, credential: Credential) -> Result<bool, StoreError> {
        *self.last.lock() = Some(credential.clone());
        if self.breach == Some(Breach::AllAtOnceWin) && self.at_once.another_comes().await {
            return Ok(true);
        }
        let inserted = self.sound.insert(credential).await?;
        Ok(inserted || self.breach == Some(Breach::TakenPassesForFree))
    }

    async fn find(&self, email: &Email) -> Result<Option<Credential>, StoreError> {
        let found = self.sound.find(email).await?;
        let last = || self.last.lock().clone();
        Ok(match self.breach {
            Some(Breach::TakenIsOverwritten) => {
                last().filter(|last| last.email == *email).or(found)
            }
            Some(Breach::AnyIsFound) => found.or_else(last),
            Some(Breach::UserIsAnother) => found.map(|credential| {
                let user = crate::conformance::credentials::credential(0).user;
                Credential { user, ..credential }
            }),
            _ => found,
        })
    }
}
