//! Keys that people give to programs and devices: each permits some things in its owner's name, until
//! it ends or is taken back.
//!
//! A key is told once, when it is made; stored is its hash. It says by its first letters what it is, so
//! that scanners of published code find it.

use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::account::{ApiKeyName, Scope};
use barterline_domain::bearer::{Proof, Unpermitted};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ApiKeyId, UserId};
use barterline_storage::api_keys::ApiKey;
use barterline_storage::audit::Actor;
use barterline_storage::error::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::{Accounts, AuthError, Language, PasswordError, Revoked, Shown, hash_of};
use crate::auth::principal::Principal;
use crate::auth::token::TokenError;
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

/// What every key begins with.
const PREFIX: &str = "blk_";
/// Id and secret, 48 bytes, in base64url.
const CODE_CHARS: usize = 64;
/// How long a key lasts whose maker did not say.
const LIFETIME: Duration = Duration::from_hours(365 * 24);
/// How long any lasts: a device that outlives it gets a new one.
const LIFETIME_MAX: Duration = Duration::from_hours(10 * 365 * 24);

/// A key as somebody shows it: well-formed, and nothing more is known.
#[derive(Clone, Copy)]
pub struct ShownKey {
    id: ApiKeyId,
    hash: [u8; 32],
}

/// A key that somebody wants.
pub struct NewKey {
    /// What they call it.
    pub name: ApiKeyName,
    /// What its bearer may do.
    pub scopes: Vec<Scope>,
    /// When it ends; `None`: in a year.
    pub expires_at: Option<Timestamp>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The caller is no person who logged in, or did not prove it.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A key that permits nothing.
    #[error("a key has one scope at least")]
    NoScope,
    /// In the past, or too far ahead.
    #[error("a key ends within ten years")]
    End,
    /// The caller has as many as anybody may have.
    #[error("too many keys")]
    TooMany,
    /// None of the caller's.
    #[error("no such key")]
    NotFound,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Unpermitted> for KeyError {
    fn from(error: Unpermitted) -> Self {
        Self::Password(error.into())
    }
}

impl ShownKey {
    /// Reads a bearer's token. `None`: it is no key, whatever else it may be.
    pub fn parse(token: &str) -> Option<Self> {
        let code = token.strip_prefix(PREFIX).filter(|code| code.len() == CODE_CHARS)?;
        let bytes = URL_SAFE_NO_PAD.decode(code).ok()?;
        let (id, secret) = bytes.split_first_chunk::<16>()?;
        let secret: &[u8; 32] = secret.try_into().ok()?;
        Some(Self { id: ApiKeyId::from_bytes(*id), hash: hash_of(secret) })
    }

    /// Which key it says it is.
    pub fn id(&self) -> ApiKeyId {
        self.id
    }

    /// What follows from the whole key, for counting: who does not have it cannot say it.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new().chain_update(self.id.as_bytes()).chain_update(self.hash).finalize().into()
    }
}

