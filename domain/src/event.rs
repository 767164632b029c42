//! What a chat's log holds: numbered events that never change place.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chat::Role;
use crate::clock::Timestamp;
use crate::ids::ClientId;
use crate::listing::ListingStatus;
use crate::message::{Body, EventKind, Reaction, RequestDigest};

/// An event's number in its chat: 1, 2, 3 … without a gap. Zero is the place before the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Seq(pub u64);

/// The number is above [`Seq::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sequence number above 9007199254740991")]
pub struct SeqTooLarge;

impl Seq {
    /// The place before the first event.
    pub const ZERO: Self = Self(0);

    /// The largest number that can be read: what a JSON number carries exactly (RFC 8259, section
    /// 6), 2^53 − 1. Far from the end of `u64`, so that sums over numbers from a stranger are safe.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TryFrom<u64> for Seq {
    type Error = SeqTooLarge;

    fn try_from(number: u64) -> Result<Self, SeqTooLarge> {
        if number > Self::MAX.0 { Err(SeqTooLarge) } else { Ok(Self(number)) }
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> Self {
        seq.0
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Who made an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Author {
    /// The buyer of the chat.
    Buyer,
    /// The seller of the chat.
    Seller,
    /// The server. No client can speak in its name.
    System,
}

impl From<Role> for Author {
    fn from(role: Role) -> Self {
        match role {
            Role::Buyer => Self::Buyer,
            Role::Seller => Self::Seller,
        }
    }
}

/// A chat's small state after an event. Each event carries it, so that loading a room is one read
/// of the last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SmallState {
    /// Messages by the buyer so far.
    pub buyer_messages: u64,
    /// Messages by the seller so far.
    pub seller_messages: u64,
    /// The version of the listing up to which the chat was told of changes; 0: of none since it was opened.
    pub listing_version: u64,
    /// The status it was told last; `None`: of none since it was opened.
    pub listing_status: Option<ListingStatus>,
    /// Whether the seller has said something since the chat was told that the listing is gone.
    pub seller_went_on: bool,
}

impl SmallState {
    /// The state after one more event by `author`. Messages count, unless
    /// they are withheld; what happens to them does not.
    #[must_use]
    pub fn after(self, author: Author, kind: &EventKind, withheld: bool) -> Self {
        if let EventKind::Listing(change) = kind {
            let moved = change.status().map(|status| status.new);
            return Self {
                listing_version: change.version(),
                listing_status: moved.or(self.listing_status),
                seller_went_on: self.seller_went_on && moved.is_none(),
                ..self
            };
        }
        if withheld || !matches!(kind, EventKind::Message(_)) {
            return self;
        }
        match author {
            Author::Buyer => Self { buyer_messages: self.buyer_messages + 1, ..self },
            Author::Seller => Self {
                seller_messages: self.seller_messages + 1,
                seller_went_on: self.is_over(),
                ..self
            },
            Author::System => self,
        }
    }

    /// Whether the chat was told that the listing is sold or withdrawn.
    pub fn is_over(self) -> bool {
        self.listing_status.is_some_and(ListingStatus::is_final)
    }

    /// Messages by `role` so far.
    pub fn messages_by(self, role: Role) -> u64 {
        match role {
            Role::Buyer => self.buyer_messages,
            Role::Seller => self.seller_messages,
        }
    }
}

/// One durable, numbered fact of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place.
    pub seq: Seq,
    /// When the server took it. For display: order is the number.
    pub at: Timestamp,
    /// Who made it.
    pub author: Author,
    /// The author's name for it.
    pub id: ClientId,
    /// Digest of the request, to tell a retry from a clash.
    pub digest: RequestDigest,
    /// What happened.
    pub kind: EventKind,
    /// The chat's small state after it.
    pub after: SmallState,
    /// Who made it is blocked by the other person, who gets its number and kind and nothing else.
    pub withheld: bool,
    /// What later events made of it, merged in by whoever reads it from the log.
    pub amended: Option<Box<Amended>>,
}

impl Event {
    /// Forgets the words of a message that was taken back, or of an edit of it, and what would tell of them.
    pub fn empty(&mut self) {
        match &mut self.kind {
            EventKind::Message(said) => {
                said.content.empty();
                said.reply = None;
            }
            EventKind::Edit { body, .. } => *body = None,
            EventKind::Delete { .. }
            | EventKind::Reaction { .. }
            | EventKind::Note(_)
            | EventKind::Listing(_) => return,
        }
        self.digest = RequestDigest::FORGOTTEN;
        self.amended = None;
    }

