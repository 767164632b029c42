//! A second factor: codes of six digits from a program that its owner has with them (RFC 6238), and
//! codes on paper for the day on which they have it no more. Asked for behind the password: at log-ins,
//! and wherever one is asked for within a session.

use std::net::IpAddr;

use barterline_domain::account::{AccountRole, Password};
use barterline_domain::bearer::Unpermitted;
use barterline_domain::ids::UserId;
use barterline_storage::audit::Actor;
use barterline_storage::credentials::{Credential, Replaced, SecondFactor};
use barterline_storage::error::StoreError;
use data_encoding::BASE32_NOPAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Totp};

use super::{Accounts, AuthError, Language, PasswordError, Shown};
use crate::auth::data_keys::{Place, Unopened};
use crate::auth::principal::Principal;
use crate::limits::{Exceeded, LogInName};
use crate::mail::Letter;
use crate::services::audit::{Action, Note};

/// Bytes of the secret: as many as the hash has (RFC 4226, section 4, R6).
const SECRET_BYTES: usize = 20;
/// Codes on paper. Of 120 bits, a plain hash keeps them.
const RECOVERY_CODES: usize = 10;
const RECOVERY_BYTES: usize = 15;
/// Changes by others that the use of a code outlives.
const REPLACEMENTS_MAX: usize = 4;

/// Who has to have a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorRule {
    /// Nobody.
    Optional,
    /// Whoever has another role than that of everybody.
    Staff,
    /// All people.
    Everybody,
}

impl FactorRule {
    fn is_about(self, roles: &[AccountRole]) -> bool {
        match self {
            Self::Optional => false,
            Self::Staff => roles.iter().any(|role| *role != AccountRole::User),
            Self::Everybody => true,
        }
    }
}

/// What a program that makes codes is given.
pub struct NewFactor {
    /// In base32, to be typed.
    pub secret: String,
    /// `otpauth://…`, to be shown as a picture.
    pub uri: String,
}

/// How somebody's second factor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorStanding {
    /// It is asked for.
    pub on: bool,
    /// Codes on paper that are left.
    pub recovery_codes: usize,
}

