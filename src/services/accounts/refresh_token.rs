//! Refresh tokens: opaque to the client, a session and a secret to us.

use std::fmt;

use barterline_domain::ids::SessionId;
use barterline_storage::sessions::RefreshHash;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Tells scanners of leaked secrets, and people, what it is.
const PREFIX: &str = "bl_refresh_";
const SESSION_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// Three bytes in four characters: 48 bytes need no padding.
const TOKEN_CHARS: usize = (SESSION_BYTES + SECRET_BYTES) / 3 * 4;

/// A refresh token in clear. Never stored, never printed by `Debug`.
pub struct RefreshToken {
    session: SessionId,
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// The token of a session with this secret.
    pub fn new(session: SessionId, secret: [u8; SECRET_BYTES]) -> Self {
        Self { session, secret }
    }

    /// Reads a token; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(PREFIX)?;
        if text.len() != TOKEN_CHARS {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (session, secret) = bytes.split_at_checked(SESSION_BYTES)?;
        Some(Self {
            session: SessionId::from_bytes(session.try_into().ok()?),
            secret: secret.try_into().ok()?,
        })
    }

    /// Whose it is, says the token.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// What is stored of it. The secret has 256 random bits: one round of hashing is enough.
    pub fn hash(&self) -> RefreshHash {
        Sha256::digest(self.secret).into()
    }
}

impl fmt::Display for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; SESSION_BYTES + SECRET_BYTES];
        bytes[..SESSION_BYTES].copy_from_slice(self.session.as_bytes());
        bytes[SESSION_BYTES..].copy_from_slice(&self.secret);
        write!(f, "{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({}, …)", self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_what_it_prints() {
        let token = RefreshToken::new(SessionId::from_bytes([7; 16]), [9; 32]);
        let text = token.to_string();
        assert_eq!(text.len(), PREFIX.len() + TOKEN_CHARS);
        let read = RefreshToken::parse(&text).expect("a token");
        assert_eq!(read.session(), token.session());
        assert_eq!(read.hash(), token.hash());
        assert!(!format!("{token:?}").contains(&text[text.len() - 8..]));
    }

    #[test]
    fn anything_else_is_no_token() {
        let good = RefreshToken::new(SessionId::from_bytes([7; 16]), [9; 32]).to_string();
        let wrong = [
            String::new(),
            PREFIX.to_owned(),
            good[..good.len() - 1].to_owned(),
            format!("{good}A"),
            good.replace("bl_", "xx_"),
            format!("{PREFIX}{}", "!".repeat(TOKEN_CHARS)),
            format!("{PREFIX}{}", "é".repeat(TOKEN_CHARS / 2)),
            "x".repeat(1 << 20),
        ];
        for text in wrong {
            assert!(RefreshToken::parse(&text).is_none(), "{:.40}", text);
        }
    }
}
