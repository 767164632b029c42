//! An outer issuer: its tokens name people.

use async_trait::async_trait;
use barterline_domain::clock::Timestamp;
use openidconnect::core::CoreJwsSigningAlgorithm;
use openidconnect::{IssuerUrl, JsonWebKeySetUrl};
use serde_json::Value;

use super::directory::{Directory, Place};
use super::jwt::{Expected, Token};
use super::{Issuer, OpenIdError, Person, Vouched, Web, in_time};

/// What there is to know of an issuer.
pub struct JwtIssuerSettings {
    /// What it calls itself.
    pub issuer: String,
    /// Where its keys are; `None`: where it says.
    pub jwks_url: Option<String>,
    /// Whom its tokens have to be for.
    pub audience: String,
    /// How they may be signed, by the names of RFC 7518.
    pub algorithms: Vec<String>,
    /// The claim in which a person's name is.
    pub name_claim: String,
}

/// An issuer that publishes its keys.
pub struct JwtIssuer {
    issuer: String,
    audience: String,
    algorithms: Vec<CoreJwsSigningAlgorithm>,
    name_claim: String,
    directory: Directory,
}

impl JwtIssuer {
    /// An issuer by its settings. Asks nobody yet.
    pub fn new(settings: JwtIssuerSettings, web: &Web) -> anyhow::Result<Self> {
        let JwtIssuerSettings { issuer, jwks_url, audience, algorithms, name_claim } = settings;
        let web = web.of(jwks_url.as_deref().unwrap_or(&issuer));
        let place = match jwks_url {
            Some(url) => Place::Keys(JsonWebKeySetUrl::new(url)?),
            None => Place::Issuer(IssuerUrl::new(issuer.clone())?),
        };
        let algorithms = algorithms.into_iter().map(|name| {
            let algorithm: CoreJwsSigningAlgorithm = serde_json::from_value(Value::String(name))?;
            anyhow::ensure!(is_asymmetric(&algorithm), "a signature that two can make");
            Ok(algorithm)
        });
        let algorithms = algorithms.collect::<anyhow::Result<_>>()?;
        let directory = Directory::new(web, place);
        Ok(Self { issuer, audience, algorithms, name_claim, directory })
    }
}

#[async_trait]
impl Issuer for JwtIssuer {
    async fn person(&self, token: &str, now: Timestamp) -> Result<Vouched, OpenIdError> {
        in_time(async {
            let token = Token::parse(token)?;
            let known = self.directory.with_key_of(&token.header, now).await?;
            let Self { issuer, audience, algorithms, .. } = self;
            let claims =
                token.verify(&Expected { issuer, audience, algorithms }, &known.keys, now)?;
            let name = claims.text(&self.name_claim).map(str::to_owned);
            // An address is nobody's business here: whoever issues tokens is in charge of the account.
            let (issuer, subject) = (issuer.clone(), claims.subject);
            let person = Person { issuer, subject, email: None, name };
            Ok(Vouched { person, at: claims.vouched_at, until: claims.taken_until })
        })
        .await
    }

    fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// Whether who verifies cannot sign.
pub(super) fn is_asymmetric(algorithm: &CoreJwsSigningAlgorithm) -> bool {
    ASYMMETRIC.contains(algorithm)
}

/// Signatures that one alone can make.
pub(super) const ASYMMETRIC: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
