//! Signing in elsewhere: providers of identities, and issuers whose tokens are exchanged.

use std::collections::BTreeMap;
use std::net::IpAddr;

use url::{Host, Url};

use super::section::{Allowed, Any, Secret, list, section};

section! {
    /// Where people come back to who sign in at one of the providers.
    pub struct SignIn = "sign_in" {
        /// Where the internet finds this server, without a slash at its end: a provider sends people to
        /// `PUBLIC_URL/v1/sign-in/NAME/callback`, which has to be registered there.
        public_url: String = String::new(), PublicUrl;
        /// Where people may be sent back to from here, each as a whole: pages of the web, or of an app.
        return_to: String = String::new(), Returns;
    }
}

section! {
    /// A provider of identities, by OpenID Connect. There may be several, each under a name of its own,
    /// which is part of addresses: small letters, digits and single `_`, 32 at most.
    pub struct Provider = "providers" {
        /// The provider's issuer, as its tokens write it. What else there is to know is asked for there
        /// (`/.well-known/openid-configuration`).
        issuer: String = String::new(), IssuerUrl;
        /// What the provider calls this server.
        client_id: String = String::new(), Any("a text");
        /// The secret that goes with it; empty for a client that has none. Better in
        /// `BARTERLINE_PROVIDERS__NAME__CLIENT_SECRET` than in a file.
        client_secret: Secret = Secret::default(), Any("a text, never shown");
        /// What the provider is asked for, beside `openid`.
        scopes: String = "email profile".to_owned(), Scopes;
        /// What people read on the button.
        label: String = String::new(), Any("a text; the name, if it is empty");
        /// Whether somebody whom nobody knows gets an account, if the provider has confirmed an e-mail
        /// address that is nobody's.
        sign_up: bool = true, Any("true or false");
    }
}

section! {
    /// Somebody who knows the people already, and whose tokens (JWT) are exchanged for sessions. There
    /// may be several, each under a name of its own.
    pub struct Issuer = "issuers" {
        /// The issuer, as its tokens write it (`iss`).
        issuer: String = String::new(), IssuerUrl;
        /// Where its keys are. Empty: where `/.well-known/openid-configuration` of the issuer says.
        jwks_url: String = String::new(), KeysUrl;
        /// Whom tokens have to be for (`aud`). Tokens for others are refused.
        audience: String = String::new(), Any("a text");
        /// How tokens may be signed. What is signed by a secret that two know is never taken.
        algorithms: String = "RS256 PS256 ES256 EdDSA".to_owned(), Algorithms;
        /// The claim in which people's names are.
        name_claim: String = "name".to_owned(), Any("a text");
        /// Whether somebody whom nobody knows gets an account.
        sign_up: bool = true, Any("true or false");
    }
}

/// How a token of an outer issuer may be signed (RFC 7518, section 3.1; RFC 8037).
const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Whether a provider or an issuer may be called so.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(plain)
        // In the environment two of them stand between names.
        && !text.contains("__")
        && !text.ends_with('_')
}

impl SignIn {
    /// Where people may be sent back to.
    pub fn return_to(&self) -> Vec<String> {
        list(&self.return_to).map(str::to_owned).collect()
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self, has_providers: bool) -> Vec<String> {
        let needed = [("public_url", &self.public_url), ("return_to", &self.return_to)];
        let missing = needed.into_iter().filter(|(_, value)| has_providers && value.is_empty());
        missing.map(|(key, _)| format!("`providers` need `sign_in.{key}` as well")).collect()
    }
}

impl Provider {
    /// What the provider is asked for, beside `openid`.
    pub fn scopes(&self) -> Vec<String> {
        list(&self.scopes).filter(|scope| *scope != "openid").map(str::to_owned).collect()
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self, name: &str) -> Vec<String> {
        missing("providers", name, [("issuer", &self.issuer), ("client_id", &self.client_id)])
    }
}

