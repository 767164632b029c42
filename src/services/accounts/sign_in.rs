//! Signing in at an outer provider (OpenID Connect), and coming back.
//!
//! Nothing is stored on the way: what has to come back with the person is sealed into `state`. Who came
//! back is sealed into a code that is good once, for a moment, and only with what the program that began
//! has kept to itself: nobody is served by a redirect of somebody else's, stolen or foisted on them.
//!
//! An identity that nobody has linked opens no account that is there already, whatever address it is
//! said to have: its owner links it, and proves by password who they are.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::account::{DisplayName, Email};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_storage::accounts::Account;
use barterline_storage::codes::{Code, CodePurpose};
use barterline_storage::credentials::{Credential, EmailKey, KeptEmail};
use barterline_storage::error::StoreError;
use barterline_storage::identities::{Identity, IdentityKey, Linked};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::second_factor::confirmed;
use super::{Accounts, Device, Language, LogIn, LogInError, hash_of};
use crate::adapters::openid::{Binding, Issuer, OpenIdError, Person, Provider};
use crate::auth::sealed::Purpose;
use crate::limits::Exceeded;
use crate::mail::Letter;

/// How long somebody may take at a provider.
const STATE_LIFETIME: Duration = Duration::from_mins(10);
/// How long a program may take with who came back.
const CODE_LIFETIME: Duration = Duration::from_mins(2);
/// What people are called of whom no name is known. They change it.
const NAMELESS: &str = "Somebody";

/// Where people sign in elsewhere, and whose tokens are exchanged.
#[derive(Clone, Default)]
pub struct SignIns {
    /// This server, seen from outside.
    pub public_url: String,
    /// Where people may be sent back to from here.
    pub return_to: Vec<String>,
    /// Providers.
    pub providers: Vec<NamedProvider>,
    /// Outer issuers.
    pub issuers: Vec<NamedIssuer>,
}

/// A provider, and what it is called here.
#[derive(Clone)]
pub struct NamedProvider {
    /// In addresses.
    pub name: String,
    /// For people.
    pub label: String,
    /// Whether it makes accounts.
    pub sign_up: bool,
    /// Who is asked.
    pub provider: Arc<dyn Provider>,
}

/// An outer issuer, and what it is called here.
#[derive(Clone)]
pub struct NamedIssuer {
    /// In identities, and in the log.
    pub name: String,
    /// Whether it makes accounts.
    pub sign_up: bool,
    /// Who is asked.
    pub issuer: Arc<dyn Issuer>,
}

/// What a program says when it begins, to show later that it is the same: SHA-256 of what it keeps to
/// itself (RFC 7636, S256).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

/// Where somebody is to go.
#[derive(Debug)]
pub struct Begun {
    /// The provider's address for this way.
    pub url: String,
    /// Until when they may come back.
    pub expires_at: Timestamp,
}

/// What a provider sends somebody back with.
#[derive(Debug, Default)]
pub struct CameBack {
    /// What they were sent off with.
    pub state: String,
    /// The provider's code.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who says so (RFC 9207).
    pub issuer: Option<String>,
}

/// What a program shows for a session.
pub struct Redemption {
    /// What came back to it.
    pub code: String,
    /// What it has kept to itself.
    pub verifier: String,
    /// A code of the second factor, where there is one.
    pub second_factor: Option<String>,
    /// What the person is to be called, if there is no account yet.
    pub display_name: Option<DisplayName>,
}

