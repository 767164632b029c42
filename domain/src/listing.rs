//! A thing for sale, and the states it goes through.

pub mod change;
pub mod details;
pub mod external;
pub mod status;

use crate::catalogue::InvalidAttributes;
use crate::chat::ListingSnapshot;
use crate::clock::Timestamp;
use crate::ids::{ListingId, UserId};
use crate::money::Money;
use crate::text::is_seen;

use details::Details;
pub use status::{Change, EndReason, HISTORY_MAX, ListingStatus};

/// Longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 120;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 10_000;

/// Title of what was offered by an account that was erased.
pub const ERASED_TITLE: &str = "Deleted listing";

/// What a seller says about a listing; valid once it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingText {
    title: String,
    description: String,
}

/// Why a listing was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// Too many, or one twice.
    #[error("a listing has at most 20 photos, each once")]
    Photos,
    /// Another reason belongs to that status, or none.
    #[error("{reason:?} is no reason for a listing to be {status:?}")]
    Reason {
        /// What was given.
        reason: EndReason,
        /// For which status.
        status: ListingStatus,
    },
    /// Attributes of a category that is not said.
    #[error("attributes are those of a category: say which")]
    NoCategory,
    /// Not what is said of things of that category.
    #[error(transparent)]
    Attributes(#[from] InvalidAttributes),
    /// Past, or later than it may be.
    #[error("a listing ends in the future, in {days} days at most")]
    Expiry {
        /// How far in the future at most.
        days: u64,
    },
    /// It is not for sale, so it is not for sale longer.
    #[error("only what is for sale, or has expired, is renewed")]
    Renewal,
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

    /// Whether this stands in the place of the texts of somebody who is gone.
    pub fn is_erased(&self) -> bool {
        self.title == ERASED_TITLE && self.description.is_empty()
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
    /// What else is said of it.
    pub details: Details,
    /// Where it stands, as far as its seller said: see [`Self::status_at`].
    pub status: ListingStatus,
    /// Why it was sold or withdrawn, if anybody said.
    pub reason: Option<EndReason>,
    /// Until when it is for sale; `None`: for ever.
    pub expires_at: Option<Timestamp>,
    /// Changes of price and status since it was first for sale, the oldest first, [`HISTORY_MAX`] at most.
    pub history: Vec<Change>,
    /// Counts the edits, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

impl Listing {
    /// Something that is for sale from `now`, without an end, of which nothing else is said.
    pub fn offered(
        id: ListingId,
        seller: UserId,
        text: ListingText,
        price: Money,
        now: Timestamp,
    ) -> Self {
        let status = ListingStatus::Active;
        Self {
            id,
            seller,
            text,
            price,
            details: Details::default(),
            status,
            reason: None,
            expires_at: None,
            history: vec![Change { version: 1, at: now, price, status }],
            version: 1,
            created_at: now,
            changed_at: now,
        }
    }

    /// Where it stands at this time: what is for sale expires, what is held for somebody does not.
    pub fn status_at(&self, now: Timestamp) -> ListingStatus {
        let is_over = self.expires_at.is_some_and(|end| end <= now);
        if is_over && self.status == ListingStatus::Active {
            return ListingStatus::Expired;
        }
        self.status
    }

    /// Whether anybody but its seller has ever seen it.
    pub fn was_for_sale(&self) -> bool {
        !self.history.is_empty()
    }

    /// The listing as it is after what stood before it was changed at `now`: the next version, with the
    /// change in its history.
    #[must_use]
    pub fn after(mut self, before: &Self, now: Timestamp) -> Self {
        self.version = before.version + 1;
        self.changed_at = now;
        let (stood, stands) = (before.status_at(now), self.status_at(now));
        let has_moved = self.price != before.price || stands != stood;
        // What was never for sale has no history, also when it is given up.
        let is_shown = self.status == ListingStatus::Active || before.was_for_sale();
        if has_moved && is_shown {
            let Self { version, price, .. } = self;
            self.history.push(Change { version, at: now, price, status: stands });
            let beyond = self.history.len().saturating_sub(HISTORY_MAX);
            self.history.drain(..beyond);
        }
        self
    }

    /// The listing as somebody sees it now.
    pub fn snapshot(&self) -> ListingSnapshot {
        ListingSnapshot { title: self.text.title.clone(), price: self.price, version: self.version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
