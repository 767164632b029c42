//! What staff may do: each thing is permitted by a role, and noted before it is done.

use barterline_domain::account::{AccountRole, Email};
use barterline_domain::bearer::Unpermitted;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ReportId, UserId};
use barterline_storage::accounts::Account;
use barterline_storage::audit::{Actor, AuditEntry};
use barterline_storage::error::StoreError;
use barterline_storage::reports::Report;

use super::accounts::{Accounts, Appointed, Appointment, AuthError, RegisterError, Resealed};
use super::audit::{Action, AuditLog, Note, Verified, VerifyError};
use super::reports::Reports;
use crate::auth::permission::Permission;
use crate::auth::principal::Principal;

/// The rules of staff.
#[derive(Clone)]
pub struct Staff {
    accounts: Accounts,
    reports: Reports,
    audit: AuditLog,
}

/// On whose behalf something is done.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// Whoever has the token of the operators' port: may do everything.
    Operator,
    /// Somebody who logged in: may do what their roles permit.
    Person(&'a Principal),
}

/// Why staff did nothing.
#[derive(Debug, thiserror::Error)]
pub enum StaffError {
    /// Staff log in.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// No role of the caller's permits it.
    #[error("the caller's roles do not permit it")]
    Forbidden,
    /// Nobody keeps themselves out, or changes their own roles.
    #[error("not to oneself")]
    Oneself,
    /// No such account, or it was erased.
    #[error("no such account")]
    AccountNotFound,
    /// No such report.
    #[error("no such report")]
    ReportNotFound,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl By<'_> {
    fn actor(self) -> Actor {
        match self {
            Self::Operator => Actor::Operator,
            Self::Person(caller) => Actor::User(caller.user),
        }
    }

    fn is_another_than(self, user: UserId) -> Result<(), StaffError> {
        match self {
            Self::Person(caller) if caller.user == user => Err(StaffError::Oneself),
            _ => Ok(()),
        }
    }
}

impl Staff {
    /// The rules over these.
    pub fn new(accounts: Accounts, reports: Reports, audit: AuditLog) -> Self {
        Self { accounts, reports, audit }
    }

    /// Keeps somebody out, or lets them in again. Who may give no roles keeps no staff out.
    pub async fn suspend(&self, by: By<'_>, user: UserId, on: bool) -> Result<(), StaffError> {
        self.permit_about(by, Permission::Suspend, user).await?;
        let action = if on { Action::AccountSuspend } else { Action::AccountAdmit };
        self.audit.note(Note::new(by.actor(), action).about(&user)).await?;
        let account = self.accounts.suspend(user, on).await?;
        account.map(drop).ok_or(StaffError::AccountNotFound)
    }

    /// Ends all of somebody's log-ins, and their sockets; gives how many there were. They may log in again.
    pub async fn end_sessions(&self, by: By<'_>, user: UserId) -> Result<usize, StaffError> {
        self.permit_about(by, Permission::Suspend, user).await?;
        self.audit.note(Note::new(by.actor(), Action::SessionsEnd).about(&user)).await?;
        Ok(self.accounts.revoke_sessions(user, None).await?)
    }

    /// Puts roles in the place of somebody's.
    pub async fn set_roles(
        &self,
        by: By<'_>,
        user: UserId,
        roles: Vec<AccountRole>,
    ) -> Result<Account, StaffError> {
        self.permit(by, Permission::SetRoles).await?;
        by.is_another_than(user)?;
        let found = self.accounts.profile(user).await?;
        if found.is_none_or(|found| found.erased_at.is_some()) {
            return Err(StaffError::AccountNotFound);
        }
        let note = Note::new(by.actor(), Action::RolesSet).about(&user);
        self.audit.note(note.with("roles", &AccountRole::names(&roles))).await?;
        let account = self.accounts.set_roles(user, roles).await?;
        account.ok_or(StaffError::AccountNotFound)
    }

