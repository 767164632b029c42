//! The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): a proxy's word about the
//! connection that follows. Read from trusted addresses only.

use std::io;
use std::net::IpAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// With what a header of version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Behind the signature: version and command, family, length.
const FIXED_BYTES: usize = 4;
/// Longest header of version 1, its end of line included.
const LINE_BYTES_MAX: usize = 107;
/// Longest rest of a header of version 2: the addresses, and a proxy's notes (a certificate's name,
/// an id), of which one is read.
const REST_BYTES_MAX: usize = 2 * 1024;

/// Whom a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxied {
    /// The client; `None` when the proxy speaks for itself, as to see whether we live.
    pub client: Option<IpAddr>,
    /// Whether the client came to the proxy under TLS.
    pub https: bool,
}

/// Reads the header from the beginning of a connection, and nothing behind it. Takes as long as the
/// other side does: the caller has a timeout.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Proxied> {
    let mut bytes = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut bytes).await?;
    if bytes == SIGNATURE {
        bytes.resize(SIGNATURE.len() + FIXED_BYTES, 0);
        stream.read_exact(&mut bytes[SIGNATURE.len()..]).await?;
        let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
        if rest > REST_BYTES_MAX {
            return Err(invalid());
        }
        let begun = bytes.len();
        bytes.resize(begun + rest, 0);
        stream.read_exact(&mut bytes[begun..]).await?;
    } else if bytes.starts_with(b"PROXY ") {
        // A byte at a time: what follows the line is not ours.
        while !bytes.ends_with(b"\r\n") {
            if bytes.len() == LINE_BYTES_MAX {
                return Err(invalid());
            }
            bytes.push(stream.read_u8().await?);
        }
    } else {
        return Err(invalid());
    }
    parse(&bytes)
}

/// What a whole header says.
fn parse(bytes: &[u8]) -> io::Result<Proxied> {
    let (header, used) =
        ProxyHeader::parse(bytes, ParseConfig::default()).map_err(|_| invalid())?;
    if used != bytes.len() {
        return Err(invalid());
    }
    Ok(Proxied {
        client: header.proxied_address().map(|address| address.source.ip().to_canonical()),
        https: header.ssl().is_some_and(|tls| tls.client_ssl()),
    })
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no sound header of the PROXY protocol")
}

#[cfg(test)]
mod tests {
    use proxy_header::{ProxiedAddress, SslInfo, Tlv};

    use super::*;

    /// What is read of some bytes, and what is left of them.
    async fn taken(bytes: &[u8]) -> (Option<Proxied>, Vec<u8>) {
        let mut left = bytes;
        let read = read(&mut left).await.ok();
        (read, left.to_vec())
    }

    async fn check(header: &[u8], client: Option<&str>, https: bool) {
        let client = client.map(|text| text.parse().expect("an address"));
        let bytes = [header, b"GET / HTTP/1.1\r\n"].concat();
        let expected = Some(Proxied { client, https });
        assert_eq!(taken(&bytes).await, (expected, b"GET / HTTP/1.1\r\n".to_vec()));
        for end in 0..header.len() {
            assert_eq!(taken(&header[..end]).await.0, None, "{end} bytes are not all");
        }
    }

    fn v2(source: &str, tlvs: Vec<Tlv<'_>>) -> Vec<u8> {
        let source = source.parse().expect("an address");
        let destination = match source {
            std::net::SocketAddr::V4(_) => "203.0.113.1:443",
            std::net::SocketAddr::V6(_) => "[2001:db8::443]:443",
        };
        let address = ProxiedAddress::stream(source, destination.parse().expect("an address"));
        let mut bytes = Vec::new();
        let header = ProxyHeader::with_tlvs(Some(address), tlvs);
        header.encode_v2(&mut bytes).expect("a header");
        bytes
    }

    #[tokio::test]
    async fn both_versions_say_who_the_client_is() {
        check(b"PROXY TCP4 192.0.2.1 203.0.113.1 4711 443\r\n", Some("192.0.2.1"), false).await;
        check(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", Some("2001:db8::7"), false).await;
        check(b"PROXY UNKNOWN\r\n", None, false).await;
        check(b"PROXY UNKNOWN anything at all\r\n", None, false).await;
        check(&v2("192.0.2.1:4711", Vec::new()), Some("192.0.2.1"), false).await;
        check(&v2("[2001:db8::7]:4711", Vec::new()), Some("2001:db8::7"), false).await;
        let tls = Tlv::Ssl(SslInfo::new(true, false, false, 0));
        check(&v2("192.0.2.1:4711", vec![tls]), Some("192.0.2.1"), true).await;
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 0]].concat();
        check(&local, None, false).await;
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        let mut large = v2("192.0.2.1:4711", Vec::new());
        large[14..16].copy_from_slice(&3_000_u16.to_be_bytes());
        large.resize(16 + 3_000, 0);
        let mut version = v2("192.0.2.1:4711", Vec::new());
        version[12] = 0x31;
        for wrong in [
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".as_slice(),
            b"PROXY TCP4 192.0.2.1 203.0.113.1 4711\r\n",
            b"PROXY TCP4 2001:db8::7 203.0.113.1 4711 443\r\n",
            b"PROXY TCP4 192.0.2.1 203.0.113.1 4711 99999\r\n",
            b"PROXY TCP9 192.0.2.1 203.0.113.1 4711 443\r\n",
            b"proxy TCP4 192.0.2.1 203.0.113.1 4711 443\r\n",
            b"\r\n\r\n\0\r\nQUIT ............",
            long.as_bytes(),
            &large,
            &version,
        ] {
            assert_eq!(taken(wrong).await.0, None, "{:?}", String::from_utf8_lossy(wrong));
        }
    }
}
