//! Who takes part: fixed people with tokens, and the stores that know them. What happens to
//! accounts is tested elsewhere; here they are there.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use barterline::auth::data_keys::DataKeys;
use barterline::auth::keyring::Keyring;
use barterline::auth::token::Tokens;
use barterline::ids::{Ids, SystemIds};
use barterline::limits::Limits;
use barterline::services::accounts::{
    Accounts, FactorRule, Lifetimes, NoAvatars, Parts, PasswordHashing, PasswordRules, SignIns,
    UserDirectory,
};
use barterline::services::audit::AuditLog;
use barterline::services::listings::ListingReader;
use barterline::telemetry::addresses::Addresses;
use barterline_domain::account::{AccountRole, DisplayName, SessionName};
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::{ApiKeyId, ListingId, SessionId, UserId};
use barterline_domain::listing::{Change, HISTORY_MAX, Listing, ListingStatus, ListingText};
use barterline_domain::money::{Currency, Money};
use barterline_storage::accounts::{Account, Accounts as AccountStore, ProfileChange};
use barterline_storage::api_keys::{ApiKey, ApiKeys};
use barterline_storage::audit::{Audit, AuditEntry, AuditRecord};
use barterline_storage::blocks::Blocks;
use barterline_storage::codes::{Code, CodeHash, CodePurpose, Codes};
use barterline_storage::credentials::{Credential, Credentials, EmailKey, Replaced};
use barterline_storage::error::StoreError;
use barterline_storage::identities::{Identities, Identity, IdentityKey, Linked};
use barterline_storage::sessions::{RefreshHash, Rotation, Session, Sessions};
use barterline_storage::user_state::{UserChange, UserState, UserStates};

use crate::store::Ground;

/// When every schedule begins.
pub const START: Timestamp = Timestamp::from_millis(1_764_000_000_000);
/// Longer than any schedule: ends of tokens are tested elsewhere.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

/// Buys from the next.
pub const ANA: usize = 0;
/// Sells.
pub const BEN: usize = 1;
/// Knows the ids of chats she has no part in.
pub const EVE: usize = 2;
pub const PEOPLE: usize = 3;

pub fn user(person: usize) -> UserId {
    UserId::from_bytes([0x10 + person as u8; 16])
}

fn session(person: usize) -> SessionId {
    SessionId::from_bytes([0x20 + person as u8; 16])
}

pub fn listing(n: usize) -> ListingId {
    ListingId::from_bytes([0x30 + n as u8; 16])
}

/// The signature of a token takes longer than many a step: each person has one for all schedules.
pub fn token(person: usize) -> &'static str {
    static ISSUED: OnceLock<Vec<String>> = OnceLock::new();
    &ISSUED.get_or_init(|| {
        let issue = |person| {
            let roles = [AccountRole::User];
            tokens().issue(user(person), session(person), &roles, START, TOKEN_LIFETIME).0
        };
        (0..PEOPLE).map(issue).collect()
    })[person]
}

fn tokens() -> Tokens {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    TOKENS.get_or_init(|| Tokens::new(Keyring::generate())).clone()
}

/// The rules of accounts over people who are simply there.
pub fn accounts(clock: Arc<dyn Clock>) -> Accounts {
    Accounts::new(Parts {
        credentials: Arc::new(Town),
        codes: Arc::new(Town),
        identities: Arc::new(Town),
        accounts: Arc::new(Town),
        sessions: Arc::new(Town),
        api_keys: Arc::new(Town),
        tokens: tokens(),
        data_keys: Arc::new(DataKeys::generate(&SystemIds)),
        site: String::new(),
        lifetimes: Lifetimes { idle: TOKEN_LIFETIME, whole: TOKEN_LIFETIME, code_steps: 1 },
        factor_rule: FactorRule::Optional,
        clock: Arc::clone(&clock),
        ids: Arc::new(Town),
        hashing: PasswordHashing::new(1, 1).expect("threads"),
        password_rules: PasswordRules::default(),
        limits: Arc::new(Limits::none()),
        audit: AuditLog::new(Arc::new(Town), clock),
        addresses: Addresses::None,
        mailing: None,
        cluster: None,
        sign_ins: SignIns::default(),
        avatars: Arc::new(NoAvatars),
    })
}

/// Where everybody lives. Nobody moves in or out.
pub struct Town;

#[async_trait]
impl Audit for Town {
    async fn append(&self, _: AuditRecord) -> Result<AuditEntry, StoreError> {
        Err(nothing_new())
    }

    async fn list(&self, _: Option<u64>, _: usize) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl ApiKeys for Town {
    async fn insert(&self, _: ApiKey) -> Result<bool, StoreError> {
        Err(nothing_new())
    }

    async fn find(&self, _: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(None)
    }

    async fn list(&self, _: UserId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn revoke(&self, _: UserId, _: ApiKeyId) -> Result<bool, StoreError> {
        Err(nothing_new())
    }
}

#[async_trait]
impl Identities for Town {
    async fn insert(&self, _: Identity) -> Result<Linked, StoreError> {
        Err(nothing_new())
    }

    async fn find(&self, _: IdentityKey) -> Result<Option<Identity>, StoreError> {
        Ok(None)
    }

    async fn list(&self, _: UserId) -> Result<Vec<Identity>, StoreError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: UserId, _: IdentityKey) -> Result<bool, StoreError> {
        Err(nothing_new())
    }

    async fn remove_all(&self, _: UserId) -> Result<(), StoreError> {
        Err(nothing_new())
    }
}

#[async_trait]
impl Codes for Town {
    async fn insert(&self, _: Code) -> Result<(), StoreError> {
        Err(nothing_new())
    }

