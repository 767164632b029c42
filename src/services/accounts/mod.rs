//! Registration, log-in, sessions. Alone holds the credentials.

mod registration;
mod reseal;
mod reset;

mod addresses;
mod api_keys;
mod appointment;
mod email;
mod erasure;
mod exchange;
mod identities;
mod load_test;
mod password;
mod passwords;
mod profile;
mod second_factor;
mod sessions;
mod shared;
mod sign_in;
mod strength;

mod errands;
mod lines;

use std::net::IpAddr;
use std::sync::Arc;

use barterline_domain::account::{
    AccountRole, ClientName, DisplayName, Email, Password, SessionName,
};
use barterline_domain::bearer::{Bearer, Proof};
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::{ApiKeyId, SessionId, UserId};
use barterline_storage::accounts::{Account, Accounts as AccountStore};
use barterline_storage::api_keys::ApiKeys;
use barterline_storage::audit::Actor;
use barterline_storage::codes::Codes;
use barterline_storage::credentials::{Credential, Credentials};
use barterline_storage::error::StoreError;
use barterline_storage::identities::Identities;
use barterline_storage::sessions::{Rotation, Session, Sessions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

use crate::auth::data_keys::DataKeys;
use crate::auth::principal::Principal;
use crate::auth::sealed::Sealing;
use crate::auth::token::{LIFETIME, TokenError, Tokens};
use crate::cluster::Cluster;
use crate::ids::Ids;
use crate::limits::{Exceeded, Limits, LogInName};
pub use crate::mail::Language;
use crate::services::audit::{Action, AuditLog, Note};
use crate::telemetry::addresses::Addresses;
pub use addresses::{AddressKeysError, is_kept_by};
pub use api_keys::{KeyError, NewKey, ShownKey, end_of};
pub use appointment::{Appointed, Appointment};
pub use email::EmailError;
pub use errands::{AskError, CodeError, Errands, Mailing, Waiting};
pub use identities::IdentityError;
pub use password::{HashingBusy, PasswordHashing};
pub use passwords::{NewPassword, PasswordError};
pub use profile::{Avatars, LogInMeans, NAMED_WITHIN, NoAvatars, ProfileError, UserDirectory};
pub use registration::{ConfirmError, Confirmation, RegisterError, Registered, Registration};
pub use reseal::Resealed;
pub use second_factor::{FactorCodeError, FactorError, FactorRule, FactorStanding, NewFactor};
pub use sessions::{Lifetimes, SessionError};
use shared::Shared;
pub use sign_in::{
    Begun, CameBack, Challenge, NamedIssuer, NamedProvider, Redemption, SignInError, SignIns,
};
pub use strength::{ChoiceError, PasswordRules};

/// Revocations that may wait to be heard.
const REVOCATIONS_MAX: usize = 256;

/// The rules of accounts.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    credentials: Arc<dyn Credentials>,
    codes: Arc<dyn Codes>,
    identities: Arc<dyn Identities>,
    accounts: Arc<dyn AccountStore>,
    sessions: Arc<dyn Sessions>,
    api_keys: Arc<dyn ApiKeys>,
    tokens: Tokens,
    sealing: Sealing,
    data_keys: Arc<DataKeys>,
    site: String,
    lifetimes: Lifetimes,
    factor_rule: FactorRule,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    hashing: PasswordHashing,
    password_rules: PasswordRules,
    limits: Arc<Limits>,
    audit: AuditLog,
    addresses: Addresses,
    mailing: Option<Mailing>,
    shared: Option<Shared>,
    sign_ins: SignIns,
    avatars: Arc<dyn Avatars>,
    revocations: broadcast::Sender<Revoked>,
}

/// What ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Revoked {
    /// One session.
    Session {
        /// Whose.
        user: UserId,
        /// Which.
        session: SessionId,
    },
    /// One API key.
    ApiKey {
        /// Whose.
        user: UserId,
        /// Which.
        key: ApiKeyId,
    },
    /// Everything of somebody whose account was suspended.
    Account {
        /// Whose.
        user: UserId,
    },
    /// Something at another server: nobody knows what.
    Unheard,
}

/// What somebody shows to log in, and again where a log-in alone does not do.
pub struct Shown {
    /// The password.
    pub password: Password,
    /// A code of the second factor, where there is one.
    pub code: Option<String>,
}

