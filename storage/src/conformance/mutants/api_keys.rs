//! Keys that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::ids::{ApiKeyId, UserId};
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::api_keys::{ApiKey, ApiKeys};
use crate::error::StoreError;

breaches! {
    /// An insert does nothing.
    NothingIsInserted,
    /// Of several at once the last is kept.
    LastIsKept,
    /// An id that is taken passes for new.
    TakenPassesForNew,
    /// Too many pass for inserted.
    TooManyPassForInserted,
    /// Scopes are lost.
    ScopesAreLost,
    /// A revoked key is found as a good one.
    RevokedIsFoundAsGood,
    /// Everybody's are listed.
    AllAreListed,
    /// The newest come first.
    NewestComeFirst,
    /// Revoked ones are listed.
    RevokedAreListed,
    /// Nothing is revoked.
    NothingIsRevoked,
    /// Anybody revokes.
    AnybodyRevokes,
    /// To revoke twice is refused.
    TwiceIsRefused,
    /// A missing key passes for revoked.
    MissingIsRevoked,
}

/// Keys over sound ones.
pub struct Mutant {
    sound: Arc<dyn ApiKeys>,
    breach: Option<Breach>,
    /// What was inserted.
    inserted: Mutex<Vec<ApiKey>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn ApiKeys>, breach: Option<Breach>) -> Self {
        Self { sound, breach, inserted: Mutex::default(), at_once: AtOnce::default() }
    }
}

#[async_trait]
impl ApiKeys for Mutant {
    async fn insert(&self, key: ApiKey) -> Result<bool, StoreError> {
        self.inserted.lock().push(key.clone());
        match self.breach {
            Some(Breach::NothingIsInserted) => return Ok(true),
            Some(Breach::LastIsKept) if self.at_once.another_comes().await => return Ok(true),
            _ => {}
        }
        let inserted = self.sound.insert(key).await;
        match self.breach {
            Some(Breach::TakenPassesForNew) => Ok(inserted.unwrap_or(true)),
            Some(Breach::TooManyPassForInserted) => inserted.map(|_| true),
            _ => inserted,
        }
    }

    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let found = self.sound.find(id).await?;
        Ok(found.map(|found| match self.breach {
            Some(Breach::ScopesAreLost) => ApiKey { scopes: Vec::new(), ..found },
            Some(Breach::RevokedIsFoundAsGood) => ApiKey { revoked: false, ..found },
            _ => found,
        }))
    }

    async fn list(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        let mut listed = self.sound.list(user).await?;
        let inserted = self.inserted.lock().clone();
        match self.breach {
            Some(Breach::AllAreListed) => {
                listed.extend(inserted.into_iter().filter(|key| key.user != user));
            }
            Some(Breach::RevokedAreListed) => {
                for key in inserted.iter().filter(|key| key.user == user) {
                    let found = self.sound.find(key.id).await?;
                    listed.extend(found.filter(|found| found.revoked));
                }
            }
            Some(Breach::NewestComeFirst) => listed.reverse(),
            _ => {}
        }
        Ok(listed)
    }

    async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<bool, StoreError> {
        let found = self.sound.find(id).await?;
        match (self.breach, found) {
            (Some(Breach::NothingIsRevoked), found) => {
                Ok(found.is_some_and(|found| found.user == user))
            }
            (Some(Breach::AnybodyRevokes), Some(found)) => self.sound.revoke(found.user, id).await,
            (Some(Breach::TwiceIsRefused), Some(found)) if found.revoked => Ok(false),
            (Some(Breach::MissingIsRevoked), None) => Ok(true),
            _ => self.sound.revoke(user, id).await,
        }
    }
}
