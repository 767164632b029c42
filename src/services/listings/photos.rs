//! What listings and files have to do with each other: which photos a listing shows.
//!
//! A photo is claimed before a listing names it, and named soon after that or not at all ([`NAMED_WITHIN`]). What a
//! listing is to name no more is doubted before it does: so whoever is cut off in between leaves a look behind,
//! which finds out what the listing names (docs/decisions/0023). What was claimed for a listing that surely does not
//! come to name it is given back at once.

use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, MediaId, UserId};
use barterline_domain::listing::details::{PHOTOS_MAX, Photo};
use barterline_domain::listing::{InvalidListing, Listing};
use barterline_storage::error::StoreError;

use super::{ListingError, Listings};

/// For so long after it was claimed a photo may come to be named. What takes longer is given up.
pub const NAMED_WITHIN: Duration = Duration::from_mins(1);

/// Why a listing cannot show a photo.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// There is no such file that this seller may show in listings.
    #[error("no such photo: {0}")]
    NotFound(MediaId),
    /// It is not whole yet, or is still being looked at.
    #[error("the photo {0} is not ready")]
    NotReady(MediaId),
    /// Something else shows it.
    #[error("another listing shows the photo {0}")]
    Used(MediaId),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a listing is about to show.
#[derive(Debug)]
pub struct Claimed {
    /// With their sizes, in the order in which they were asked for.
    pub photos: Vec<Photo>,
    /// Those that nothing had claimed before.
    pub fresh: Vec<Fresh>,
}

/// A file that was free until it was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh {
    /// Which.
    pub media: MediaId,
    /// The version that the claim made: who claims it as well makes another.
    pub version: u64,
}

/// Knows what was uploaded, by whom and what for.
#[async_trait]
pub trait Photos: Send + Sync {
    /// Has a listing show these photos: pictures that were uploaded by its seller, for listings, and are whole.
    /// In their order, with their sizes. No other listing may show them from then on, and this one is to name them
    /// within [`NAMED_WITHIN`]: such as nothing names by then may end. All, or none, if the store answers.
    async fn claim(
        &self,
        seller: UserId,
        listing: ListingId,
        photos: &[MediaId],
        now: Timestamp,
    ) -> Result<Claimed, PhotoError>;

    /// Gives back what was claimed for a listing that does not name it, and surely never will by that claim. What
    /// somebody claimed once more stays claimed; so does what cannot be given back, and ends.
    async fn let_go(&self, fresh: &[Fresh]);

    /// Has photos looked at again that a listing is to show no more.
    async fn doubt(&self, photos: &[MediaId], now: Timestamp) -> Result<(), StoreError>;
}

/// A server without uploads.
pub struct NoPhotos;

#[async_trait]
impl Photos for NoPhotos {
    async fn claim(
        &self,
        _: UserId,
        _: ListingId,
        photos: &[MediaId],
        _: Timestamp,
    ) -> Result<Claimed, PhotoError> {
        match photos.first() {
            Some(photo) => Err(PhotoError::NotFound(*photo)),
            None => Ok(Claimed { photos: Vec::new(), fresh: Vec::new() }),
        }
    }

    async fn let_go(&self, _: &[Fresh]) {}