/// Where somebody logs in.
#[derive(Debug, Default)]
pub struct Device {
    /// What they call it.
    pub name: Option<SessionName>,
    /// What the program says it is.
    pub client: Option<ClientName>,
}

/// A log-in.
#[derive(Debug)]
pub struct LogIn {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub session: SessionId,
    /// For every request.
    pub access_token: String,
    /// Its end.
    pub access_expires_at: Timestamp,
    /// For the next access token, once.
    pub refresh_token: String,
    /// Its end.
    pub refresh_expires_at: Timestamp,
}

/// Why there is no log-in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// Unknown address or wrong password: the same answer after the same time.
    #[error("the e-mail address or the password is wrong")]
    Failed,
    /// The password is right, and a code of the second factor is asked for.
    #[error("a code of the second factor is needed")]
    CodeRequired,
    /// The password is right, and the code did not count.
    #[error(transparent)]
    Code(#[from] FactorCodeError),
    /// Staff keep them out. Told only to those who know the password.
    #[error("the account is suspended")]
    Suspended,
    /// Too many tries at this account.
    #[error("too many log-ins to this account")]
    Limited(Exceeded),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Busy(#[from] HashingBusy),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no new access token.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Not a refresh token that is good. If it was used before, its session has ended now.
    #[error("the refresh token is not valid")]
    Invalid,
    /// Staff keep them out.
    #[error("the account is suspended")]
    Suspended,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a bearer is nobody.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its session was ended.
    #[error("the session was ended")]
    Revoked,
    /// Staff keep them out.
    #[error("the account is suspended")]
    Suspended,
    /// They have to have a second factor, and have none.
    #[error("a second factor has to be turned on first")]
    FactorRequired,
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the rules of accounts stand on.
pub struct Parts {
    /// Passwords.
    pub credentials: Arc<dyn Credentials>,
    /// Single-use secrets that are mailed.
    pub codes: Arc<dyn Codes>,
    /// Who people are elsewhere.
    pub identities: Arc<dyn Identities>,
    /// Profiles.
    pub accounts: Arc<dyn AccountStore>,
    /// Log-ins.
    pub sessions: Arc<dyn Sessions>,
    /// Keys of programs and devices.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Access tokens.
    pub tokens: Tokens,
    /// What secrets are sealed with before they are stored.
    pub data_keys: Arc<DataKeys>,
    /// What programs that make codes call this place.
    pub site: String,
    /// How long log-ins last.
    pub lifetimes: Lifetimes,
    /// Who has to have a second factor.
    pub factor_rule: FactorRule,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New ids, and the secrets of refresh tokens.
    pub ids: Arc<dyn Ids>,
    /// Where passwords are hashed.
    pub hashing: PasswordHashing,
    /// What may be chosen as a password.
    pub password_rules: PasswordRules,
    /// How often anybody may try.
    pub limits: Arc<Limits>,
    /// What changed how somebody logs in.
    pub audit: AuditLog,
    /// How much of a client's address the log has.
    pub addresses: Addresses,
    /// How people get mail; `None`: not at all.
    pub mailing: Option<Mailing>,
    /// What is shared with other servers beside the store.
    pub cluster: Option<Cluster>,
    /// Where people sign in elsewhere, and whose tokens are exchanged.
    pub sign_ins: SignIns,
    /// Which pictures people uploaded of themselves.
    pub avatars: Arc<dyn Avatars>,
}

impl Accounts {
    /// The rules over these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { credentials, codes, accounts, sessions, api_keys, tokens, .. } = parts;
        let Parts { data_keys, site, lifetimes, factor_rule, addresses, cluster, .. } = parts;
        let Parts { identities, sign_ins, avatars, .. } = parts;
        let Parts { clock, ids, hashing, password_rules, limits, audit, mailing, .. } = parts;
        let sealing = tokens.sealing();
        let revocations = broadcast::Sender::new(REVOCATIONS_MAX);
        Self(Arc::new(Inner {
            credentials,
            codes,
            identities,
            accounts,
            sessions,
            api_keys,
            tokens,
            sealing,
            data_keys,
            site,
            lifetimes,
            factor_rule,
            clock,
            ids,
            hashing,
            password_rules,
            limits,
            audit,
            addresses,
            mailing,
            shared: cluster.map(Shared::new),
            sign_ins,
            avatars,
            revocations,
        }))
    }

    /// Proves who somebody at this address is, and begins a session.
    pub async fn log_in(
        &self,
        email: &Email,
        Shown { password, code }: Shown,
        device: Device,
        from: IpAddr,
    ) -> Result<LogIn, LogInError> {
        // Before the hash, and whether anybody has the address or not.
        let (tried, limits) = (LogInName::of(self.email_key(email).0), &self.0.limits);
        limits.log_in(tried, from, self.0.clock.now()).await.map_err(LogInError::Limited)?;
        let compared = self.compare(email, &password, from).await;
        if compared.is_err() {
            // What could not be compared was no guess.
            limits.log_in_not_tried(tried).await;
        }
        let mut credential = compared?.ok_or(LogInError::Failed)?;
        let second_factor = second_factor::confirmed(&credential).is_some();
        if second_factor {
            // The password was no guess.
            limits.log_in_not_tried(tried).await;
            let Some(code) = code.as_deref() else {
                self.log_code_asked(credential.user, from);
                return Err(LogInError::CodeRequired);
            };
            credential = self.use_code(credential, code, from).await?;
        }
        self.renew_hash(&credential, password).await;
        limits.logged_in(tried, from, self.0.clock.now()).await;
        let account = self.entering(credential.user).await?;
        let now = self.0.clock.now();
        let end = self.0.lifetimes.end(now, now);
        let log_in = self.begin_session(&account, device, now, end).await?;
        // Whoever changed the password meanwhile ended the sessions that there were, and not this.
        let present = self.0.credentials.find_by_user(credential.user).await?;
        let changed = present.map(|present| present.password_changed_at);
        if changed != Some(credential.password_changed_at) {
            self.0.sessions.revoke(log_in.session).await?;
            self.log_wrong_password(Some(credential.user), from);
            return Err(LogInError::Failed);
        }
        self.log_logged_in(log_in.user, from, second_factor);
        Ok(log_in)
    }

    /// The account of somebody who proved who they are, if nobody keeps them out.
    async fn entering(&self, user: UserId) -> Result<Account, LogInError> {
        let account = self.0.accounts.find(user).await?.ok_or(LogInError::Failed)?;
        if account.erased_at.is_some() {
            // Whoever erased it was cut off before its last step.
            self.forget_account(account.id).await?;
            return Err(LogInError::Failed);
        }
        if account.suspended_at.is_some() {
            return Err(LogInError::Suspended);
        }
        Ok(account)
    }

    /// Begins a session that lasts until `end`, if its refresh token is not used, of somebody who proved who they
    /// are at `proven_at`.
    async fn begin_session(
        &self,
        account: &Account,
        device: Device,
        proven_at: Timestamp,
        end: Timestamp,
    ) -> Result<LogIn, StoreError> {
        self.make_room(account.id).await?;
        let now = self.0.clock.now();
        let (secret, refresh_hash) = self.fresh_secret();
        let row = Session {
            id: SessionId::from_bytes(self.0.ids.random()),
            user: account.id,
            refresh_hash,
            used_hashes: Vec::new(),
            name: device.name,
            client: device.client,
            created_at: now,
            proven_at: proven_at.min(now),
            used_at: now,
            expires_at: end,
            revoked: false,
        };
        let log_in = self.log_in_of(&row, &account.roles, &secret, now);
        self.0.sessions.insert(vec![row]).await?;
        Ok(log_in)
    }

    /// The credential of an address if this is its password.
    async fn compare(
        &self,
        email: &Email,
        password: &Password,
        from: IpAddr,
    ) -> Result<Option<Credential>, LogInError> {
        let credential = self.0.credentials.find(self.email_key(email)).await?;
        let hash = credential.as_ref().and_then(|credential| credential.password_hash.clone());
        // An unknown address costs a hash too.
        let matches = self.0.hashing.verify(password.clone(), hash).await?;
        if !matches {
            self.log_wrong_password(credential.as_ref().map(|credential| credential.user), from);
        }
        Ok(credential.filter(|_| matches))
    }

    /// Gives a new access token and a new refresh token for the old one, which ends. Until the new one is
    /// used, and for half a minute, the old one gives the same again, as answers are lost. Later, a token that
    /// comes a second time was stolen or is in a thief's hands now: its session ends.
    pub async fn refresh(&self, refresh_token: &str) -> Result<LogIn, RefreshError> {
        let (session, old) = parse_refresh_token(refresh_token).ok_or(RefreshError::Invalid)?;
        // What can fail is read first: after the rotation the old token is worth nothing.
        let found = self.0.sessions.find(session).await?.ok_or(RefreshError::Invalid)?;
        let account = self.0.accounts.find(found.user).await?;
        let account = account.filter(|account| account.erased_at.is_none());
        let account = account.ok_or(RefreshError::Invalid)?;
        if account.suspended_at.is_some() {
            // Told only to those who have the token.
            let good = found.refresh_hash == hash_of(&old);
            return Err(if good { RefreshError::Suspended } else { RefreshError::Invalid });
        }
        let now = self.0.clock.now();
        let secret = self.successor(session, &old);
        let new = hash_of(&secret);
        let expires_at = self.0.lifetimes.end(found.created_at, now);
        if expires_at <= now {
            // From when sessions lasted longer.
            return Err(RefreshError::Invalid);
        }
        let rotation = self.0.sessions.rotate(session, hash_of(&old), new, now, expires_at).await?;
        match rotation {
            Rotation::Rotated(row) => Ok(self.log_in_of(&row, &account.roles, &secret, now)),
            Rotation::Repeated(row) => {
                self.log_refresh_repeated(&row);
                Ok(self.log_in_of(&row, &account.roles, &secret, now))
            }
            Rotation::Reused(row) => {
                tracing::warn!(session = %row.id, "a used refresh token came again: session ended");
                self.announce(&[Revoked::Session { user: row.user, session: row.id }]).await;
                let note = Note::new(Actor::System, Action::SessionReuse).about(&row.id);
                self.0.audit.note_done(note.with("account", &row.user)).await;
                Err(RefreshError::Invalid)
            }
            Rotation::Wrong | Rotation::Gone => Err(RefreshError::Invalid),
        }
    }

    /// Ends the caller's session.
    pub async fn log_out(&self, principal: &Principal) -> Result<(), SessionError> {
        let (user, session) = (principal.user, principal.session()?);
        Ok(self.revoke_session(user, session).await?)
    }

    /// Checks an access token alone: asks nobody.
    pub fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        self.0.tokens.verify(token, self.0.clock.now())
    }

    /// Checks an access token or API key, that neither it nor its session was ended, and that nobody
    /// keeps its bearer out.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AuthError> {
        if let Some(key) = ShownKey::parse(token) {
            return self.admit_key(key).await;
        }
        let principal = self.verify(token)?;
        let roles = self.admits(principal.bearer()).await?;
        Ok(Principal { roles, ..principal })
    }

    /// Whoever bears an access token that was verified, if its session was not ended and nobody keeps
    /// them out. For one request: where servers share what they read, an end that could not be told may be
    /// half a minute old.
    pub async fn admit(&self, principal: Principal) -> Result<Principal, AuthError> {
        let principal = self.admit_without_factor(principal).await?;
        self.has_required_factor(principal.user, &principal.roles).await?;
        Ok(principal)
    }

    /// The same, also of who has no second factor and has to: to turn it on, and to log out.
    pub async fn admit_without_factor(&self, principal: Principal) -> Result<Principal, AuthError> {
        if let Some(roles) = self.kept(principal.bearer()).await {
            return Ok(Principal { roles, ..principal });
        }
        let read_at = self.0.clock.now();
        // Costs less than verifying did (measured: 40 µs a look-up after 100 µs, ci profile).
        let roles = self.goes_on(principal.bearer()).await?;
        self.keep(principal.bearer(), &roles, read_at).await;
        Ok(Principal { roles, ..principal })
    }

    /// Whoever bears an API key, if it is good and nobody keeps them out.
    pub async fn admit_key(&self, key: ShownKey) -> Result<Principal, AuthError> {
        let principal = self.authenticate_key(key).await?;
        let roles = self.admits_account(principal.user).await?;
        self.has_required_factor(principal.user, &roles).await?;
        Ok(Principal { roles, ..principal })
    }

    /// Whether somebody may go on by their proof, and with which roles: those of a token may have been
    /// taken since.
    pub async fn admits(&self, bearer: Bearer) -> Result<Vec<AccountRole>, AuthError> {
        let roles = self.goes_on(bearer).await?;
        if bearer.proof != Proof::Server {
            self.has_required_factor(bearer.user, &roles).await?;
        }
        Ok(roles)
    }

    /// The same, whether or not they have to have a second factor.
    async fn goes_on(&self, bearer: Bearer) -> Result<Vec<AccountRole>, AuthError> {
        match bearer.proof {
            Proof::Session(session) => {
                let session = self.0.sessions.find(session).await?;
                if session.is_none_or(|session| session.revoked) {
                    // Whoever is kept out is told that, and not to log in.
                    self.admits_account(bearer.user).await?;
                    return Err(AuthError::Revoked);
                }
            }
            Proof::ApiKey(key, _) => self.admits_key(bearer.user, key).await?,
            Proof::Server => {}
        }
        self.admits_account(bearer.user).await
    }

    /// Whether nobody keeps somebody out, and their roles.
    async fn admits_account(&self, user: UserId) -> Result<Vec<AccountRole>, AuthError> {
        match self.0.accounts.find(user).await? {
            Some(account) if account.erased_at.is_some() => Err(AuthError::Revoked),
            Some(account) if account.suspended_at.is_some() => Err(AuthError::Suspended),
            Some(account) => Ok(account.roles),
            None => Err(AuthError::Revoked),
        }
    }

    /// Keeps somebody out and ends their log-ins, or lets them in again. `None`: no such account.
    pub(super) async fn suspend(
        &self,
        user: UserId,
        on: bool,
    ) -> Result<Option<Account>, StoreError> {
        let at = on.then(|| self.0.clock.now());
        let account = self.0.accounts.suspend(user, at).await;
        if on && !matches!(account, Ok(None)) {
            // Of a failure nobody knows whether it stands: who is not suspended comes back.
            self.announce(&[Revoked::Account { user }]).await;
        }
        let account = account?;
        if on && account.is_some() {
            // Whoever is let in again shows who they are.
            self.revoke_sessions(user, None).await?;
        }
        Ok(account)
    }

    /// Puts roles in the place of somebody's. `None`: no such account, or it was erased.
    pub(super) async fn set_roles(
        &self,
        user: UserId,
        roles: Vec<AccountRole>,
    ) -> Result<Option<Account>, StoreError> {
        let account = self.0.accounts.set_roles(user, roles).await;
        self.announce_change(user).await;
        account
    }

    /// Forgets what need not be remembered any more.
    pub fn sweep(&self) {
        if let Some(shared) = &self.0.shared {
            shared.sweep(self.0.clock.now());
        }
    }

    /// Hears of what ends before its time.
    pub fn revocations(&self) -> broadcast::Receiver<Revoked> {
        self.0.revocations.subscribe()
    }

    fn new_account(&self, name: DisplayName) -> Account {
        Account::new(UserId::from_bytes(self.0.ids.random()), name, self.0.clock.now())
    }

    fn log_in_of(
        &self,
        session: &Session,
        roles: &[AccountRole],
        secret: &[u8; 32],
        now: Timestamp,
    ) -> LogIn {
        let lifetime = session.expires_at.since(now).min(LIFETIME);
        let (access_token, access_expires_at) =
            self.0.tokens.issue(session.user, session.id, roles, now, lifetime);
        let mut refresh = session.id.as_bytes().to_vec();
        refresh.extend_from_slice(secret);
        LogIn {
            user: session.user,
            session: session.id,
            access_token,
            access_expires_at,
            refresh_token: URL_SAFE_NO_PAD.encode(refresh),
            refresh_expires_at: session.expires_at,
        }
    }

    /// The secret that follows another, the same at every server. Of the keys and a token that was good once
    /// follow all later ones (docs/decisions/0019).
    fn successor(&self, session: SessionId, old: &[u8; 32]) -> [u8; 32] {
        self.0.data_keys.digest("refresh token", &[session.as_bytes(), &old[..]].concat())
    }

    fn fresh_secret(&self) -> ([u8; 32], [u8; 32]) {
        let secret = self.0.ids.secret();
        (secret, hash_of(&secret))
    }

    fn tell(&self, revoked: Revoked) {
        // Nobody may be listening.
        let _ = self.0.revocations.send(revoked);
    }
}

fn hash_of(secret: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn parse_refresh_token(token: &str) -> Option<(SessionId, [u8; 32])> {
    let bytes = URL_SAFE_NO_PAD.decode(token.get(..64)?).ok()?;
    let (session, secret) = bytes.split_first_chunk::<16>()?;
    (token.len() == 64).then_some((SessionId::from_bytes(*session), secret.try_into().ok()?))
}

#[cfg(test)]
mod tests;
