//! Where a listing stands, why, and what it went through.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::money::Money;

use super::InvalidListing;

/// Most changes that are kept of a listing: the last ones.
pub const HISTORY_MAX: usize = 32;

/// Where a listing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ListingStatus {
    /// Not for sale yet; its seller alone sees it.
    Draft,
    /// For sale.
    Active,
    /// Held for one buyer.
    Reserved,
    /// Gone. Final.
    Sold,
    /// Taken back. Final.
    Withdrawn,
    /// Its time is over. Kept of no listing: it follows from `expires_at`.
    Expired,
}

/// Why a listing was sold or withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Somebody from here bought it.
    Here,
    /// Somebody else did.
    Elsewhere,
    /// The seller keeps it.
    Kept,
    /// It is broken, lost or gone.
    Damaged,
    /// It should never have been listed.
    Mistake,
    /// Another.
    Other,
    /// The seller's account was erased. Nobody gives this one.
    Erased,
}

/// A change of price or status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The version that it made.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// The price since then.
    pub price: Money,
    /// The status since then.
    pub status: ListingStatus,
}

impl ListingStatus {
    /// Moves on to `to`. Staying is allowed; sold and withdrawn are final, nothing becomes a draft again, and
    /// time alone lets a listing expire.
    pub fn to(self, to: Self) -> Result<Self, InvalidListing> {
        use ListingStatus::{Active, Draft, Expired, Reserved, Sold, Withdrawn};
        let allowed = match (self, to) {
            (_, Expired) => false,
            (from, to) if from == to => true,
            (Draft, to) => matches!(to, Active | Withdrawn),
            (Active | Reserved | Expired, to) => to != Draft,
            (Sold | Withdrawn, _) => false,
        };
        if allowed { Ok(to) } else { Err(InvalidListing::Transition { from: self, to }) }
    }

    /// The name clients know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Reserved => "reserved",
            Self::Sold => "sold",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// Whether it is over for good.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Sold | Self::Withdrawn)
    }
}

impl EndReason {
    /// Whether somebody may give it for that status.
    pub fn fits(self, status: ListingStatus) -> bool {
        match self {
            Self::Here => status == ListingStatus::Sold,
            Self::Elsewhere | Self::Other => status.is_final(),
            Self::Kept | Self::Damaged | Self::Mistake => status == ListingStatus::Withdrawn,
            Self::Erased => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sold_and_withdrawn_are_final_and_drafts_are_left_once() {
        use ListingStatus::{Active, Draft, Expired, Reserved, Sold, Withdrawn};
        let all = [Draft, Active, Reserved, Sold, Withdrawn, Expired];
        for from in all {
            for to in all {
                let steps: &[_] = match from {
                    Draft => &[Draft, Active, Withdrawn],
                    Active | Reserved | Expired => &[Active, Reserved, Sold, Withdrawn],
                    Sold => &[Sold],
                    Withdrawn => &[Withdrawn],
                };
                assert_eq!(from.to(to).is_ok(), steps.contains(&to), "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn reasons_are_for_what_is_over() {
        use EndReason::{Damaged, Elsewhere, Erased, Here, Kept, Mistake, Other};
        let fitting = |status| {
            let all = [Here, Elsewhere, Kept, Damaged, Mistake, Other, Erased];
            all.into_iter().filter(|reason| reason.fits(status)).collect::<Vec<_>>()
        };
        assert_eq!(fitting(ListingStatus::Sold), [Here, Elsewhere, Other]);
        let withdrawn = [Elsewhere, Kept, Damaged, Mistake, Other];
        assert_eq!(fitting(ListingStatus::Withdrawn), withdrawn);
        assert_eq!(fitting(ListingStatus::Active), []);
    }
}
