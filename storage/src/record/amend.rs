//! What later events make of a message when it is read: its newest text, the reactions that stand,
//! or that it is gone.

use barterline_domain::event::{Amended, Author, Event, Seq, Withheld};
use barterline_domain::message::EventKind;

use super::bytes::Malformed;

/// What an event changes about an earlier message. For each message and each of these only the
/// newest event counts, so a message has seven entries at most, whatever happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Its text.
    Text,
    /// Whether it is there.
    Presence,
    /// The buyer's reaction.
    BuyerReaction,
    /// The seller's reaction.
    SellerReaction,
    /// Its text, for its author alone, whom the other blocks.
    WithheldText,
    /// The buyer's reaction, for the buyer alone.
    WithheldBuyerReaction,
    /// The seller's reaction, for the seller alone.
    WithheldSellerReaction,
}

impl Aspect {
    /// The least of all.
    pub const FIRST: Self = Self::Text;

    const ALL: [Self; 7] = [
        Self::Text,
        Self::Presence,
        Self::BuyerReaction,
        Self::SellerReaction,
        Self::WithheldText,
        Self::WithheldBuyerReaction,
        Self::WithheldSellerReaction,
    ];

    /// Which message an event changes, and what about it. What is taken back is gone for both,
    /// whoever blocks whom: nobody is shown what its author took back.
    pub fn of(event: &Event) -> Option<(Seq, Self)> {
        let aspect = match (&event.kind, event.author, event.withheld) {
            (EventKind::Edit { .. }, _, false) => Self::Text,
            (EventKind::Edit { .. }, _, true) => Self::WithheldText,
            (EventKind::Delete { .. }, _, _) => Self::Presence,
            (EventKind::Reaction { .. }, Author::Buyer, false) => Self::BuyerReaction,
            (EventKind::Reaction { .. }, Author::Buyer, true) => Self::WithheldBuyerReaction,
            (EventKind::Reaction { .. }, Author::Seller, false) => Self::SellerReaction,
            (EventKind::Reaction { .. }, Author::Seller, true) => Self::WithheldSellerReaction,
            (EventKind::Reaction { .. }, Author::System, _)
            | (EventKind::Message(_) | EventKind::Note(_) | EventKind::Listing(_), _, _) => {
                return None;
            }
        };
        Some((event.kind.target()?, aspect))
    }

    /// Whether it is that a message was taken back.
    pub const fn is_presence(self) -> bool {
        matches!(self, Self::Presence)
    }

    /// Whether it is the words of a message.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::WithheldText)
    }

    /// Whether a newer `other` ends this one: what is withheld counts until something is not.
    fn ended_by(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::WithheldText, Self::Text)
                | (Self::WithheldBuyerReaction, Self::BuyerReaction)
                | (Self::WithheldSellerReaction, Self::SellerReaction)
        )
    }

    /// Its code on disk.
    pub const fn code(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Presence => 2,
            Self::BuyerReaction => 3,
            Self::SellerReaction => 4,
            Self::WithheldText => 5,
            Self::WithheldBuyerReaction => 6,
            Self::WithheldSellerReaction => 7,
        }
    }

    /// The aspect of a code on disk.
    pub fn from_code(code: u8) -> Result<Self, Malformed> {
        Self::ALL.into_iter().find(|aspect| aspect.code() == code).ok_or(Malformed)
    }
}

/// Merges into a message the events that decide its aspects, at most one for each.
pub fn amend(message: &mut Event, by: Vec<(Aspect, Event)>) {
    if by.iter().any(|(aspect, _)| *aspect == Aspect::Presence) {
        message.empty();
        return;
    }
    let EventKind::Message(said) = &mut message.kind else { return };
    let over =
        |aspect: Aspect, seq: Seq| by.iter().any(|(a, e)| aspect.ended_by(*a) && e.seq > seq);
    let over: Vec<_> = by.iter().map(|(aspect, event)| over(*aspect, event.seq)).collect();
    let (mut amended, mut withheld) = (Amended::default(), Withheld::default());
    for ((aspect, event), over) in by.into_iter().zip(over) {
        if over {
            continue;
        }
        match (aspect, event.kind) {
            (Aspect::Text, EventKind::Edit { body: Some(body), .. }) => {
                said.content.replace_text(body);
                amended.edit = Some((event.seq, event.at));
            }
            (Aspect::WithheldText, EventKind::Edit { body: Some(body), .. }) => {
                withheld.edit = Some((event.seq, event.at, body));
            }
            (Aspect::BuyerReaction, EventKind::Reaction { reaction, .. }) => {
                amended.buyer = reaction;
            }
            (Aspect::SellerReaction, EventKind::Reaction { reaction, .. }) => {
                amended.seller = reaction;
            }
            (Aspect::WithheldBuyerReaction, EventKind::Reaction { reaction, .. }) => {
                withheld.buyer = Some(reaction);
            }
            (Aspect::WithheldSellerReaction, EventKind::Reaction { reaction, .. }) => {
                withheld.seller = Some(reaction);
            }
            _ => {}
        }
    }
    if withheld != Withheld::default() {
        amended.withheld = Some(Box::new(withheld));
    }
    if amended != Amended::default() {
        message.amended = Some(Box::new(amended));
    }
}
