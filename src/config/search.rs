//! What is found.

use std::net::IpAddr;
use std::time::Duration;

use barterline_search::{Language, UnknownLanguage};
use url::{Host, Url};

use super::section::{Allowed, Any, Secret, Word, section};

section! {
    /// What is found. Each server has an index of its own, in its data directory, unless there is an engine
    /// beside them that they share.
    pub struct Search = "search" {
        /// Whether this server searches. One that does not answers 501, and takes no memory for it.
        enabled: bool = true, Any("true or false");
        /// What finds: the engine in the process, or an OpenSearch, which all servers of a store share.
        engine: String = EMBEDDED.to_owned(), Word(&[EMBEDDED, OPENSEARCH]);
        /// Where the OpenSearch is, without a log-in.
        url: String = String::new(), Address;
        /// Whether `url` may be asked without TLS on another machine. For a network of your own.
        allow_http: bool = false, Any("true or false");
        /// What its index is called. Indexes that are made anew are called so with a number behind. One
        /// store, one name.
        index: String = "barterline".to_owned(), IndexName;
        /// The name by which servers log in there.
        user: String = String::new(), Any("a name, or \"\" without a log-in");
        /// Its password. Better in `BARTERLINE_SEARCH__PASSWORD` than in a file.
        password: Secret = Secret::default(), Any("a text, never shown");
        /// The languages in which people write, first the most usual: words are found in all their forms.
        /// Another choice makes the index anew.
        languages: String = "en".to_owned(), Languages;
        /// Between two looks at what changed, in milliseconds: what is put up for sale is found after as
        /// much.
        interval_ms: u64 = 500, 10..=60_000;
        /// Memory for what is being written into the index in the process, in MiB.
        memory_mib: usize = 32, 16..=1_024;
    }
}

const EMBEDDED: &str = "embedded";
const OPENSEARCH: &str = "opensearch";

/// Most languages: each takes as much room in the index as the words themselves.
const LANGUAGES_MAX: usize = 8;

/// Languages whose words are known.
pub struct Languages;

impl Allowed<String> for Languages {
    fn allows(&self, text: &String) -> bool {
        let all: Vec<_> = text.split_whitespace().map(Language::parse).collect();
        let is_twice = |at: usize| all[..at].contains(&all[at]);
        all.len() <= LANGUAGES_MAX && all.iter().all(Result::is_ok) && !(0..all.len()).any(is_twice)
    }

    fn describe(&self) -> String {
        format!(
            "up to {LANGUAGES_MAX} languages with spaces between, none twice; {UnknownLanguage}"
        )
    }
}

impl Search {
    /// The languages, one by one.
    pub fn languages(&self) -> Vec<Language> {
        self.languages.split_whitespace().filter_map(|code| Language::parse(code).ok()).collect()
    }

    /// Between two looks at what changed.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// Whether an OpenSearch finds.
    pub fn is_outer(&self) -> bool {
        self.engine == OPENSEARCH
    }

    /// User and password, if there are any.
    pub fn login(&self) -> Option<(String, String)> {
        let login = (self.user.clone(), self.password.expose().to_owned());
        Some(login).filter(|(user, _)| !user.is_empty())
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let settings = [
            ("url", !self.url.is_empty()),
            ("user", !self.user.is_empty()),
            ("password", !self.password.is_empty()),
        ];
        for (key, _) in settings.into_iter().filter(|(_, is_set)| *is_set && !self.is_outer()) {
            mistakes.push(format!(
                "`search.{key}` is for `search.engine` = {OPENSEARCH}, which is \"{EMBEDDED}\""
            ));
        }
        if self.is_outer() && self.url.is_empty() {
            mistakes.push(format!("`search.engine` = \"{OPENSEARCH}\" needs `search.url` as well"));
        }
        if self.user.is_empty() != self.password.is_empty() {
            mistakes.push("`search.user` and `search.password`: set both or none".to_owned());
        }
        if is_far_and_plain(&self.url) && !self.allow_http {
            mistakes.push(
                "`search.url` without TLS on another machine needs `search.allow_http` = true as \
                 well"
                    .to_owned(),
            );
        }
        mistakes
    }
}

/// Whether somebody between could read what is asked.
fn is_far_and_plain(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_here
}

/// An address of the web, without a log-in.
struct Address;

impl Allowed<String> for Address {
    fn allows(&self, value: &String) -> bool {
        let is_sound = |url: Url| {
            matches!(url.scheme(), "https" | "http")
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let is_plain = value.chars().all(|c| c.is_ascii_graphic());
        value.is_empty() || is_plain && Url::parse(value).is_ok_and(is_sound)
    }

    fn describe(&self) -> String {
        "like https://search.example:9200, without a user or password, or \"\" with the engine in the \
         process"
            .to_owned()
    }
}

/// What an index may be called, with room for what is put behind it.
struct IndexName;

impl Allowed<String> for IndexName {
    fn allows(&self, value: &String) -> bool {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=48).contains(&value.len())
            && value.starts_with(|c: char| c.is_ascii_lowercase())
            && value.chars().all(is_plain)
    }

    fn describe(&self) -> String {
        "1 to 48 small letters, digits and `-`, a letter first".to_owned()
    }
}