impl Issuer {
    /// How tokens may be signed.
    pub fn algorithms(&self) -> Vec<String> {
        list(&self.algorithms).map(str::to_owned).collect()
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(issuers: &BTreeMap<String, Self>) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (name, it) in issuers {
            let needed = [("issuer", &it.issuer), ("audience", &it.audience)];
            mistakes.extend(missing("issuers", name, needed));
        }
        let mut known: Vec<_> = issuers.values().map(|it| &it.issuer).collect();
        known.sort_unstable();
        if known.windows(2).any(|two| two[0] == two[1]) {
            mistakes.push("two of `issuers` have the same `issuer`".to_owned());
        }
        mistakes
    }
}

fn missing(section: &str, name: &str, needed: [(&str, &String); 2]) -> Vec<String> {
    let missing = needed.into_iter().filter(|(_, value)| value.is_empty());
    missing.map(|(key, _)| format!("`{section}.{name}` needs `{key}` as well")).collect()
}

/// A URL of the web under TLS, or of this machine, without user, query and fragment.
pub(super) fn web(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
    };
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_loopback;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_clean = text.chars().all(|c| c.is_ascii_graphic());
    (is_safe && is_plain && is_clean && url.fragment().is_none()).then_some(url)
}

/// An issuer's identifier (OpenID Connect Discovery 1.0, section 3).
struct IssuerUrl;

impl Allowed<String> for IssuerUrl {
    fn allows(&self, value: &String) -> bool {
        value.is_empty()
            || value.len() <= 512 && web(value).is_some_and(|url| url.query().is_none())
    }

    fn describe(&self) -> String {
        "like https://id.example/realm, without `?` and `#`; http:// on this machine alone"
            .to_owned()
    }
}

/// Where keys are.
struct KeysUrl;

impl Allowed<String> for KeysUrl {
    fn allows(&self, value: &String) -> bool {
        value.is_empty() || web(value).is_some()
    }

    fn describe(&self) -> String {
        "like https://id.example/keys, or \"\"; http:// on this machine alone".to_owned()
    }
}

/// This server, seen from outside.
struct PublicUrl;

impl Allowed<String> for PublicUrl {
    fn allows(&self, value: &String) -> bool {
        let is_sound = |url: Url| url.query().is_none() && !value.ends_with('/');
        value.is_empty() || web(value).is_some_and(is_sound)
    }

    fn describe(&self) -> String {
        "like https://api.shop.example, without a slash at its end; http:// on this machine alone"
            .to_owned()
    }
}

/// Pages of the web, or of apps: a scheme with a dot in it is an app's (RFC 8252, section 7.1).
struct Returns;

impl Allowed<String> for Returns {
    fn allows(&self, value: &String) -> bool {
        list(value).all(|one| {
            let of_app = |url: Url| {
                let clean = one.chars().all(|c| c.is_ascii_graphic());
                url.scheme().contains('.') && url.fragment().is_none() && clean
            };
            one.len() <= 512 && (web(one).is_some() || Url::parse(one).is_ok_and(of_app))
        })
    }

    fn describe(&self) -> String {
        "addresses like https://shop.example/signed-in or shop.example.app:/signed-in, without `#`, \
         with a space between; http:// on this machine alone"
            .to_owned()
    }
}

/// Scopes of OAuth 2.0 (RFC 6749, section 3.3).
struct Scopes;

impl Allowed<String> for Scopes {
    fn allows(&self, value: &String) -> bool {
        let is_sound = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        list(value).all(|scope| scope.chars().all(is_sound))
    }

    fn describe(&self) -> String {
        "scopes, with a space between".to_owned()
    }
}

/// Signatures that one alone can make.
struct Algorithms;

impl Allowed<String> for Algorithms {
    fn allows(&self, value: &String) -> bool {
        list(value).next().is_some() && list(value).all(|one| ALGORITHMS.contains(&one))
    }

    fn describe(&self) -> String {
        format!("some of {}, with a space between", ALGORITHMS.join(" "))
    }
}
