//! What became of a listing's price and status since somebody last heard of it.
//!
//! A chat is told spans, not steps: several edits between two looks are one [`ListingChange`], and what
//! came back to where it was is none. What time alone does to a listing is nothing that anybody said.

use std::fmt;

use crate::chat::ListingSnapshot;
use crate::event::SmallState;
use crate::ids::{ListingId, UserId};
use crate::money::Money;

use super::{Change, Listing, ListingStatus};

/// Something was this, and is that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved<T> {
    /// What it was.
    pub old: T,
    /// What it is.
    pub new: T,
}

impl<T: PartialEq> Moved<T> {
    /// `None`: it is what it was.
    fn between(old: T, new: T) -> Option<Self> {
        (old != new).then_some(Self { old, new })
    }
}

/// Price, status or both are not what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingChange {
    since: u64,
    version: u64,
    price: Option<Moved<Money>>,
    status: Option<Moved<ListingStatus>>,
}

/// Nothing changed in it, it goes back, or it says what nobody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no change of a listing")]
pub struct InvalidListingChange;

impl ListingChange {
    /// Takes what changed after `since` and up to `version`.
    pub fn parse(
        (since, version): (u64, u64),
        price: Option<Moved<Money>>,
        status: Option<Moved<ListingStatus>>,
    ) -> Result<Self, InvalidListingChange> {
        let said = |status| !matches!(status, ListingStatus::Draft | ListingStatus::Expired);
        let moves = price.is_some() || status.is_some();
        let sound = price.is_none_or(|price| price.old != price.new)
            && status.is_none_or(|Moved { old, new }| old != new && said(old) && said(new));
        if moves && sound && since < version {
            Ok(Self { since, version, price, status })
        } else {
            Err(InvalidListingChange)
        }
    }

    /// What whoever is told of it was told before: a version of the listing, or 0 for what stood when the
    /// chat was opened.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// The version of the listing that brought the last of it.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The price, if it is another.
    pub fn price(&self) -> Option<Moved<Money>> {
        self.price
    }

    /// The status, if it is another.
    pub fn status(&self) -> Option<Moved<ListingStatus>> {
        self.status
    }
}

/// In plain English, for programs that know nothing better.
impl fmt::Display for ListingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Moved { old, new }) = self.price {
            write!(f, "The price is now {new} (it was {old}).")?;
        }
        if let Some(Moved { new, .. }) = self.status {
            let gap = if self.price.is_some() { " " } else { "" };
            let said = match new {
                ListingStatus::Reserved => "The listing is reserved.",
                ListingStatus::Sold => "The listing is sold.",
                ListingStatus::Withdrawn => "The listing was withdrawn.",
                ListingStatus::Active | ListingStatus::Draft | ListingStatus::Expired => {
                    "The listing is for sale again."
                }
            };
            write!(f, "{gap}{said}")?;
        }
        Ok(())
    }
}

/// Price and status of a listing, and how they came to that: what is held against what a chat was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Of which listing.
    pub listing: ListingId,
    /// Whose.
    pub seller: UserId,
    /// The listing's version; one that brought another text counts as well.
    pub version: u64,
    history: Vec<Change>,
}

impl Standing {
    /// Of a listing as it is.
    pub fn of(listing: &Listing) -> Self {
        let Listing { id, seller, version, .. } = *listing;
        Self { listing: id, seller, version, history: listing.history.clone() }
    }

    /// Whether anything may have to be told to a chat that was opened with `snapshot`, and nothing told
    /// since.
    pub fn is_behind(&self, snapshot: &ListingSnapshot) -> bool {
        self.history.last().is_some_and(|last| last.version > snapshot.version)
    }

    /// What is new to a chat that was opened with `snapshot`, and is in this state. Of what lies further back
    /// than the history goes, the newest price that was another stands for what was, and what nobody said
    /// anything of was for sale.
    pub fn change_since(
        &self,
        snapshot: &ListingSnapshot,
        state: SmallState,
    ) -> Option<ListingChange> {
        let told = state.listing_version;
        let known = if told == 0 { snapshot.version } else { told };
        let last = self.history.last()?;
        if last.version <= known {
            return None;
        }
        let mut before = self.history.iter().rev();
        let then = before.clone().find(|change| change.version <= known);
        let another = before.find(|change| change.price != last.price).unwrap_or(last);
        let price = if told == 0 { snapshot.price } else { then.unwrap_or(another).price };
        let stood = then.map_or(ListingStatus::Active, |then| said(then.status));
        let status = Moved::between(state.listing_status.unwrap_or(stood), said(last.status));
        let price = Moved::between(price, last.price);
        ListingChange::parse((told, last.version), price, status).ok()
    }
}

