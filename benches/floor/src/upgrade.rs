//! The opening handshake (RFC 6455, section 4.2), and who sits where: `?room=R&side=S`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::log::Place;

/// Longest request that is read.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Answers the upgrade; `None` when the peer asks for anything else.
pub async fn accept(stream: &mut TcpStream) -> Option<Place> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if request.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let request = String::from_utf8(request).ok()?;
    let place = place(request.lines().next()?)?;
    let key = header(&request, "sec-websocket-key")?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key)
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(place)
}

fn place(request_line: &str) -> Option<Place> {
    let target = request_line.split(' ').nth(1)?;
    let (_, query) = target.split_once('?')?;
    let value =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let side: u8 = value("side")?.parse().ok()?;
    (side < 2).then_some(Place { room: value("room")?.parse().ok()?, side })
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_the_rfc_shows() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_place_is_a_room_and_one_of_two_sides() {
        let at = |line| place(line).map(|place| (place.room, place.side));
        assert_eq!(at("GET /?room=7&side=1 HTTP/1.1"), Some((7, 1)));
        assert_eq!(at("GET /?room=7&side=2 HTTP/1.1"), None);
        assert_eq!(at("GET / HTTP/1.1"), None);
    }
}