/// Why nobody signs in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No provider or issuer is called so.
    #[error("no such provider")]
    Unknown,
    /// Nobody is sent there.
    #[error("nobody is sent back to this address")]
    ReturnRefused,
    /// Not one of ours, over, or of another provider.
    #[error("the state is not valid")]
    State,
    /// Not one of ours, used, over, or another's.
    #[error("the code is not valid")]
    Code,
    /// What was shown proves nobody to be anybody.
    #[error("the token proves nothing")]
    Refused,
    /// Somebody has the address already, and has to link the identity themselves.
    #[error("somebody has the e-mail address already")]
    AccountExists,
    /// Nobody knows the person, and no account is made.
    #[error("no account is made for who is not known")]
    Closed,
    /// The provider has confirmed no address.
    #[error("the provider has confirmed no e-mail address")]
    EmailUnverified,
    /// Somebody was faster with the same identity.
    #[error("the account was changed meanwhile")]
    Changed,
    /// Too many accounts are made from one address.
    #[error("too many accounts from one address")]
    Limited(Exceeded),
    /// The provider cannot be asked.
    #[error("the provider cannot be asked now")]
    Unavailable,
    /// As at any log-in.
    #[error(transparent)]
    LogIn(#[from] LogInError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What comes back with a person, sealed.
#[derive(Serialize, Deserialize)]
struct State {
    provider: String,
    nonce: String,
    verifier: String,
    challenge: String,
    return_to: String,
    /// Whose account the identity is to be linked to.
    link: Option<UserId>,
}

/// Who came back, sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Proven {
    secret: String,
    challenge: String,
    pub provider: String,
    pub issuer: String,
    pub subject: String,
    email: Option<String>,
    name: Option<String>,
    /// Whose account the identity is to be linked to.
    pub link: Option<UserId>,
}

impl Challenge {
    /// Reads one: 43 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Some(text).filter(|text| text.len() == 43);
        let bytes = bytes.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())?;
        Some(Self(bytes.try_into().ok()?))
    }

    fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether this is what was kept: 43 to 128 unreserved characters (RFC 7636, section 4.1).
    fn is_met_by(self, verifier: &str) -> bool {
        let unreserved = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(unreserved)
            && <[u8; 32]>::from(Sha256::digest(verifier)) == self.0
    }
}

impl SignIns {
    pub(super) fn provider(&self, name: &str) -> Option<&NamedProvider> {
        self.providers.iter().find(|it| it.name == name)
    }

    fn redirect_uri(&self, provider: &str) -> String {
        format!("{}/v1/sign-in/{provider}/callback", self.public_url)
    }
}

impl Accounts {
    /// Where people can sign in.
    pub fn providers(&self) -> &[NamedProvider] {
        &self.0.sign_ins.providers
    }

    /// Begins the way to a provider and back.
    pub async fn begin_sign_in(
        &self,
        provider: &str,
        challenge: Challenge,
        return_to: &str,
        from: IpAddr,
    ) -> Result<Begun, SignInError> {
        self.begin(provider, challenge, return_to, None, from).await
    }

    /// The same, to link the identity to somebody's account.
    pub(super) async fn begin(
        &self,
        provider: &str,
        challenge: Challenge,
        return_to: &str,
        link: Option<UserId>,
        from: IpAddr,
    ) -> Result<Begun, SignInError> {
        let sign_ins = &self.0.sign_ins;
        let named = sign_ins.provider(provider).ok_or(SignInError::Unknown)?;
        if !sign_ins.return_to.iter().any(|listed| listed == return_to) {
            return Err(SignInError::ReturnRefused);
        }
        let state = State {
            provider: named.name.clone(),
            nonce: URL_SAFE_NO_PAD.encode(self.0.ids.secret()),
            verifier: URL_SAFE_NO_PAD.encode(self.0.ids.secret()),
            challenge: challenge.text(),
            return_to: return_to.to_owned(),
            link,
        };
        let now = self.0.clock.now();
        let sealed = self.0.sealing.seal(Purpose::SignInState, &state, now, STATE_LIFETIME);
        let redirect_uri = sign_ins.redirect_uri(&named.name);
        let address = named.provider.address(binding(&redirect_uri, &state), &sealed, now).await;
        let url = address.map_err(|error| self.not_signed_in(from, &named.name, &error))?;
        Ok(Begun { url, expires_at: now.plus(STATE_LIFETIME) })
    }

