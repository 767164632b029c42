//! Where a client is: its own address, or the one that a trusted proxy tells.
//!
//! Whoever is not trusted is believed nothing: their headers are not looked at.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// The client of a request; an extension of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// Where it is. Never an IPv4 address in the clothes of IPv6.
    pub ip: IpAddr,
    /// Whether it came under TLS, to us or to a trusted proxy.
    pub https: bool,
}

impl ClientAddress {
    /// The client of the request with these extensions. One that did not come by our listener, which
    /// gives each request one, is of nobody in particular.
    pub fn of(extensions: &Extensions) -> Self {
        let nobody = Self { ip: Ipv4Addr::UNSPECIFIED.into(), https: false };
        extensions.get().copied().unwrap_or(nobody)
    }
}

/// In which header a proxy tells whom it speaks for. Only one is looked at: a proxy that writes the
/// one passes on the other as a stranger wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldBy {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`: nginx, HAProxy, Caddy and most balancers.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Who may tell where clients are, and how.
#[derive(Debug, Clone)]
pub struct Proxies {
    networks: Arc<[IpNet]>,
    told_by: ToldBy,
    /// Whether each connection begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
}

impl Proxies {
    /// Proxies in these networks.
    pub fn new(networks: &[IpNet], told_by: ToldBy, proxy_protocol: bool) -> Self {
        Self { networks: networks.into(), told_by, proxy_protocol }
    }

    /// No proxy is trusted.
    pub fn none() -> Self {
        Self::new(&[], ToldBy::XForwarded, false)
    }

    /// Whether what this address tells is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The client of a request that came from `peer`, where the connection ends: the nearest address
    /// that is not trusted, read from our side.
    pub fn client(&self, peer: ClientAddress, headers: &HeaderMap) -> ClientAddress {
        if !self.trusts(peer.ip) {
            return peer;
        }
        let told = match self.told_by {
            ToldBy::XForwarded => x_forwarded(headers),
            ToldBy::Forwarded => forwarded(headers),
        };
        let mut client = peer;
        // The nearest proxy is the last to write.
        for hop in told.iter().rev() {
            client.https = hop.https.unwrap_or(client.https);
            // Somebody unknown: the last that is known stands for them.
            let Some(ip) = hop.ip else { break };
            client.ip = ip;
            if !self.trusts(ip) {
                break;
            }
        }
        client
    }
}

/// What one proxy says of whom it speaks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Hop {
    ip: Option<IpAddr>,
    https: Option<bool>,
}

/// The values of a header that may stand there more than once. What is no ASCII is nothing.
fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default())
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    // By bytes: what a stranger wrote before it may be no text, and hides nothing.
    let items = headers.get_all("x-forwarded-for").iter();
    let items = items.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let ip = |item| std::str::from_utf8(item).ok().and_then(|item| address(item.trim()));
    let mut hops: Vec<_> = items.map(|item| Hop { ip: ip(item), https: None }).collect();
    // One word about the whole way, by the nearest proxy.
    let scheme = values(headers, "x-forwarded-proto").flat_map(|value| value.split(',')).last();
    if let Some(scheme) = scheme {
        let mut nearest = hops.pop().unwrap_or_default();
        nearest.https = Some(scheme.trim().eq_ignore_ascii_case("https"));
        hops.push(nearest);
    }
    hops
}

fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops = Vec::new();
    for value in values(headers, "forwarded") {
        // A quotation that a stranger opened would swallow what the proxy wrote behind it.
        if is_closed(value) {
            hops.extend(unquoted(value, ',').map(hop));
        } else {
            hops.push(Hop::default());
        }
    }
    hops
}

/// One element of `Forwarded`; of a pair that comes twice, which may not be, neither counts.
fn hop(element: &str) -> Hop {
    let mut pairs = [("for", None, 0), ("proto", None, 0)];
    for pair in unquoted(element, ';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        for (known, found, times) in &mut pairs {
            if name.trim().eq_ignore_ascii_case(known) {
                *found = Some(value.trim().trim_matches('"'));
                *times += 1;
            }
        }
    }
    let [ip, scheme] = pairs.map(|(_, found, times)| found.filter(|_| times == 1));
    Hop {
        ip: ip.and_then(address),
        https: scheme.map(|scheme| scheme.eq_ignore_ascii_case("https")),
    }
}

/// Whether a character stands in a quoted string (RFC 9110, section 5.6.4).
#[derive(Default)]
struct Quotation {
    open: bool,
    escaped: bool,
}

impl Quotation {
    /// Reads one character; whether a quotation is open behind it.
    fn read(&mut self, c: char) -> bool {
        match (c, std::mem::take(&mut self.escaped)) {
            ('\\', false) => self.escaped = self.open,
            ('"', false) => self.open = !self.open,
            _ => {}
        }
        self.open
    }
}

