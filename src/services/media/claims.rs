//! What shows a file: decided once, by compare-and-set (docs/decisions/0023).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, MediaId, UserId};
use barterline_domain::listing::details::Photo;
use barterline_domain::media::{Holder, Media, Purpose, Shown, Size, State};
use barterline_storage::error::StoreError;
use barterline_storage::media::{Look, MediaStore};
use futures_util::future::{join_all, try_join_all};

use crate::services::accounts::{self, Avatars, ProfileError};
use crate::services::chats::media::{Claim, Claimed, MediaDirectory};
use crate::services::listings::photos::{self, Fresh, PhotoError, Photos};

/// Tries against others who change the same file.
const TRIES_MAX: usize = 5;
/// For so long a claim is not renewed by the message that made it.
const FRESH_FOR: Duration = Duration::from_mins(1);
/// When it is looked at what became of a message that is taken back, or of what is to show a file no more: behind
/// the append, and once more behind one that took long.
const DOUBTS: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(10)];
/// For so long after a claim a listing or a profile that does not name the file may be about to. Who claims it
/// names it within a minute: so the clocks of servers may be some minutes apart.
pub(super) const GRACE: Duration = Duration::from_mins(10);

const _: () = {
    assert!(GRACE.as_secs() >= 5 * photos::NAMED_WITHIN.as_secs(), "clocks differ");
    assert!(GRACE.as_secs() >= 5 * accounts::NAMED_WITHIN.as_secs(), "clocks differ");
};

/// What chats, listings and accounts know of files.
pub struct Claims {
    store: Arc<dyn MediaStore>,
}

/// Something that is to show a file.
#[derive(Clone, Copy)]
struct Wish {
    media: MediaId,
    owner: UserId,
    purpose: Purpose,
    shown: Shown,
}

/// A file that was claimed.
struct Taken {
    media: Media,
    /// Nothing had claimed it before.
    was_free: bool,
}

/// Why a file is not shown.
enum Denied {
    /// There is no such file of this person for this purpose.
    NotFound,
    /// It is not whole yet, or is still being looked at.
    NotReady,
    /// Something else shows it.
    Used,
    /// The store said no.
    Store(StoreError),
}

impl From<StoreError> for Denied {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Denied {
    fn of_photo(self, photo: MediaId) -> PhotoError {
        match self {
            Self::NotFound => PhotoError::NotFound(photo),
            Self::NotReady => PhotoError::NotReady(photo),
            Self::Used => PhotoError::Used(photo),
            Self::Store(error) => error.into(),
        }
    }
}

impl Claims {
    /// Claims of the files in this store.
    pub fn new(store: Arc<dyn MediaStore>) -> Self {
        Self { store }
    }

    /// A file that may be shown as is wished.
    async fn claimable(&self, wish: Wish) -> Result<Media, Denied> {
        let found = self.store.find(wish.media).await?;
        let of_theirs = |it: &Media| it.owner == wish.owner && it.purpose == wish.purpose;
        let media = found.filter(of_theirs).ok_or(Denied::NotFound)?;
        match media.state {
            State::Ready(_) => {}
            State::Waiting | State::Received => return Err(Denied::NotReady),
            State::Refused(_) | State::Ending => return Err(Denied::NotFound),
        }
        match media.shown {
            Some(shown) if !is_same(shown.by, wish.shown.by) => Err(Denied::Used),
            Some(_) | None => Ok(media),
        }
    }

    /// Writes a claim; `None`: the file has changed.
    async fn write(&self, media: Media, shown: Shown) -> Result<Option<Media>, StoreError> {
        // A message may stand above what was the head at an earlier try. And who knew less may have been later.
        let later = |first: Shown| Shown { at: first.at.max(shown.at), ..first };
        let shown = media.shown.map_or(shown, later);
        let version = media.version + 1;
        let claimed = Media { shown: Some(shown), version, ..media };
        Ok(self.store.replace(claimed.clone()).await?.then_some(claimed))
    }

    /// Claims a file for what names it afterwards, and not at once. Always anew: whoever takes it away meanwhile
    /// has to see it.
    async fn take(&self, wish: Wish) -> Result<Taken, Denied> {
        // Before the claim: whoever is cut off before it is named leaves a look behind.
        let at = wish.shown.at.plus(GRACE);
        self.store.look_again(Look { at, media: wish.media }).await?;
        for _ in 0..TRIES_MAX {
            let media = self.claimable(wish).await?;
            let was_free = media.shown.is_none();
            if let Some(media) = self.write(media, wish.shown).await? {
                return Ok(Taken { media, was_free });
            }
        }
        Err(changing().into())
    }

    /// Lets go of what was claimed and will not be named, unless somebody claimed it once more. What is a day old
    /// meanwhile is found by the look that was noted before the claim.
    async fn free(&self, one: Fresh) {
        let freed = async {
            let found = self.store.find(one.media).await?;
            let Some(media) = found.filter(|media| media.version == one.version) else {
                return Ok(false);
            };
            let version = media.version + 1;
            self.store.replace(Media { shown: None, version, ..media }).await
        };
        if let Err(error) = freed.await {
            tracing::debug!(%error, media = %one.media, "a file stays claimed");
        }
    }

