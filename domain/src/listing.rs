//! A thing for sale, and the states it goes through.

use serde::{Deserialize, Serialize};

use crate::chat::ListingSnapshot;
use crate::clock::Timestamp;
use crate::ids::{ListingId, UserId};
use crate::money::Money;
use crate::text::is_seen;

/// Longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 120;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 10_000;

/// Title of what was offered by an account that was erased.
pub const ERASED_TITLE: &str = "Deleted listing";

/// Where a listing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ListingStatus {
    /// For sale.
    Active,
    /// Held for one buyer.
    Reserved,
    /// Gone. Final.
    Sold,
    /// Taken back. Final.
    Withdrawn,
}

/// What a seller says about a listing; valid once it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingText {
    title: String,
    description: String,
}

/// Why a listing was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidListing {
    /// Empty, too long, or with characters that control text or are not seen.
    #[error(
        "the title is empty, longer than 120 characters, or holds control characters or characters \
         that are not seen"
    )]
    Title,
    /// Too long.
    #[error("the description is longer than 10000 characters")]
    Description,
    /// This step is not allowed from the present status.
    #[error("a listing that is {from:?} cannot become {to:?}")]
    Transition {
        /// Where it stands.
        from: ListingStatus,
        /// Where it was to go.
        to: ListingStatus,
    },
}

impl ListingText {
    /// Takes title (trimmed) and description.
    pub fn parse(title: &str, description: String) -> Result<Self, InvalidListing> {
        let title = title.trim();
        let sound = !title.is_empty()
            && title.chars().count() <= TITLE_CHARS_MAX
            && !title.chars().any(char::is_control);
        if !sound {
            return Err(InvalidListing::Title);
        }
        if description.chars().count() > DESCRIPTION_CHARS_MAX {
            return Err(InvalidListing::Description);
        }
        Ok(Self { title: title.to_owned(), description })
    }

    /// Takes what a seller says now: a title in which everything is seen.
    pub fn choose(title: &str, description: String) -> Result<Self, InvalidListing> {
        let text = Self::parse(title, description)?;
        if is_seen(&text.title) { Ok(text) } else { Err(InvalidListing::Title) }
    }

    /// What stands in the place of the texts of somebody who is gone.
    pub fn erased() -> Self {
        Self { title: ERASED_TITLE.to_owned(), description: String::new() }
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The description; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl ListingStatus {
    /// Moves on to `to`. Staying is allowed; sold and withdrawn are final.
    pub fn to(self, to: Self) -> Result<Self, InvalidListing> {
        let allowed = self == to || matches!(self, Self::Active | Self::Reserved);
        if allowed { Ok(to) } else { Err(InvalidListing::Transition { from: self, to }) }
    }
}

/// A listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Its name.
    pub id: ListingId,
    /// Who sells.
    pub seller: UserId,
    /// What the seller says.
    pub text: ListingText,
    /// What it costs.
    pub price: Money,
    /// Where it stands.
    pub status: ListingStatus,
    /// Counts the edits, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

impl Listing {
    /// The listing as somebody sees it now.
    pub fn snapshot(&self) -> ListingSnapshot {
        ListingSnapshot { title: self.text.title.clone(), price: self.price, version: self.version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sold_and_withdrawn_are_final() {
        use ListingStatus::{Active, Reserved, Sold, Withdrawn};
        let all = [Active, Reserved, Sold, Withdrawn];
        for from in all {
            for to in all {
                let allowed = from == to || from == Active || from == Reserved;
                assert_eq!(from.to(to).is_ok(), allowed, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn titles_say_something() {
        let title = |text: &str| ListingText::parse(text, String::new()).map(|t| t.title);
        assert_eq!(title(" Bike "), Ok("Bike".to_owned()));
        for wrong in ["", "  ", "a\nb", &"x".repeat(121)] {
            assert_eq!(title(wrong), Err(InvalidListing::Title), "{wrong}");
        }
        let turned = "Bike \u{202e}ekib";
        assert_eq!(title(turned), Ok(turned.to_owned()), "what was kept is read");
        let chosen = ListingText::choose(turned, String::new());
        assert_eq!(chosen, Err(InvalidListing::Title));
    }
}
