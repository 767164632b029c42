//! Where people connect, and how long they may take.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::section::{Allowed, Any, RangeOr, Word, list, section};

section! {
    /// Addresses, and what HTTP may take.
    pub struct Server = "server" {
        /// Where clients connect without encryption, REST and sockets. Port 0 takes any free one. Keep it on
        /// this machine, let nobody reach it but a proxy that ends TLS (`trusted_proxies`), or shut it.
        listen: Option<SocketAddr> = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            Any("ADDRESS:PORT, or \"\": nowhere but at `tls_listen`");
        /// Where operators connect: health, metrics, commands. Port 0 takes any free one. Keep it
        /// off the internet.
        admin_listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            Any("ADDRESS:PORT");
        /// Where clients connect under TLS (1.2 or 1.3), REST and sockets, beside `listen`. Needs
        /// `tls_certificate` and `tls_key`. Port 0 takes any free one.
        tls_listen: Option<SocketAddr> = None, Any("ADDRESS:PORT, or \"\": not at all");
        /// File with the chain of certificates in PEM, the server's own first.
        tls_certificate: Option<PathBuf> = None, Any("a file, or \"\" without TLS");
        /// File with the certificate's private key in PEM (PKCS#8, PKCS#1 or SEC1, no password),
        /// which nobody but the server's user may read (chmod 600).
        tls_key: Option<PathBuf> = None, Any("a file, or \"\" without TLS");
        /// Between two looks at the certificate's files, in milliseconds: a new certificate is shown
        /// from then on, without a restart. Files that cannot be used are logged, and the old one
        /// stays.
        tls_look_ms: u64 = 60_000, 100..=86_400_000;
        /// Whether browsers that came under TLS, here or at a proxy, are to reach all subdomains of this host
        /// so as well, for a year (`includeSubDomains` of `Strict-Transport-Security`; for this host alone
        /// they are told in any case). Only where every one of them has TLS: who was told does not forget.
        tls_subdomains: bool = false, Any("true or false");
        /// Most connections of clients at a time, sockets included; those beyond wait until one
        /// ends.
        connections_max: usize = 0,
            RangeOr(16..=10_000_000, 0, "as many as the limit of open files allows");
        /// Of these, so many of one address (with IPv6, one network of 64 bits); those beyond are
        /// closed at once. Trusted proxies have no such limit, unless they say by `proxy_protocol`
        /// whose each connection is: then it is the client's. Load tests have none.
        connections_per_address_max: usize = 1_000, 1..=10_000_000;
        /// Proxies and balancers that are believed whose requests they pass on: everybody else's
        /// word about that is not read.
        trusted_proxies: Vec<IpNet> = Vec::new(),
            Any("addresses and networks like 10.0.0.0/8 2001:db8::/32, with a space between");
        /// In which header trusted proxies say so. The other is not read: they pass it on as a
        /// stranger wrote it.
        trusted_proxy_header: String = "x-forwarded-for".to_owned(),
            Word(&["x-forwarded-for", "forwarded"]);
        /// Whether connections begin with a header of the PROXY protocol, version 1 or 2. Then only
        /// `trusted_proxies` can connect.
        proxy_protocol: bool = false, Any("true or false");
        /// Web pages of these origins may use the server: they get CORS headers, a cookie for their
        /// refresh token, and their sockets are let in. Pages of the server's own origin always may,
        /// as may programs that are no browsers, but for the cookie.
        origins: String = String::new(), Origins;
        /// Whether the description of the HTTP interface is shown as a page, at `/docs`, for people to read and
        /// try.
        docs: bool = true, Any("true or false");
        /// For a TLS handshake, for all headers of a request to come, and between two requests, in milliseconds.
        header_timeout_ms: u64 = 10_000, 100..=600_000;
        /// For a client to take any part of an answer, in milliseconds.
        write_timeout_ms: u64 = 10_000, 100..=600_000;
        /// For the body of a request to come, and again for its answer, in milliseconds.
        request_timeout_ms: u64 = 30_000, 100..=600_000;
        /// Largest body of a request, in bytes. The longest listing, every character of it escaped,
        /// takes about 200,000.
        body_bytes_max: usize = 256 * 1024, 1_024..=16 * 1024 * 1024;
        /// After SIGTERM, in milliseconds: readiness is false, and connections are still taken, until
        /// balancers have noticed. SIGINT, which comes from a terminal, does not wait for that.
        drain_notice_ms: u64 = 2_000, 0..=600_000;
        /// Over which sockets are then asked to go, in milliseconds; shorter when there are few.
        drain_spread_ms: u64 = 4_000, 0..=600_000;
        /// For everything to end after the signal, in milliseconds. The process ends within 2 seconds
        /// after that.
        drain_timeout_ms: u64 = 8_000, 0..=600_000;
    }
}

impl Server {
    /// The origins, one by one.
    pub fn origins(&self) -> Vec<String> {
        list(&self.origins).map(str::to_owned).collect()
    }
}

/// What browsers write into `Origin` (RFC 6454, section 6.1).
struct Origins;

impl Allowed<String> for Origins {
    fn allows(&self, value: &String) -> bool {
        list(value).all(is_origin)
    }

    fn describe(&self) -> String {
        "origins as browsers write them, like https://shop.example http://localhost:5173, with a \
         space between"
            .to_owned()
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    // The port of the scheme is never written.
    let usual = [("http", ":80"), ("https", ":443")];
    !scheme.is_empty()
        && scheme.chars().all(|c| lower(c) || "+.-".contains(c))
        && !host.is_empty()
        && host.chars().all(|c| lower(c) || ".-:[]".contains(c))
        && !usual.iter().any(|(of, port)| *of == scheme && host.ends_with(port))
}