    async fn doubt(&self, _: &[MediaId], _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

impl From<PhotoError> for ListingError {
    fn from(error: PhotoError) -> Self {
        match error {
            PhotoError::NotFound(photo) => Self::PhotoNotFound(photo),
            PhotoError::NotReady(photo) => Self::PhotoNotReady(photo),
            PhotoError::Used(photo) => Self::PhotoUsed(photo),
            PhotoError::Store(error) => Self::Store(error),
        }
    }
}

/// The photos that a seller names: as the listing shows them, and those that it does not show yet without a size,
/// which they get when they are claimed.
pub(super) fn chosen(photos: &[MediaId], before: &[Photo]) -> Result<Vec<Photo>, InvalidListing> {
    let is_twice = |(at, photo): (usize, &MediaId)| photos.iter().take(at).any(|it| it == photo);
    if photos.len() > PHOTOS_MAX || photos.iter().enumerate().any(is_twice) {
        return Err(InvalidListing::Photos);
    }
    let unclaimed = |media: MediaId| Photo { media, width: 0, height: 0 };
    let photo = |media: &MediaId| {
        let shown = before.iter().find(|photo| photo.media == *media);
        shown.copied().unwrap_or_else(|| unclaimed(*media))
    };
    Ok(photos.iter().map(photo).collect())
}

/// Those of `these` that are not among `those`.
fn without(these: &[Photo], those: &[Photo]) -> Vec<MediaId> {
    let all = these.iter().map(|photo| photo.media);
    all.filter(|media| !those.iter().any(|photo| photo.media == *media)).collect()
}

impl Listings {
    /// The listing as it may be put in the place of one that shows `before`: what it shows from now on is its own,
    /// and what it shows no longer is looked at again. To be put there at once, or else what was free is to be given
    /// back.
    pub(super) async fn with_photos(
        &self,
        mut listing: Listing,
        before: &[Photo],
    ) -> Result<(Listing, Vec<Fresh>), ListingError> {
        let new = without(&listing.details.photos, before);
        let gone = without(before, &listing.details.photos);
        if new.is_empty() && gone.is_empty() {
            return Ok((listing, Vec::new()));
        }
        let (now, mut fresh) = (self.clock.now(), Vec::new());
        if !new.is_empty() {
            let claimed = self.photos.claim(listing.seller, listing.id, &new, now).await?;
            for photo in &mut listing.details.photos {
                let found = claimed.photos.iter().find(|claimed| claimed.media == photo.media);
                *photo = found.copied().unwrap_or(*photo);
            }
            fresh = claimed.fresh;
        }
        if let Err(error) = self.doubt_in_time(&gone, now).await {
            self.photos.let_go(&fresh).await;
            return Err(error.into());
        }
        Ok((listing, fresh))
    }

    /// Has what a listing is to show no more looked at again, unless it is too late for what was claimed for it.
    async fn doubt_in_time(&self, gone: &[MediaId], claimed: Timestamp) -> Result<(), StoreError> {
        if !gone.is_empty() {
            self.photos.doubt(gone, claimed).await?;
        }
        // Else a look may come before the listing does.
        if self.clock.now().since(claimed) >= NAMED_WITHIN {
            return Err(StoreError::unavailable("show photos", "it took too long"));
        }
        Ok(())
    }

    /// Gives back what was claimed for a listing that was not put in its place. Only what it does not name now: on
    /// a cluster it may have been there for all that, before somebody else changed it.
    pub(super) async fn give_back(&self, listing: ListingId, mut fresh: Vec<Fresh>) {
        if fresh.is_empty() {
            return;
        }
        // What it does not name now nobody names without another claim.
        match self.store.find(listing).await {
            Ok(Some(found)) => {
                let photos = found.details.photos;
                fresh.retain(|one| !photos.iter().any(|photo| photo.media == one.media));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, %listing, "photos stay claimed");
                return;
            }
        }
        self.photos.let_go(&fresh).await;
    }

    /// Has what was found to be shown, and turned out not to be, looked at again.
    pub(super) async fn doubt_lost(
        &self,
        found: &Listing,
        settled: &Listing,
    ) -> Result<(), StoreError> {
        let lost = without(&found.details.photos, &settled.details.photos);
        if lost.is_empty() {
            return Ok(());
        }
        self.photos.doubt(&lost, self.clock.now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(n: u8) -> MediaId {
        MediaId::from_bytes([n; 16])
    }

    #[test]
    fn photos_are_few_and_each_is_there_once() {
        let before = [Photo { media: media(2), width: 3, height: 4 }];
        let photos = chosen(&[media(1), media(2)], &before).expect("photos");
        let sizes: Vec<_> = photos.iter().map(|photo| (photo.media, photo.width)).collect();
        assert_eq!(sizes, [(media(1), 0), (media(2), 3)]);
        assert_eq!(chosen(&[media(1), media(1)], &before), Err(InvalidListing::Photos));
        let many: Vec<_> = (0..).take(PHOTOS_MAX + 1).map(media).collect();
        assert!(chosen(&many[1..], &before).is_ok());
        assert_eq!(chosen(&many, &before), Err(InvalidListing::Photos));
        assert_eq!(without(&photos, &before), [media(1)]);
        assert!(without(&before, &photos).is_empty());
    }
}
