//! Reports that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::ReportId;
use parking_lot::Mutex;

use super::breaches;
use crate::error::StoreError;
use crate::reports::{Report, Reports};

breaches! {
    /// A report is lost.
    NothingIsKept,
    /// Of two with one id the last stays.
    LastStays,
    /// A repeat passes for the first.
    RepeatsPassForFirst,
    /// The messages are lost.
    MessagesAreLost,
    /// A page has one more than it may.
    PagesAreLarger,
    /// The oldest come first.
    OldestComeFirst,
    /// A page goes by time alone, and leaves out the others of one millisecond.
    PagesGoByTimeAlone,
}

/// Reports over sound ones.
pub struct Mutant {
    sound: Arc<dyn Reports>,
    breach: Option<Breach>,
    /// The last that came.
    last: Mutex<Option<Report>>,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Reports>, breach: Option<Breach>) -> Self {
        Self { sound, breach, last: Mutex::default() }
    }
}

#[async_trait]
impl Reports for Mutant {
    async fn insert(&self, report: Report) -> Result<bool, StoreError> {
        if self.breach == Some(Breach::NothingIsKept) {
            return Ok(true);
        }
        *self.last.lock() = Some(report.clone());
        let first = self.sound.insert(report).await?;
        Ok(first || self.breach == Some(Breach::RepeatsPassForFirst))
    }

    async fn find(&self, id: ReportId) -> Result<Option<Report>, StoreError> {
        let found = self.sound.find(id).await?;
        Ok(match self.breach {
            Some(Breach::LastStays) => {
                self.last.lock().clone().filter(|last| last.id == id).or(found)
            }
            Some(Breach::MessagesAreLost) => {
                found.map(|report| Report { messages: Vec::new(), ..report })
            }
            _ => found,
        })
    }

    async fn list(
        &self,
        before: Option<(Timestamp, ReportId)>,
        limit: usize,
    ) -> Result<Vec<Report>, StoreError> {
        let before = match self.breach {
            Some(Breach::PagesGoByTimeAlone) => {
                before.map(|(at, _)| (at, ReportId::from_bytes([0; 16])))
            }
            _ => before,
        };
        let larger = usize::from(self.breach == Some(Breach::PagesAreLarger));
        let mut page = self.sound.list(before, limit + larger).await?;
        if self.breach == Some(Breach::OldestComeFirst) {
            page.reverse();
        }
        Ok(page)
    }
}
