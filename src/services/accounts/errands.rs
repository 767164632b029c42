//! What is done behind an answer: neither what the answer says nor when it comes tells who has an
//! account.
//!
//! One errand after the other, in a queue with a bound. Whoever finds it full is told so, whoever they
//! ask for.

use std::net::IpAddr;
use std::time::Duration;

use barterline_domain::account::{DisplayName, Email};
use barterline_domain::bearer::Unpermitted;
use barterline_domain::ids::UserId;
use barterline_storage::codes::{Code, CodePurpose};
use barterline_storage::credentials::KeptEmail;
use barterline_storage::error::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::registration::{Sealed, TOKEN_LIFETIME};
use super::{Accounts, ChoiceError, Language, hash_of};
use crate::auth::sealed::Purpose;
use crate::limits::{Exceeded, LogInName};
use crate::mail::{Letter, Mail, Mailer};

/// Errands that wait: at some 500 bytes each, 500 kB.
const ERRANDS_MAX: usize = 1_000;
/// For one errand: a look-up and a row.
const ERRAND_TIMEOUT: Duration = Duration::from_secs(10);
/// For those that wait when the server goes away.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// How long a mailed code is good (OWASP ASVS 5.0, 6.5.5). Whom a slow relay keeps waiting asks again.
const CODE_LIFETIME: Duration = Duration::from_mins(10);

/// How people get mail.
pub struct Mailing {
    /// Takes it.
    pub mailer: Mailer,
    /// What is done before there is something to mail.
    pub errands: Errands,
    /// Whether who registers has to confirm the address.
    pub verify_email: bool,
}

/// Something to do behind an answer.
pub(super) enum Errand {
    /// Mail to an address that somebody registers by.
    Register { email: Email, name: DisplayName, password_hash: String, language: Language },
    /// Mail to somebody who forgot the password, if there is somebody.
    Reset { email: Email, language: Language },
    /// Mail to the address that an account is to move to.
    ChangeEmail { user: UserId, email: Email, language: Language },
}

/// Takes errands.
#[derive(Clone)]
pub struct Errands(mpsc::Sender<Errand>);

/// Errands that wait.
pub struct Waiting(mpsc::Receiver<Errand>);

/// Why nothing will be mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// This server sends no mail.
    #[error("this server sends no mail")]
    Off,
    /// Too much for one address.
    #[error("too many requests for mail")]
    Limited(Exceeded),
    /// Too many ask.
    #[error("too many ask for mail at once")]
    Busy,
}

/// Why a mailed code did nothing.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The caller did not log in.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// Unknown, used, over, or for something else.
    #[error("the code is not valid")]
    Invalid,
    /// Somebody has the address by now.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The account was changed at the same time, more than once. The code is used up.
    #[error("the account was changed meanwhile")]
    Changed,
    /// The new password may not be chosen, or not now. The code stays good.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The store said no. The code may be used up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Errands {
    /// The two ends of the queue.
    pub fn open() -> (Self, Waiting) {
        let (errands, waiting) = mpsc::channel(ERRANDS_MAX);
        (Self(errands), Waiting(waiting))
    }
}

impl Accounts {
    /// Does errands until `stop`, and then for a moment those that wait.
    pub async fn run_errands(self, Waiting(mut waiting): Waiting, stop: CancellationToken) {
        loop {
            let errand = tokio::select! {
                // An end is an end, whatever comes.
                biased;
                () = stop.cancelled() => break,
                errand = waiting.recv() => errand,
            };
            let Some(errand) = errand else { return };
            self.run(errand).await;
        }
        waiting.close();
        let rest = async {
            while let Some(errand) = waiting.recv().await {
                self.run(errand).await;
            }
        };
        if timeout(DRAIN_MAX, rest).await.is_err() {
            tracing::warn!("some mails that were asked for were not written before the end");
        }
    }

    /// Leaves an errand for later; waits for nothing that an errand does.
    pub(super) async fn ask(&self, errand: Errand, from: IpAddr) -> Result<(), AskError> {
        let mailing = self.0.mailing.as_ref().ok_or(AskError::Off)?;
        let taken = self.0.limits.mail_request(from, self.0.clock.now()).await;
        taken.map_err(AskError::Limited)?;
        mailing.errands.0.try_send(errand).map_err(|_| AskError::Busy)
    }

