//! Negotiations to be played: read from a file, or made up with the same shape.

mod generate;
mod read;
mod words;

pub use generate::generate;
pub use read::read;

use crate::message::Side;

/// A listing, and what two people said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Negotiation {
    /// The listing's title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Its price in cents.
    pub price_cents: u64,
    /// What was said, in order.
    pub lines: Vec<Line>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Since the start of the negotiation.
    pub at_ms: u64,
    /// By whom.
    pub side: Side,
    /// The words.
    pub text: String,
}

/// What happens in a negotiation besides talk. Until offers have frames of their own they are put
/// into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Somebody may offer without naming a price.
    Offer {
        price_cents: Option<u64>,
    },
    Accept,
    Reject,
    Quit,
}

impl Act {
    fn in_words(self) -> String {
        match self {
            Self::Offer { price_cents: Some(cents) } => {
                format!("My offer: {}.{:02}.", cents / 100, cents % 100)
            }
            Self::Offer { price_cents: None } => "My offer: as we said.".to_owned(),
            Self::Accept => "Agreed, I accept your offer.".to_owned(),
            Self::Reject => "No, I decline your offer.".to_owned(),
            Self::Quit => "I am not interested any more. Goodbye.".to_owned(),
        }
    }
}
