//! Who wants something, by what proof, and what the proof lets them do.

use crate::account::Scope;
use crate::ids::{ApiKeyId, SessionId, UserId};

/// By what somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A log-in.
    Session(SessionId),
    /// A key that they gave to a program or device.
    ApiKey(ApiKeyId, Scopes),
    /// None: this server does it for them, as it does for people whom it made up itself.
    Server,
}

/// Who wants something, and by what proof: what services are asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
    /// Who.
    pub user: UserId,
    /// By what.
    pub proof: Proof,
}

/// Why a proof does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unpermitted {
    /// An API key without this scope.
    #[error("the API key lacks the scope {}", .0.name())]
    Scope(Scope),
    /// Not by an API key, whatever its scopes.
    #[error("this takes a log-in, not an API key")]
    LogInOnly,
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

impl<'a> FromIterator<&'a Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | bit(*scope)))
    }
}

const fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

const _: () = assert!(Scope::ALL.len() <= u8::BITS as usize, "a scope has a bit of its own");

impl Bearer {
    /// Somebody for whom this server does something by itself.
    pub const fn served(user: UserId) -> Self {
        Self { user, proof: Proof::Server }
    }

    /// Who wants it, if their proof lets them do what `scope` is about.
    pub fn may(self, scope: Scope) -> Result<UserId, Unpermitted> {
        match self.proof {
            Proof::ApiKey(_, scopes) if !scopes.contains(scope) => Err(Unpermitted::Scope(scope)),
            Proof::ApiKey(..) | Proof::Session(_) | Proof::Server => Ok(self.user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_permits_its_scopes_and_no_more() {
        let user = UserId::from_bytes([1; 16]);
        for given in Scope::ALL {
            let scopes = [given].iter().collect();
            let bearer =
                Bearer { user, proof: Proof::ApiKey(ApiKeyId::from_bytes([2; 16]), scopes) };
            for asked in Scope::ALL {
                let expected =
                    if asked == given { Ok(user) } else { Err(Unpermitted::Scope(asked)) };
                assert_eq!(bearer.may(asked), expected);
            }
        }
        let session = Proof::Session(SessionId::from_bytes([3; 16]));
        for proof in [session, Proof::Server] {
            assert!(Scope::ALL.iter().all(|scope| Bearer { user, proof }.may(*scope).is_ok()));
        }
    }
}
