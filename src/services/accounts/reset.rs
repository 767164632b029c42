//! A new password for who forgot theirs and gets mail at their address.

use std::net::IpAddr;

use barterline_domain::account::{Email, Password};
use barterline_storage::audit::Actor;
use barterline_storage::codes::{Code, CodePurpose};
use barterline_storage::credentials::{Credential, Replaced};

use super::addresses::log_in_name;
use super::errands::Errand;
use super::{Accounts, AskError, CodeError, Language};
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

/// Changes by others, such as a hash that is renewed, that a used code outlives.
const REPLACEMENTS_MAX: usize = 4;

impl Accounts {
    /// Has a code mailed to the owner of an address. Whether there is one, nobody is told.
    pub async fn ask_for_reset(
        &self,
        email: Email,
        from: IpAddr,
        language: Language,
    ) -> Result<(), AskError> {
        self.ask(Errand::Reset { email, language }, from).await
    }

    /// Sets a password by a mailed code, and ends all log-ins: who asks for this may do so because
    /// somebody else is in. The owner is told by mail.
    pub async fn reset_password(
        &self,
        code: &str,
        new: Password,
        from: IpAddr,
        language: Language,
    ) -> Result<(), CodeError> {
        // Before the code is used up: who has to come again can.
        let password_hash = self.choose(new, &[]).await?;
        let code = self.take_code(code, CodePurpose::ResetPassword).await?;
        self.0.audit.note(Note::new(Actor::User(code.user), Action::PasswordReset)).await?;
        let changed = self
            .change_by(&code, |credential| {
                let now = self.0.clock.now();
                Credential {
                    password_hash: Some(password_hash.clone()),
                    password_changed_at: now,
                    // The code came by mail: the address is theirs.
                    email_verified_at: credential.email_verified_at.or(Some(now)),
                    ..credential.clone()
                }
            })
            .await?;
        let tried = log_in_name(&changed);
        self.0.limits.password_changed(tried, from, self.0.clock.now()).await;
        self.write_to(changed.user, changed.email, language, Letter::PasswordChanged).await;
        self.end_sessions(changed.user, None).await?;
        Ok(())
    }

    /// Changes the credential that a code is for, as it was before the change. A code is worth nothing
    /// once the password is another than when it was asked for.
    pub(super) async fn change_by(
        &self,
        code: &Code,
        change: impl Fn(&Credential) -> Credential,
    ) -> Result<Credential, CodeError> {
        for _ in 0..REPLACEMENTS_MAX {
            let found = self.0.credentials.find_by_user(code.user).await?;
            let credential = found.ok_or(CodeError::Invalid)?;
            let stale = code.created_at < credential.password_changed_at;
            // A code for a new password went to the address that the account has.
            let moved = code.purpose == CodePurpose::ResetPassword
                && credential.email.key != code.email.key;
            if stale || moved {
                return Err(CodeError::Invalid);
            }
            match self.0.credentials.replace(&credential, change(&credential)).await? {
                Replaced::Done => return Ok(credential),
                Replaced::Taken => return Err(CodeError::EmailTaken),
                Replaced::Changed => {}
            }
        }
        Err(CodeError::Changed)
    }
}
