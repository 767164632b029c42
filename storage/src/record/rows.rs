//! Rows of the database: a version byte, then the fields as a `MessagePack` array.

use std::collections::BTreeMap;
use std::fmt;

use barterline_domain::account::{
    AccountRole, ApiKeyName, Bio, ClientName, DisplayName, Locale, Scope, SessionName,
};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{
    ApiKeyId, ChatId, ListingId, MediaId, ReportId, SavedSearchId, SessionId, UserId,
};
use barterline_domain::listing::details::{Details, PHOTOS_MAX};
use barterline_domain::listing::{
    Change, EndReason, HISTORY_MAX, Listing, ListingStatus, ListingText,
};
use barterline_domain::money::Money;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::Malformed;
use crate::accounts::Account;
use crate::api_keys::{ApiKey, KeyRing};
use crate::audit::{Actor, AuditEntry, AuditRecord};
use crate::codes::{Code, CodeHash, CodePurpose};
use crate::credentials::{Credential, KeptEmail, SecondFactor};
use crate::identities::{Identity, IdentityRing};
use crate::reports::{Report, ReportedMessage, ReportedText};
use crate::saved_searches::SavedSearch;
use crate::sessions::{RefreshHash, Session};
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
    put_as(VERSION, fields)
}

fn get<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    get_as(VERSION, bytes)
}

/// The bytes of a row of this version.
pub(super) fn put_as<T: Serialize>(version: u8, fields: &T) -> Vec<u8> {
    let mut out = vec![version];
    rmp_serde::encode::write(&mut out, fields).expect("rows have no value that fails");
    out
}

/// Reads the bytes of a row of this version.
pub(super) fn get_as<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, Malformed> {
    match bytes.split_first() {
        Some((found, fields)) if *found == version => {
            rmp_serde::from_slice(fields).map_err(|_| Malformed)
        }
        _ => Err(Malformed),
    }
}

#[derive(Serialize, Deserialize)]
struct CredentialV1 {
    user: UserId,
    email: KeptEmail,
    email_verified_at: Option<Timestamp>,
    password_hash: Option<String>,
    password_changed_at: Timestamp,
    second_factor: Option<SecondFactorV1>,
}

#[derive(Serialize, Deserialize)]
struct SecondFactorV1(Vec<u8>, Option<Timestamp>, u64, Vec<[u8; 32]>);

