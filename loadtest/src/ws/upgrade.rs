//! The opening handshake (RFC 6455, section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// Longest answer to an upgrade that is read.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The upgrade did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another status than 101.
    #[error("the server answered {0:?} to the upgrade")]
    Status(String),
    /// The answer does not belong to our key.
    #[error("the server answered with a wrong Sec-WebSocket-Accept")]
    Key,
    /// Another subprotocol than the one asked for.
    #[error("the server speaks the subprotocol {0:?}")]
    Subprotocol(Option<String>),
    /// Not HTTP, or endless.
    #[error("the answer to the upgrade is not HTTP")]
    NotHttp,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// `ADDR:PORT`, for the Host header.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// The subprotocol, if the server has any.
    pub subprotocol: Option<&'static str>,
    /// Sixteen random bytes.
    pub nonce: [u8; 16],
}

impl Upgrade {
    /// The request.
    pub fn request(&self) -> String {
        let subprotocol = self
            .subprotocol
            .map_or_else(String::new, |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{subprotocol}\r\n",
            self.path,
            self.host,
            STANDARD.encode(self.nonce)
        )
    }

    /// Judges the answer in `bytes`: how many of them it takes, or `None` when it has not ended yet.
    pub fn judge(&self, bytes: &[u8]) -> Result<Option<usize>, Refused> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > ANSWER_BYTES_MAX { Err(Refused::NotHttp) } else { Ok(None) };
        };
        let answer = std::str::from_utf8(&bytes[..end]).map_err(|_| Refused::NotHttp)?;
        let status = answer.lines().next().unwrap_or_default();
        if status.split(' ').nth(1) != Some("101") {
            return Err(Refused::Status(status.to_owned()));
        }
        if header(answer, "sec-websocket-accept") != Some(&*accept(&STANDARD.encode(self.nonce))) {
            return Err(Refused::Key);
        }
        let spoken = header(answer, "sec-websocket-protocol");
        if spoken != self.subprotocol {
            return Err(Refused::Subprotocol(spoken.map(str::to_owned)));
        }
        Ok(Some(end + 4))
    }
}

/// The value of a header in a request or an answer.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// What a server answers to `key`.
pub fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade() -> Upgrade {
        Upgrade {
            host: "127.0.0.1:8080".to_owned(),
            path: "/v1/socket".to_owned(),
            subprotocol: Some("barterline.v1"),
            nonce: *b"the sample nonce",
        }
    }

    fn answer(accept: &str, subprotocol: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accept}\r\nsec-websocket-protocol: {subprotocol}\r\n\r\nmore"
        )
        .into_bytes()
    }

    #[test]
    fn the_key_of_the_rfc_is_answered_as_it_shows() {
        assert_eq!(
            upgrade().request().lines().nth(4),
            Some("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        );
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn an_answer_is_taken_whole_and_only_if_it_fits() {
        let good = answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "barterline.v1");
        assert_eq!(upgrade().judge(&good), Ok(Some(good.len() - 4)));
        assert_eq!(upgrade().judge(&good[..40]), Ok(None));
        assert_eq!(upgrade().judge(&answer("x", "barterline.v1")), Err(Refused::Key));
        assert_eq!(
            upgrade().judge(&answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "other")),
            Err(Refused::Subprotocol(Some("other".to_owned())))
        );
        assert!(matches!(
            upgrade().judge(b"HTTP/1.1 404 Not Found\r\n\r\n"),
            Err(Refused::Status(_))
        ));
    }
}
