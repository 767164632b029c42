//! Codes that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::codes::{Code, CodeHash, CodePurpose, Codes};
use crate::error::StoreError;

breaches! {
    /// An insert does nothing.
    NothingIsInserted,
    /// A hash that is taken passes for new.
    TakenPassesForNew,
    /// A code is given again.
    CodesAreGivenTwice,
    /// Of several at once each is given the code.
    AllAtOnceAreGiven,
    /// A code is given after its end.
    CodesDoNotEnd,
    /// A code is good for anything.
    AnyPurposeIsGood,
    /// A code of another purpose is used up.
    OtherPurposesAreUsedUp,
}

/// Codes over sound ones.
pub struct Mutant {
    sound: Arc<dyn Codes>,
    breach: Option<Breach>,
    /// What was inserted.
    inserted: Mutex<Vec<Code>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Codes>, breach: Option<Breach>) -> Self {
        Self { sound, breach, inserted: Mutex::default(), at_once: AtOnce::default() }
    }
}

#[async_trait]
impl Codes for Mutant {
    async fn insert(&self, code: Code) -> Result<(), StoreError> {
        if self.breach == Some(Breach::NothingIsInserted) {
            return Ok(());
        }
        self.inserted.lock().push(code.clone());
        let inserted = self.sound.insert(code).await;
        if self.breach == Some(Breach::TakenPassesForNew) { Ok(()) } else { inserted }
    }

    async fn take(
        &self,
        hash: CodeHash,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<Code>, StoreError> {
        let inserted = self.inserted.lock().iter().find(|code| code.hash == hash).cloned();
        match (self.breach, &inserted) {
            (Some(Breach::AllAtOnceAreGiven), _) if self.at_once.another_comes().await => {
                return Ok(inserted);
            }
            (Some(Breach::CodesDoNotEnd), Some(code)) => {
                return self.sound.take(hash, purpose, code.created_at).await;
            }
            (Some(Breach::AnyPurposeIsGood), Some(code)) => {
                return self.sound.take(hash, code.purpose, now).await;
            }
            (Some(Breach::OtherPurposesAreUsedUp), Some(code)) if code.purpose != purpose => {
                self.sound.take(hash, code.purpose, now).await?;
            }
            _ => {}
        }
        let taken = self.sound.take(hash, purpose, now).await?;
        let again = self.breach == Some(Breach::CodesAreGivenTwice);
        Ok(taken.or(if again { inserted } else { None }))
    }
}
