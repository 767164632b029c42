//! What roles permit. Services ask, by whoever calls them; edges do not.

use barterline_domain::account::AccountRole;

use super::principal::Principal;

/// What not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Reads what people reported, with the messages.
    ReadReports,
    /// Keeps somebody out who is not staff, or lets them in again.
    Suspend,
    /// Gives and takes roles, and keeps staff out.
    SetRoles,
    /// Reads what staff did.
    ReadAudit,
}

impl Permission {
    fn is_given_to(self, role: AccountRole) -> bool {
        match role {
            AccountRole::Admin => true,
            AccountRole::Moderator => matches!(self, Self::ReadReports | Self::Suspend),
            AccountRole::User | AccountRole::Service => false,
        }
    }
}

impl Principal {
    /// Whether one of their roles permits it.
    pub fn may(&self, permission: Permission) -> bool {
        self.roles.iter().any(|role| permission.is_given_to(*role))
    }
}

#[cfg(test)]
mod tests {
    use barterline_domain::clock::Timestamp;
    use barterline_domain::ids::{SessionId, UserId};

    use super::*;

    #[test]
    fn roles_permit_this_and_no_more() {
        use Permission::{ReadAudit, ReadReports, SetRoles, Suspend};
        let check = |roles: &[AccountRole], expected: &[Permission]| {
            let caller = Principal {
                user: UserId::from_bytes([1; 16]),
                session: SessionId::from_bytes([2; 16]),
                roles: roles.to_vec(),
                expires_at: Timestamp::from_millis(0),
            };
            for permission in [ReadReports, Suspend, SetRoles, ReadAudit] {
                let expected = expected.contains(&permission);
                assert_eq!(caller.may(permission), expected, "{roles:?} {permission:?}");
            }
        };
        check(&[], &[]);
        check(&[AccountRole::User, AccountRole::Service], &[]);
        check(&[AccountRole::User, AccountRole::Moderator], &[ReadReports, Suspend]);
        check(&[AccountRole::Admin], &[ReadReports, Suspend, SetRoles, ReadAudit]);
    }
}
