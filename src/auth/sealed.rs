//! Sealed tokens: PASETO v4.local. What only this server can read or make, and what it therefore need
//! not store: whoever has one keeps it for the server.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::clock::Timestamp;
use hmac::{Hmac, Mac as _};
use pasetors::Local;
use pasetors::keys::SymmetricKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::keyring::{Key, Keyring};
use super::token::{Footer, TOKEN_BYTES_MAX, TokenError};

/// What the sealing keys are derived for: nothing else follows from the same words.
const CONTEXT: &[u8] = b"barterline/sealed-tokens/v1";

/// What a token is for. One for something else does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Makes the account that somebody asked for.
    Registration,
    /// Says that a session goes on.
    KeptSession,
    /// Says that nobody keeps somebody out.
    KeptAccount,
    /// Brings somebody back from a provider.
    SignInState,
    /// Says who came back.
    SignInCode,
    /// Shows a file for a while, where no header can be sent.
    MediaLink,
}

impl Purpose {
    /// Stands in no token: who opens one has to expect it (the implicit assertion of PASETO v4).
    const fn assertion(self) -> &'static [u8] {
        match self {
            Self::Registration => b"barterline/registration/v1",
            Self::KeptSession => b"barterline/kept-session/v1",
            Self::KeptAccount => b"barterline/kept-account/v1",
            Self::SignInState => b"barterline/sign-in-state/v1",
            Self::SignInCode => b"barterline/sign-in-code/v1",
            Self::MediaLink => b"barterline/media-link/v1",
        }
    }
}

/// Seals and opens, under the keys that access tokens are signed with.
#[derive(Clone)]
pub struct Sealing(Arc<Keyring>);

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    /// Milliseconds since the epoch.
    exp: Timestamp,
    claims: T,
}

impl Sealing {
    /// Sealing under these keys, each by a key of its own that follows from it.
    pub(super) fn new(keys: Arc<Keyring>) -> Self {
        Self(keys)
    }

    /// Seals claims for `lifetime`.
    pub fn seal<T: Serialize>(
        &self,
        purpose: Purpose,
        claims: T,
        now: Timestamp,
        lifetime: Duration,
    ) -> String {
        let sealed = Sealed { exp: now.plus(lifetime), claims };
        let sealed = serde_json::to_vec(&sealed).expect("claims have no value that fails");
        let key = self.0.signing();
        let footer = Footer { kid: key.id.clone() };
        let footer = serde_json::to_vec(&footer).expect("a footer has no value that fails");
        let assertion = Some(purpose.assertion());
        let token = LocalToken::encrypt(&sealing_key(key), &sealed, Some(&footer), assertion);
        token.expect("a sound key seals anything")
    }

    /// Opens a token: ours, for this purpose, untouched, not over.
    pub fn open<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        token: &str,
        now: Timestamp,
    ) -> Result<T, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let token: UntrustedToken<Local, V4> =
            UntrustedToken::try_from(token).map_err(|_| TokenError::Invalid)?;
        let footer = token.untrusted_footer();
        let named: Footer = serde_json::from_slice(footer).map_err(|_| TokenError::Invalid)?;
        let key = self.0.find(&named.kid).ok_or(TokenError::Invalid)?;
        let assertion = Some(purpose.assertion());
        let trusted = LocalToken::decrypt(&sealing_key(key), &token, Some(footer), assertion)
            .map_err(|_| TokenError::Invalid)?;
        let sealed: Sealed<T> =
            serde_json::from_str(trusted.payload()).map_err(|_| TokenError::Invalid)?;
        if now >= sealed.exp {
            return Err(TokenError::Expired);
        }
        Ok(sealed.claims)
    }
}

/// HMAC-SHA256 of the context under the signing key: who learns one learns nothing of the other.
fn sealing_key(key: &Key) -> SymmetricKey<V4> {
    let mac = Hmac::<Sha256>::new_from_slice(key.secret.as_bytes());
    let derived = mac.expect("a key may have any length").chain_update(CONTEXT).finalize();
    SymmetricKey::from(&derived.into_bytes()).expect("a key has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::super::token::Tokens;
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn sealing() -> Sealing {
        Tokens::new(Keyring::generate()).sealing()
    }

    fn seal(sealing: &Sealing) -> String {
        sealing.seal(Purpose::Registration, "hunter2", NOW, HOUR)
    }

    fn open(sealing: &Sealing, token: &str, now: Timestamp) -> Result<String, TokenError> {
        sealing.open(Purpose::Registration, token, now)
    }

    #[test]
    fn a_sealed_token_says_nothing_and_opens_until_it_ends() {
        let sealing = sealing();
        let token = seal(&sealing);
        assert!(token.starts_with("v4.local."), "{token}");
        assert_ne!(token, seal(&sealing), "the same twice looks different");
        assert_eq!(open(&sealing, &token, NOW).as_deref(), Ok("hunter2"));
        assert_eq!(open(&sealing, &token, NOW.plus(HOUR)), Err(TokenError::Expired));
    }

    #[test]
    fn what_is_not_ours_or_for_something_else_does_not_open() {
        let sealing = sealing();
        let good = seal(&sealing);
        let other = seal(&self::sealing());
        let huge = format!("v4.local.{}", "A".repeat(100_000));
        let mut cases = vec![other, String::new(), "v4.local.".to_owned(), huge];
        for at in [1, 12, good.len() / 2, good.len() - 3] {
            let mut tampered = good.clone().into_bytes();
            tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
            cases.push(String::from_utf8(tampered).expect("ASCII"));
        }
        // Sealed by us under the same key, but with another assertion, or none.
        let key = sealing.0.signing();
        let footer = format!(r#"{{"kid":"{}"}}"#, key.id);
        let claims = format!(r#"{{"exp":{},"claims":"x"}}"#, NOW.as_millis() + 1);
        for assertion in [None, Some(&b"barterline/something-else/v1"[..])] {
            let (key, footer) = (sealing_key(key), Some(footer.as_bytes()));
            let token = LocalToken::encrypt(&key, claims.as_bytes(), footer, assertion);
            cases.push(token.expect("a token"));
        }
        for token in cases {
            assert_eq!(open(&sealing, &token, NOW), Err(TokenError::Invalid), "{token:.60}");
        }
    }
}
