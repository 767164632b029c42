//! Who people are, by the word of others: providers by OpenID Connect, where people are sent to sign in,
//! and issuers whose tokens people bring along.
//!
//! What a provider publishes of itself is asked for when it is needed first, kept for an hour, and used
//! for a day where the provider does not answer. Nothing here says what anybody may do.

mod directory;
mod issuer;
mod jwt;
mod provider;
mod web;

use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;

pub use issuer::{JwtIssuer, JwtIssuerSettings};
pub use provider::{OpenIdProvider, OpenIdProviderSettings};
pub use web::{Web, WebError};

/// For one step with a provider, however many requests it takes.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest name of a person at a provider (OpenID Connect Core 1.0, section 2).
const SUBJECT_BYTES_MAX: usize = 255;

/// Somebody, as a provider or an issuer knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Who says so.
    pub issuer: String,
    /// What they call the person, for good.
    pub subject: String,
    /// The person's address, if they have confirmed it.
    pub email: Option<String>,
    /// The person's name, as it came.
    pub name: Option<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest is not for logs.
        f.debug_struct("Person").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What binds a way to a provider to the way back.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// Where the provider sends the person back to.
    pub redirect_uri: &'a str,
    /// Comes back in the token.
    pub nonce: &'a str,
    /// Whose digest the provider is told now, and itself then (RFC 7636): 43 characters at least.
    pub verifier: &'a str,
}

/// Why a provider or an issuer says nothing of somebody.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// It cannot be asked now.
    #[error("not to be asked now: {0}")]
    Unavailable(String),
    /// What was shown proves nobody to be anybody.
    #[error("no proof: {0}")]
    Refused(String),
}

/// Where people sign in.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Where somebody is sent to; `state` comes back with them. Waits 10 s at most.
    async fn address(
        &self,
        binding: Binding<'_>,
        state: &str,
        now: Timestamp,
    ) -> Result<String, OpenIdError>;

    /// Who came back with a code. Waits 10 s at most.
    async fn person(
        &self,
        binding: Binding<'_>,
        code: &str,
        now: Timestamp,
    ) -> Result<Person, OpenIdError>;

    /// Who the provider says it is: what comes back may name it, too (RFC 9207).
    fn issuer(&self) -> &str;
}

/// What a token of an issuer says.
#[derive(Debug)]
pub struct Vouched {
    /// Who somebody is.
    pub person: Person,
    /// When they proved it to the issuer (`auth_time`), or when the token was made (`iat`), if it says either.
    pub at: Option<Timestamp>,
    /// Until when the token is taken.
    pub until: Timestamp,
}

/// Whose tokens people bring along.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// Whom a token names. Waits 10 s at most.
    async fn person(&self, token: &str, now: Timestamp) -> Result<Vouched, OpenIdError>;

    /// Who the issuer says it is.
    fn issuer(&self) -> &str;
}

/// Who has issued a token by its own word, which nobody has checked. `None`: it is none.
pub fn claimed_issuer(token: &str) -> Option<String> {
    jwt::claimed_issuer(token)
}

fn refused(why: impl Into<String>) -> OpenIdError {
    OpenIdError::Refused(why.into())
}

/// A step with its bound.
async fn in_time<T>(step: impl Future<Output = Result<T, OpenIdError>>) -> Result<T, OpenIdError> {
    let late = |_| Err(OpenIdError::Unavailable("no answer in time".to_owned()));
    tokio::time::timeout(STEP_TIMEOUT, step).await.unwrap_or_else(late)
}

/// A person's name at a provider, if it can be one.
fn subject(text: &str) -> Result<String, OpenIdError> {
    let is_one = is_subject(text);
    is_one.then(|| text.to_owned()).ok_or_else(|| refused("a subject of another length"))
}

/// Whether anybody can be called so at a provider.
pub fn is_subject(text: &str) -> bool {
    (1..=SUBJECT_BYTES_MAX).contains(&text.len())
}
