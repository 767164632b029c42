//! What staff may do: each thing is permitted by a role, and noted before it is done.

use barterline_domain::account::AccountRole;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ReportId, UserId};
use barterline_storage::accounts::Account;
use barterline_storage::audit::{Actor, AuditEntry};
use barterline_storage::error::StoreError;
use barterline_storage::reports::Report;

use super::accounts::{Accounts, RegisterError, Registration};
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

    fn may(self, permission: Permission) -> bool {
        match self {
            Self::Operator => true,
            Self::Person(caller) => caller.may(permission),
        }
    }

    fn needs(self, permission: Permission) -> Result<(), StaffError> {
        if self.may(permission) { Ok(()) } else { Err(StaffError::Forbidden) }
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
        by.needs(Permission::Suspend)?;
        by.is_another_than(user)?;
        let found = self.accounts.profile(user).await?.ok_or(StaffError::AccountNotFound)?;
        if found.roles.iter().any(|role| *role != AccountRole::User) {
            by.needs(Permission::SetRoles)?;
        }
        let action = if on { Action::AccountSuspend } else { Action::AccountAdmit };
        self.audit.note(Note::new(by.actor(), action).about(&user)).await?;
        let account = self.accounts.suspend(user, on).await?;
        account.map(drop).ok_or(StaffError::AccountNotFound)
    }

    /// Puts roles in the place of somebody's.
    pub async fn set_roles(
        &self,
        by: By<'_>,
        user: UserId,
        roles: Vec<AccountRole>,
    ) -> Result<Account, StaffError> {
        by.needs(Permission::SetRoles)?;
        by.is_another_than(user)?;
        let found = self.accounts.profile(user).await?;
        if found.is_none_or(|found| found.erased_at.is_some()) {
            return Err(StaffError::AccountNotFound);
        }
        let note = Note::new(by.actor(), Action::RolesSet).about(&user);
        self.audit.note(note.with("roles", &names(&roles))).await?;
        let account = self.accounts.set_roles(user, roles).await?;
        account.ok_or(StaffError::AccountNotFound)
    }

    /// Makes an account with roles: how the first admin comes to be. Its address counts as verified,
    /// by the operator's word.
    pub async fn create_account(
        &self,
        registration: Registration,
        roles: Vec<AccountRole>,
    ) -> Result<Account, RegisterError> {
        let named = names(&roles);
        let account = self.accounts.create(registration, roles).await?;
        let note = Note::new(Actor::Operator, Action::AccountCreate).about(&account.id);
        self.audit.note_done(note.with("roles", &named)).await;
        Ok(account)
    }

    /// Reports newest first, of those that are older than `before`.
    pub async fn reports(
        &self,
        by: By<'_>,
        before: Option<ReportId>,
        limit: usize,
    ) -> Result<Vec<Report>, StaffError> {
        by.needs(Permission::ReadReports)?;
        let before = match before {
            Some(id) => Some(self.place_of(id).await?),
            None => None,
        };
        self.audit.note(Note::new(by.actor(), Action::ReportsList)).await?;
        Ok(self.reports.list(before, limit).await?)
    }

    /// One report, with its messages.
    pub async fn report(&self, by: By<'_>, id: ReportId) -> Result<Report, StaffError> {
        by.needs(Permission::ReadReports)?;
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
        by.needs(Permission::ReadAudit)?;
        Ok(self.audit.list(after, limit).await?)
    }

    /// Reads all of the audit log and holds every entry against the one before it.
    pub async fn verify_audit(&self) -> Result<Verified, VerifyError> {
        self.audit.verify().await
    }

    /// Notes what operators are about to do to the store as a whole.
    pub async fn note(&self, note: Note) -> Result<(), StoreError> {
        self.audit.note(note).await
    }

    /// Notes what operators have done to it.
    pub async fn note_done(&self, note: Note) {
        self.audit.note_done(note).await;
    }
}

fn names(roles: &[AccountRole]) -> String {
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    names.join(" ")
}
