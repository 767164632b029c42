//! What roles permit. Services ask, by whoever calls them; edges do not.

use barterline_domain::account::AccountRole;

/// What not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Reads what people reported, with the messages.
    ReadReports,
    /// Keeps somebody out who is not staff, or lets them in again.
    Suspend,
    /// Gives and takes roles, and keeps staff out.
    SetRoles,
    /// Turns somebody's second factor off.
    EndSecondFactor,
    /// Reads what staff did.
    ReadAudit,
}

impl Permission {
    /// Whether one of these roles permits it.
    pub fn is_given_by(self, roles: &[AccountRole]) -> bool {
        roles.iter().any(|role| match role {
            AccountRole::Admin => true,
            AccountRole::Moderator => matches!(self, Self::ReadReports | Self::Suspend),
            AccountRole::User | AccountRole::Service => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_permit_this_and_no_more() {
        use Permission::{EndSecondFactor, ReadAudit, ReadReports, SetRoles, Suspend};
        let check = |roles: &[AccountRole], expected: &[Permission]| {
            for permission in [ReadReports, Suspend, SetRoles, EndSecondFactor, ReadAudit] {
                let expected = expected.contains(&permission);
                assert_eq!(permission.is_given_by(roles), expected, "{roles:?} {permission:?}");
            }
        };
        check(&[], &[]);
        check(&[AccountRole::User, AccountRole::Service], &[]);
        check(&[AccountRole::User, AccountRole::Moderator], &[ReadReports, Suspend]);
        check(&[AccountRole::Admin], &[ReadReports, Suspend, SetRoles, EndSecondFactor, ReadAudit]);
    }
}
