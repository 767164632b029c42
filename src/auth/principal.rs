//! Whoever proved who they are.

use barterline_domain::account::AccountRole;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};

/// The bearer of a good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub user: UserId,
    /// By which log-in.
    pub session: SessionId,
    /// What they may do.
    pub roles: Vec<AccountRole>,
    /// When the token ends.
    pub expires_at: Timestamp,
}
