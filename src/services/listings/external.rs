//! Listings of things that are kept in another system. That system says what becomes of them, and nobody here: its
//! word is newer by its revision, whatever order it comes in and however often.

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ListingId, UserId};
use barterline_domain::listing::details::Details;
use barterline_domain::listing::external::{External, listing_of};
use barterline_domain::listing::{Change, InvalidListing, Listing, ListingStatus, ListingText};
use barterline_domain::money::Money;
use parking_lot::Mutex;

use super::{ListingError, Listings, Said};

/// A thing as the system that keeps it says it is, checked like one that a seller offers.
#[derive(Debug, Clone)]
pub struct Kept {
    listing: ListingId,
    revision: u64,
    text: ListingText,
    price: Money,
    details: Details,
    status: ListingStatus,
}

/// How a system came to say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// By itself. It may be said again by whoever heard it, so that a revision counts once.
    Sent,
    /// When it was asked: so it stands now, if nothing newer is known.
    Asked,
}

/// What became of what a system said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// A new listing.
    Created,
    /// Its next version.
    Changed,
    /// It is as it was.
    Unchanged,
    /// Something newer is known.
    Stale,
    /// Nothing: somebody else sells it.
    OtherSeller,
    /// Nothing: whoever sold it was erased, with what they offered.
    Erased,
}

impl Kept {
    /// As it is when it is first heard of. What is over already is kept as well: so what was said before, and comes
    /// later, is known to be old.
    fn listed(&self, seller: UserId, now: Timestamp) -> Listing {
        let Self { price, status, .. } = *self;
        Listing {
            details: self.details.clone(),
            status,
            history: vec![Change { version: 1, at: now, price, status }],
            ..Listing::offered(self.listing, seller, self.text.clone(), price, now)
        }
    }

    /// What it makes of a listing, before it is counted.
    fn over(&self, stored: &Listing, seller: UserId, by: Word) -> (Became, Listing) {
        let same = |became| (became, stored.clone());
        // Nothing else has an id like this, and an erasure leaves nothing of what was said.
        let Some(known) = &stored.details.external else { return same(Became::Erased) };
        if stored.seller != seller {
            return same(Became::OtherSeller);
        }
        if self.revision < known.revision {
            return same(Became::Stale);
        }
        if self.revision == known.revision && by == Word::Sent {
            return same(Became::Unchanged);
        }
        let said = Listing {
            text: self.text.clone(),
            price: self.price,
            details: self.details.clone(),
            // Wherever it goes: what is sold there may be for sale again.
            status: self.status,
            reason: None,
            expires_at: None,
            ..stored.clone()
        };
        let became = if said == *stored { Became::Unchanged } else { Became::Changed };
        (became, said)
    }
}

impl Listings {
    /// A thing that is kept elsewhere, if it can be a listing.
    pub fn kept(
        &self,
        external: External,
        (text, price): (ListingText, Money),
        said: Said,
        status: ListingStatus,
    ) -> Result<Kept, InvalidListing> {
        let listing = listing_of(&external.source, &external.id);
        let revision = external.revision;
        let details = Details { external: Some(external), ..self.rules.details(said, false)? };
        Ok(Kept { listing, revision, text, price, details, status })
    }

    /// Takes what a system says of a thing; gives the listing as it is then. Said twice, or by two at once, it is
    /// as if it had been said once.
    pub async fn take(
        &self,
        seller: UserId,
        kept: &Kept,
        by: Word,
    ) -> Result<(Became, Listing), ListingError> {
        let id = kept.listing;
        if self.store.find(id).await?.is_none() {
            let listed = kept.listed(seller, self.clock.now());
            let Err(error) = self.store.insert(listed.clone()).await else {
                return Ok((Became::Created, listed));
            };
            // Somebody was faster, or it is there and nobody could say so.
            match self.store.find(id).await? {
                None => return Err(error.into()),
                Some(found) if found == listed => return Ok((Became::Created, listed)),
                Some(_) => {}
            }
        }
        let told = Mutex::new(Became::Unchanged);
        let listing = self.change(id, |stored| {
            let (became, said) = kept.over(stored, seller, by);
            *told.lock() = became;
            Ok(said)
        });
        let listing = listing.await?;
        Ok((told.into_inner(), listing))
    }

    /// Withdraws a listing whose system has no such thing any more, if it still is as it was when the system was
    /// asked: what was said meanwhile is newer.
    pub async fn take_back(&self, seen: &Listing) -> Result<Listing, ListingError> {
        self.change(seen.id, |stored| {
            let is_as_seen = stored.version == seen.version && stored.details.external.is_some();
            if !is_as_seen || stored.status.is_final() {
                return Ok(stored.clone());
            }
            Ok(Listing { status: ListingStatus::Withdrawn, ..stored.clone() })
        })
        .await
    }
}

/// Refuses to have a listing changed here that is kept elsewhere.
pub(super) fn is_kept_here(listing: &Listing) -> Result<(), ListingError> {
    if listing.details.external.is_none() { Ok(()) } else { Err(ListingError::External) }
}