    /// Writes to the owner of an account, in their language if they chose one.
    pub(super) async fn write_to(&self, user: UserId, to: KeptEmail, or: Language, letter: Letter) {
        let Some(mailing) = &self.0.mailing else { return };
        let to = match self.email_of(user, &to) {
            Ok(to) => to,
            Err(error) => {
                tracing::error!(%error, "a mail was not written");
                return;
            }
        };
        // Without the profile it is the wrong language at worst.
        let account = self.0.accounts.find(user).await.ok().flatten();
        let locale = account.and_then(|account| account.locale);
        let language = locale.and_then(|locale| Language::of(locale.as_str())).unwrap_or(or);
        mailing.mailer.send(Mail { to, language, letter });
    }

    async fn run(&self, errand: Errand) {
        match timeout(ERRAND_TIMEOUT, self.attempt(errand)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a mail that was asked for was not written"),
            Err(_) => tracing::warn!("a mail that was asked for was not written in time"),
        }
    }

    async fn attempt(&self, errand: Errand) -> Result<(), StoreError> {
        let (kind, email) = match &errand {
            Errand::Register { email, .. } => ("register", email),
            Errand::Reset { email, .. } => ("reset", email),
            Errand::ChangeEmail { email, .. } => ("move", email),
        };
        // Who registers by the address of others uses up nothing of what lets them back in.
        let gets = LogInName::of(format!("{kind} {}", email.as_str()));
        if !self.0.limits.mail(gets, self.0.clock.now()).await {
            tracing::debug!("a mail was not written: somebody got as many as anybody may");
            return Ok(());
        }
        let owner = self.0.credentials.find(self.email_key(email)).await?;
        match (errand, owner) {
            (Errand::Register { email, name, password_hash, language }, None) => {
                let claims = Sealed::new(&email, &name, password_hash);
                let now = self.0.clock.now();
                let token = self.0.sealing.seal(Purpose::Registration, claims, now, TOKEN_LIFETIME);
                self.write(email, language, Letter::Confirm { token });
            }
            (Errand::Register { language, .. }, Some(owner)) => {
                self.write_to(owner.user, owner.email, language, Letter::Taken).await;
            }
            (Errand::Reset { language, .. }, Some(owner)) => {
                let purpose = CodePurpose::ResetPassword;
                let code = self.fresh_code(owner.user, owner.email.clone(), purpose).await?;
                self.write_to(owner.user, owner.email, language, Letter::Reset { code }).await;
            }
            // Nobody's: nobody is told.
            (Errand::Reset { .. }, None) => {}
            (Errand::ChangeEmail { user, email, language }, None) => {
                let kept = self.sealed_email(user, &email);
                let purpose = CodePurpose::ChangeEmail;
                let code = self.fresh_code(user, kept.clone(), purpose).await?;
                self.write_to(user, kept, language, Letter::ChangeEmail { code }).await;
            }
            (Errand::ChangeEmail { user, language, .. }, Some(owner)) => {
                if owner.user != user {
                    self.write_to(owner.user, owner.email, language, Letter::Taken).await;
                }
            }
        }
        Ok(())
    }

    /// Writes to an address that nobody has yet.
    fn write(&self, to: Email, language: Language, letter: Letter) {
        if let Some(mailing) = &self.0.mailing {
            mailing.mailer.send(Mail { to, language, letter });
        }
    }

    /// Makes a code that is good once.
    pub(super) async fn fresh_code(
        &self,
        user: UserId,
        email: KeptEmail,
        purpose: CodePurpose,
    ) -> Result<String, StoreError> {
        let (secret, hash) = self.fresh_secret();
        let created_at = self.0.clock.now();
        let expires_at = created_at.plus(CODE_LIFETIME);
        self.0.codes.insert(Code { hash, user, purpose, email, created_at, expires_at }).await?;
        Ok(URL_SAFE_NO_PAD.encode(secret))
    }

    /// Uses a code up, if it is one.
    pub(super) async fn take_code(
        &self,
        code: &str,
        purpose: CodePurpose,
    ) -> Result<Code, CodeError> {
        // 32 bytes are 43 characters.
        let secret = Some(code).filter(|code| code.len() == 43);
        let secret = secret.and_then(|code| URL_SAFE_NO_PAD.decode(code).ok());
        let secret = secret.and_then(|secret| <[u8; 32]>::try_from(secret).ok());
        let hash = hash_of(&secret.ok_or(CodeError::Invalid)?);
        let taken = self.0.codes.take(hash, purpose, self.0.clock.now()).await?;
        taken.ok_or(CodeError::Invalid)
    }
}