    /// Takes somebody back from a provider. Gives where to send them, with what the program there is to
    /// know: a code, or why there is none.
    pub async fn come_back(
        &self,
        provider: &str,
        came: CameBack,
        from: IpAddr,
    ) -> Result<String, SignInError> {
        let (sign_ins, now) = (&self.0.sign_ins, self.0.clock.now());
        let named = sign_ins.provider(provider).ok_or(SignInError::Unknown)?;
        let state = self.0.sealing.open::<State>(Purpose::SignInState, &came.state, now);
        let state = state.ok().filter(|state| state.provider == named.name);
        // The list may be another by now.
        let state = state.filter(|state| sign_ins.return_to.contains(&state.return_to));
        let state = state.ok_or(SignInError::State)?;
        let back = |key, value: &str| with_query(&state.return_to, key, value);
        let code = match came {
            // Another provider's answer would prove another's person (RFC 9700, section 4.4).
            CameBack { issuer: Some(issuer), .. } if issuer != named.provider.issuer() => {
                return Ok(back("error", "provider_refused"));
            }
            CameBack { error: Some(error), .. } => {
                return Ok(back(
                    "error",
                    match error.as_str() {
                        "access_denied" => "denied",
                        "server_error" | "temporarily_unavailable" => "provider_unavailable",
                        _ => "provider_refused",
                    },
                ));
            }
            CameBack { code: None, .. } => return Ok(back("error", "provider_refused")),
            CameBack { code: Some(code), .. } => code,
        };
        let redirect_uri = sign_ins.redirect_uri(&named.name);
        let person = named.provider.person(binding(&redirect_uri, &state), &code, now).await;
        match person.map_err(|error| self.not_signed_in(from, &named.name, &error)) {
            Ok(person) => Ok(back("code", &self.sign_in_code(&state, person, now).await?)),
            Err(SignInError::Unavailable) => Ok(back("error", "provider_unavailable")),
            Err(_) => Ok(back("error", "provider_refused")),
        }
    }

    /// Begins a session of who came back, and makes their account if nobody knows them.
    pub async fn redeem(
        &self,
        redemption: Redemption,
        device: Device,
        from: IpAddr,
    ) -> Result<LogIn, SignInError> {
        let Redemption { code, verifier, second_factor, display_name } = redemption;
        let proven = self.proven(&code, &verifier)?;
        if proven.link.is_some() {
            return Err(SignInError::Code);
        }
        let identity_key = self.identity_key(&proven.issuer, &proven.subject);
        let found = self.whose(identity_key).await?;
        let account = match found {
            Some(identity) => {
                let account = self.entering(identity.user).await?;
                // Before the code is used up: whoever has to come again can.
                self.show_second_factor(account.id, second_factor, from).await?;
                self.use_up(&proven).await?;
                account
            }
            None => self.sign_up(&proven, display_name, from).await?,
        };
        let now = self.0.clock.now();
        let end = self.0.lifetimes.end(now, now);
        self.sign_in(&account, (identity_key, &proven.provider), device, (now, end), from).await
    }

    /// Begins a session by an identity that is somebody's.
    pub(super) async fn sign_in(
        &self,
        account: &Account,
        (identity, provider): (IdentityKey, &str),
        device: Device,
        (proven_at, end): (Timestamp, Timestamp),
        from: IpAddr,
    ) -> Result<LogIn, SignInError> {
        let log_in = self.begin_session(account, device, proven_at, end).await?;
        // Whoever unlinked it meanwhile, or left, ended the sessions that there were, and not this.
        let found = self.whose(identity).await?;
        if found.is_none_or(|found| found.user != account.id) {
            self.0.sessions.revoke(log_in.session).await?;
            return Err(SignInError::Changed);
        }
        self.log_signed_in(log_in.user, from, provider);
        Ok(log_in)
    }

    /// Uses a code of somebody's second factor, if they have one.
    pub(super) async fn show_second_factor(
        &self,
        user: UserId,
        code: Option<String>,
        from: IpAddr,
    ) -> Result<(), LogInError> {
        let credential = self.0.credentials.find_by_user(user).await?;
        if let Some(credential) = credential.filter(|it| confirmed(it).is_some()) {
            let Some(code) = code else {
                self.log_code_asked(user, from);
                return Err(LogInError::CodeRequired);
            };
            self.use_code(credential, &code, from).await?;
        }
        Ok(())
    }

