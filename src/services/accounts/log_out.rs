//! Ending a session.

use barterline_storage::error::StoreError;

use super::{Accounts, Revoked};
use crate::auth::principal::Principal;

impl Accounts {
    /// Ends the caller's session. Its tokens are refused from now on; twice is once.
    pub async fn log_out(&self, principal: &Principal) -> Result<(), StoreError> {
        self.0.parts.sessions.revoke(principal.session).await?;
        self.tell_revoked(Revoked { user: principal.user, session: principal.session });
        Ok(())
    }
}
