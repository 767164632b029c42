//! People for load tests, who are simply there.

use std::time::Duration;

use barterline_domain::account::DisplayName;
use barterline_domain::ids::{SessionId, UserId};
use barterline_storage::error::StoreError;
use barterline_storage::sessions::Session;

use super::Accounts;

/// How long the tokens of a load test are good.
pub(super) const LOAD_TEST_LIFETIME: Duration = Duration::from_hours(24);

impl Accounts {
    /// Makes accounts with tokens and without passwords, for a load test.
    pub async fn open_for_load(&self, count: usize) -> Result<Vec<(UserId, String)>, StoreError> {
        let now = self.0.clock.now();
        let (mut accounts, mut sessions, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let name = DisplayName::parse("load test").expect("a sound name");
            let account = self.new_account(name);
            let session = SessionId::from_bytes(self.0.ids.random());
            let (_, refresh_hash) = self.fresh_secret();
            let user = account.id;
            let row = Session {
                id: session,
                user,
                refresh_hash,
                used_hashes: Vec::new(),
                name: None,
                client: None,
                created_at: now,
                proven_at: now,
                used_at: now,
                expires_at: now.plus(LOAD_TEST_LIFETIME),
                revoked: false,
            };
            let (token, _) =
                self.0.tokens.issue(user, session, &account.roles, now, LOAD_TEST_LIFETIME);
            opened.push((user, token));
            accounts.push(account);
            sessions.push(row);
        }
        self.0.accounts.insert(accounts).await?;
        self.0.sessions.insert(sessions).await?;
        Ok(opened)
    }
}