impl Accounts {
    /// Makes a key to the caller's account, for who knows the password: it outlives their log-in. The
    /// owner is told by mail. Gives the key with what to show, which is told only here.
    pub async fn make_key(
        &self,
        caller: &Principal,
        NewKey { name, scopes, expires_at }: NewKey,
        shown: Shown,
        from: IpAddr,
        language: Language,
    ) -> Result<(ApiKey, String), KeyError> {
        caller.session()?;
        let now = self.0.clock.now();
        let expires_at = expires_at.unwrap_or(now.plus(LIFETIME));
        if scopes.is_empty() {
            return Err(KeyError::NoScope);
        }
        if expires_at <= now || expires_at > now.plus(LIFETIME_MAX) {
            return Err(KeyError::End);
        }
        let credential = self.prove(caller, shown, from).await?;
        let (secret, hash) = self.fresh_secret();
        let key = ApiKey {
            id: ApiKeyId::from_bytes(self.0.ids.random()),
            user: caller.user,
            name,
            hash,
            scopes,
            created_at: now,
            expires_at: Some(expires_at),
            revoked: false,
        };
        let names: Vec<_> = key.scopes.iter().map(|scope| scope.name()).collect();
        let note = Note::new(Actor::User(caller.user), Action::KeyCreate).about(&key.id);
        self.0.audit.note(note.with("scopes", &names.join(" "))).await?;
        if !self.0.api_keys.insert(key.clone()).await? {
            return Err(KeyError::TooMany);
        }
        self.write_to(caller.user, credential.email, language, Letter::KeyMade).await;
        let mut code = key.id.as_bytes().to_vec();
        code.extend_from_slice(&secret);
        Ok((key, format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(code))))
    }

    /// The caller's keys that were not taken back, in the order they were made.
    pub async fn keys(&self, caller: &Principal) -> Result<Vec<ApiKey>, KeyError> {
        caller.session()?;
        Ok(self.0.api_keys.list(caller.user).await?)
    }

    /// Takes one of the caller's keys back, and ends its sockets. Twice is once.
    pub async fn revoke_key(&self, caller: &Principal, key: ApiKeyId) -> Result<(), KeyError> {
        caller.session()?;
        let user = caller.user;
        let found = self.0.api_keys.find(key).await?.filter(|found| found.user == user);
        let found = found.ok_or(KeyError::NotFound)?;
        if found.revoked {
            return Ok(());
        }
        self.0.audit.note(Note::new(Actor::User(user), Action::KeyRevoke).about(&key)).await?;
        if !self.0.api_keys.revoke(user, key).await? {
            return Err(KeyError::NotFound);
        }
        self.announce(&[Revoked::ApiKey { user, key }]).await;
        Ok(())
    }

    /// Who bears a key that is good. Whether somebody keeps them out is not looked at.
    pub async fn authenticate_key(&self, shown: ShownKey) -> Result<Principal, AuthError> {
        let key = self.0.api_keys.find(shown.id).await?;
        let key = key.filter(|key| key.hash == shown.hash);
        let key = key.ok_or(TokenError::Invalid)?;
        self.check_key(&key)?;
        Ok(Principal {
            user: key.user,
            proof: Proof::ApiKey(key.id, key.scopes.iter().collect()),
            // Of an account, and looked up with it.
            roles: Vec::new(),
            expires_at: end_of(&key),
        })
    }

    /// Whether a key is good still.
    pub(super) async fn admits_key(&self, user: UserId, key: ApiKeyId) -> Result<(), AuthError> {
        let found = self.0.api_keys.find(key).await?.filter(|key| key.user == user);
        self.check_key(&found.ok_or(AuthError::Revoked)?)
    }

    fn check_key(&self, key: &ApiKey) -> Result<(), AuthError> {
        if key.revoked {
            return Err(AuthError::Revoked);
        }
        if self.0.clock.now() >= end_of(key) {
            return Err(TokenError::Expired.into());
        }
        Ok(())
    }
}

/// When a key ends: one that an archive brought without an end lasts as long as any may.
pub fn end_of(key: &ApiKey) -> Timestamp {
    key.expires_at.unwrap_or_else(|| key.created_at.plus(LIFETIME_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_looks() {
        let code = URL_SAFE_NO_PAD.encode([7; 48]);
        let shown = ShownKey::parse(&format!("blk_{code}")).expect("a key");
        assert_eq!(shown.id, ApiKeyId::from_bytes([7; 16]));
        for wrong in [
            code.clone(),
            format!("blk_{code}A"),
            format!("BLK_{code}"),
            "blk_".to_owned(),
            format!("blk_{}", "!".repeat(CODE_CHARS)),
            "v4.public.x".to_owned(),
        ] {
            assert!(ShownKey::parse(&wrong).is_none(), "{wrong}");
        }
    }
}
