//! Settings: defaults, then a file, then the environment, then flags; checked before anything
//! starts.
//!
//! Every mistake is found in one go, named by key and source, with what is allowed instead. Parts
//! of the server get plain values, never the whole; none reads an environment variable.

mod section;
mod source;

mod scylla;
mod scylla_roles;
mod server;
mod storage;

mod accounts;
mod chat;
mod keys;
mod limits;
mod listings;
mod log;
mod mail;
mod media;
mod redis;
mod search;
mod sign_in;
mod socket;
mod sources;

mod reference;

use std::collections::BTreeMap;
use std::fmt;

use toml::Value;

pub use self::accounts::Accounts;
pub use self::chat::Chat;
pub use self::keys::Keys;
pub use self::limits::Limits;
pub use self::listings::Listings;
pub use self::log::Log;
pub use self::mail::Mail;
pub use self::media::Media;
pub use self::redis::Redis;
pub use self::scylla::Scylla;
pub use self::scylla_roles::{Role, ScyllaRoles};
pub use self::search::Search;
use self::section::{Entry, Refusal, Section};
pub use self::server::Server;
pub use self::sign_in::{Issuer, Provider, SignIn};
pub use self::socket::Socket;
pub use self::source::{Assignment, Sources};
pub use self::sources::ListingSource;
pub use self::storage::Storage;

/// Every setting of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Addresses, and what HTTP may take.
    pub server: Server,
    /// Where everything is kept.
    pub storage: Storage,
    /// The cluster.
    pub scylla: Scylla,
    /// Who opens which part of it.
    pub scylla_roles: ScyllaRoles,
    /// What seals the keys of sealed values.
    pub keys: Keys,
    /// What servers share beside the store.
    pub redis: Redis,
    /// What sockets are held to.
    pub socket: Socket,
    /// What people may do in chats.
    pub chat: Chat,
    /// Things for sale.
    pub listings: Listings,
    /// What is found.
    pub search: Search,
    /// Files that people upload.
    pub media: Media,
    /// How much anybody may do.
    pub limits: Limits,
    /// What passwords cost, and who is asked to confirm an address.
    pub accounts: Accounts,
    /// Mail to people.
    pub mail: Mail,
    /// Where people come back to who sign in elsewhere.
    pub sign_in: SignIn,
    /// Where they sign in, by name.
    pub providers: BTreeMap<String, Provider>,
    /// Whose tokens are exchanged, by name.
    pub issuers: BTreeMap<String, Issuer>,
    /// Whose things for sale are listings here, by name.
    pub sources: BTreeMap<String, ListingSource>,
    /// What the server writes about itself.
    pub log: Log,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<String>);

/// A section as the reference shows it.
struct Shown {
    name: String,
    doc: &'static str,
    entries: Vec<Entry>,
    /// One of none, for the reference.
    is_example: bool,
}

