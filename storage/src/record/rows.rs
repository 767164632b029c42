//! Rows of the database: a version byte, then the fields as a `MessagePack` array.

use barterline_domain::account::{AccountRole, DisplayName, Email};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ListingId, ReportId, SessionId, UserId};
use barterline_domain::listing::{Listing, ListingStatus, ListingText};
use barterline_domain::money::Money;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bytes::Malformed;
use crate::accounts::Account;
use crate::credentials::Credential;
use crate::reports::{Report, ReportedMessage};
use crate::sessions::Session;
use crate::user_state::UserState;

const VERSION: u8 = 1;

/// A value that is stored as one row.
pub trait Row: Sized {
    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads its bytes.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed>;
}

fn put<T: Serialize>(fields: &T) -> Vec<u8> {
    let mut out = vec![VERSION];
    rmp_serde::encode::write(&mut out, fields).expect("rows have no value that fails");
    out
}

fn get<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    match bytes.split_first() {
        Some((&VERSION, fields)) => rmp_serde::from_slice(fields).map_err(|_| Malformed),
        _ => Err(Malformed),
    }
}

#[derive(Serialize, Deserialize)]
struct CredentialV1(UserId, Email, String);

impl Row for Credential {
    fn to_bytes(&self) -> Vec<u8> {
        put(&CredentialV1(self.user, self.email.clone(), self.password_hash.clone()))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let CredentialV1(user, email, password_hash) = get(bytes)?;
        Ok(Self { user, email, password_hash })
    }
}

#[derive(Serialize, Deserialize)]
struct AccountV1(
    UserId,
    DisplayName,
    Vec<AccountRole>,
    Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<Timestamp>,
);

impl Row for Account {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { id, name, roles, created_at, suspended_at } = self.clone();
        put(&AccountV1(id, name, roles, created_at, suspended_at))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let AccountV1(id, name, roles, created_at, suspended_at) = get(bytes)?;
        Ok(Self { id, name, roles, created_at, suspended_at })
    }
}

#[derive(Serialize, Deserialize)]
struct SessionV1(SessionId, UserId, [u8; 32], Timestamp, Timestamp, bool);

impl Row for Session {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { id, user, refresh_hash, created_at, expires_at, revoked } = *self;
        put(&SessionV1(id, user, refresh_hash, created_at, expires_at, revoked))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let SessionV1(id, user, refresh_hash, created_at, expires_at, revoked) = get(bytes)?;
        Ok(Self { id, user, refresh_hash, created_at, expires_at, revoked })
    }
}

#[derive(Serialize, Deserialize)]
struct ListingV1 {
    id: ListingId,
    seller: UserId,
    title: String,
    description: String,
    price: Money,
    status: ListingStatus,
    version: u64,
    created_at: Timestamp,
    changed_at: Timestamp,
}

impl Row for Listing {
    fn to_bytes(&self) -> Vec<u8> {
        put(&ListingV1 {
            id: self.id,
            seller: self.seller,
            title: self.text.title().to_owned(),
            description: self.text.description().to_owned(),
            price: self.price,
            status: self.status,
            version: self.version,
            created_at: self.created_at,
            changed_at: self.changed_at,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row: ListingV1 = get(bytes)?;
        Ok(Self {
            id: row.id,
            seller: row.seller,
            text: ListingText::parse(&row.title, row.description).map_err(|_| Malformed)?,
            price: row.price,
            status: row.status,
            version: row.version,
            created_at: row.created_at,
            changed_at: row.changed_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct UserStateV1(bool, bool, Option<Timestamp>);

impl Row for UserState {
    fn to_bytes(&self) -> Vec<u8> {
        put(&UserStateV1(self.shows_read, self.shows_presence, self.last_seen))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let UserStateV1(shows_read, shows_presence, last_seen) = get(bytes)?;
        Ok(Self { shows_read, shows_presence, last_seen })
    }
}

#[derive(Serialize, Deserialize)]
struct ReportV1 {
    id: ReportId,
    chat: ChatId,
    reporter: UserId,
    reported: UserId,
    reason: String,
    at: Timestamp,
    messages: Vec<ReportedMessageV1>,
}

#[derive(Serialize, Deserialize)]
struct ReportedMessageV1(Seq, Timestamp, Author, String, Option<String>);

impl Row for Report {
    fn to_bytes(&self) -> Vec<u8> {
        let messages = self.messages.iter().cloned().map(|message| {
            let ReportedMessage { seq, at, author, kind, text } = message;
            ReportedMessageV1(seq, at, author, kind, text)
        });
        put(&ReportV1 {
            id: self.id,
            chat: self.chat,
            reporter: self.reporter,
            reported: self.reported,
            reason: self.reason.clone(),
            at: self.at,
            messages: messages.collect(),
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row: ReportV1 = get(bytes)?;
        let messages = row.messages.into_iter().map(|message| {
            let ReportedMessageV1(seq, at, author, kind, text) = message;
            ReportedMessage { seq, at, author, kind, text }
        });
        Ok(Self {
            id: row.id,
            chat: row.chat,
            reporter: row.reporter,
            reported: row.reported,
            reason: row.reason,
            at: row.at,
            messages: messages.collect(),
        })
    }
}
