//! The cluster that keeps everything when one machine does not.

use std::path::PathBuf;

use rustls::pki_types::DnsName;

use super::section::{Allowed, Any, Secret, Word, section};

/// Longest beginning of a keyspace's name: with `credentials` behind it 48 characters, which is as
/// long as the database takes.
const PREFIX_CHARS_MAX: usize = 37;
/// More copies of everything than anybody keeps in one place.
const COPIES_MAX: u32 = 15;

section! {
    /// A cluster of ScyllaDB, or of Apache Cassandra, for `storage.backend = "scylla"`.
    /// `barterline schema apply` makes its tables.
    pub struct Scylla = "scylla" {
        /// Where some of its nodes are; the others are learnt from them.
        contact_points: String = "127.0.0.1:9042".to_owned(), Addresses;
        /// The role that logs in.
        user: String = String::new(), Any("a role of the database, or \"\" if it does not ask");
        /// The role's password. Better in `BARTERLINE_SCYLLA__PASSWORD` than in a file.
        password: Secret = Secret::default(), Any("a text, never shown");
        /// The datacenter whose nodes are asked.
        datacenter: String = "datacenter1".to_owned(), Name;
        /// Copies of everything in each datacenter. Three outlive the loss of one node.
        replication: String = "datacenter1:3".to_owned(), Copies;
        /// How many copies have to answer: most of all, or most of the own datacenter's.
        /// `local_quorum` is sound only where every server writes to the same datacenter.
        consistency: String = "quorum".to_owned(), Word(&["quorum", "local_quorum"]);
        /// Certificates of those who sign the nodes' (PEM). With it, nothing is said to the database
        /// but under TLS.
        tls_ca: Option<PathBuf> = None, Any("a file, or \"\" without TLS");
        /// The name that stands in the nodes' certificates. Without it they have to name the address
        /// at which the driver reaches each of them.
        tls_name: Option<String> = None, Host;
        /// What is shown to a database that asks for a certificate (PEM), its own first.
        tls_certificate: Option<PathBuf> = None, Any("a file, or \"\" to show none");
        /// The private key of that certificate (PEM).
        tls_key: Option<PathBuf> = None, Any("a file, or \"\" to show none");
        /// Milliseconds that the clocks of this server and a node may be apart before the log warns.
        /// Four minutes from most nodes, and the server does not start.
        clock_skew_ms: u64 = 500, 50..=60_000;
        /// What the names of all keyspaces begin with.
        keyspace_prefix: String = "barterline_".to_owned(), Prefix;
    }
}

impl Scylla {
    /// The contact points, one by one.
    pub fn contact_points(&self) -> Vec<String> {
        self.contact_points.split_whitespace().map(str::to_owned).collect()
    }

    /// The datacenters, each with its copies.
    pub fn copies(&self) -> Vec<(String, u32)> {
        copies(&self.replication).unwrap_or_default()
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !self.copies().iter().any(|(name, _)| *name == self.datacenter) {
            mistakes.push(format!(
                "`scylla.datacenter` is {}, where `scylla.replication` keeps nothing: give it copies",
                self.datacenter
            ));
        }
        if self.user.is_empty() && !self.password.is_empty() {
            mistakes.push("`scylla.password` needs `scylla.user` as well".to_owned());
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            let both =
                "`scylla.tls_certificate` and `scylla.tls_key` go together: set both or none";
            mistakes.push(both.to_owned());
        }
        if self.tls_ca.is_none() {
            let others = [
                ("tls_name", self.tls_name.is_some()),
                ("tls_certificate", self.tls_certificate.is_some()),
            ];
            for (key, _) in others.iter().filter(|(_, is_set)| *is_set) {
                mistakes.push(format!("`scylla.{key}` needs `scylla.tls_ca` as well"));
            }
        }
        mistakes
    }
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.len() <= 48 && text.chars().all(letter)
}

fn copies(text: &str) -> Option<Vec<(String, u32)>> {
    let each = text.split_whitespace().map(|each| {
        let (name, copies) = each.split_once(':')?;
        let copies = copies.parse().ok().filter(|copies| (1..=COPIES_MAX).contains(copies))?;
        is_name(name).then(|| (name.to_owned(), copies))
    });
    each.collect::<Option<Vec<_>>>().filter(|copies| !copies.is_empty())
}

struct Addresses;

impl Allowed<String> for Addresses {
    fn allows(&self, value: &String) -> bool {
        let mut addresses = value.split_whitespace().peekable();
        addresses.peek().is_some()
            && addresses.all(|address| {
                let parts = address.rsplit_once(':');
                parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
            })
    }

    fn describe(&self) -> String {
        "HOST:PORT, several with a space between".to_owned()
    }
}

struct Name;

impl Allowed<String> for Name {
    fn allows(&self, value: &String) -> bool {
        is_name(value)
    }

    fn describe(&self) -> String {
        "the name of one, as the database spells it".to_owned()
    }
}

struct Host;

impl Allowed<Option<String>> for Host {
    fn allows(&self, value: &Option<String>) -> bool {
        value.as_ref().is_none_or(|name| DnsName::try_from(name.as_str()).is_ok())
    }

    fn describe(&self) -> String {
        "a name of DNS, or \"\"".to_owned()
    }
}

struct Copies;

impl Allowed<String> for Copies {
    fn allows(&self, value: &String) -> bool {
        copies(value).is_some()
    }

    fn describe(&self) -> String {
        format!("DATACENTER:COPIES, several with a space between; 1 to {COPIES_MAX} copies")
    }
}

struct Prefix;

impl Allowed<String> for Prefix {
    fn allows(&self, value: &String) -> bool {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        value.starts_with(|c: char| c.is_ascii_lowercase())
            && value.len() <= PREFIX_CHARS_MAX
            && value.chars().all(letter)
    }

    fn describe(&self) -> String {
        format!("1 to {PREFIX_CHARS_MAX} of a to z, 0 to 9 and _, a letter first")
    }
}
