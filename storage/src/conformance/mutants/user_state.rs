//! Choices that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::ids::UserId;
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::error::StoreError;
use crate::user_state::{UserChange, UserState, UserStates};

breaches! {
    /// Who chose nothing shows nothing.
    NothingChosenHides,
    /// Choices are everybody's.
    ChoicesAreShared,
    /// A change gives the choices as they were before.
    OldChoicesAreGiven,
    /// Of several choices the last is made.
    LastChoiceCounts,
    /// Of several changes at once the last stays.
    LastChangeStays,
    /// The time of the last change stays, not the latest.
    TimeGoesBack,
    /// To hide twice is to show.
    TwiceIsNever,
}

/// Choices over sound ones.
pub struct Mutant {
    sound: Arc<dyn UserStates>,
    breach: Option<Breach>,
    /// The time that came last.
    seen: Mutex<Option<UserChange>>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn UserStates>, breach: Option<Breach>) -> Self {
        Self { sound, breach, seen: Mutex::default(), at_once: AtOnce::default() }
    }
}

const ANYBODY: UserId = UserId::from_bytes([0; 16]);

impl Mutant {
    fn broken(&self, mut state: UserState) -> UserState {
        match self.breach {
            Some(Breach::NothingChosenHides) if state == UserState::default() => {
                state.shows_read = false;
            }
            Some(Breach::TimeGoesBack) => {
                if let Some(seen) = *self.seen.lock() {
                    state.last_seen = None;
                    state.apply(seen);
                }
            }
            _ => {}
        }
        state
    }
}

#[async_trait]
impl UserStates for Mutant {
    async fn find(&self, user: UserId) -> Result<UserState, StoreError> {
        let shared = self.breach == Some(Breach::ChoicesAreShared);
        Ok(self.broken(self.sound.find(if shared { ANYBODY } else { user }).await?))
    }

    async fn change(
        &self,
        user: UserId,
        mut changes: Vec<UserChange>,
    ) -> Result<UserState, StoreError> {
        let before = self.sound.find(user).await?;
        let seen = changes.iter().rfind(|change| matches!(change, UserChange::Seen(_)));
        if let Some(seen) = seen {
            *self.seen.lock() = Some(*seen);
        }
        match self.breach {
            Some(Breach::ChoicesAreShared) => return self.sound.change(ANYBODY, changes).await,
            Some(Breach::LastChoiceCounts) => {
                changes.drain(..changes.len().saturating_sub(1));
            }
            Some(Breach::LastChangeStays) if self.at_once.another_comes().await => {
                changes.clear();
            }
            Some(Breach::TwiceIsNever) => {
                for change in &mut changes {
                    if *change == UserChange::ShowRead(false) && !before.shows_read {
                        *change = UserChange::ShowRead(true);
                    }
                }
            }
            _ => {}
        }
        let after = self.sound.change(user, changes).await?;
        let old = self.breach == Some(Breach::OldChoicesAreGiven);
        Ok(if old { before } else { self.broken(after) })
    }
}