impl Row for Credential {
    fn to_bytes(&self) -> Vec<u8> {
        let second_factor = self.second_factor.clone().map(|factor| {
            let SecondFactor { secret, confirmed_at, last_step, recovery } = factor;
            SecondFactorV1(secret, confirmed_at, last_step, recovery)
        });
        put(&CredentialV1 {
            user: self.user,
            email: self.email.clone(),
            email_verified_at: self.email_verified_at,
            password_hash: self.password_hash.clone(),
            password_changed_at: self.password_changed_at,
            second_factor,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row: CredentialV1 = get(bytes)?;
        let second_factor = row.second_factor.map(|factor| {
            let SecondFactorV1(secret, confirmed_at, last_step, recovery) = factor;
            SecondFactor { secret, confirmed_at, last_step, recovery }
        });
        Ok(Self {
            user: row.user,
            email: row.email,
            email_verified_at: row.email_verified_at,
            password_hash: row.password_hash,
            password_changed_at: row.password_changed_at,
            second_factor,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct CodeV1(CodeHash, UserId, u8, KeptEmail, Timestamp, Timestamp);

const PURPOSES: [CodePurpose; 4] = [
    CodePurpose::VerifyEmail,
    CodePurpose::ResetPassword,
    CodePurpose::ChangeEmail,
    CodePurpose::SignIn,
];

const fn purpose_number(purpose: CodePurpose) -> u8 {
    match purpose {
        CodePurpose::VerifyEmail => 0,
        CodePurpose::ResetPassword => 1,
        CodePurpose::ChangeEmail => 2,
        CodePurpose::SignIn => 3,
    }
}

impl Row for Code {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { hash, user, purpose, email, created_at, expires_at } = self.clone();
        put(&CodeV1(hash, user, purpose_number(purpose), email, created_at, expires_at))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let CodeV1(hash, user, number, email, created_at, expires_at) = get(bytes)?;
        let purpose = PURPOSES.into_iter().find(|purpose| purpose_number(*purpose) == number);
        let purpose = purpose.ok_or(Malformed)?;
        Ok(Self { hash, user, purpose, email, created_at, expires_at })
    }
}

#[derive(Serialize, Deserialize)]
struct AccountV1 {
    id: UserId,
    name: DisplayName,
    bio: Bio,
    locale: Option<Locale>,
    avatar: Option<MediaId>,
    roles: Vec<AccountRole>,
    created_at: Timestamp,
    suspended_at: Option<Timestamp>,
    erased_at: Option<Timestamp>,
}

impl Row for Account {
    fn to_bytes(&self) -> Vec<u8> {
        put(&AccountV1 {
            id: self.id,
            name: self.name.clone(),
            bio: self.bio.clone(),
            locale: self.locale.clone(),
            avatar: self.avatar,
            roles: self.roles.clone(),
            created_at: self.created_at,
            suspended_at: self.suspended_at,
            erased_at: self.erased_at,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row: AccountV1 = get(bytes)?;
        Ok(Self {
            id: row.id,
            name: row.name,
            bio: row.bio,
            locale: row.locale,
            avatar: row.avatar,
            roles: row.roles,
            created_at: row.created_at,
            suspended_at: row.suspended_at,
            erased_at: row.erased_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct SessionV1 {
    id: SessionId,
    user: UserId,
    refresh_hash: RefreshHash,
    used_hashes: Vec<RefreshHash>,
    name: Option<SessionName>,
    client: Option<ClientName>,
    created_at: Timestamp,
    proven_at: Timestamp,
    used_at: Timestamp,
    expires_at: Timestamp,
    revoked: bool,
}

impl Row for Session {
    fn to_bytes(&self) -> Vec<u8> {
        put(&SessionV1 {
            id: self.id,
            user: self.user,
            refresh_hash: self.refresh_hash,
            used_hashes: self.used_hashes.clone(),
            name: self.name.clone(),
            client: self.client.clone(),
            created_at: self.created_at,
            proven_at: self.proven_at,
            used_at: self.used_at,
            expires_at: self.expires_at,
            revoked: self.revoked,
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row: SessionV1 = get(bytes)?;
        Ok(Self {
            id: row.id,
            user: row.user,
            refresh_hash: row.refresh_hash,
            used_hashes: row.used_hashes,
            name: row.name,
            client: row.client,
            created_at: row.created_at,
            proven_at: row.proven_at,
            used_at: row.used_at,
            expires_at: row.expires_at,
            revoked: row.revoked,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct IdentityV1 {
    user: UserId,
    key: [u8; 32],
    issuer: String,
    provider: String,
    linked_at: Timestamp,
}

impl Row for IdentityRing {
    fn to_bytes(&self) -> Vec<u8> {
        let identities = self.0.iter().map(|identity| IdentityV1 {
            user: identity.user,
            key: identity.key,
            issuer: identity.issuer.clone(),
            provider: identity.provider.clone(),
            linked_at: identity.linked_at,
        });
        put(&identities.collect::<Vec<_>>())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let identities = get::<Vec<IdentityV1>>(bytes)?.into_iter().map(|row| Identity {
            user: row.user,
            key: row.key,
            issuer: row.issuer,
            provider: row.provider,
            linked_at: row.linked_at,
        });
        Ok(Self(identities.collect()))
    }
}

#[derive(Serialize, Deserialize)]
struct ApiKeyV1 {
    id: ApiKeyId,
    user: UserId,
    name: ApiKeyName,
    hash: [u8; 32],
    scopes: Vec<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked: bool,
}

impl Row for KeyRing {
    fn to_bytes(&self) -> Vec<u8> {
        let keys = self.0.iter().map(|key| ApiKeyV1 {
            id: key.id,
            user: key.user,
            name: key.name.clone(),
            hash: key.hash,
            scopes: key.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked: key.revoked,
        });
        put(&keys.collect::<Vec<_>>())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let keys = get::<Vec<ApiKeyV1>>(bytes)?.into_iter().map(|key| {
            let scopes = key.scopes.iter().map(|scope| Scope::named(scope).ok_or(Malformed));
            Ok(ApiKey {
                id: key.id,
                user: key.user,
                name: key.name,
                hash: key.hash,
                scopes: scopes.collect::<Result<_, _>>()?,
                created_at: key.created_at,
                expires_at: key.expires_at,
                revoked: key.revoked,
            })
        });
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }
}

#[derive(Serialize, Deserialize)]
struct AuditEntryV1 {
    number: u64,
    at: Timestamp,
    actor: ActorV1,
    action: String,
    subject: Option<String>,
    detail: BTreeMap<String, String>,
    previous: [u8; 32],
    hash: [u8; 32],
}

#[derive(Serialize, Deserialize)]
enum ActorV1 {
    User(UserId),
    Operator,
    System,
}

impl Row for AuditEntry {
    fn to_bytes(&self) -> Vec<u8> {
        let AuditRecord { at, actor, action, subject, detail } = self.record.clone();
        let actor = match actor {
            Actor::User(user) => ActorV1::User(user),
            Actor::Operator => ActorV1::Operator,
            Actor::System => ActorV1::System,
        };
        let (number, previous, hash) = (self.number, self.previous, self.hash);
        put(&AuditEntryV1 { number, at, actor, action, subject, detail, previous, hash })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row: AuditEntryV1 = get(bytes)?;
        let actor = match row.actor {
            ActorV1::User(user) => Actor::User(user),
            ActorV1::Operator => Actor::Operator,
            ActorV1::System => Actor::System,
        };
        let AuditEntryV1 { number, at, action, subject, detail, previous, hash, .. } = row;
        let record = AuditRecord { at, actor, action, subject, detail };
        Ok(Self { number, record, previous, hash })
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
    more: ListingMore,
}

/// What stands in one column of a cluster's table of listings, as nobody asks for parts of it there.
#[derive(Serialize, Deserialize)]
pub struct ListingMore {
    /// What else is said of it.
    pub details: Details,
    /// Why it is over.
    pub reason: Option<EndReason>,
    /// Until when it is for sale.
    pub expires_at: Option<Timestamp>,
    /// Its last changes.
    pub history: Vec<Change>,
}

impl ListingMore {
    /// That of a listing.
    pub fn of(listing: &Listing) -> Self {
        let Listing { details, reason, expires_at, history, .. } = listing.clone();
        Self { details, reason, expires_at, history }
    }

    fn checked(self) -> Result<Self, Malformed> {
        let is_sound = self.history.len() <= HISTORY_MAX && self.details.photos.len() <= PHOTOS_MAX;
        if is_sound { Ok(self) } else { Err(Malformed) }
    }
}

impl Row for ListingMore {
    fn to_bytes(&self) -> Vec<u8> {
        put(self)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        get::<Self>(bytes)?.checked()
    }
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
            more: ListingMore::of(self),
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let row: ListingV1 = get(bytes)?;
        let ListingMore { details, reason, expires_at, history } = row.more.checked()?;
        Ok(Self {
            id: row.id,
            seller: row.seller,
            text: ListingText::parse(&row.title, row.description).map_err(|_| Malformed)?,
            price: row.price,
            details,
            status: row.status,
            reason,
            expires_at,
            history,
            version: row.version,
            created_at: row.created_at,
            changed_at: row.changed_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct SavedSearchV1(SavedSearchId, String, String, Timestamp);

impl Row for SavedSearch {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { id, name, query, created } = self.clone();
        put(&SavedSearchV1(id, name, query, created))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let SavedSearchV1(id, name, query, created) = get(bytes)?;
        Ok(Self { id, name, query, created })
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
struct ReportedMessageV1(Seq, Timestamp, Author, String, Option<ReportedTextV1>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ReportedTextV1 {
    // First: a text may be taken for bytes by nobody, and bytes for a text.
    Sealed(Bytes),
    Open(String),
}

/// Bytes in a row, not a list of numbers, which would be half as long again.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taken;

        impl Visitor<'_> for Taken {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(Taken)
    }
}

impl Row for Report {
    fn to_bytes(&self) -> Vec<u8> {
        let messages = self.messages.iter().cloned().map(|message| {
            let ReportedMessage { seq, at, author, kind, text } = message;
            let text = text.map(|text| match text {
                ReportedText::Open(text) => ReportedTextV1::Open(text),
                ReportedText::Sealed(text) => ReportedTextV1::Sealed(Bytes(text)),
            });
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
            let text = text.map(|text| match text {
                ReportedTextV1::Open(text) => ReportedText::Open(text),
                ReportedTextV1::Sealed(Bytes(text)) => ReportedText::Sealed(text),
            });
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