    /// The event as one side sees it: with what that side did to it while the other blocked it.
    pub fn seen_by(&self, role: Role) -> Cow<'_, Self> {
        match self.amended.as_ref().and_then(|amended| amended.withheld.as_ref()) {
            Some(withheld) if withheld.concerns(role, self.author) => {
                let mut seen = self.clone();
                withheld.apply(role, &mut seen);
                Cow::Owned(seen)
            }
            _ => Cow::Borrowed(self),
        }
    }
}

/// What became of a message since it was said, for both to see. Its newest text stands in the
/// message itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Amended {
    /// The newest edit: its number, which is the message's revision, and when it was made.
    pub edit: Option<(Seq, Timestamp)>,
    /// The buyer's reaction.
    pub buyer: Option<Reaction>,
    /// The seller's reaction.
    pub seller: Option<Reaction>,
    /// What is newer, and withheld from one of them.
    pub withheld: Option<Box<Withheld>>,
}

/// What became of a message while its makers were blocked: each sees their own, and the other what
/// stands in [`Amended`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withheld {
    /// The newest edit: its number, when it was made, and the text.
    pub edit: Option<(Seq, Timestamp, Body)>,
    /// The buyer's reaction, or that it was taken back.
    pub buyer: Option<Option<Reaction>>,
    /// The seller's reaction, or that it was taken back.
    pub seller: Option<Option<Reaction>>,
}

impl Withheld {
    fn reaction_of(&self, role: Role) -> Option<&Option<Reaction>> {
        match role {
            Role::Buyer => self.buyer.as_ref(),
            Role::Seller => self.seller.as_ref(),
        }
    }

    /// Whether `role` did any of it to a message by `author`.
    fn concerns(&self, role: Role, author: Author) -> bool {
        let edits = self.edit.is_some() && author == Author::from(role);
        edits || self.reaction_of(role).is_some()
    }

    /// Shows `role` what they did.
    fn apply(&self, role: Role, event: &mut Event) {
        let Some(amended) = &mut event.amended else { return };
        if let Some((seq, at, text)) = &self.edit
            && event.author == Author::from(role)
            && let EventKind::Message(message) = &mut event.kind
        {
            message.content.replace_text(text.clone());
            amended.edit = Some((*seq, *at));
        }
        if let Some(reaction) = self.reaction_of(role) {
            amended.reaction_mut(role).clone_from(reaction);
        }
    }
}

impl Amended {
    /// One side's reaction, to change.
    pub fn reaction_mut(&mut self, role: Role) -> &mut Option<Reaction> {
        match role {
            Role::Buyer => &mut self.buyer,
            Role::Seller => &mut self.seller,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::change::{ListingChange, Moved};

    #[test]
    fn numbers_that_are_read_leave_room_to_count_on() {
        assert_eq!(Seq::try_from(Seq::MAX.0), Ok(Seq::MAX));
        assert_eq!(Seq::try_from(Seq::MAX.0 + 1), Err(SeqTooLarge));
        assert_eq!(Seq::try_from(u64::MAX), Err(SeqTooLarge));
    }

    #[test]
    fn the_small_state_counts_by_author() {
        let kind = EventKind::text("x");
        let other = EventKind::Delete { target: Seq(1) };
        let sold = Moved { old: ListingStatus::Active, new: ListingStatus::Sold };
        let change = ListingChange::parse((0, 7), None, Some(sold)).expect("a change");
        let state = SmallState::default()
            .after(Author::Buyer, &kind, false)
            .after(Author::Seller, &kind, false)
            .after(Author::Buyer, &kind, false)
            .after(Author::Buyer, &kind, true)
            .after(Author::System, &kind, false)
            .after(Author::System, &EventKind::Listing(change), false)
            .after(Author::Buyer, &other, false);
        assert_eq!(state.messages_by(Role::Buyer), 2);
        assert_eq!(state.messages_by(Role::Seller), 1);
        assert_eq!(state.listing_version, 7);
        assert!(state.is_over() && !state.seller_went_on, "what was said before does not count");
        assert!(!state.after(Author::Seller, &kind, true).seller_went_on, "nobody hears it");
        let state = state.after(Author::Seller, &kind, false);
        assert!(state.seller_went_on);
        let back = Moved { old: ListingStatus::Sold, new: ListingStatus::Active };
        let back = ListingChange::parse((7, 8), None, Some(back)).expect("a change");
        let state = state.after(Author::System, &EventKind::Listing(back), false);
        assert!(!state.is_over() && !state.seller_went_on);
    }
}
