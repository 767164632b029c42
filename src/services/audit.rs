//! The audit log: what staff did, and what changed how somebody logs in. It only grows, each entry with
//! a hash over the one before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::clock::Clock;
use barterline_storage::audit::{Actor, Audit, AuditEntry, AuditRecord, verify};
use barterline_storage::error::StoreError;

/// For the entry of what is done already, which nobody takes back.
const NOTE_TIMEOUT: Duration = Duration::from_secs(3);
/// Entries that are in memory at a time where all are read.
const PAGE: usize = 1_000;

/// What is noted. Their names are kept for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An operator made an account.
    AccountCreate,
    /// Somebody erases their account.
    AccountErase,
    /// Somebody takes along what is theirs.
    AccountArchive,
    /// Somebody is kept out.
    AccountSuspend,
    /// Somebody is let in again.
    AccountAdmit,
    /// An account has other roles.
    RolesSet,
    /// A list of reports was read.
    ReportsList,
    /// A report was read, with its messages.
    ReportRead,
    /// An export of everything began.
    ExportBegin,
    /// The store takes no writes.
    ReadOnlyOn,
    /// The store takes writes again.
    ReadOnlyOff,
    /// What earlier keys sealed is sealed anew.
    KeysReseal,
    /// The operator put things up for sale for somebody.
    ListingsImport,
    /// Somebody changed their password.
    PasswordChange,
    /// Somebody set a password by a mailed code.
    PasswordReset,
    /// The operator was given a code by which somebody sets a password.
    PasswordCode,
    /// Somebody moved to another address.
    EmailChange,
    /// Somebody ended their log-ins.
    SessionsEnd,
    /// A used refresh token came again, and its session ended.
    SessionReuse,
    /// Somebody turned a second factor on.
    FactorOn,
    /// Somebody turned their second factor off, or staff did it for them.
    FactorOff,
    /// Somebody has other recovery codes.
    FactorRecovery,
    /// Somebody made an API key.
    KeyCreate,
    /// Somebody took an API key back.
    KeyRevoke,
    /// Somebody may sign in by an identity at a provider.
    IdentityLink,
    /// Somebody may no more.
    IdentityUnlink,
}

impl Action {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountCreate => "account.create",
            Self::AccountErase => "account.erase",
            Self::AccountArchive => "account.archive",
            Self::AccountSuspend => "account.suspend",
            Self::AccountAdmit => "account.admit",
            Self::RolesSet => "roles.set",
            Self::ReportsList => "reports.list",
            Self::ReportRead => "report.read",
            Self::ExportBegin => "export.begin",
            Self::ReadOnlyOn => "read_only.on",
            Self::ReadOnlyOff => "read_only.off",
            Self::KeysReseal => "keys.reseal",
            Self::ListingsImport => "listings.import",
            Self::PasswordChange => "password.change",
            Self::PasswordReset => "password.reset",
            Self::PasswordCode => "password.code",
            Self::EmailChange => "email.change",
            Self::SessionsEnd => "sessions.end",
            Self::SessionReuse => "session.reuse",
            Self::FactorOn => "second_factor.on",
            Self::FactorOff => "second_factor.off",
            Self::FactorRecovery => "second_factor.recovery",
            Self::KeyCreate => "key.create",
            Self::KeyRevoke => "key.revoke",
            Self::IdentityLink => "identity.link",
            Self::IdentityUnlink => "identity.unlink",
        }
    }
}

/// What somebody does, to be noted.
#[derive(Debug, Clone)]
pub struct Note {
    actor: Actor,
    action: Action,
    subject: Option<String>,
    detail: BTreeMap<String, String>,
}

impl Note {
    /// Of somebody's action.
    pub fn new(actor: Actor, action: Action) -> Self {
        Self { actor, action, subject: None, detail: BTreeMap::new() }
    }

    /// With what or whom it is done to.
    #[must_use]
    pub fn about(self, subject: &impl ToString) -> Self {
        Self { subject: Some(subject.to_string()), ..self }
    }

    /// With something else there is to say; never a secret.
    #[must_use]
    pub fn with(mut self, key: &str, value: &impl ToString) -> Self {
        self.detail.insert(key.to_owned(), value.to_string());
        self
    }
}

/// A log that is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Its entries.
    pub entries: u64,
    /// Hash of the last: noted elsewhere, it tells later whether the log was written anew.
    pub hash: Option<[u8; 32]>,
}

/// Why a log cannot be trusted, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The first entry that is not as it was written.
    #[error("entry {0} is not as it was written")]
    Broken(u64),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The audit log.
#[derive(Clone)]
pub struct AuditLog {
    store: Arc<dyn Audit>,
    clock: Arc<dyn Clock>,
}

impl AuditLog {
    /// Over this store.
    pub fn new(store: Arc<dyn Audit>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Notes what somebody is about to do. When that fails it must not be done.
    pub async fn note(&self, note: Note) -> Result<(), StoreError> {
        let Note { actor, action, subject, detail } = note;
        let at = self.clock.now();
        let action = action.name().to_owned();
        let record = AuditRecord { at, actor, action, subject, detail };
        let entry = self.store.append(record).await?;
        let AuditRecord { action, subject, .. } = &entry.record;
        tracing::info!(target: "audit", number = entry.number, ?actor, %action, ?subject, "noted");
        Ok(())
    }

    /// Notes what somebody has done, or does whatever comes, also when they do not wait for it; the
    /// server's own log says so where that fails.
    pub async fn note_done(&self, note: Note) {
        let (log, action) = (self.clone(), note.action.name());
        let noting = tokio::spawn(async move {
            match tokio::time::timeout(NOTE_TIMEOUT, log.note(note)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, action, "not in the audit log"),
                Err(_) => tracing::error!(action, "not in the audit log: no answer in time"),
            }
        });
        // A panic has been reported where it was.
        let _ = noting.await;
    }

    /// Entries above the number `after`, the oldest first.
    pub async fn list(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.list(after, limit).await
    }

    /// Reads all of it.
    pub async fn verify(&self) -> Result<Verified, VerifyError> {
        let mut last: Option<AuditEntry> = None;
        loop {
            let after = last.as_ref().map(|entry| entry.number);
            let page = self.store.list(after, PAGE).await?;
            verify(last.as_ref(), &page).map_err(VerifyError::Broken)?;
            let Some(newest) = page.into_iter().next_back() else { break };
            last = Some(newest);
        }
        let entries = last.as_ref().map_or(0, |last| last.number + 1);
        Ok(Verified { entries, hash: last.map(|last| last.hash) })
    }
}
