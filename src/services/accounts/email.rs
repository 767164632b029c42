//! Another address for an account: asked for by who knows the password, confirmed by who gets mail
//! there.

use std::net::IpAddr;

use barterline_domain::account::Email;
use barterline_storage::audit::Actor;
use barterline_storage::codes::CodePurpose;
use barterline_storage::credentials::Credential;

use super::errands::Errand;
use super::{Accounts, AskError, CodeError, Language, PasswordError, Shown};
use crate::auth::principal::Principal;
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

/// Why no code is mailed to a new address.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// The caller did not prove who they are.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Nothing can be mailed now.
    #[error(transparent)]
    Mail(#[from] AskError),
}

impl Accounts {
    /// Has a code mailed to an address that the caller's account is to move to. Whether somebody has
    /// it, the caller is not told.
    pub async fn ask_for_email(
        &self,
        caller: &Principal,
        email: Email,
        shown: Shown,
        from: IpAddr,
        language: Language,
    ) -> Result<(), EmailError> {
        self.prove(caller, shown, from).await?;
        self.ask(Errand::ChangeEmail { user: caller.user, email, language }, from).await?;
        Ok(())
    }

    /// Moves the caller's account to the address that a code was mailed to. Both addresses are told.
    pub async fn change_email(
        &self,
        caller: &Principal,
        code: &str,
        language: Language,
    ) -> Result<(), CodeError> {
        caller.session()?;
        let code = self.take_code(code, CodePurpose::ChangeEmail).await?;
        if code.user != caller.user {
            return Err(CodeError::Invalid);
        }
        self.0.audit.note(Note::new(Actor::User(caller.user), Action::EmailChange)).await?;
        // By the key that seals now: that of the code may be about to go.
        let new = self.email_of(caller.user, &code.email)?;
        let kept = self.sealed_email(caller.user, &new);
        let before = self
            .change_by(&code, |credential| Credential {
                email: kept.clone(),
                email_verified_at: Some(self.0.clock.now()),
                ..credential.clone()
            })
            .await?;
        // It is done: whom nobody can write to any more is not told.
        let old = self.email_of(caller.user, &before.email).unwrap_or_else(|_| new.clone());
        for to in [before.email, kept] {
            let letter = Letter::EmailChanged { old: old.clone(), new: new.clone() };
            self.write_to(caller.user, to, language, letter).await;
        }
        Ok(())
    }
}
