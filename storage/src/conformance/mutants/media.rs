//! Files that are not kept as they should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};
use barterline_domain::media::{Content, FileName, Holder, Media, Purpose, Refusal, State};
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::error::StoreError;
use crate::media::{Look, MediaStore};

breaches! {
    /// An insert does nothing.
    NothingIsInserted,
    /// An insert with a taken id passes for done.
    TakenIdsAreAccepted,
    /// An insert with a taken id replaces what was there.
    TakenIdsAreReplaced,
    /// What is inserted is not to be looked at.
    InsertedAreForgotten,
    /// Any file is found under any id.
    AnyIsFound,
    /// What people call a file is lost.
    NamesAreLost,
    /// Digests are lost.
    DigestsAreLost,
    /// All but the largest size of a picture are lost.
    PicturesAreLost,
    /// Every refusal is the first of them.
    ReasonsAreLost,
    /// Every file is for a picture of somebody.
    PurposesAreLost,
    /// Whether anything shows a file is lost.
    ShownIsLost,
    /// Every file that is shown is so by somebody's profile.
    HoldersAreLost,
    /// A replacement does nothing.
    NothingIsReplaced,
    /// A replacement takes place whatever the version.
    EveryVersionIsReplaced,
    /// A missing file passes for replaced.
    MissingPassesForReplaced,
    /// Of several at once each is told that it is in place.
    AllAtOnceWin,
    /// A removal does nothing.
    NothingIsRemoved,
    /// A removal takes place whatever the version.
    EveryVersionIsRemoved,
    /// What is not there passes for another version.
    MissingPassesForStanding,
    /// A page has one more than it may.
    PagesAreLarger,
    /// The oldest come first.
    OldestComeFirst,
    /// A page begins with the one it should begin behind.
    PagesOverlap,
    /// Those of the next person are listed too.
    OthersAreListed,
    /// What was removed is listed.
    RemovedAreListed,
    /// Nothing is looked at again.
    NothingIsLookedAtAgain,
    /// Of several times of one file the last to come counts.
    LastLookCounts,
    /// What is not there is not looked at.
    MissingAreNotLookedAt,
    /// What comes to the list for a time that was asked for before is lost.
    LateLooksAreLost,
    /// A list of what is due has one more than it may.
    DueListsAreLarger,
    /// What is due last comes first.
    LatestComeFirst,
    /// Everything is due at once.
    EverythingIsDue,
    /// What was looked at stays on the list.
    LookedAtStays,
    /// A look takes a file off the list at all times.
    AllTimesAreTaken,
    /// A look takes everything of its time off the list.
    AllOfATimeAreTaken,
}

/// Later than everything that a law asks for.
const FAR: Timestamp = Timestamp::from_millis(1 << 40);
/// More than a law puts on the list.
const MANY: usize = 1_000;

/// Files over sound ones.
pub struct Mutant {
    sound: Arc<dyn MediaStore>,
    breach: Option<Breach>,
    /// What was inserted.
    inserted: Mutex<Vec<Media>>,
    /// Until when somebody asked what is due.
    asked: Mutex<Timestamp>,
    /// Who comes at once.
    at_once: AtOnce,
}

impl Mutant {
    /// These with this breach, or sound as they are.
    pub fn over(sound: Arc<dyn MediaStore>, breach: Option<Breach>) -> Self {
        let (inserted, asked) = (Mutex::default(), Mutex::default());
        Self { sound, breach, inserted, asked, at_once: AtOnce::default() }
    }

    /// Replaces a file whatever its version.
    async fn force(&self, media: Media) -> Result<bool, StoreError> {
        let Some(stored) = self.sound.find(media.id).await? else { return Ok(false) };
        self.sound.replace(Media { version: stored.version + 1, ..media }).await
    }

    fn broken(&self, mut media: Media) -> Media {
        match (self.breach, &mut media.state) {
            (Some(Breach::NamesAreLost), _) => media.name = FileName::of(""),
            (Some(Breach::PurposesAreLost), _) => media.purpose = Purpose::Avatar,
            (Some(Breach::ShownIsLost), _) => media.shown = None,
            (Some(Breach::HoldersAreLost), _) => {
                if let Some(shown) = &mut media.shown {
                    shown.by = Holder::Profile;
                }
            }
            (Some(Breach::DigestsAreLost), State::Ready(content)) => content.digest = [0; 32],
            (Some(Breach::PicturesAreLost), State::Ready(Content { pictures, .. })) => {
                pictures.truncate(1);
            }
            (Some(Breach::ReasonsAreLost), State::Refused(refusal)) => {
                *refusal = Refusal::Unsupported;
            }
            _ => {}
        }
        media
    }

