//! Accounts for load tests, without the cost of a password each.

use barterline_domain::account::{AccountRole, DisplayName};
use barterline_domain::ids::{SessionId, UserId};
use barterline_storage::accounts::Account;
use barterline_storage::error::StoreError;
use barterline_storage::sessions::Session;

use super::Accounts;
use super::refresh_token::RefreshToken;
use crate::auth::token::ACCESS_LIFETIME_MAX;

impl Accounts {
    /// Makes `count` accounts, each with a session and an access token for 24 hours. They have no
    /// password and no good refresh token: when the token ends, nobody can use them.
    ///
    /// Only for a server started for load tests; the caller sees to that.
    pub async fn open_for_load(&self, count: usize) -> Result<Vec<(Account, String)>, StoreError> {
        let parts = &self.0.parts;
        let now = parts.clock.now();
        let name = DisplayName::parse("Load").expect("a sound name");
        let accounts: Vec<_> = (0..count)
            .map(|_| Account {
                id: UserId::from_bytes(parts.ids.random()),
                name: name.clone(),
                roles: vec![AccountRole::User],
                created_at: now,
            })
            .collect();
        let sessions: Vec<_> = accounts
            .iter()
            .map(|account| {
                let id = SessionId::from_bytes(parts.ids.random());
                Session {
                    id,
                    user: account.id,
                    // The secret is dropped here: no token has this hash.
                    refresh_hash: RefreshToken::new(id, parts.ids.secret()).hash(),
                    created_at: now,
                    expires_at: now.plus(ACCESS_LIFETIME_MAX),
                    revoked: false,
                }
            })
            .collect();
        parts.accounts.insert(accounts.clone()).await?;
        parts.sessions.insert(sessions.clone()).await?;
        let with_token = |(account, session): (Account, Session)| {
            let (token, _) = parts.tokens.issue_for(
                ACCESS_LIFETIME_MAX,
                account.id,
                session.id,
                &account.roles,
                now,
            );
            (account, token)
        };
        Ok(accounts.into_iter().zip(sessions).map(with_token).collect())
    }
}
