//! HTTP/1.1: a POST of JSON over a connection of its own, for the admin routes and the set-up of a
//! replay; and a connection that stays open, for requests whose time is taken.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ws::upgrade::header;

/// A connection that takes one request after the other.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a whole request and reads its answer, head and body.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        loop {
            if let Some(end) = answer_bytes(&self.buffer)? {
                return Ok(self.buffer.drain(..end).collect());
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("closed by the server");
            }
        }
    }
}

/// How long the answer at the start of `bytes` is; `None` when it is not all there yet.
fn answer_bytes(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    // Without a body there need not be a length (RFC 9110, section 8.6).
    let body = header(head, "content-length").map_or(Ok(0), str::parse::<usize>)?;
    let all = body.checked_add(end + 4).context("the answer is endless")?;
    Ok((bytes.len() >= all).then_some(all))
}

/// Posts `body` to `path` and reads the answer, which must have a 2xx status.
pub async fn post<T: DeserializeOwned>(
    server: SocketAddr,
    path: &str,
    bearer: Option<&str>,
    body: &impl Serialize,
) -> anyhow::Result<T> {
    exchange(server, path, bearer, body)
        .await
        .with_context(|| format!("POST http://{server}{path}"))
}

async fn exchange<T: DeserializeOwned>(
    server: SocketAddr,
    path: &str,
    bearer: Option<&str>,
    body: &impl Serialize,
) -> anyhow::Result<T> {
    let body = serde_json::to_vec(body)?;
    let authorization =
        bearer.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n{authorization}\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    parse(&answer)
}

fn parse<T: DeserializeOwned>(answer: &[u8]) -> anyhow::Result<T> {
    let end =
        answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    let head = std::str::from_utf8(&answer[..end])?;
    if header(head, "transfer-encoding").is_some() {
        bail!("the answer comes in chunks, which this client does not read");
    }
    let body = &answer[end + 4..];
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("status {status}: {}", String::from_utf8_lossy(body));
    }
    serde_json::from_slice(body).context("reading the answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_says() {
        let two = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1";
        assert_eq!(answer_bytes(two).expect("sound"), Some(two.len() - 8));
        assert_eq!(answer_bytes(&two[..two.len() - 9]).expect("sound"), None);
        assert_eq!(answer_bytes(&two[..20]).expect("sound"), None);
        let none = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(answer_bytes(none).expect("sound"), Some(none.len()));
        assert!(answer_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
    }

    #[test]
    fn answers_are_read_by_status_and_body() {
        let good = b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\n{\"n\":1}";
        let value: serde_json::Value = parse(good).expect("an answer");
        assert_eq!(value["n"], 1);
        let bad = b"HTTP/1.1 403 Forbidden\r\n\r\nno";
        let error = parse::<serde_json::Value>(bad).expect_err("refused");
        assert_eq!(error.to_string(), "status 403: no");
        assert!(parse::<serde_json::Value>(b"nonsense").is_err());
    }
}
