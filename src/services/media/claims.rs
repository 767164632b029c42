//! Which message shows a file: decided once, by compare-and-set (docs/decisions/0023).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::MediaId;
use barterline_domain::media::{Media, Shown, State};
use barterline_storage::error::StoreError;
use barterline_storage::media::{Look, MediaStore};

use crate::services::chats::media::{Claim, Claimed, MediaDirectory};

/// Tries against others who change the same file.
const TRIES_MAX: usize = 5;
/// For so long a claim is not renewed by the message that made it.
const FRESH_FOR: Duration = Duration::from_mins(1);
/// When it is looked at what became of a message that is taken back: behind the append, and once more
/// behind one that took long.
const DOUBTS: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(10)];

/// What chats know of files.
pub struct Claims {
    store: Arc<dyn MediaStore>,
}

impl Claims {
    /// Claims of the files in this store.
    pub fn new(store: Arc<dyn MediaStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl MediaDirectory for Claims {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        for _ in 0..TRIES_MAX {
            let found = self.store.find(claim.media).await?;
            let Some(media) = found.filter(|it| it.owner == claim.user && it.chat == claim.chat)
            else {
                return Ok(Claimed::NotFound);
            };
            match media.state {
                State::Ready(_) => {}
                State::Waiting | State::Received => return Ok(Claimed::NotReady),
                State::Refused(_) | State::Ending => return Ok(Claimed::NotFound),
            }
            let shown = match media.shown {
                None => claim.shown,
                Some(shown) if shown.by != claim.shown.by => return Ok(Claimed::Used),
                Some(shown) if claim.shown.at.since(shown.at) < FRESH_FOR => {
                    return Ok(Claimed::Yes);
                }
                // So that the file is not ended while its message comes again. An earlier try may stand, above
                // what was the head then.
                Some(shown) => Shown { at: claim.shown.at, ..shown },
            };
            let version = media.version + 1;
            let claimed = Media { shown: Some(shown), version, ..media };
            if self.store.replace(claimed).await? {
                return Ok(Claimed::Yes);
            }
        }
        Err(StoreError::unavailable("claim a file", "it changes all the time"))
    }

    async fn doubt(&self, media: MediaId, at: Timestamp) -> Result<(), StoreError> {
        for later in DOUBTS {
            self.store.look_again(Look { at: at.plus(later), media }).await?;
        }
        Ok(())
    }
}
