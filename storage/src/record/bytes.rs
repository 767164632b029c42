//! Fixed-layout reading and writing: little-endian integers, lengths before texts.

use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Seq, SmallState};
use barterline_domain::listing::ListingStatus;
use barterline_domain::money::{Currency, Money};

/// The bytes do not hold what they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Appends values to a buffer.
pub trait Put {
    /// Appends one byte.
    fn put_u8(&mut self, value: u8);
    /// Appends a number.
    fn put_u32(&mut self, value: u32);
    /// Appends a number.
    fn put_u64(&mut self, value: u64);
    /// Appends an identifier or digest.
    fn put_id(&mut self, value: &[u8; 16]);
    /// Appends a text of at most 4 GiB.
    fn put_text(&mut self, value: &str);
    /// Appends so many bytes.
    fn put_bytes(&mut self, value: &[u8]);
    /// Appends an amount.
    fn put_money(&mut self, value: Money);
    /// Appends the small state of a chat: [`STATE_BYTES`].
    fn put_state(&mut self, value: SmallState);
}

/// What a small state takes.
pub const STATE_BYTES: usize = 3 * size_of::<u64>() + 1;
/// In the byte of a status: the seller went on.
const WENT_ON: u8 = 0x80;

impl Put for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_id(&mut self, value: &[u8; 16]) {
        self.extend_from_slice(value);
    }

    fn put_text(&mut self, value: &str) {
        self.put_bytes(value.as_bytes());
    }

    fn put_bytes(&mut self, value: &[u8]) {
        self.put_u32(value.len() as u32);
        self.extend_from_slice(value);
    }

    fn put_money(&mut self, value: Money) {
        self.put_u64(value.minor);
        self.put_text(value.currency.code());
    }

    fn put_state(&mut self, value: SmallState) {
        self.put_u64(value.buyer_messages);
        self.put_u64(value.seller_messages);
        self.put_u64(value.listing_version);
        let went_on = if value.seller_went_on { WENT_ON } else { 0 };
        self.put_u8(value.listing_status.map_or(0, status_code) | went_on);
    }
}

/// Takes values from a buffer, never past its end.
#[derive(Debug, Clone, Copy)]
pub struct Get<'a>(pub &'a [u8]);

impl<'a> Get<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes a number.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes a number.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes an event's number.
    pub fn seq(&mut self) -> Result<Seq, Malformed> {
        self.u64().map(Seq)
    }

    /// Takes a point in time.
    pub fn timestamp(&mut self) -> Result<Timestamp, Malformed> {
        self.u64().map(Timestamp::from_millis)
    }

    /// Takes an identifier or digest.
    pub fn id(&mut self) -> Result<[u8; 16], Malformed> {
        self.array()
    }

    /// Takes a text.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// Takes what [`Put::put_bytes`] appended.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()? as usize;
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Takes an amount.
    pub fn money(&mut self) -> Result<Money, Malformed> {
        let minor = self.u64()?;
        let currency = Currency::parse(self.text()?).map_err(|_| Malformed)?;
        Money::new(minor, currency).map_err(|_| Malformed)
    }

    /// Takes the small state of a chat.
    pub fn state(&mut self) -> Result<SmallState, Malformed> {
        let (buyer_messages, seller_messages) = (self.u64()?, self.u64()?);
        let (listing_version, told) = (self.u64()?, self.u8()?);
        let listing_status = match told & !WENT_ON {
            0 => None,
            code => Some(status(code)?),
        };
        let seller_went_on = told & WENT_ON != 0;
        Ok(SmallState {
            buyer_messages,
            seller_messages,
            listing_version,
            listing_status,
            seller_went_on,
        })
    }

    /// Takes the end.
    pub fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// The code of a status.
pub fn status_code(status: ListingStatus) -> u8 {
    match status {
        ListingStatus::Draft => 1,
        ListingStatus::Active => 2,
        ListingStatus::Reserved => 3,
        ListingStatus::Sold => 4,
        ListingStatus::Withdrawn => 5,
        ListingStatus::Expired => 6,
    }
}

/// The status of a code.
pub fn status(code: u8) -> Result<ListingStatus, Malformed> {
    match code {
        1 => Ok(ListingStatus::Draft),
        2 => Ok(ListingStatus::Active),
        3 => Ok(ListingStatus::Reserved),
        4 => Ok(ListingStatus::Sold),
        5 => Ok(ListingStatus::Withdrawn),
        6 => Ok(ListingStatus::Expired),
        _ => Err(Malformed),
    }
}