    /// Makes the account of somebody whom nobody knows.
    async fn sign_up(
        &self,
        proven: &Proven,
        name: Option<DisplayName>,
        from: IpAddr,
    ) -> Result<Account, SignInError> {
        let email = proven.email.as_deref().and_then(|email| Email::parse(email).ok());
        if let Some(email) = &email
            && self.0.credentials.find(self.email_key(email)).await?.is_some()
        {
            return Err(SignInError::AccountExists);
        }
        let provider = self.0.sign_ins.provider(&proven.provider).ok_or(SignInError::Closed)?;
        if !provider.sign_up {
            return Err(SignInError::Closed);
        }
        let email = email.ok_or(SignInError::EmailUnverified)?;
        let now = self.0.clock.now();
        self.0.limits.registration(from, now).await.map_err(SignInError::Limited)?;
        self.use_up(proven).await?;
        let account = self.new_account(name.unwrap_or_else(|| name_of(proven.name.as_deref())));
        self.0.accounts.insert(vec![account.clone()]).await?;
        let address = self.sealed_email(account.id, &email);
        let credential = Credential {
            user: account.id,
            email: address.clone(),
            // By the provider's word.
            email_verified_at: Some(now),
            password_hash: None,
            password_changed_at: account.created_at,
            second_factor: None,
        };
        // The identity before the address: whoever is cut off in between comes in all the same.
        let identity = self.identity_of(proven, account.id, now);
        self.free(identity.key).await?;
        let linked = self.0.identities.insert(identity).await?;
        if linked != Linked::Done {
            // It is another account's by now: this one is nobody's.
            self.undo_account(account.id).await?;
            return Err(SignInError::Changed);
        }
        if !self.0.credentials.insert(credential).await? {
            self.undo_account(account.id).await?;
            return Err(SignInError::AccountExists);
        }
        // Whose address it is hears of it, whatever the provider made sure of.
        let letter = Letter::IdentityLinked;
        self.write_to(account.id, address, Language::default(), letter).await;
        Ok(account)
    }

    /// A code for the program that began, sealed, and a row that says that it is not used.
    async fn sign_in_code(
        &self,
        state: &State,
        person: Person,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let (secret, hash) = self.fresh_secret();
        let expires_at = now.plus(CODE_LIFETIME);
        let row = Code {
            hash,
            user: state.link.unwrap_or(UserId::from_bytes([0; 16])),
            purpose: CodePurpose::SignIn,
            // It was sent to no address.
            email: KeptEmail { key: EmailKey([0; 32]), sealed: Vec::new() },
            created_at: now,
            expires_at,
        };
        self.0.codes.insert(row).await?;
        let Person { issuer, subject, email, name } = person;
        let proven = Proven {
            secret: URL_SAFE_NO_PAD.encode(secret),
            challenge: state.challenge.clone(),
            provider: state.provider.clone(),
            issuer,
            subject,
            // One that is too long is none, of both.
            email: email.filter(|email| Email::parse(email).is_ok()),
            name: name.filter(|name| DisplayName::choose(name).is_ok()),
            link: state.link,
        };
        Ok(self.0.sealing.seal(Purpose::SignInCode, proven, now, CODE_LIFETIME))
    }

    /// What somebody is known again by whom an issuer names.
    pub(super) fn identity_key(&self, issuer: &str, subject: &str) -> IdentityKey {
        // An issuer is a URL, which has no byte of zero: no two pairs are written alike.
        self.0.data_keys.digest("identity", &[issuer.as_bytes(), &[0], subject.as_bytes()].concat())
    }

    /// Who came back, as the identity of an account.
    pub(super) fn identity_of(
        &self,
        proven: &Proven,
        user: UserId,
        linked_at: Timestamp,
    ) -> Identity {
        let Proven { provider, issuer, subject, .. } = proven;
        let key = self.identity_key(issuer, subject);
        Identity { user, key, issuer: issuer.clone(), provider: provider.clone(), linked_at }
    }