/// What its seller said of it: that it expired is the time's doing.
fn said(status: ListingStatus) -> ListingStatus {
    if status == ListingStatus::Expired { ListingStatus::Active } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::listing::ListingText;
    use crate::money::Currency;

    fn eur(minor: u64) -> Money {
        Money { minor, currency: Currency::parse("EUR").expect("a currency") }
    }

    fn told(listing_version: u64) -> SmallState {
        SmallState { listing_version, ..SmallState::default() }
    }

    fn bicycle() -> Listing {
        let text = ListingText::parse("A bicycle", String::new()).expect("a title");
        let (id, seller) = (ListingId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        Listing::offered(id, seller, text, eur(12_000), Timestamp::from_millis(1))
    }

    fn edited(listing: &Listing, price: u64, status: ListingStatus) -> Listing {
        let edited = Listing { price: eur(price), status, ..listing.clone() };
        edited.after(listing, Timestamp::from_millis(9))
    }

    #[test]
    fn several_edits_are_one_change_and_the_way_back_is_none() {
        let first = bicycle();
        let snapshot = first.snapshot();
        assert_eq!(Standing::of(&first).change_since(&snapshot, told(0)), None);
        let second = edited(&first, 10_000, ListingStatus::Active);
        let third = edited(&second, 9_000, ListingStatus::Reserved);
        let standing = Standing::of(&third);
        let price = Moved { old: eur(12_000), new: eur(9_000) };
        let status = Moved { old: ListingStatus::Active, new: ListingStatus::Reserved };
        let change = standing.change_since(&snapshot, told(0)).expect("a change");
        assert_eq!((change.since(), change.version()), (0, 3));
        assert_eq!((change.price(), change.status()), (Some(price), Some(status)));
        let later = standing.change_since(&snapshot, told(2)).expect("a change");
        assert_eq!(later.price(), Some(Moved { old: eur(10_000), new: eur(9_000) }));
        assert_eq!(standing.change_since(&snapshot, told(3)), None);
        let back = edited(&third, 10_000, ListingStatus::Active);
        assert_eq!(Standing::of(&back).change_since(&snapshot, told(2)), None);
        let text = ListingText::parse("A red bicycle", String::new()).expect("a title");
        let retitled = Listing { text, ..third.clone() }.after(&third, Timestamp::from_millis(9));
        assert_eq!(Standing::of(&retitled).change_since(&snapshot, told(3)), None);
    }

    #[test]
    fn what_the_history_has_lost_is_told_from_the_oldest_that_is_kept() {
        let first = bicycle();
        let mut listing = first.clone();
        for n in 1..100 {
            listing = edited(&listing, 12_000 + n, ListingStatus::Active);
        }
        let standing = Standing::of(&listing);
        let old = |version| standing.change_since(&first.snapshot(), told(version))?.price();
        let new = eur(12_099);
        assert_eq!(old(0), Some(Moved { old: eur(12_000), new }), "the snapshot has it");
        assert_eq!(old(2), Some(Moved { old: eur(12_098), new }));
        // Whoever was told that it is reserved hears that it is not, however long ago that was.
        let state = SmallState { listing_status: Some(ListingStatus::Reserved), ..told(2) };
        let change = standing.change_since(&first.snapshot(), state).expect("a change");
        let free = Moved { old: ListingStatus::Reserved, new: ListingStatus::Active };
        assert_eq!(change.status(), Some(free));
        let sold = edited(&listing, 12_099, ListingStatus::Sold);
        let mut resold = sold;
        for _ in 0..50 {
            resold = edited(&resold, resold.price.minor + 1, ListingStatus::Sold);
        }
        let change = Standing::of(&resold).change_since(&first.snapshot(), told(0));
        let gone = Moved { old: ListingStatus::Active, new: ListingStatus::Sold };
        assert_eq!(change.and_then(|change| change.status()), Some(gone));
    }

    #[test]
    fn what_time_does_is_not_told() {
        let end = Some(Timestamp::from_millis(5));
        let first = Listing { expires_at: end, ..bicycle() };
        // Edited after it expired: the history says so, and nobody said so.
        let second = edited(&first, 9_000, ListingStatus::Active);
        assert_eq!(second.history[1].status, ListingStatus::Expired);
        let change =
            Standing::of(&second).change_since(&first.snapshot(), told(0)).expect("a change");
        assert_eq!((change.price().is_some(), change.status()), (true, None));
    }

    #[test]
    fn it_says_what_is_new_in_plain_words() {
        let (price, status) = (
            Moved { old: eur(12_000), new: eur(9_050) },
            Moved { old: ListingStatus::Active, new: ListingStatus::Sold },
        );
        let check = |price, status, text: &str| {
            let change = ListingChange::parse((0, 2), price, status).expect("a change");
            assert_eq!(change.to_string(), text);
        };
        check(Some(price), None, "The price is now 90.50 EUR (it was 120.00 EUR).");
        check(None, Some(status), "The listing is sold.");
        let both = "The price is now 90.50 EUR (it was 120.00 EUR). The listing is sold.";
        check(Some(price), Some(status), both);
    }

    #[test]
    fn a_change_changes_something_and_goes_on() {
        let eur = |old, new| Some(Moved { old: eur(old), new: eur(new) });
        let expired = Moved { old: ListingStatus::Active, new: ListingStatus::Expired };
        assert!(ListingChange::parse((1, 2), eur(1, 2), None).is_ok());
        assert!(ListingChange::parse((2, 2), eur(1, 2), None).is_err());
        assert!(ListingChange::parse((1, 2), eur(1, 1), None).is_err());
        assert!(ListingChange::parse((1, 2), None, None).is_err());
        assert!(ListingChange::parse((1, 2), None, Some(expired)).is_err());
    }
}
