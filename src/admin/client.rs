//! What commands ask a running server: its admin listener, by the address and the token that stand
//! in the data directory. The store's lock is no obstacle, and who may read the directory may ask.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};

use crate::data_dir::{ADMIN_ADDRESS_FILE, ADMIN_TOKEN_FILE};

/// For the server to take the connection, and for each part of its answer.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Makes a request of the server of a data directory; gives the body of its answer.
pub fn ask(data: &Path, method: &str, path: &str) -> anyhow::Result<String> {
    ask_within(TIMEOUT, data, &Question { method, path, body: None })
}

/// The server may have done it.
#[derive(Debug, thiserror::Error)]
#[error("the server has not answered within {0} s: run this again")]
pub struct Late(u64);

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// A body in JSON, if there is one.
    pub body: Option<&'a str>,
}

/// The same, of what may take longer.
pub fn ask_within(
    timeout: Duration,
    data: &Path,
    question: &Question<'_>,
) -> anyhow::Result<String> {
    let read = |file: &str| {
        let path = data.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (address, token) = (read(ADMIN_ADDRESS_FILE)?, read(ADMIN_TOKEN_FILE)?);
    let address: SocketAddr = address.trim().parse().context(ADMIN_ADDRESS_FILE)?;
    let answer = exchange(timeout, address, question, token.trim());
    let answer = answer.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            anyhow!(Late(timeout.as_secs()))
        }
        _ => anyhow!(error).context(format!("no server runs on {}", data.display())),
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").context("not an answer of HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status != "401", "another server than that of {} answers at {address}", data.display());
    if !status.starts_with('2') {
        bail!("the server answers {status}: {body}");
    }
    Ok(body.to_owned())
}

fn exchange(
    timeout: Duration,
    address: SocketAddr,
    question: &Question<'_>,
    token: &str,
) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the answer comes whole and ends with the connection.
    let Question { method, path, body } = *question;
    write!(stream, "{method} {path} HTTP/1.0\r\nauthorization: Bearer {token}\r\n")?;
    if let Some(body) = body {
        write!(stream, "content-type: application/json\r\ncontent-length: {}\r\n", body.len())?;
    }
    write!(stream, "\r\n{}", body.unwrap_or_default())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