impl Settings {
    /// Reads all sources and checks every value.
    pub fn load(sources: &Sources) -> Result<Self, Mistakes> {
        let mut config = Self::default();
        let (assignments, mut mistakes) = sources.read();
        for assignment in &assignments {
            if let Err(mistake) = config.assign(assignment) {
                mistakes.push(mistake);
            }
        }
        mistakes.extend(config.contradictions());
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    fn assign(&mut self, assignment: &Assignment) -> Result<(), String> {
        let Assignment { source, section, key, value } = assignment;
        let Some(target) = self.section_mut(section) else {
            let known: Vec<_> = Self::default().shown().into_iter().map(|s| s.name).collect();
            return Err(format!(
                "{source}: there is no section `{section}`; there are {}",
                known.join(", ")
            ));
        };
        target.set(key, value).map_err(|refusal| match refusal {
            Refusal::UnknownKey => format!("{source}: there is no setting `{section}.{key}`"),
            Refusal::NotAllowed(allowed) => {
                format!(
                    "{source}: `{section}.{key}` cannot be {}; allowed: {allowed}",
                    quoted(key, value)
                )
            }
        })
    }

    /// Mistakes that only show in two settings together.
    fn contradictions(&self) -> Vec<String> {
        let Server { listen, admin_listen, tls_listen, tls_certificate, tls_key, .. } =
            &self.server;
        let mut mistakes = Vec::new();
        let listeners = [
            ("listen", *listen),
            ("admin_listen", Some(*admin_listen)),
            ("tls_listen", *tls_listen),
        ];
        for (i, (key, address)) in listeners.iter().enumerate() {
            let Some(address) = address.filter(|address| address.port() != 0) else { continue };
            for (other, _) in listeners[i + 1..].iter().filter(|(_, at)| *at == Some(address)) {
                mistakes.push(format!(
                    "`server.{key}` and `server.{other}` are both {address}: give each a port of \
                     its own"
                ));
            }
        }
        if listen.is_none() && tls_listen.is_none() {
            mistakes.push(
                "`server.listen` is shut and `server.tls_listen` not set: nobody could connect"
                    .to_owned(),
            );
        }
        for (key, file) in [("tls_certificate", tls_certificate), ("tls_key", tls_key)] {
            match (tls_listen, file) {
                (Some(_), None) => {
                    mistakes.push(format!("`server.tls_listen` needs `server.{key}` as well"));
                }
                (None, Some(_)) => mistakes.push(format!(
                    "`server.{key}` is for `server.tls_listen`, which is not set: set both or none"
                )),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        if self.server.proxy_protocol && self.server.trusted_proxies.is_empty() {
            mistakes.push(
                "`server.proxy_protocol` needs `server.trusted_proxies` as well: nobody else could \
                 connect"
                    .to_owned(),
            );
        }
        mistakes.extend(self.scylla.contradictions());
        mistakes.extend(self.redis.contradictions());
        mistakes.extend(self.search.contradictions());
        mistakes.extend(self.media.contradictions());
        mistakes.extend(self.mail.contradictions());
        mistakes.extend(self.sign_in.contradictions(!self.providers.is_empty()));
        mistakes.extend(self.providers.iter().flat_map(|(name, it)| it.contradictions(name)));
        mistakes.extend(Issuer::contradictions(&self.issuers));
        mistakes.extend(ListingSource::contradictions(&self.sources, &self.issuers));
        mistakes.extend(self.scylla_roles.contradictions(!self.scylla.user.is_empty()));
        mistakes
    }

    fn section_mut(&mut self, name: &str) -> Option<&mut dyn Target> {
        if let Some((section, name)) = name.split_once('.') {
            return named_mut(&mut self.providers, section, name)
                .or_else(|| named_mut(&mut self.issuers, section, name))
                .or_else(|| named_mut(&mut self.sources, section, name));
        }
        Some(match name {
            Server::NAME => &mut self.server,
            Storage::NAME => &mut self.storage,
            Scylla::NAME => &mut self.scylla,
            ScyllaRoles::NAME => &mut self.scylla_roles,
            Keys::NAME => &mut self.keys,
            Redis::NAME => &mut self.redis,
            Socket::NAME => &mut self.socket,
            Chat::NAME => &mut self.chat,
            Listings::NAME => &mut self.listings,
            Search::NAME => &mut self.search,
            Media::NAME => &mut self.media,
            Limits::NAME => &mut self.limits,
            Accounts::NAME => &mut self.accounts,
            Mail::NAME => &mut self.mail,
            SignIn::NAME => &mut self.sign_in,
            Log::NAME => &mut self.log,
            _ => return None,
        })
    }

    fn shown(&self) -> Vec<Shown> {
        fn shown_of<S: Section>(section: &S) -> Shown {
            let (name, entries) = (S::NAME.to_owned(), section.entries());
            Shown { name, doc: S::DOC, entries, is_example: false }
        }
        fn named<S: Section + Default>(sections: &BTreeMap<String, S>) -> Vec<Shown> {
            let shown = sections.iter().map(|(name, section)| Shown {
                name: format!("{}.{name}", S::NAME),
                ..shown_of(section)
            });
            let shown: Vec<_> = shown.collect();
            if shown.is_empty() {
                let name = format!("{}.NAME", S::NAME);
                return vec![Shown { name, is_example: true, ..shown_of(&S::default()) }];
            }
            shown
        }
        let mut all = vec![
            shown_of(&self.server),
            shown_of(&self.storage),
            shown_of(&self.scylla),
            shown_of(&self.scylla_roles),
            shown_of(&self.keys),
            shown_of(&self.redis),
            shown_of(&self.socket),
            shown_of(&self.chat),
            shown_of(&self.listings),
            shown_of(&self.search),
            shown_of(&self.media),
            shown_of(&self.limits),
            shown_of(&self.accounts),
            shown_of(&self.mail),
            shown_of(&self.sign_in),
        ];
        all.extend(named(&self.providers));
        all.extend(named(&self.issuers));
        all.extend(named(&self.sources));
        all.push(shown_of(&self.log));
        all
    }
}

/// The section of a name among several, made when it is first named.
fn named_mut<'a, S: Section + Default>(
    sections: &'a mut BTreeMap<String, S>,
    section: &str,
    name: &str,
) -> Option<&'a mut dyn Target> {
    let is_named = section == S::NAME && sign_in::is_name(name);
    is_named.then(|| sections.entry(name.to_owned()).or_default() as &mut dyn Target)
}

/// [`Section`] as far as it can be an object.
trait Target {
    fn set(&mut self, key: &str, value: &Value) -> Result<(), Refusal>;
}

impl<S: Section> Target for S {
    fn set(&mut self, key: &str, value: &Value) -> Result<(), Refusal> {
        Section::set(self, key, value)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Whether a setting of this name is never shown. The name of a key's file is none.
fn is_secret(key: &str) -> bool {
    let is_word = |part| ["secret", "password", "token", "key", "master"].contains(&part);
    key != "tls_key" && key.split('_').any(is_word)
}

/// What stands in the place of a secret.
const REDACTED: &str = "(not shown)";

fn quoted(key: &str, value: &Value) -> String {
    let value = value.to_string();
    // A URL may hold a log-in.
    let may_be_secret = value.contains("://") && value.contains(['@', '?', '#']);
    if is_secret(key) || may_be_secret { REDACTED.to_owned() } else { value }
}

#[cfg(test)]
mod tests;
