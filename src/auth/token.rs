//! Access tokens: PASETO v4.public, checked without asking a store.
//!
//! Claims are `iss`, `sub` (user), `session`, `roles`, `iat` and `exp`, the times as the
//! specification of PASETO wants them (RFC 3339, whole seconds). The footer names the key: `{kid}`.
//! There is no implicit assertion.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::account::AccountRole;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use parking_lot::{Mutex, RwLock};
use pasetors::Public;
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::auth::keyring::{KeyRing, KeyRingError};
use crate::auth::principal::Principal;

/// How long an access token is good for: what a stolen one is worth where revocation is late.
pub const ACCESS_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The longest life any token is issued for (load tests). Keys verify this long after they retire.
pub const ACCESS_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest token that is looked at. Ours take about 450 bytes.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;

const ISSUER: &str = "barterline";

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours. Log in.
    #[error("the access token is not valid")]
    Invalid,
    /// It was good once. Refresh.
    #[error("the access token has expired")]
    Expired,
}

/// Issues and verifies access tokens. Clones share one key ring.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: RwLock<Arc<KeyRing>>,
    /// Held while the ring is rotated, so that two rotations do not lose a key.
    rotating: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: UserId,
    session: SessionId,
    roles: Vec<AccountRole>,
    iat: &'a str,
    exp: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Footer<'a> {
    kid: &'a str,
}

impl Tokens {
    /// Tokens under the keys of `ring`.
    pub fn new(ring: KeyRing) -> Self {
        Self(Arc::new(Shared { ring: RwLock::new(Arc::new(ring)), rotating: Mutex::new(()) }))
    }

    /// Issues a token for [`ACCESS_LIFETIME`]; gives it with the time it ends.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        roles: &[AccountRole],
        now: Timestamp,
    ) -> (String, Timestamp) {
        self.issue_for(ACCESS_LIFETIME, user, session, roles, now)
    }

    /// Issues a token for `lifetime`, cut to [`ACCESS_LIFETIME_MAX`].
    pub fn issue_for(
        &self,
        lifetime: Duration,
        user: UserId,
        session: SessionId,
        roles: &[AccountRole],
        now: Timestamp,
    ) -> (String, Timestamp) {
        let issued_at = Timestamp::from_millis(now.as_millis() / 1_000 * 1_000);
        let expires_at = issued_at.plus(lifetime.min(ACCESS_LIFETIME_MAX));
        let claims = Claims {
            iss: ISSUER,
            sub: user,
            session,
            roles: roles.to_vec(),
            iat: &rfc3339(issued_at),
            exp: &rfc3339(expires_at),
        };
        let ring = Arc::clone(&self.0.ring.read());
        let key = ring.active();
        let footer = Footer { kid: key.kid() };
        let message = serde_json::to_vec(&claims).expect("claims are plain values");
        let footer = serde_json::to_vec(&footer).expect("a footer is a plain value");
        let token = PublicToken::sign(key.secret(), &message, Some(&footer), None)
            .expect("a key that passed the ring's checks signs");
        (token, expires_at)
    }

    /// Checks a token: signature, issuer, time. Touches no store.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Principal, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let untrusted =
            UntrustedToken::<Public, V4>::try_from(token).map_err(|_| TokenError::Invalid)?;
        let footer: Footer<'_> = serde_json::from_slice(untrusted.untrusted_footer())
            .map_err(|_| TokenError::Invalid)?;
        let ring = Arc::clone(&self.0.ring.read());
        let key = ring.find(footer.kid).ok_or(TokenError::Invalid)?;
        let trusted = PublicToken::verify(key.public(), &untrusted, None, None)
            .map_err(|_| TokenError::Invalid)?;
        let claims: Claims<'_> =
            serde_json::from_str(trusted.payload()).map_err(|_| TokenError::Invalid)?;
        principal(claims, now)
    }

    /// Signs with a new key from now on. Tokens under the old keys stay good until they end.
    ///
    /// Writes the key file; call it where blocking is allowed.
    pub fn rotate(&self, now: Timestamp) -> Result<(), KeyRingError> {
        let _alone = self.0.rotating.lock();
        let current = Arc::clone(&self.0.ring.read());
        let next = current.rotate(now)?;
        *self.0.ring.write() = Arc::new(next);
        Ok(())
    }
}

fn principal(claims: Claims<'_>, now: Timestamp) -> Result<Principal, TokenError> {
    if claims.iss != ISSUER {
        return Err(TokenError::Invalid);
    }
    let expires_at = parse_rfc3339(claims.exp).ok_or(TokenError::Invalid)?;
    if expires_at <= now {
        return Err(TokenError::Expired);
    }
    Ok(Principal { user: claims.sub, session: claims.session, roles: claims.roles, expires_at })
}

fn rfc3339(at: Timestamp) -> String {
    let seconds = i64::try_from(at.as_millis() / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        // Year 9999 ends what RFC 3339 can write.
        .unwrap_or_else(|| "9999-12-31T23:59:59Z".to_owned())
}

fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let seconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp();
    let seconds = u64::try_from(seconds).ok()?;
    Some(Timestamp::from_millis(seconds.checked_mul(1_000)?))
}
