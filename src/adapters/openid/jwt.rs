//! JSON Web Tokens (RFC 7519) of outer issuers: read, and verified by keys that the issuer publishes.
//! What a token says of keys itself (`jwk`, `jku`, `x5u`) is not looked at.

use std::time::Duration;

use barterline_domain::clock::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{OpenIdError, refused, subject};

/// Longest token that is looked at.
pub(super) const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// What clocks may be off.
pub(super) const LEEWAY: Duration = Duration::from_mins(1);
/// What tokens may say they are (RFC 7519, section 5.1; RFC 9068, section 2.1). Others are for
/// something else (RFC 8725, section 3.11).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];
/// The latest moment that is one: in the year 5138.
const SECONDS_MAX: f64 = 1e11;

/// What a token says of its signature.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: CoreJwsSigningAlgorithm,
    /// The name of its key.
    pub kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
    cty: Option<String>,
}

/// What a token has to be.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub algorithms: &'a [CoreJwsSigningAlgorithm],
}

/// A token in its parts, nothing of which is verified.
pub(super) struct Token<'a> {
    pub header: Header,
    /// What is signed.
    message: &'a str,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// What a token says, which is verified.
pub(super) struct Claims {
    pub subject: String,
    /// When its subject proved who they are, or when it was made.
    pub vouched_at: Option<Timestamp>,
    /// Its end, as clocks may have it.
    pub taken_until: Timestamp,
    all: Map<String, Value>,
}

impl Header {
    /// The header of a token.
    pub fn of(token: &str) -> Result<Self, OpenIdError> {
        let (header, _) = token.split_once('.').ok_or_else(|| refused("no token"))?;
        part(header)
    }

    fn expect(&self, algorithms: &[CoreJwsSigningAlgorithm]) -> Result<(), OpenIdError> {
        if !algorithms.contains(&self.alg) {
            return Err(refused("a signature of another kind"));
        }
        if self.crit.is_some() || self.cty.is_some() {
            return Err(refused("a header that nobody here understands"));
        }
        let typ = self.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        if TYPES.contains(&typ) { Ok(()) } else { Err(refused("a token of another type")) }
    }
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub fn parse(token: &'a str) -> Result<Self, OpenIdError> {
        let malformed = || refused("no token");
        if token.len() > TOKEN_BYTES_MAX {
            return Err(malformed());
        }
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        Ok(Self { header: part(header)?, message, signature, claims: part(claims)? })
    }

    /// What it says, if it is as expected, one of the keys has signed it, and it is good now.
    pub fn verify(
        self,
        expected: &Expected<'_>,
        keys: &CoreJsonWebKeySet,
        now: Timestamp,
    ) -> Result<Claims, OpenIdError> {
        let Self { header, message, signature, claims } = self;
        header.expect(expected.algorithms)?;
        let named = |kid: Option<&str>| header.kid.is_none() || header.kid.as_deref() == kid;
        let mut candidates =
            keys.keys().iter().filter(|key| named(key.key_id().map(|id| id.as_str())));
        let signed = candidates
            .any(|key| key.verify_signature(&header.alg, message.as_bytes(), &signature).is_ok());
        if !signed {
            return Err(refused("no key of the issuer has signed it"));
        }
        if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
            return Err(refused("another issuer"));
        }
        let is_for = |audience: &Value| audience.as_str() == Some(expected.audience);
        let for_us = match claims.get("aud") {
            Some(Value::Array(several)) => several.iter().any(is_for),
            Some(one) => is_for(one),
            None => false,
        };
        if !for_us {
            return Err(refused("it is for others"));
        }
        let end = moment(&claims, "exp")?.ok_or_else(|| refused("it has no end"))?;
        let taken_until = end.plus(LEEWAY);
        if now >= taken_until {
            return Err(refused("it has expired"));
        }
        for begin in ["nbf", "iat"] {
            if moment(&claims, begin)?.is_some_and(|begin| begin > now.plus(LEEWAY)) {
                return Err(refused("it is not good yet"));
            }
        }
        let subject = subject(claims.get("sub").and_then(Value::as_str).unwrap_or_default())?;
        // Issuers write all kinds of things there: what is no past time was not said.
        let past = |name| moment(&claims, name).ok().flatten().filter(|at| *at <= now.plus(LEEWAY));
        let vouched_at = past("auth_time").or_else(|| past("iat"));
        Ok(Claims { subject, vouched_at, taken_until, all: claims })
    }
}

impl Claims {
    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str)
    }
}

/// Who has issued a token by its own word.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    let claims = Token::parse(token).ok()?.claims;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, OpenIdError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused("no token"))?;
    serde_json::from_slice(&bytes).map_err(|_| refused("no token"))
}

/// Seconds since 1970, perhaps with a fraction (RFC 7519, section 2). `None`: nothing is said.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, OpenIdError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..SECONDS_MAX).contains(seconds));
    let seconds = seconds.ok_or_else(|| refused(format!("`{name}` is no time")))?;
    #[expect(clippy::cast_sign_loss, reason = "between zero and the year 5138")]
    Ok(Some(Timestamp::from_millis((seconds * 1_000.0) as u64)))
}
