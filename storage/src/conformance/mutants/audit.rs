//! An audit that is not kept as it should be.

use std::sync::Arc;

use async_trait::async_trait;

use super::{AtOnce, breaches};
use crate::audit::{Audit, AuditEntry, AuditRecord, ENTRY_BYTES_MAX};
use crate::error::StoreError;

breaches! {
    /// Details are lost.
    DetailsAreLost,
    /// An entry gives another hash than it has.
    OtherHashIsGiven,
    /// Of several at once each has the same number.
    NumbersAreGivenTwice,
    /// A long entry is cut.
    LongIsCut,
    /// A page has one more than it may.
    PagesAreLarger,
    /// The newest come first.
    NewestComeFirst,
    /// A page begins with the last of the one before.
    PagesOverlap,
}

/// An audit over a sound one.
pub struct Mutant {
    sound: Arc<dyn Audit>,
    breach: Option<Breach>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// This with this breach, or sound as it is.
    pub fn over(sound: Arc<dyn Audit>, breach: Option<Breach>) -> Self {
        Self { sound, breach, at_once: AtOnce::default() }
    }
}

#[async_trait]
impl Audit for Mutant {
    async fn append(&self, mut record: AuditRecord) -> Result<AuditEntry, StoreError> {
        match self.breach {
            Some(Breach::DetailsAreLost) => record.detail.clear(),
            Some(Breach::LongIsCut) => {
                record.detail.retain(|_, value| value.len() < ENTRY_BYTES_MAX / 2);
                record.action.truncate(100);
            }
            Some(Breach::NumbersAreGivenTwice) if self.at_once.another_comes().await => {
                let entries = self.sound.list(None, 1_000).await?;
                return Ok(AuditEntry::behind(entries.last(), record));
            }
            _ => {}
        }
        let mut entry = self.sound.append(record).await?;
        if self.breach == Some(Breach::OtherHashIsGiven) {
            entry.hash[0] ^= 1;
        }
        Ok(entry)
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let after = match self.breach {
            Some(Breach::PagesOverlap) => after.and_then(|after| after.checked_sub(1)),
            _ => after,
        };
        let larger = usize::from(self.breach == Some(Breach::PagesAreLarger));
        let mut page = self.sound.list(after, limit + larger).await?;
        if self.breach == Some(Breach::NewestComeFirst) {
            page.reverse();
        }
        Ok(page)
    }
}
