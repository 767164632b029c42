//! The password of an account: changed by who knows it.

use std::net::IpAddr;

use barterline_domain::account::Password;
use barterline_domain::bearer::Unpermitted;
use barterline_storage::audit::Actor;
use barterline_storage::credentials::{Credential, Replaced};
use barterline_storage::error::StoreError;

use super::{Accounts, ChoiceError, HashingBusy, Language, PasswordHashing};
use crate::auth::principal::Principal;
use crate::limits::{Exceeded, LogInName};
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

/// A password in the place of another.
pub struct NewPassword {
    /// The one that the caller knows.
    pub present: Password,
    /// The one that is to be.
    pub new: Password,
}

/// Why a password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The new one may not be chosen, or not now.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The caller did not log in.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// The caller does not know the present one, or has none.
    #[error("the present password is another")]
    Wrong,
    /// Somebody changed the same account meanwhile.
    #[error("the account was changed meanwhile")]
    Changed,
    /// Too many tries at this account.
    #[error("too many tries at this account")]
    Limited(Exceeded),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Busy(#[from] HashingBusy),
    /// The store said no. The password may be the new one by now, and other sessions still good.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Puts a new password in the place of the caller's, and ends their other log-ins: who changes a
    /// password often does so because somebody else knows it. Gives how many ended. The owner is told
    /// by mail.
    pub async fn change_password(
        &self,
        caller: &Principal,
        NewPassword { present, new }: NewPassword,
        from: IpAddr,
        language: Language,
    ) -> Result<usize, PasswordError> {
        let session = caller.session()?;
        let credential = self.prove(caller, present, from).await?;
        let password_hash = Some(self.choose(new, &[credential.email.as_str()]).await?);
        self.0.audit.note(Note::new(Actor::User(caller.user), Action::PasswordChange)).await?;
        let password_changed_at = self.0.clock.now();
        let changed = Credential { password_hash, password_changed_at, ..credential.clone() };
        let tried = LogInName::of(credential.email.as_str());
        match self.0.credentials.replace(&credential, changed).await? {
            Replaced::Done => {}
            // The address stays: nobody else can have it.
            Replaced::Changed | Replaced::Taken => return Err(PasswordError::Changed),
        }
        self.0.limits.password_changed(tried, from, self.0.clock.now());
        self.write_to(credential.user, credential.email, language, Letter::PasswordChanged).await;
        Ok(self.end_sessions(caller.user, Some(session)).await?)
    }

    /// The caller's credential, if they logged in and know its password.
    pub(super) async fn prove(
        &self,
        caller: &Principal,
        password: Password,
        from: IpAddr,
    ) -> Result<Credential, PasswordError> {
        caller.session()?;
        let credential = self.0.credentials.find_by_user(caller.user).await?;
        let credential = credential.ok_or(PasswordError::Wrong)?;
        // A stolen token is no way to guess the password faster than at the door.
        let (tried, limits) = (LogInName::of(credential.email.as_str()), &self.0.limits);
        limits.log_in(tried, from, self.0.clock.now()).map_err(PasswordError::Limited)?;
        let matches = self.0.hashing.verify(password, credential.password_hash.clone()).await;
        // What could not be compared was no guess.
        if !matches.inspect_err(|_| limits.log_in_not_tried(tried))? {
            return Err(PasswordError::Wrong);
        }
        // Nor was the right one.
        limits.log_in_not_tried(tried);
        Ok(credential)
    }

    /// Hashes a password anew that was just shown, if its hash is of other parameters than today's.
    /// What fails is tried at the next log-in.
    pub(super) async fn renew_hash(&self, credential: &Credential, shown: Password) {
        if !credential.password_hash.as_deref().is_some_and(PasswordHashing::is_dated) {
            return;
        }
        let Ok(hash) = self.0.hashing.hash(shown).await else { return };
        let renewed = Credential { password_hash: Some(hash), ..credential.clone() };
        if let Err(error) = self.0.credentials.replace(credential, renewed).await {
            tracing::debug!(%error, user = %credential.user, "a hash is renewed later");
        }
    }
}
