//! Catalogues of others: systems that keep things for sale which people talk about here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Position;

use super::Issuer;
use super::section::{Allowed, Any, Secret, section};
use super::sign_in::web;

section! {
    /// A system of others that keeps things for sale, which are listings here. There may be several, each
    /// under a name of its own, which is part of addresses and of what its listings are known by: small
    /// letters, digits and single `_`, 32 at most.
    pub struct ListingSource = "sources" {
        /// What its webhooks are signed by (Standard Webhooks); empty: it sends none. Better in
        /// `BARTERLINE_SOURCES__NAME__SECRET` than in a file. Of no two sources the same.
        secret: Secret = Secret::default(), WebhookSecret;
        /// Where it is asked for a thing: `{id}` stands for what the thing is called there. Empty: it is not asked.
        pull_url: String = String::new(), PullUrl;
        /// What it is shown when it is asked (`Authorization: Bearer …`); empty: nothing.
        pull_token: Secret = Secret::default(), PullToken;
        /// For how many seconds what is known of a thing does for somebody who wants to talk about it.
        fresh_for_s: u64 = 300, 0..=86_400;
        /// By which of the `issuers` sellers are named: its subjects. Empty: sellers are accounts of this server.
        issuer: String = String::new(), Any("NAME of an [issuers.NAME], or \"\"");
    }
}

/// Beginning of a secret that is written in base64 (Standard Webhooks).
const SECRET_PREFIX: &str = "whsec_";
/// Shortest secret (Standard Webhooks: 192 bits).
const SECRET_BYTES_MIN: usize = 24;
/// Longest address, as it stands in the settings.
const PULL_URL_BYTES_MAX: usize = 512;
/// Where the name of a thing goes.
const ID: &str = "{id}";

impl ListingSource {
    /// What its webhooks are signed by; `None`: it sends none.
    pub fn webhook_key(&self) -> Option<Vec<u8>> {
        key_of(self.secret.expose())
    }

    /// What stands before and behind the name of a thing where it is asked; `None`: it is not.
    pub fn pull_address(&self) -> Option<(&str, &str)> {
        self.pull_url.split_once(ID)
    }

    /// For how long what is known does.
    pub fn fresh_for(&self) -> Duration {
        Duration::from_secs(self.fresh_for_s)
    }

    /// Whose subjects sellers are; `None`: accounts of this server.
    pub fn issuer(&self) -> Option<&str> {
        Some(self.issuer.as_str()).filter(|issuer| !issuer.is_empty())
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(
        sources: &BTreeMap<String, Self>,
        issuers: &BTreeMap<String, Issuer>,
    ) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut keys = BTreeSet::new();
        for (name, it) in sources {
            if it.secret.is_empty() && it.pull_url.is_empty() {
                mistakes.push(format!(
                    "`sources.{name}` needs `secret` or `pull_url`: nothing could come from there"
                ));
            }
            if it.pull_url.is_empty() && !it.pull_token.is_empty() {
                mistakes.push(format!(
                    "`sources.{name}.pull_token` is for `sources.{name}.pull_url`, which is not set"
                ));
            }
            if let Some(issuer) = it.issuer().filter(|issuer| !issuers.contains_key(*issuer)) {
                mistakes.push(format!(
                    "`sources.{name}.issuer` names `issuers.{issuer}`, which is not there"
                ));
            }
            // A signature does not say for which source it is.
            if it.webhook_key().is_some_and(|key| !keys.insert(key)) {
                mistakes.push(format!(
                    "`sources.{name}.secret` is that of another source: give each its own"
                ));
            }
        }
        mistakes
    }
}

/// The bytes of a secret that is long enough: of base64 behind its prefix, or of the text itself.
fn key_of(text: &str) -> Option<Vec<u8>> {
    let key = match text.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => text.as_bytes().to_vec(),
    };
    (key.len() >= SECRET_BYTES_MIN).then_some(key)
}

/// What signs webhooks.
struct WebhookSecret;

impl Allowed<Secret> for WebhookSecret {
    fn allows(&self, value: &Secret) -> bool {
        value.is_empty() || key_of(value.expose()).is_some()
    }

    fn describe(&self) -> String {
        format!(
            "\"{SECRET_PREFIX}\" and base64 of {SECRET_BYTES_MIN} bytes at least, or another text of that length; \
             never shown"
        )
    }
}

/// What goes into a header.
struct PullToken;

impl Allowed<Secret> for PullToken {
    fn allows(&self, value: &Secret) -> bool {
        value.expose().chars().all(|c| c.is_ascii_graphic())
    }

    fn describe(&self) -> String {
        "a text without spaces, never shown".to_owned()
    }
}

/// Where a system is asked for a thing.
struct PullUrl;

impl Allowed<String> for PullUrl {
    fn allows(&self, value: &String) -> bool {
        value.is_empty() || value.len() <= PULL_URL_BYTES_MAX && is_pull_url(value)
    }

    fn describe(&self) -> String {
        "like https://shop.example/api/things/{id}, as a browser would write it, with `{id}` once behind the \
         host, or \"\"; http:// on this machine alone"
            .to_owned()
    }
}

/// Whether the same host is asked whatever stands in the place of `{id}`. What is written as it is read has no
/// other meaning than the one that it seems to have.
fn is_pull_url(text: &str) -> bool {
    let Some((before, after)) = text.split_once(ID) else { return false };
    let filled = format!("{before}x{after}");
    let is_behind_the_host =
        |host: &str| before.strip_prefix(host).is_some_and(|path| path.starts_with('/'));
    !after.contains(ID)
        && web(&filled).is_some_and(|url| {
            url.as_str() == filled && is_behind_the_host(&url[..Position::BeforePath])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_however_it_is_written() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(key_of(text).map(|key| key.len()), expected, "{text}");
        };
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Some(24));
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaQ=", None);
        check("whsec_not base64 at all, but rather long", None);
        check("whsec_", None);
        check("a text of twenty-four by", Some(24));
        check("a text of twenty-three!", None);
        check("", None);
    }

    #[test]
    fn whatever_a_thing_is_called_the_same_host_is_asked() {
        for sound in [
            "https://shop.example/things/{id}",
            "https://shop.example/{id}",
            "https://shop.example:8443/things/{id}/as.json?full=1",
            "https://shop.example/things?id={id}",
            "http://127.0.0.1:8000/{id}",
            "http://localhost:8000/{id}",
        ] {
            assert!(is_pull_url(sound), "{sound}");
        }
        for wrong in [
            "https://shop.example/things/",
            "https://shop.example/{id}/{id}",
            "https://{id}/things",
            "https://{id}.shop.example/",
            "https://shop.example{id}/",
            "https://shop.example:{id}/",
            "https://{id}@shop.example/",
            "{id}://shop.example/",
            "https://shop.example?id={id}",
            "https://Shop.example/{id}",
            "https://shop.example:443/{id}",
            "https://shop.example/a/../{id}",
            "https://shop.example/{id}#part",
            "https://us:hunter2@shop.example/{id}",
            "http://shop.example/{id}",
            "http://10.0.0.1/{id}",
            "file:///{id}",
        ] {
            assert!(!is_pull_url(wrong), "{wrong}");
        }
    }
}
