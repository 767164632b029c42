//! Blocks that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::ids::UserId;

use super::breaches;
use crate::blocks::Blocks;
use crate::error::StoreError;

breaches! {
    /// A block does nothing.
    NobodyIsBlocked,
    /// A block cannot be taken back.
    BlocksStay,
    /// Every change passes for one.
    EveryChangeCounts,
    /// A block holds in both directions.
    BothBlock,
    /// A page has one more than it may.
    PagesAreLarger,
    /// A page goes down.
    PagesGoDown,
    /// A page begins with the one it should begin behind.
    PagesOverlap,
    /// Who is blocked no more is listed.
    TakenBackAreListed,
}

/// Blocks over sound ones.
pub struct Mutant {
    sound: Arc<dyn Blocks>,
    breach: Option<Breach>,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn Blocks>, breach: Option<Breach>) -> Self {
        Self { sound, breach }
    }
}

#[async_trait]
impl Blocks for Mutant {
    async fn set(&self, blocker: UserId, blocked: UserId, on: bool) -> Result<bool, StoreError> {
        let changed = match self.breach {
            Some(Breach::NobodyIsBlocked) => return Ok(on),
            Some(Breach::BlocksStay) if !on => return Ok(true),
            // As far as pages go: what is asked for alone is as it should be.
            Some(Breach::TakenBackAreListed) if !on => {
                self.sound.set(other_side(blocker), blocked, true).await?;
                self.sound.set(blocker, blocked, on).await?
            }
            _ => self.sound.set(blocker, blocked, on).await?,
        };
        Ok(changed || self.breach == Some(Breach::EveryChangeCounts))
    }

    async fn contains(&self, blocker: UserId, blocked: UserId) -> Result<bool, StoreError> {
        let contains = self.sound.contains(blocker, blocked).await?;
        let both = self.breach == Some(Breach::BothBlock);
        Ok(contains || both && self.sound.contains(blocked, blocker).await?)
    }

    async fn list(
        &self,
        blocker: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let list = async |limit| self.sound.list(blocker, after, limit).await;
        Ok(match self.breach {
            Some(Breach::PagesAreLarger) => list(limit + 1).await?,
            Some(Breach::PagesGoDown) => {
                let mut page = list(limit).await?;
                page.reverse();
                page
            }
            Some(Breach::PagesOverlap) => {
                let page = list(limit).await?;
                let overlap = after.filter(|_| !page.is_empty());
                overlap.into_iter().chain(page).take(limit).collect()
            }
            Some(Breach::TakenBackAreListed) => {
                let mut page = list(limit).await?;
                page.extend(self.sound.list(other_side(blocker), after, limit).await?);
                page.sort_unstable();
                page.truncate(limit);
                page
            }
            _ => list(limit).await?,
        })
    }
}

/// Somebody of whom no law knows.
fn other_side(user: UserId) -> UserId {
    UserId::from_bytes(user.as_bytes().map(|byte| !byte))
}
