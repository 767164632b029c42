//! Values to try a store with.

use std::sync::Arc;

use barterline_domain::chat::{Chat, ListingSnapshot, Participants};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq, SmallState};
use barterline_domain::ids::{ChatId, ClientId, ListingId, UserId};
use barterline_domain::listing::ListingStatus;
use barterline_domain::listing::change::{ListingChange, Moved};
use barterline_domain::message::EventKind;
use barterline_domain::money::{Currency, Money};

use crate::record::sealing::{Cipher, Sealing, Unread};

/// A chat; the same `n` gives the same.
pub fn chat(n: u8) -> Chat {
    let listing = ListingId::from_bytes([n; 16]);
    let buyer = UserId::from_bytes([n.wrapping_add(100); 16]);
    let price = Money { minor: 12_300, currency: Currency::parse("EUR").expect("a currency") };
    Chat {
        id: ChatId::of(listing, buyer),
        listing,
        participants: Participants { buyer, seller: UserId::from_bytes([n.wrapping_add(200); 16]) },
        snapshot: ListingSnapshot { title: format!("bicycle {n}"), price, version: 1 },
        opened_at: Timestamp::from_millis(1_000),
    }
}

/// The event with this number in a chat whose people speak in turn, the buyer first.
pub fn event(seq: u64) -> Event {
    let author = if seq % 2 == 1 { Author::Buyer } else { Author::Seller };
    let kind = EventKind::text(&format!("message {seq}"));
    let mut id = [7; 16];
    id[8..].copy_from_slice(&seq.to_be_bytes());
    Event {
        seq: Seq(seq),
        at: Timestamp::from_millis(1_000 + seq),
        author,
        id: ClientId::from_bytes(id),
        digest: kind.digest(),
        kind,
        after: SmallState {
            buyer_messages: seq.div_ceil(2),
            seller_messages: seq / 2,
            listing_version: seq / 3,
            listing_status: (seq % 3 == 1).then_some(ListingStatus::Sold),
            seller_went_on: seq % 2 == 1,
        },
        withheld: false,
        amended: None,
    }
}

/// What the server tells a chat of its listing under this number: of the price, of the status, or of both.
pub fn listing_event(seq: u64) -> Event {
    let money = |minor| Money { minor, currency: Currency::parse("EUR").expect("a currency") };
    let price = Moved { old: money(12_000), new: money(seq) };
    let status = Moved { old: ListingStatus::Active, new: ListingStatus::Reserved };
    let (price, status) = match seq % 3 {
        0 => (Some(price), None),
        1 => (None, Some(status)),
        _ => (Some(price), Some(status)),
    };
    let change = ListingChange::parse((seq, seq + 1), price, status).expect("a change");
    let (kind, event) = (EventKind::Listing(change), event(seq));
    let after = event.after.after(Author::System, &kind, false);
    Event { author: Author::System, digest: kind.digest(), kind, after, ..event }
}

/// No cipher, but words do not stand as they are, and open at their place alone.
struct Turned;

impl Cipher for Turned {
    fn seal(&self, about: &[u8], words: &[u8]) -> Vec<u8> {
        let turned = words.iter().map(|byte| byte ^ 0x5a);
        crc32c::crc32c(about).to_le_bytes().into_iter().chain(turned).collect()
    }

    fn open(&self, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unread> {
        let turned = sealed.strip_prefix(&crc32c::crc32c(about).to_le_bytes());
        Ok(turned.ok_or(Unread::Malformed)?.iter().map(|byte| byte ^ 0x5a).collect())
    }
}

/// Opens sealed words, and seals new ones if it is told to.
pub fn sealing(seals: bool) -> Sealing {
    Sealing::by(Arc::new(Turned), seals)
}
