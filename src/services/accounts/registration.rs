//! New accounts: made at once or, where addresses are confirmed, by who got the mail and knows the
//! password.
//!
//! Until then nothing is stored: the mail carries the account, sealed. Whoever registers somebody
//! else's address has chosen a password that its owner does not know, so that nobody who merely opens
//! a link ends up in an account that a stranger can enter.

use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::account::{DisplayName, Email, Password};
use barterline_domain::clock::Timestamp;
use barterline_storage::accounts::Account;
use barterline_storage::credentials::Credential;
use barterline_storage::error::StoreError;
use serde::{Deserialize, Serialize};

use super::errands::Errand;
use super::{Accounts, AskError, ChoiceError, HashingBusy, Language};
use crate::auth::sealed::Purpose;
use crate::limits::{Exceeded, LogInName};

/// How long somebody may take to confirm an address.
pub(super) const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

/// Somebody who wants an account.
#[derive(Debug)]
pub struct Registration {
    /// To log in by.
    pub email: Email,
    /// To prove it with.
    pub password: Password,
    /// For others to see.
    pub name: DisplayName,
}

/// What became of a registration.
#[derive(Debug)]
pub enum Registered {
    /// There is an account.
    Made(Account),
    /// There will be one when the address is confirmed, if nobody has it: the mail says.
    Asked,
}

/// Somebody who got the mail.
pub struct Confirmation {
    /// What the mail carried.
    pub token: String,
    /// The password that they chose.
    pub password: Password,
}

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Somebody has the address already.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Nothing can be mailed now.
    #[error(transparent)]
    Mail(#[from] AskError),
    /// The password may not be chosen, or not now.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an address was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// Not a token of ours, or over.
    #[error("the token is not valid")]
    Token,
    /// Not the password that was chosen.
    #[error("the password is another")]
    PasswordWrong,
    /// Too many tries at this address.
    #[error("too many tries at this address")]
    Limited(Exceeded),
    /// Somebody has the address by now, perhaps by this token.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Busy(#[from] HashingBusy),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An account that is not there yet, as a token holds it.
#[derive(Serialize, Deserialize)]
pub(super) struct Sealed {
    email: String,
    name: String,
    password_hash: String,
}

impl Sealed {
    pub(super) fn new(email: &Email, name: &DisplayName, password_hash: String) -> Self {
        let (email, name) = (email.as_str().to_owned(), name.as_str().to_owned());
        Self { email, name, password_hash }
    }
}

impl Accounts {
    /// Makes an account or, where addresses are confirmed, has that asked by mail. Then the answer and
    /// its time are the same whether the address is taken or not.
    pub async fn apply(
        &self,
        registration: Registration,
        from: IpAddr,
        language: Language,
    ) -> Result<Registered, RegisterError> {
        if !self.0.mailing.as_ref().is_some_and(|mailing| mailing.verify_email) {
            return Ok(Registered::Made(self.register(registration).await?));
        }
        let Registration { email, password, name } = registration;
        let password_hash = self.choose(password, &[email.as_str(), name.as_str()]).await?;
        self.ask(Errand::Register { email, name, password_hash, language }, from).await?;
        Ok(Registered::Asked)
    }

    /// Makes an account at once, whose address nobody has confirmed.
    pub async fn register(&self, registration: Registration) -> Result<Account, RegisterError> {
        let Registration { email, password, name } = registration;
        // After the hash, which a taken address costs too.
        let password_hash = self.choose(password, &[email.as_str(), name.as_str()]).await?;
        let account = self.make(email, self.new_account(name), Some(password_hash), None).await?;
        account.ok_or(RegisterError::EmailTaken)
    }

    /// Makes the account that a mail carried, for who knows its password. A token that comes a second
    /// time meets the address taken, by the account it made.
    pub async fn confirm(
        &self,
        confirmation: Confirmation,
        from: IpAddr,
    ) -> Result<Account, ConfirmError> {
        let Confirmation { token, password } = confirmation;
        let now = self.0.clock.now();
        let opened = self.0.sealing.open(Purpose::Registration, &token, now);
        let Sealed { email, name, password_hash } = opened.map_err(|_| ConfirmError::Token)?;
        // What was sealed was sound then; rules may have changed since.
        let email = Email::parse(&email).map_err(|_| ConfirmError::Token)?;
        let name = DisplayName::parse(&name).map_err(|_| ConfirmError::Token)?;
        let (tried, limits) = (LogInName::of(self.email_key(&email).0), &self.0.limits);
        limits.log_in(tried, from, now).await.map_err(ConfirmError::Limited)?;
        let matches = self.0.hashing.verify(password, Some(password_hash.clone())).await;
        if matches!(matches, Ok(false)) {
            self.log_wrong_password(None, from);
            return Err(ConfirmError::PasswordWrong);
        }
        // What could not be compared was no guess. Nor was the right one, whatever becomes of it.
        limits.log_in_not_tried(tried).await;
        matches?;
        let made = self.make(email, self.new_account(name), Some(password_hash), Some(now)).await?;
        let account = made.ok_or(ConfirmError::EmailTaken)?;
        limits.logged_in(tried, from, now).await;
        Ok(account)
    }

    /// Makes an account. `None`: the address is taken.
    pub(super) async fn make(
        &self,
        email: Email,
        account: Account,
        password_hash: Option<String>,
        email_verified_at: Option<Timestamp>,
    ) -> Result<Option<Account>, StoreError> {
        if self.0.credentials.find(self.email_key(&email)).await?.is_some() {
            return Ok(None);
        }
        // The profile first: a crash in between leaves an account that nobody can log in to, and
        // the address free.
        self.0.accounts.insert(vec![account.clone()]).await?;
        let credential = Credential {
            user: account.id,
            email: self.sealed_email(account.id, &email),
            email_verified_at,
            password_hash,
            password_changed_at: account.created_at,
            second_factor: None,
        };
        Ok(self.0.credentials.insert(credential).await?.then_some(account))
    }
}
