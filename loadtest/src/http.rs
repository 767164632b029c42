//! A POST of JSON over HTTP/1.1, one connection each: all that the admin routes and the set-up of a
//! replay need.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ws::upgrade::header;

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