/// Why nothing was done to a second factor.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The caller did not prove who they are.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Not the code.
    #[error(transparent)]
    Code(#[from] FactorCodeError),
    /// There is one already.
    #[error("there is a second factor already")]
    On,
    /// There is none.
    #[error("there is no second factor")]
    Off,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a code did not count.
#[derive(Debug, thiserror::Error)]
pub enum FactorCodeError {
    /// Another, or one that was used.
    #[error("the code is another, or was used")]
    Wrong,
    /// Too many tries.
    #[error("too many tries at the code")]
    Limited(Exceeded),
    /// The account was changed at the same time, more than once.
    #[error("the account was changed meanwhile")]
    Changed,
    /// The key that its secret was sealed with is gone.
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Unpermitted> for FactorError {
    fn from(error: Unpermitted) -> Self {
        Self::Password(error.into())
    }
}

/// The factor that is asked for.
pub(super) fn confirmed(credential: &Credential) -> Option<&SecondFactor> {
    credential.second_factor.as_ref().filter(|factor| factor.confirmed_at.is_some())
}

impl Accounts {
    /// How the caller's second factor stands.
    pub async fn second_factor(&self, caller: &Principal) -> Result<FactorStanding, FactorError> {
        caller.session()?;
        let credential = self.0.credentials.find_by_user(caller.user).await?;
        let recovery = credential.as_ref().and_then(confirmed).map(|factor| factor.recovery.len());
        Ok(FactorStanding { on: recovery.is_some(), recovery_codes: recovery.unwrap_or_default() })
    }

    /// Gives a secret for a program that makes codes, to who knows the password. It is not asked for
    /// before a code of it was shown; whoever begins anew gets another.
    pub async fn begin_second_factor(
        &self,
        caller: &Principal,
        password: Password,
        from: IpAddr,
    ) -> Result<NewFactor, FactorError> {
        let credential = self.prove_password(caller, password, from).await?;
        if confirmed(&credential).is_some() {
            return Err(FactorError::On);
        }
        let secret = &self.0.ids.secret()[..SECRET_BYTES];
        let sealed = self.0.data_keys.seal(place(&caller.user), secret, &*self.0.ids);
        let factor =
            SecondFactor { secret: sealed, confirmed_at: None, last_step: 0, recovery: Vec::new() };
        let email = self.email_of(caller.user, &credential.email)?;
        let begun = Credential { second_factor: Some(factor), ..credential.clone() };
        self.put(&credential, begun).await?;
        let secret = BASE32_NOPAD.encode(secret);
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (issuer, email) = (encoded(&self.0.site), encoded(email.as_str()));
        let uri = format!("otpauth://totp/{issuer}:{email}?secret={secret}&issuer={issuer}");
        Ok(NewFactor { secret, uri })
    }

    /// Turns the second factor on, for who shows a code of it. Gives the codes for paper, which are
    /// told only here. The owner is told by mail.
    pub async fn confirm_second_factor(
        &self,
        caller: &Principal,
        code: &str,
        from: IpAddr,
        language: Language,
    ) -> Result<Vec<String>, FactorError> {
        caller.session()?;
        let found = self.0.credentials.find_by_user(caller.user).await?;
        let credential = found.ok_or(FactorError::Off)?;
        let factor = credential.second_factor.clone().ok_or(FactorError::Off)?;
        if factor.confirmed_at.is_some() {
            return Err(FactorError::On);
        }
        let tried = self.try_code(caller.user, from).await?;
        let step = self.step_of(caller.user, &factor, code);
        // What counted was no guess, nor what could not be compared.
        if matches!(step, Ok(None)) {
            self.log_wrong_code(caller.user, from);
        } else {
            self.0.limits.log_in_not_tried(tried).await;
        }
        let step = step.map_err(FactorCodeError::from)?.ok_or(FactorCodeError::Wrong)?;
        let (codes, recovery) = self.fresh_recovery();
        let confirmed_at = Some(self.0.clock.now());
        let factor = SecondFactor { confirmed_at, last_step: step, recovery, ..factor };
        self.0.audit.note(Note::new(Actor::User(caller.user), Action::FactorOn)).await?;
        let on = Credential { second_factor: Some(factor), ..credential.clone() };
        self.put(&credential, on).await?;
        self.write_to(caller.user, credential.email, language, Letter::FactorOn).await;
        Ok(codes)
    }

    /// Turns the second factor off, for who knows the password and shows a code. The owner is told by
    /// mail.
    pub async fn end_second_factor(
        &self,
        caller: &Principal,
        shown: Shown,
        from: IpAddr,
        language: Language,
    ) -> Result<(), FactorError> {
        let credential = self.prove(caller, shown, from).await?;
        if confirmed(&credential).is_none() {
            return Err(FactorError::Off);
        }
        self.0.audit.note(Note::new(Actor::User(caller.user), Action::FactorOff)).await?;
        let off = Credential { second_factor: None, ..credential.clone() };
        self.put(&credential, off).await?;
        self.write_to(caller.user, credential.email, language, Letter::FactorOff).await;
        Ok(())
    }

    /// Gives other codes for paper in the place of all that there are, to who knows the password and
    /// shows a code. The owner is told by mail.
    pub async fn renew_recovery_codes(
        &self,
        caller: &Principal,
        shown: Shown,
        from: IpAddr,
        language: Language,
    ) -> Result<Vec<String>, FactorError> {
        let credential = self.prove(caller, shown, from).await?;
        let factor = confirmed(&credential).cloned().ok_or(FactorError::Off)?;
        let (codes, recovery) = self.fresh_recovery();
        self.0.audit.note(Note::new(Actor::User(caller.user), Action::FactorRecovery)).await?;
        let factor = Some(SecondFactor { recovery, ..factor });
        let renewed = Credential { second_factor: factor, ..credential.clone() };
        self.put(&credential, renewed).await?;
        self.write_to(caller.user, credential.email, language, Letter::RecoveryCodes).await;
        Ok(codes)
    }

    /// Fails for whoever has to have a second factor, and has none. Who has no password is not asked for
    /// one here, but where they sign in.
    pub(super) async fn has_required_factor(
        &self,
        user: UserId,
        roles: &[AccountRole],
    ) -> Result<(), AuthError> {
        if !self.0.factor_rule.is_about(roles) {
            return Ok(());
        }
        let credential = self.0.credentials.find_by_user(user).await?;
        let lacks = |credential: &Credential| {
            credential.password_hash.is_some() && confirmed(credential).is_none()
        };
        if credential.as_ref().is_some_and(lacks) { Err(AuthError::FactorRequired) } else { Ok(()) }
    }

    /// Whether somebody's log-ins take a code.
    pub(in crate::services) async fn has_second_factor(
        &self,
        user: UserId,
    ) -> Result<bool, StoreError> {
        let credential = self.0.credentials.find_by_user(user).await?;
        Ok(credential.as_ref().and_then(confirmed).is_some())
    }

    /// Turns somebody's second factor off, who has neither program nor paper any more.
    pub(in crate::services) async fn drop_second_factor(
        &self,
        user: UserId,
    ) -> Result<(), StoreError> {
        for _ in 0..REPLACEMENTS_MAX {
            let found = self.0.credentials.find_by_user(user).await?;
            let Some(credential) = found.filter(|found| found.second_factor.is_some()) else {
                return Ok(());
            };
            let off = Credential { second_factor: None, ..credential.clone() };
            if self.0.credentials.replace(&credential, off).await? == Replaced::Done {
                let to = credential.email;
                self.write_to(user, to, Language::default(), Letter::FactorOff).await;
                return Ok(());
            }
        }
        Err(StoreError::unavailable("turn a second factor off", "others change the account"))
    }

    /// Uses a code of somebody's second factor, from the program or from paper: none counts twice.
    /// Gives the credential as it is then.
    pub(super) async fn use_code(
        &self,
        mut credential: Credential,
        code: &str,
        from: IpAddr,
    ) -> Result<Credential, FactorCodeError> {
        let user = credential.user;
        let tried = self.try_code(user, from).await?;
        let proved_at = credential.password_changed_at;
        let used = async {
            for _ in 0..REPLACEMENTS_MAX {
                let factor = confirmed(&credential).ok_or(FactorCodeError::Wrong)?;
                let used = self.used(user, factor, code)?.ok_or(FactorCodeError::Wrong)?;
                let after = Credential { second_factor: Some(used), ..credential.clone() };
                if self.0.credentials.replace(&credential, after.clone()).await? == Replaced::Done {
                    return Ok(after);
                }
                let found = self.0.credentials.find_by_user(user).await?;
                // The password that was shown before the code is another by now.
                let found = found.filter(|found| found.password_changed_at == proved_at);
                credential = found.ok_or(FactorCodeError::Changed)?;
            }
            Err(FactorCodeError::Changed)
        };
        let used = used.await;
        // What counted was no guess, nor what could not be compared.
        if matches!(used, Err(FactorCodeError::Wrong)) {
            self.log_wrong_code(user, from);
        } else {
            self.0.limits.log_in_not_tried(tried).await;
        }
        let used = used?;
        if recovery_hash(code).is_some() {
            let (to, letter) = (used.email.clone(), Letter::RecoveryCodes);
            self.write_to(user, to, Language::default(), letter).await;
        }
        Ok(used)
    }

    /// Counts a try at somebody's codes. Nobody is trusted with them for where they are: six digits
    /// are few.
    async fn try_code(&self, user: UserId, from: IpAddr) -> Result<LogInName, FactorCodeError> {
        let tried = LogInName::of(format!("second factor of {user}"));
        let taken = self.0.limits.log_in(tried, from, self.0.clock.now()).await;
        taken.map_err(FactorCodeError::Limited)?;
        Ok(tried)
    }

    /// The factor after a code of it was used. `None`: it is none.
    fn used(
        &self,
        user: UserId,
        factor: &SecondFactor,
        code: &str,
    ) -> Result<Option<SecondFactor>, Unopened> {
        if let Some(hash) = recovery_hash(code) {
            let left: Vec<_> = factor.recovery.iter().copied().filter(|it| *it != hash).collect();
            let is_one = left.len() < factor.recovery.len();
            return Ok(is_one.then(|| SecondFactor { recovery: left, ..factor.clone() }));
        }
        let step = self.step_of(user, factor, code)?;
        Ok(step.map(|last_step| SecondFactor { last_step, ..factor.clone() }))
    }

    /// The time step of a code of the program's. `None`: it is none, or of a step that was used. Its clock
    /// may be off by as many steps either way as the operator grants (RFC 6238, section 5.2).
    fn step_of(
        &self,
        user: UserId,
        factor: &SecondFactor,
        code: &str,
    ) -> Result<Option<u64>, Unopened> {
        let secret = self.0.data_keys.unseal(place(&user), &factor.secret)?;
        let totp = Builder::new().with_secret(secret).with_skew(self.0.lifetimes.code_steps);
        let totp: Totp = totp.build().map_err(|_| Unopened)?;
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = totp.check(&code, self.0.clock.now().as_millis() / 1_000);
        Ok(step.filter(|step| *step > factor.last_step))
    }

    /// Codes for paper, and what is stored of them.
    fn fresh_recovery(&self) -> (Vec<String>, Vec<[u8; 32]>) {
        let fresh = |_| {
            let secret = &self.0.ids.secret()[..RECOVERY_BYTES];
            let letters = BASE32_NOPAD.encode(secret).to_lowercase();
            let groups: Vec<_> =
                letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
            (groups.join("-"), <[u8; 32]>::from(Sha256::digest(secret)))
        };
        (0..RECOVERY_CODES).map(fresh).unzip()
    }

    /// Puts a changed credential in the place of the one it was made of.
    async fn put(&self, old: &Credential, new: Credential) -> Result<(), FactorError> {
        match self.0.credentials.replace(old, new).await? {
            Replaced::Done => Ok(()),
            // The address stays: nobody else can have it.
            Replaced::Changed | Replaced::Taken => Err(PasswordError::Changed.into()),
        }
    }
}

pub(super) fn place(user: &UserId) -> Place<'_> {
    Place { field: "second factor", of: user.as_bytes() }
}

/// What is stored of a code for paper, however it is written. `None`: it does not look like one.
fn recovery_hash(code: &str) -> Option<[u8; 32]> {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let secret = BASE32_NOPAD.decode(letters.to_uppercase().as_bytes()).ok()?;
    (secret.len() == RECOVERY_BYTES).then(|| Sha256::digest(&secret).into())
}