    async fn take(
        &self,
        _: CodeHash,
        _: CodePurpose,
        _: Timestamp,
    ) -> Result<Option<Code>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl Sessions for Town {
    async fn insert(&self, _: Vec<Session>) -> Result<(), StoreError> {
        Err(nothing_new())
    }

    async fn find(&self, wanted: SessionId) -> Result<Option<Session>, StoreError> {
        let person = (0..PEOPLE).find(|person| session(*person) == wanted);
        Ok(person.map(|person| Session {
            id: wanted,
            user: user(person),
            refresh_hash: [0; 32],
            used_hashes: Vec::new(),
            name: None,
            client: None,
            created_at: START,
            proven_at: START,
            used_at: START,
            expires_at: START.plus(TOKEN_LIFETIME),
            revoked: false,
        }))
    }

    async fn rotate(
        &self,
        _: SessionId,
        _: RefreshHash,
        _: RefreshHash,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Rotation, StoreError> {
        Err(nothing_new())
    }

    async fn revoke(&self, _: SessionId) -> Result<bool, StoreError> {
        Err(nothing_new())
    }

    async fn rename(&self, _: SessionId, _: Option<SessionName>) -> Result<bool, StoreError> {
        Err(nothing_new())
    }

    async fn list(&self, _: UserId, _: Timestamp) -> Result<Vec<Session>, StoreError> {
        Err(nothing_new())
    }

    async fn revoke_all(
        &self,
        _: UserId,
        _: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        Err(nothing_new())
    }
}

#[async_trait]
impl AccountStore for Town {
    async fn insert(&self, _: Vec<Account>) -> Result<(), StoreError> {
        Err(nothing_new())
    }

    async fn find(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        let name = DisplayName::parse("Somebody").expect("a name");
        Ok(Some(Account::new(id, name, START)))
    }

    async fn suspend(
        &self,
        _: UserId,
        _: Option<Timestamp>,
    ) -> Result<Option<Account>, StoreError> {
        Err(nothing_new())
    }

    async fn change(&self, _: UserId, _: ProfileChange) -> Result<Option<Account>, StoreError> {
        Err(nothing_new())
    }

    async fn set_roles(
        &self,
        _: UserId,
        _: Vec<AccountRole>,
    ) -> Result<Option<Account>, StoreError> {
        Err(nothing_new())
    }

    async fn erase(&self, _: UserId, _: Timestamp) -> Result<Option<Account>, StoreError> {
        Err(nothing_new())
    }
}

#[async_trait]
impl Credentials for Town {
    async fn insert(&self, _: Credential) -> Result<bool, StoreError> {
        Err(nothing_new())
    }

    async fn find(&self, _: EmailKey) -> Result<Option<Credential>, StoreError> {
        Err(nothing_new())
    }

    async fn find_by_user(&self, _: UserId) -> Result<Option<Credential>, StoreError> {
        Err(nothing_new())
    }

    async fn replace(&self, _: &Credential, _: Credential) -> Result<Replaced, StoreError> {
        Err(nothing_new())
    }

    async fn remove(&self, _: UserId) -> Result<bool, StoreError> {
        Err(nothing_new())
    }
}

/// Every listing is Ben's, and costs a cent more with each edit.
pub struct Shop(pub Arc<Ground>);

impl Shop {
    /// A listing as it is now.
    pub fn listing(&self, id: ListingId) -> Listing {
        let edits = self.0.disk.lock().edits;
        let text = ListingText::parse("A bike", String::new()).expect("a text");
        let eur = Currency::parse("EUR").expect("a currency");
        let price = |edits| Money { minor: 100 + edits, currency: eur };
        let status = ListingStatus::Active;
        let since = (edits + 1).saturating_sub(HISTORY_MAX as u64);
        let change = |n| Change { version: n + 1, at: START, price: price(n), status };
        Listing {
            version: edits + 1,
            history: (since..=edits).map(change).collect(),
            ..Listing::offered(id, user(BEN), text, price(edits), START)
        }
    }
}

#[async_trait]
impl ListingReader for Shop {
    async fn find(&self, id: ListingId) -> Result<Option<Listing>, StoreError> {
        let is_there = *id.as_bytes() == [id.as_bytes()[0]; 16];
        Ok(is_there.then(|| self.listing(id)))
    }
}

#[async_trait]
impl UserDirectory for Town {
    async fn find(&self, _: UserId) -> Result<Option<Account>, StoreError> {
        Ok(None)
    }
}

/// Nobody chose anything.
#[async_trait]
impl UserStates for Town {
    async fn find(&self, _: UserId) -> Result<UserState, StoreError> {
        Ok(UserState::default())
    }

    async fn change(&self, _: UserId, _: Vec<UserChange>) -> Result<UserState, StoreError> {
        Ok(UserState::default())
    }
}

/// Nobody blocks anybody.
#[async_trait]
impl Blocks for Town {
    async fn set(&self, _: UserId, _: UserId, _: bool) -> Result<bool, StoreError> {
        Err(nothing_new())
    }

    async fn contains(&self, _: UserId, _: UserId) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn list(
        &self,
        _: UserId,
        _: Option<UserId>,
        _: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        Ok(Vec::new())
    }
}

impl Ids for Town {
    fn secret(&self) -> [u8; 32] {
        unreachable!("nothing is made here that needs a secret")
    }
}

fn nothing_new() -> StoreError {
    StoreError::unavailable("change the town", "nobody moves")
}