    async fn look_later(&self, media: MediaId, at: Timestamp) -> Result<(), StoreError> {
        for later in DOUBTS {
            self.store.look_again(Look { at: at.plus(later), media }).await?;
        }
        Ok(())
    }
}

/// Whether both are one: a message is known by its name, from wherever on it is looked for.
fn is_same(one: Holder, other: Holder) -> bool {
    match (one, other) {
        (Holder::Message { id: one, .. }, Holder::Message { id: other, .. }) => one == other,
        (one, other) => one == other,
    }
}

fn changing() -> StoreError {
    StoreError::unavailable("claim a file", "it changes all the time")
}

/// A picture as a listing names it; `None` of all else.
fn photo_of(media: &Media) -> Option<Photo> {
    let picture = media.content()?.picture(Size::Full)?;
    Some(Photo { media: media.id, width: picture.width, height: picture.height })
}

#[async_trait]
impl MediaDirectory for Claims {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let Claim { user, chat, media, shown } = claim;
        let wish = Wish { media, owner: user, purpose: Purpose::Chat(chat), shown };
        for _ in 0..TRIES_MAX {
            let media = match self.claimable(wish).await {
                Ok(media) => media,
                Err(Denied::NotFound) => return Ok(Claimed::NotFound),
                Err(Denied::NotReady) => return Ok(Claimed::NotReady),
                Err(Denied::Used) => return Ok(Claimed::Used),
                Err(Denied::Store(error)) => return Err(error),
            };
            // Renewed only now and then, so that the file is not ended while its message comes again.
            if media.shown.is_some_and(|first| shown.at.since(first.at) < FRESH_FOR) {
                return Ok(Claimed::Yes);
            }
            if self.write(media, shown).await?.is_some() {
                return Ok(Claimed::Yes);
            }
        }
        Err(changing())
    }

    async fn doubt(&self, media: MediaId, at: Timestamp) -> Result<(), StoreError> {
        self.look_later(media, at).await
    }
}

#[async_trait]
impl Photos for Claims {
    async fn claim(
        &self,
        seller: UserId,
        listing: ListingId,
        photos: &[MediaId],
        now: Timestamp,
    ) -> Result<photos::Claimed, PhotoError> {
        let shown = Shown { by: Holder::Listing(listing), at: now };
        let (purpose, owner) = (Purpose::Listing, seller);
        let (mut looks, mut takes) = (Vec::new(), Vec::new());
        for media in photos {
            looks.push(self.claimable(Wish { media: *media, owner, purpose, shown }));
        }
        // All of them before the first is claimed: what is claimed for a listing that does not come to be is of no
        // use for the next.
        for (media, found) in photos.iter().zip(join_all(looks).await) {
            found.map_err(|denied| denied.of_photo(*media))?;
        }
        for media in photos {
            takes.push(self.take(Wish { media: *media, owner, purpose, shown }));
        }
        let (mut claimed, mut fresh, mut against) = (Vec::new(), Vec::new(), None);
        for (media, outcome) in photos.iter().zip(join_all(takes).await) {
            match outcome {
                Ok(one) => {
                    match photo_of(&one.media) {
                        Some(photo) => claimed.push(photo),
                        None => against = Some(PhotoError::NotFound(*media)),
                    }
                    if one.was_free {
                        fresh.push(Fresh { media: *media, version: one.media.version });
                    }
                }
                Err(denied) => against = Some(denied.of_photo(*media)),
            }
        }
        let Some(error) = against else { return Ok(photos::Claimed { photos: claimed, fresh }) };
        self.let_go(&fresh).await;
        Err(error)
    }

    async fn let_go(&self, fresh: &[Fresh]) {
        let mut frees = Vec::new();
        for one in fresh {
            frees.push(self.free(*one));
        }
        join_all(frees).await;
    }

    async fn doubt(&self, photos: &[MediaId], now: Timestamp) -> Result<(), StoreError> {
        let mut looks = Vec::new();
        for media in photos {
            looks.push(self.look_later(*media, now));
        }
        try_join_all(looks).await.map(drop)
    }
}

#[async_trait]
impl Avatars for Claims {
    async fn claim(
        &self,
        user: UserId,
        picture: MediaId,
        now: Timestamp,
    ) -> Result<(), ProfileError> {
        let shown = Shown { by: Holder::Profile, at: now };
        let wish = Wish { media: picture, owner: user, purpose: Purpose::Avatar, shown };
        match self.take(wish).await {
            Ok(_) => Ok(()),
            Err(Denied::NotFound | Denied::Used) => Err(ProfileError::AvatarNotFound),
            Err(Denied::NotReady) => Err(ProfileError::AvatarNotReady),
            Err(Denied::Store(error)) => Err(error.into()),
        }
    }

    async fn doubt(&self, picture: MediaId, now: Timestamp) -> Result<(), StoreError> {
        self.look_later(picture, now).await
    }
}
