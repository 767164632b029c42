//! The password of an account: changed by who knows it.

use std::net::IpAddr;

use barterline_domain::account::{Email, Password};
use barterline_domain::bearer::Unpermitted;
use barterline_storage::audit::Actor;
use barterline_storage::credentials::{Credential, Replaced};
use barterline_storage::error::StoreError;

use super::addresses::log_in_name;
use super::second_factor::confirmed;
use super::{
    Accounts, ChoiceError, FactorCodeError, HashingBusy, Language, PasswordHashing, Shown,
};
use crate::auth::principal::Principal;
use crate::limits::Exceeded;
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

/// A password in the place of another.
pub struct NewPassword {
    /// The one that the caller knows, with a code where there is a second factor.
    pub present: Shown,
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
    /// The caller does not know the present one.
    #[error("the present password is another")]
    Wrong,
    /// The caller has none, as they sign in elsewhere.
    #[error("the account has no password")]
    None,
    /// The password is right, and a code of the second factor is asked for.
    #[error("a code of the second factor is needed")]
    CodeRequired,
    /// The password is right, and the code did not count.
    #[error(transparent)]
    Code(#[from] FactorCodeError),
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
        let credential = self.prove_password(caller, present.password, from).await?;
        // Who cannot be told their address can still change what lets them in.
        let email = self.email_of(caller.user, &credential.email).ok();
        let about = email.as_ref().map(Email::as_str);
        let password_hash = Some(self.choose(new, about.as_slice()).await?);
        // Behind the choice: a password that cannot be chosen uses up no code.
        let credential = self.prove_code(credential, present.code, from).await?;
        self.0.audit.note(Note::new(Actor::User(caller.user), Action::PasswordChange)).await?;
        let password_changed_at = self.0.clock.now();
        let changed = Credential { password_hash, password_changed_at, ..credential.clone() };
        let tried = log_in_name(&credential);
        match self.0.credentials.replace(&credential, changed).await? {
            Replaced::Done => {}
            // The address stays: nobody else can have it.
            Replaced::Changed | Replaced::Taken => return Err(PasswordError::Changed),
        }
        self.0.limits.password_changed(tried, from, self.0.clock.now()).await;
        self.write_to(credential.user, credential.email, language, Letter::PasswordChanged).await;
        Ok(self.end_sessions(caller.user, Some(session)).await?)
    }

    /// The caller's credential, if they logged in, know its password, and show a code where there is a
    /// second factor.
    pub(super) async fn prove(
        &self,
        caller: &Principal,
        Shown { password, code }: Shown,
        from: IpAddr,
    ) -> Result<Credential, PasswordError> {
        let credential = self.prove_password(caller, password, from).await?;
        self.prove_code(credential, code, from).await
    }

    /// The credential after a code of its second factor was used, or as it is without one.
    async fn prove_code(
        &self,
        credential: Credential,
        code: Option<String>,
        from: IpAddr,
    ) -> Result<Credential, PasswordError> {
        if confirmed(&credential).is_none() {
            return Ok(credential);
        }
        let Some(code) = code else {
            self.log_code_asked(credential.user, from);
            return Err(PasswordError::CodeRequired);
        };
        Ok(self.use_code(credential, &code, from).await?)
    }

    /// The caller's credential, if they logged in and know its password. A code may be due behind it.
    pub(super) async fn prove_password(
        &self,
        caller: &Principal,
        password: Password,
        from: IpAddr,
    ) -> Result<Credential, PasswordError> {
        caller.session()?;
        let credential = self.0.credentials.find_by_user(caller.user).await?;
        let credential = credential.filter(|credential| credential.password_hash.is_some());
        let credential = credential.ok_or(PasswordError::None)?;
        // A stolen token is no way to guess the password faster than at the door.
        let (tried, limits) = (log_in_name(&credential), &self.0.limits);
        let taken = limits.log_in(tried, from, self.0.clock.now()).await;
        taken.map_err(PasswordError::Limited)?;
        let matches = self.0.hashing.verify(password, credential.password_hash.clone()).await;
        if matches!(matches, Ok(false)) {
            self.log_wrong_password(Some(caller.user), from);
            return Err(PasswordError::Wrong);
        }
        // What could not be compared was no guess. Nor was the right one.
        limits.log_in_not_tried(tried).await;
        matches?;
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
