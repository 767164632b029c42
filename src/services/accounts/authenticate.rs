//! Who speaks, by an access token.

use barterline_storage::error::StoreError;

use super::Accounts;
use super::session_cache::Standing;
use crate::auth::principal::Principal;
use crate::auth::token::TokenError;

/// Why a token stands for nobody.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token itself is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its session was ended. Log in.
    #[error("the session was ended")]
    Revoked,
    /// The store did not say whether the session goes on. Try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Finds out for whom a token speaks. The store is asked once for each session and process;
    /// after that the cost is one check of a signature.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AuthError> {
        let parts = &self.0.parts;
        let now = parts.clock.now();
        let principal = parts.tokens.verify(token, now)?;
        let standing = match self.0.cache.find(principal.session, now) {
            Some(standing) => standing,
            None => {
                let session = parts.sessions.find(principal.session).await?;
                let standing = match session {
                    Some(session) if !session.revoked => Standing::Good,
                    Some(_) | None => Standing::Revoked,
                };
                self.0.cache.learnt(principal.session, standing, now)
            }
        };
        match standing {
            Standing::Good => Ok(principal),
            Standing::Revoked => Err(AuthError::Revoked),
        }
    }
}