    /// Turns off the second factor of somebody who has neither program nor paper any more.
    pub async fn end_second_factor(&self, by: By<'_>, user: UserId) -> Result<(), StaffError> {
        self.permit(by, Permission::EndSecondFactor).await?;
        by.is_another_than(user)?;
        self.accounts.profile(user).await?.ok_or(StaffError::AccountNotFound)?;
        if !self.accounts.has_second_factor(user).await? {
            return Ok(());
        }
        self.audit.note(Note::new(by.actor(), Action::FactorOff).about(&user)).await?;
        self.accounts.drop_second_factor(user).await?;
        Ok(())
    }

    /// Makes an account with roles: how the first admin comes to be.
    pub async fn create_account(
        &self,
        appointment: Appointment,
    ) -> Result<Appointed, RegisterError> {
        self.accounts.appoint(appointment).await
    }

    /// Gives the operator a code by which the owner of an address sets a new password.
    pub async fn password_code(&self, email: &Email) -> Result<String, StaffError> {
        let code = self.accounts.password_code(email).await?;
        code.ok_or(StaffError::AccountNotFound)
    }

    /// Fails where no role of the caller's permits it: as the roles are now, which may not be those of
    /// when the request began.
    async fn permit(&self, by: By<'_>, permission: Permission) -> Result<(), StaffError> {
        let By::Person(caller) = by else { return Ok(()) };
        caller.session()?;
        let roles = match self.accounts.admits(caller.bearer()).await {
            Ok(roles) => roles,
            Err(AuthError::Store(error)) => return Err(error.into()),
            Err(
                AuthError::Revoked
                | AuthError::Suspended
                | AuthError::FactorRequired
                | AuthError::Token(_),
            ) => {
                return Err(StaffError::Forbidden);
            }
        };
        if permission.is_given_by(&roles) { Ok(()) } else { Err(StaffError::Forbidden) }
    }

    /// The same for what is done to somebody else who is there. Who may give no roles does nothing to
    /// staff.
    async fn permit_about(
        &self,
        by: By<'_>,
        permission: Permission,
        user: UserId,
    ) -> Result<(), StaffError> {
        self.permit(by, permission).await?;
        by.is_another_than(user)?;
        let found = self.accounts.profile(user).await?.ok_or(StaffError::AccountNotFound)?;
        if found.roles.iter().any(|role| *role != AccountRole::User) {
            self.permit(by, Permission::SetRoles).await?;
        }
        Ok(())
    }

    /// Reports newest first, of those that are older than `before`.
    pub async fn reports(
        &self,
        by: By<'_>,
        before: Option<ReportId>,
        limit: usize,
    ) -> Result<Vec<Report>, StaffError> {
        self.permit(by, Permission::ReadReports).await?;
        let before = match before {
            Some(id) => Some(self.place_of(id).await?),
            None => None,
        };
        self.audit.note(Note::new(by.actor(), Action::ReportsList)).await?;
        Ok(self.reports.list(before, limit).await?)
    }

    /// One report, with its messages.
    pub async fn report(&self, by: By<'_>, id: ReportId) -> Result<Report, StaffError> {
        self.permit(by, Permission::ReadReports).await?;
        let found = self.reports.find(id).await?.ok_or(StaffError::ReportNotFound)?;
        self.audit.note(Note::new(by.actor(), Action::ReportRead).about(&id)).await?;
        Ok(found)
    }

    async fn place_of(&self, id: ReportId) -> Result<(Timestamp, ReportId), StaffError> {
        let found = self.reports.find(id).await?.ok_or(StaffError::ReportNotFound)?;
        Ok((found.at, found.id))
    }

    /// Entries of the audit log above the number `after`, the oldest first.
    pub async fn audit(
        &self,
        by: By<'_>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StaffError> {
        self.permit(by, Permission::ReadAudit).await?;
        Ok(self.audit.list(after, limit).await?)
    }

    /// Reads all of the audit log and holds every entry against the one before it.
    pub async fn verify_audit(&self) -> Result<Verified, VerifyError> {
        self.audit.verify().await
    }

    /// Seals anew what earlier keys sealed of an account.
    pub async fn reseal(&self, user: UserId) -> Result<Resealed, StoreError> {
        self.accounts.reseal(user).await
    }

    /// Notes what operators do to the store as a whole.
    pub async fn note_done(&self, note: Note) {
        self.audit.note_done(note).await;
    }
}
