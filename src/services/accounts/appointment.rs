//! Accounts that an operator makes, and the way in for whom no mail reaches.
//!
//! No password is drawn for anybody: what is given to them is a code, good once and for ten minutes, by which
//! they set one of their own. What came over a terminal is nobody's password for long.

use barterline_domain::account::{AccountRole, DisplayName, Email, Password};
use barterline_storage::accounts::Account;
use barterline_storage::audit::Actor;
use barterline_storage::codes::CodePurpose;
use barterline_storage::error::StoreError;

use super::{Accounts, RegisterError};
use crate::services::audit::{Action, Note};

/// Somebody whom the operator gives an account.
#[derive(Debug)]
pub struct Appointment {
    /// To log in by. Is taken for confirmed.
    pub email: Email,
    /// To prove it with, if the operator knows one; else they set it by a code.
    pub password: Option<Password>,
    /// For others to see.
    pub name: DisplayName,
    /// What they may do.
    pub roles: Vec<AccountRole>,
}

/// An account that was made.
#[derive(Debug)]
pub struct Appointed {
    /// The account.
    pub account: Account,
    /// By which its owner sets a password, where it has none. Told only here.
    pub password_code: Option<String>,
}

impl Accounts {
    /// Makes an account with roles, whose address is confirmed by the operator's word.
    pub(in crate::services) async fn appoint(
        &self,
        Appointment { email, password, name, roles }: Appointment,
    ) -> Result<Appointed, RegisterError> {
        let password_hash = match password {
            Some(password) => Some(self.choose(password, &[email.as_str(), name.as_str()]).await?),
            None => None,
        };
        if self.0.credentials.find(self.email_key(&email)).await?.is_some() {
            return Err(RegisterError::EmailTaken);
        }
        let account = Account { roles, ..self.new_account(name) };
        let note = Note::new(Actor::Operator, Action::AccountCreate).about(&account.id);
        self.0.audit.note(note.with("roles", &AccountRole::names(&account.roles))).await?;
        let (now, has_password) = (Some(self.0.clock.now()), password_hash.is_some());
        let made = self.make(email.clone(), account, password_hash, now).await?;
        let account = made.ok_or(RegisterError::EmailTaken)?;
        let mut password_code = None;
        if !has_password {
            let purpose = CodePurpose::ResetPassword;
            let kept = self.sealed_email(account.id, &email);
            password_code = Some(self.fresh_code(account.id, kept, purpose).await?);
        }
        Ok(Appointed { account, password_code })
    }

    /// Gives a code by which the owner of an address sets a new password, as a mail would. `None`: nobody has
    /// the address.
    pub(in crate::services) async fn password_code(
        &self,
        email: &Email,
    ) -> Result<Option<String>, StoreError> {
        let Some(owner) = self.0.credentials.find(self.email_key(email)).await? else {
            return Ok(None);
        };
        let note = Note::new(Actor::Operator, Action::PasswordCode).about(&owner.user);
        self.0.audit.note(note).await?;
        let purpose = CodePurpose::ResetPassword;
        Ok(Some(self.fresh_code(owner.user, owner.email, purpose).await?))
    }
}