    /// Takes what fits off the list.
    async fn take(&self, fits: impl Fn(&Look) -> bool + Send) -> Result<(), StoreError> {
        for look in self.sound.due(FAR, MANY).await?.into_iter().filter(fits) {
            self.sound.looked(look).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl MediaStore for Mutant {
    async fn insert(&self, media: Media, look: Timestamp) -> Result<(), StoreError> {
        if self.breach == Some(Breach::NothingIsInserted) {
            return Ok(());
        }
        self.inserted.lock().push(media.clone());
        let inserted = self.sound.insert(media.clone(), look).await;
        match self.breach {
            Some(Breach::TakenIdsAreAccepted) => Ok(()),
            Some(Breach::TakenIdsAreReplaced) if inserted.is_err() => {
                self.force(media).await?;
                inserted
            }
            Some(Breach::InsertedAreForgotten) => {
                self.sound.looked(Look { at: look, media: media.id }).await?;
                inserted
            }
            _ => inserted,
        }
    }

    async fn find(&self, media: MediaId) -> Result<Option<Media>, StoreError> {
        let found = self.sound.find(media).await?.map(|found| self.broken(found));
        let any = self.inserted.lock().first().cloned();
        Ok(found.or(any.filter(|_| self.breach == Some(Breach::AnyIsFound))))
    }

    async fn replace(&self, media: Media) -> Result<bool, StoreError> {
        match self.breach {
            Some(Breach::NothingIsReplaced) => Ok(true),
            Some(Breach::EveryVersionIsReplaced) => self.force(media).await,
            Some(Breach::AllAtOnceWin) if self.at_once.another_comes().await => Ok(true),
            Some(Breach::MissingPassesForReplaced) => {
                let is_missing = self.sound.find(media.id).await?.is_none();
                Ok(self.sound.replace(media).await? || is_missing)
            }
            _ => self.sound.replace(media).await,
        }
    }

    async fn remove(&self, media: MediaId, version: u64) -> Result<bool, StoreError> {
        let stored = self.sound.find(media).await?;
        match (self.breach, stored) {
            (Some(Breach::NothingIsRemoved), Some(stored)) => Ok(stored.version == version),
            (Some(Breach::EveryVersionIsRemoved), Some(stored)) => {
                self.sound.remove(media, stored.version).await
            }
            (Some(Breach::MissingPassesForStanding), None) => Ok(false),
            _ => self.sound.remove(media, version).await,
        }
    }

    async fn list_by_owner(
        &self,
        owner: UserId,
        before: Option<MediaId>,
        limit: usize,
    ) -> Result<Vec<Media>, StoreError> {
        let limit = match self.breach {
            Some(Breach::PagesAreLarger) => limit + 1,
            _ => limit,
        };
        let mut page = self.sound.list_by_owner(owner, before, limit).await?;
        match self.breach {
            Some(Breach::OldestComeFirst) => page.reverse(),
            Some(Breach::PagesOverlap) => {
                if let Some(before) = before {
                    page.splice(..0, self.sound.find(before).await?);
                    page.truncate(limit);
                }
            }
            Some(Breach::OthersAreListed) => {
                let next = UserId::from_bytes(owner.as_bytes().map(|byte| byte + 1));
                page.extend(self.sound.list_by_owner(next, before, limit).await?);
                page.truncate(limit);
            }
            Some(Breach::RemovedAreListed) => {
                let inserted = self.inserted.lock().clone();
                page.extend(inserted.into_iter().filter(|media| {
                    media.owner == owner && before.is_none_or(|before| media.id < before)
                }));
                page.sort_unstable_by_key(|media| std::cmp::Reverse(media.id));
                page.dedup_by_key(|media| media.id);
                page.truncate(limit);
            }
            _ => {}
        }
        Ok(page)
    }

    async fn look_again(&self, look: Look) -> Result<(), StoreError> {
        let is_late = look.at <= *self.asked.lock();
        match self.breach {
            Some(Breach::NothingIsLookedAtAgain) => Ok(()),
            Some(Breach::LateLooksAreLost) if is_late => Ok(()),
            Some(Breach::LastLookCounts) => {
                self.take(|other| other.media == look.media).await?;
                self.sound.look_again(look).await
            }
            Some(Breach::MissingAreNotLookedAt) => match self.sound.find(look.media).await? {
                Some(_) => self.sound.look_again(look).await,
                None => Ok(()),
            },
            _ => self.sound.look_again(look).await,
        }
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Look>, StoreError> {
        {
            let mut asked = self.asked.lock();
            *asked = now.max(*asked);
        }
        match self.breach {
            Some(Breach::DueListsAreLarger) => self.sound.due(now, limit + 1).await,
            Some(Breach::EverythingIsDue) => self.sound.due(FAR, limit).await,
            Some(Breach::LatestComeFirst) => {
                let mut all = self.sound.due(now, MANY).await?;
                all.reverse();
                all.truncate(limit);
                Ok(all)
            }
            _ => self.sound.due(now, limit).await,
        }
    }

    async fn looked(&self, look: Look) -> Result<(), StoreError> {
        match self.breach {
            Some(Breach::LookedAtStays) => Ok(()),
            Some(Breach::AllTimesAreTaken) => self.take(|other| other.media == look.media).await,
            Some(Breach::AllOfATimeAreTaken) => self.take(|other| other.at == look.at).await,
            _ => self.sound.looked(look).await,
        }
    }
}
