//! Values of the domain as columns, and back.

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{
    ApiKeyId, ChatId, DeviceId, ListingId, MediaId, ReportId, SavedSearchId, SessionId, UserId,
};
use barterline_domain::listing::ListingStatus;
use scylla::value::CqlTimestamp;
use uuid::Uuid;

/// Sorts above every id: for a page that begins at the top.
pub const ABOVE_EVERY_ID: [u8; 17] = [0xff; 17];

/// An id that is a column of type `uuid`.
pub trait Id: Sized {
    /// Its column.
    fn to_column(self) -> Uuid;
    /// What the column says.
    fn from_column(column: Uuid) -> Self;
}

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl Id for $id {
            fn to_column(self) -> Uuid {
                Uuid::from_bytes(*self.as_bytes())
            }

            fn from_column(column: Uuid) -> Self {
                Self::from_bytes(column.into_bytes())
            }
        }
    )+};
}

ids!(ApiKeyId, ChatId, DeviceId, ListingId, MediaId, ReportId, SavedSearchId, SessionId, UserId);

/// A point in time, for people to read in the database's own shell.
pub fn time(at: Timestamp) -> CqlTimestamp {
    CqlTimestamp(i64::try_from(at.as_millis()).unwrap_or(i64::MAX))
}

/// The point in time of a column; `None` before 1970.
pub fn timestamp(column: CqlTimestamp) -> Option<Timestamp> {
    u64::try_from(column.0).ok().map(Timestamp::from_millis)
}

/// The word that stands for a status.
pub fn status_word(status: ListingStatus) -> &'static str {
    match status {
        ListingStatus::Draft => "draft",
        ListingStatus::Active => "active",
        ListingStatus::Reserved => "reserved",
        ListingStatus::Sold => "sold",
        ListingStatus::Withdrawn => "withdrawn",
        ListingStatus::Expired => "expired",
    }
}

/// The status a word stands for.
pub fn status(word: &str) -> Option<ListingStatus> {
    use ListingStatus::{Active, Draft, Expired, Reserved, Sold, Withdrawn};
    let all = [Draft, Active, Reserved, Sold, Withdrawn, Expired];
    all.into_iter().find(|status| status_word(*status) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_what_it_stands_for() {
        for word in ["draft", "active", "reserved", "sold", "withdrawn", "expired"] {
            assert_eq!(status(word).map(status_word), Some(word));
        }
        assert_eq!(status("lost"), None);
    }
}