fn is_closed(text: &str) -> bool {
    let mut quotation = Quotation::default();
    !text.chars().fold(false, |_, c| quotation.read(c))
}

/// The parts of a text between separators that do not stand in a quoted string.
fn unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quotation = Quotation::default();
    text.split(move |c| !quotation.read(c) && c == separator)
}

/// `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, each with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ip = bare.unwrap_or(text).parse::<IpAddr>();
    let ip = ip.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn check(told_by: ToldBy, peer: &str, lines: &[(&'static str, &str)], expected: (&str, bool)) {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().expect("a network"));
        let proxies = Proxies::new(&trusted, told_by, false);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).expect("a value");
            headers.append(HeaderName::from_static(name), value);
        }
        let peer = ClientAddress { ip: peer.parse().expect("an address"), https: false };
        let expected =
            ClientAddress { ip: expected.0.parse().expect("an address"), https: expected.1 };
        assert_eq!(proxies.client(peer, &headers), expected, "{lines:?}");
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        let lines = [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=10.0.0.1;proto=https"),
        ];
        for told_by in [ToldBy::XForwarded, ToldBy::Forwarded] {
            check(told_by, "192.0.2.9", &lines, ("192.0.2.9", false));
        }
    }

    #[test]
    fn the_nearest_address_that_is_not_trusted_is_the_client() {
        let check = |value: &str, expected: &str| {
            check(ToldBy::XForwarded, "10.0.0.1", &[("x-forwarded-for", value)], (expected, false));
        };
        check("192.0.2.1", "192.0.2.1");
        // What the client wrote itself stands further left.
        check("1.1.1.1, 192.0.2.1", "192.0.2.1");
        check("1.1.1.1,192.0.2.1 , 10.2.3.4", "192.0.2.1");
        check("10.5.5.5, 10.2.3.4", "10.5.5.5");
        check("192.0.2.1:4711", "192.0.2.1");
        check("[2001:db8::1]:4711", "2001:db8::1");
        check("2001:db8::1", "2001:db8::1");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("::ffff:10.0.0.7, 10.0.0.3", "10.0.0.7");
        // Behind whom nobody knows stands nobody who is believed.
        check("192.0.2.1, unknown", "10.0.0.1");
        check("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2");
        check("", "10.0.0.1");
        check("192.0.2.1, ", "10.0.0.1");
    }

    #[test]
    fn one_header_is_looked_at_and_all_its_lines() {
        let lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "http, https"),
            ("forwarded", "for=198.51.100.7;proto=http"),
        ];
        check(ToldBy::XForwarded, "10.0.0.1", &lines, ("192.0.2.1", true));
        check(ToldBy::Forwarded, "10.0.0.1", &lines, ("198.51.100.7", false));
        check(ToldBy::XForwarded, "10.0.0.1", &lines[2..3], ("10.0.0.1", true));
        check(ToldBy::XForwarded, "2001:db8:1::7", &lines, ("192.0.2.1", true));
        check(ToldBy::XForwarded, "::ffff:10.0.0.1", &lines, ("192.0.2.1", true));
    }

    #[test]
    fn forwarded_is_read_as_it_is_written() {
        let check = |value: &str, expected: (&str, bool)| {
            check(ToldBy::Forwarded, "10.0.0.1", &[("forwarded", value)], expected);
        };
        check("for=192.0.2.60;proto=https;by=203.0.113.43", ("192.0.2.60", true));
        check("For=\"[2001:db8:cafe::17]:4711\"; Proto=HTTPS", ("2001:db8:cafe::17", true));
        check("for=192.0.2.43, for=198.51.100.17;proto=https", ("198.51.100.17", true));
        check("for=192.0.2.43, for=10.1.1.1;proto=https", ("192.0.2.43", true));
        check("for=unknown", ("10.0.0.1", false));
        check("for=\"_hidden\";proto=https", ("10.0.0.1", true));
        check("for=192.0.2.1;for=192.0.2.2", ("10.0.0.1", false));
        // A comma in quotes begins nothing.
        check("for=192.0.2.43;by=\"x, for=1.1.1.1\"", ("192.0.2.43", false));
        check("for=192.0.2.43;by=\"x\\\", for=1.1.1.1\"", ("192.0.2.43", false));
        check("for=\"192.0.2.43, for=1.1.1.1", ("10.0.0.1", false));
        check("for=1.1.1.1;by=\", for=192.0.2.43", ("10.0.0.1", false));
        check("for=1.1.1.1;by=\", for=\"[2001:db8::1]:9\"", ("10.0.0.1", false));
        check("nonsense", ("10.0.0.1", false));
    }
}
