//! What became of what is to show a file: a message, a listing, or somebody's profile. Each says itself what it
//! shows; the file's row says only which of them to ask (docs/decisions/0023).

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, MediaId};
use barterline_domain::listing::Listing;
use barterline_domain::media::{self as files, Holder, ORPHAN_LIFETIME, Shown};
use barterline_storage::accounts::Account;

use super::claims::GRACE;
use super::{Media, MediaError};
use crate::services::chats::media::Showing;

/// What became of what is to show a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    /// It shows it.
    Stands(Audience),
    /// It shows it no more.
    Gone,
    /// It does not show it so far, and may be about to.
    Absent {
        /// Who does not by then never will.
        until: Timestamp,
    },
    /// There is so much to look through that nobody did.
    Unclear,
}

/// To whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// The owner of the file alone.
    Owner,
    /// Both people of the chat.
    Chat,
    /// Whoever comes by.
    Anybody,
}

impl Media {
    /// What became of what is to show a file.
    pub(super) async fn holding(&self, media: &files::Media) -> Result<Holding, MediaError> {
        let Some(shown) = media.shown else {
            return Ok(Holding::Absent { until: media.created.plus(ORPHAN_LIFETIME) });
        };
        match shown.by {
            Holder::Message { .. } => Ok(match self.0.chats.showing(media).await? {
                Showing::Stands { withheld: true } => Holding::Stands(Audience::Owner),
                Showing::Stands { withheld: false } => Holding::Stands(Audience::Chat),
                Showing::Gone => Holding::Gone,
                Showing::Absent => absent(shown),
                Showing::Unclear => Holding::Unclear,
            }),
            Holder::Listing(listing) => self.held_by_listing(listing, media.id, shown).await,
            Holder::Profile => self.held_by_profile(media, shown).await,
        }
    }

    async fn held_by_listing(
        &self,
        listing: ListingId,
        media: MediaId,
        shown: Shown,
    ) -> Result<Holding, MediaError> {
        // One whose insertion failed may come to be there for all that.
        let Some(listing) = self.0.listings.find(listing).await? else { return Ok(absent(shown)) };
        if !names(&listing, media) {
            return Ok(self.let_go_of(shown));
        }
        let is_for_all = listing.was_for_sale();
        Ok(Holding::Stands(if is_for_all { Audience::Anybody } else { Audience::Owner }))
    }

    async fn held_by_profile(
        &self,
        media: &files::Media,
        shown: Shown,
    ) -> Result<Holding, MediaError> {
        let Some(owner) = self.0.users.find(media.owner).await? else { return Ok(absent(shown)) };
        if shows(&owner, media.id) {
            return Ok(Holding::Stands(Audience::Anybody));
        }
        Ok(self.let_go_of(shown))
    }

    /// What is there and does not name the file: it may be about to, if the claim is young.
    fn let_go_of(&self, shown: Shown) -> Holding {
        let until = shown.at.plus(GRACE);
        if self.0.clock.now() < until { Holding::Absent { until } } else { Holding::Gone }
    }

    /// Whether what was found to show a file no more shows it after all, behind all that was on its way to it.
    pub(super) async fn stands_after_all(&self, media: &files::Media) -> Result<bool, MediaError> {
        let Some(shown) = media.shown else { return Ok(false) };
        Ok(match shown.by {
            // What is gone from a log does not come back.
            Holder::Message { .. } => false,
            Holder::Listing(listing) => {
                let settled = self.0.listings.settled(listing).await?;
                settled.is_some_and(|listing| names(&listing, media.id))
            }
            Holder::Profile => {
                let settled = self.0.users.settled(media.owner).await?;
                settled.is_some_and(|owner| shows(&owner, media.id))
            }
        })
    }
}

/// What is not there, and may come for a day.
fn absent(shown: Shown) -> Holding {
    Holding::Absent { until: shown.at.plus(ORPHAN_LIFETIME) }
}

fn names(listing: &Listing, media: MediaId) -> bool {
    listing.details.photos.iter().any(|photo| photo.media == media)
}

fn shows(account: &Account, media: MediaId) -> bool {
    account.avatar == Some(media)
}