    /// Who came back with a code, for the program that began. The code is not used up.
    pub(super) fn proven(&self, code: &str, verifier: &str) -> Result<Proven, SignInError> {
        let opened = self.0.sealing.open::<Proven>(Purpose::SignInCode, code, self.0.clock.now());
        let proven = opened.map_err(|_| SignInError::Code)?;
        let challenge = Challenge::parse(&proven.challenge).ok_or(SignInError::Code)?;
        if challenge.is_met_by(verifier) { Ok(proven) } else { Err(SignInError::Code) }
    }

    /// Uses a code up: once for all servers.
    pub(super) async fn use_up(&self, proven: &Proven) -> Result<(), SignInError> {
        let secret = URL_SAFE_NO_PAD.decode(&proven.secret).ok();
        let secret: Option<[u8; 32]> = secret.and_then(|secret| secret.try_into().ok());
        let hash = hash_of(&secret.ok_or(SignInError::Code)?);
        let taken = self.0.codes.take(hash, CodePurpose::SignIn, self.0.clock.now()).await?;
        taken.map(drop).ok_or(SignInError::Code)
    }

    /// What somebody else's failure means to whoever signs in.
    pub(super) fn not_signed_in(
        &self,
        from: IpAddr,
        provider: &str,
        error: &OpenIdError,
    ) -> SignInError {
        self.log_not_signed_in(from, provider, error);
        match error {
            OpenIdError::Unavailable(_) => SignInError::Unavailable,
            OpenIdError::Refused(_) => SignInError::Refused,
        }
    }
}

/// What somebody is called who chose no name.
pub(super) fn name_of(claim: Option<&str>) -> DisplayName {
    let claimed = claim.and_then(|name| DisplayName::choose(name).ok());
    claimed.unwrap_or_else(|| DisplayName::parse(NAMELESS).expect("a sound name"))
}

fn binding<'a>(redirect_uri: &'a str, state: &'a State) -> Binding<'a> {
    Binding { redirect_uri, nonce: &state.nonce, verifier: &state.verifier }
}

/// An address with one thing more to say.
fn with_query(address: &str, key: &str, value: &str) -> String {
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(key, value).finish();
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{pair}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_met_by_what_was_kept() {
        // RFC 7636, appendix B.
        let kept = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let challenge = challenge.expect("a challenge");
        assert!(challenge.is_met_by(kept));
        for other in ["", &kept[1..], "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"] {
            assert!(!challenge.is_met_by(other), "{other}");
        }
        let of = |kept: &str| Challenge(Sha256::digest(kept).into());
        for (unfit, fit) in [("a".repeat(42), "a".repeat(43)), ("a".repeat(129), "a".repeat(128))] {
            assert!(of(&fit).is_met_by(&fit));
            assert!(!of(&unfit).is_met_by(&unfit), "{unfit}");
        }
        let spaced = format!("{} {}", "a".repeat(30), "b".repeat(30));
        assert!(!of(&spaced).is_met_by(&spaced));
        for none in ["", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c", &"=".repeat(43)] {
            assert_eq!(Challenge::parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_code_is_added_to_whatever_address() {
        let check =
            |address, expected: &str| assert_eq!(with_query(address, "code", "a b&c"), expected);
        check("https://shop.example/in", "https://shop.example/in?code=a+b%26c");
        check("https://shop.example/in?x=1", "https://shop.example/in?x=1&code=a+b%26c");
        check("shop.example.app:/in", "shop.example.app:/in?code=a+b%26c");
    }

    #[test]
    fn a_name_that_is_none_is_replaced() {
        assert_eq!(name_of(Some("Ana Çelik")).as_str(), "Ana Çelik");
        for none in [None, Some(""), Some("a\u{0}b"), Some(&*"x".repeat(1_000))] {
            assert_eq!(name_of(none).as_str(), NAMELESS);
        }
    }
}
