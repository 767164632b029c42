//! Access tokens: PASETO v4.public, short-lived, checked without asking anybody.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::account::AccountRole;
use barterline_domain::bearer::Proof;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use pasetors::{Public, token};
use serde::{Deserialize, Serialize};

use super::keyring::Keyring;
use super::principal::Principal;
use super::sealed::Sealing;

/// How long an access token is good.
pub const LIFETIME: Duration = Duration::from_mins(15);
/// Longest token that is looked at, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 4 * 1024;
const ISSUER: &str = "barterline";

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, or tampered with.
    #[error("the token is not valid")]
    Invalid,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
}

/// Issues and verifies access tokens.
#[derive(Clone)]
pub struct Tokens(Arc<Keyring>);

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: UserId,
    sid: SessionId,
    roles: Vec<AccountRole>,
    /// Milliseconds since the epoch, both.
    iat: Timestamp,
    exp: Timestamp,
}

/// Says by which key a token was made.
#[derive(Serialize, Deserialize)]
pub(super) struct Footer {
    pub kid: String,
}

impl Tokens {
    /// Tokens under these keys.
    pub fn new(keys: Keyring) -> Self {
        Self(Arc::new(keys))
    }

    /// Sealed tokens under the same keys.
    pub fn sealing(&self) -> Sealing {
        Sealing::new(Arc::clone(&self.0))
    }

    /// Issues a token that is good for `lifetime`; gives its end too.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        roles: &[AccountRole],
        now: Timestamp,
        lifetime: Duration,
    ) -> (String, Timestamp) {
        let exp = now.plus(lifetime);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: user,
            sid: session,
            roles: roles.to_vec(),
            iat: now,
            exp,
        };
        let key = self.0.signing();
        let footer = Footer { kid: key.id.clone() };
        let claims = serde_json::to_vec(&claims).expect("claims have no value that fails");
        let footer = serde_json::to_vec(&footer).expect("a footer has no value that fails");
        let token = PublicToken::sign(&key.secret, &claims, Some(&footer), None);
        (token.expect("a sound key signs anything"), exp)
    }

    /// Checks a token: ours, untouched, not over.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Principal, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let token: UntrustedToken<Public, V4> =
            token::UntrustedToken::try_from(token).map_err(|_| TokenError::Invalid)?;
        let footer: Footer =
            serde_json::from_slice(token.untrusted_footer()).map_err(|_| TokenError::Invalid)?;
        let key = self.0.find(&footer.kid).ok_or(TokenError::Invalid)?;
        let footer = token.untrusted_footer();
        let trusted = PublicToken::verify(&key.public, &token, Some(footer), None)
            .map_err(|_| TokenError::Invalid)?;
        let claims: Claims =
            serde_json::from_str(trusted.payload()).map_err(|_| TokenError::Invalid)?;
        if claims.iss != ISSUER {
            return Err(TokenError::Invalid);
        }
        if now >= claims.exp {
            return Err(TokenError::Expired);
        }
        Ok(Principal {
            user: claims.sub,
            proof: Proof::Session(claims.sid),
            roles: claims.roles,
            expires_at: claims.exp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId::from_bytes([1; 16]);
    const SESSION: SessionId = SessionId::from_bytes([2; 16]);
    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn issue(tokens: &Tokens) -> String {
        tokens.issue(USER, SESSION, &[AccountRole::User], NOW, LIFETIME).0
    }

    #[test]
    fn a_token_says_who_until_it_ends() {
        let tokens = Tokens::new(Keyring::generate());
        let token = issue(&tokens);
        let end = NOW.plus(LIFETIME);
        let principal = tokens.verify(&token, NOW).expect("a good token");
        let expected = Principal {
            user: USER,
            proof: Proof::Session(SESSION),
            roles: vec![AccountRole::User],
            expires_at: end,
        };
        assert_eq!(principal, expected);
        assert_eq!(tokens.verify(&token, end), Err(TokenError::Expired));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let tokens = Tokens::new(Keyring::generate());
        let other = issue(&Tokens::new(Keyring::generate()));
        let good = issue(&tokens);
        let huge = format!("v4.public.{}", "A".repeat(100_000));
        let mut cases =
            vec![other, String::new(), "v4.public.".into(), "v4.local.AAAA".into(), huge];
        // The version, the payload, the signature, the footer.
        for at in [1, 15, good.len() / 2, good.len() - 60, good.len() - 3] {
            let mut tampered = good.clone().into_bytes();
            tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
            cases.push(String::from_utf8(tampered).expect("ASCII"));
        }
        for token in cases {
            assert_eq!(tokens.verify(&token, NOW), Err(TokenError::Invalid), "{token:.60}");
        }
    }

    /// A token with a good signature over any claims, under any name of a key.
    fn sign(tokens: &Tokens, claims: &str, footer: Option<&str>) -> String {
        let secret = &tokens.0.signing().secret;
        PublicToken::sign(secret, claims.as_bytes(), footer.map(str::as_bytes), None)
            .expect("a token")
    }

    #[test]
    fn a_good_signature_is_not_enough() {
        let tokens = Tokens::new(Keyring::generate());
        let kid = format!(r#"{{"kid":"{}"}}"#, tokens.0.signing().id);
        let claims = |issuer: &str| {
            format!(
                r#"{{"iss":"{issuer}","sub":"{USER}","sid":"{SESSION}","roles":[],"iat":1,"exp":{}}}"#,
                NOW.as_millis() + 1
            )
        };
        let good = sign(&tokens, &claims(ISSUER), Some(&kid));
        assert!(tokens.verify(&good, NOW).is_ok());
        for wrong in [
            sign(&tokens, &claims("somebody else"), Some(&kid)),
            sign(&tokens, &claims(ISSUER), Some(r#"{"kid":"other"}"#)),
            sign(&tokens, &claims(ISSUER), Some("{}")),
            sign(&tokens, &claims(ISSUER), Some("\u{0}")),
            sign(&tokens, &claims(ISSUER), None),
            sign(&tokens, "{}", Some(&kid)),
            sign(&tokens, "[[[[[[", Some(&kid)),
        ] {
            assert_eq!(tokens.verify(&wrong, NOW), Err(TokenError::Invalid), "{wrong}");
        }
    }

    #[test]
    fn tokens_outlive_a_rotation_of_their_key() {
        let mut ring = Keyring::generate();
        let token = issue(&Tokens::new(Keyring::of(vec![ring.signing().clone()])));
        ring.rotate();
        let tokens = Tokens::new(ring);
        assert!(tokens.verify(&token, NOW).is_ok());
        assert!(tokens.verify(&issue(&tokens), NOW).is_ok());
    }

    #[test]
    fn earlier_keys_verify_and_the_newest_signs() {
        let mut ring = Keyring::generate();
        let first = ring.signing().id.clone();
        ring.rotate();
        assert_ne!(ring.signing().id, first);
        assert!(ring.find(&first).is_some());
        for _ in 0..super::super::keyring::KEYS_MAX {
            ring.rotate();
        }
        assert!(ring.find(&first).is_none());
    }
}
