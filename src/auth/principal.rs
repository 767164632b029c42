//! Whoever proved who they are.

use barterline_domain::account::AccountRole;
use barterline_domain::bearer::{Bearer, Proof, Unpermitted};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};

/// The bearer of a good token or API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub user: UserId,
    /// By what.
    pub proof: Proof,
    /// What their account may do.
    pub roles: Vec<AccountRole>,
    /// When the proof ends.
    pub expires_at: Timestamp,
}

impl Principal {
    /// Who wants something, for services.
    pub fn bearer(&self) -> Bearer {
        Bearer { user: self.user, proof: self.proof }
    }

    /// Their log-in: what concerns the account itself is not for programs that have a key to it.
    pub fn session(&self) -> Result<SessionId, Unpermitted> {
        match self.proof {
            Proof::Session(session) => Ok(session),
            Proof::ApiKey(..) | Proof::Server => Err(Unpermitted::LogInOnly),
        }
    }
}
