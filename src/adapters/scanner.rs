//! Who looks for harm in files before anybody may fetch them.
//!
//! It is asked by the protocol of clamd, the daemon of `ClamAV`: the file goes to it in pieces, and it
//! answers with what it found.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::blobs::BlobStream;

/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For a piece to be taken.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// For the answer once all was sent: the file is looked through then.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);
/// Longest piece.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// Longest answer: a few words and the name of what was found.
const ANSWER_BYTES_MAX: u64 = 1024;
/// Before the path of a socket of this machine.
const UNIX: &str = "unix:";

/// What was found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Clean,
    /// Something of this name.
    Found(String),
}

/// Why nobody knows what is in a file.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It is larger than what the scanner looks through. Asking again changes nothing.
    #[error("the file is larger than what the scanner takes")]
    TooLarge,
    /// The scanner is down, too slow, or makes no sense, or the file cannot be read.
    #[error("nobody looks through files: {0}")]
    Unavailable(String),
}

/// Looks for harm in files.
#[async_trait]
pub trait Scanner: Send + Sync {
    /// Looks through a file.
    async fn scan(&self, bytes: BlobStream) -> Result<Verdict, ScanError>;
}

/// A clamd.
pub struct Clamd {
    place: Place,
}

enum Place {
    Tcp(String),
    Unix(PathBuf),
}

/// Why a file did not get there as a whole.
enum Unsent {
    /// It cannot be read.
    File(io::Error),
    /// The scanner does not take more.
    Socket(io::Error),
}

impl Clamd {
    /// One at `HOST:PORT`, or at `unix:/path`. Does not ask it yet.
    pub fn at(place: &str) -> anyhow::Result<Self> {
        if let Some(path) = place.strip_prefix(UNIX) {
            anyhow::ensure!(path.starts_with('/'), "no path of a socket: {place}");
            return Ok(Self { place: Place::Unix(PathBuf::from(path)) });
        }
        let port = place.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        anyhow::ensure!(matches!(port, Some(Ok(_))), "no address of a scanner: {place}");
        Ok(Self { place: Place::Tcp(place.to_owned()) })
    }
}

#[async_trait]
impl Scanner for Clamd {
    async fn scan(&self, bytes: BlobStream) -> Result<Verdict, ScanError> {
        match &self.place {
            Place::Tcp(address) => {
                let socket = in_time(CONNECT_TIMEOUT, TcpStream::connect(address.as_str())).await;
                ask(socket.map_err(|error| down(&error))?, bytes).await
            }
            Place::Unix(path) => {
                let socket = in_time(CONNECT_TIMEOUT, UnixStream::connect(path)).await;
                ask(socket.map_err(|error| down(&error))?, bytes).await
            }
        }
    }
}

async fn ask<S>(mut socket: S, bytes: BlobStream) -> Result<Verdict, ScanError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    match send(&mut socket, bytes).await {
        Ok(()) => answer(&mut socket).await,
        Err(Unsent::File(error)) => Err(ScanError::Unavailable(format!("the file: {error}"))),
        // It may have said why. What it did not see as a whole is not clean.
        Err(Unsent::Socket(error)) => match answer(&mut socket).await {
            Ok(Verdict::Clean) | Err(ScanError::Unavailable(_)) => Err(down(&error)),
            said => said,
        },
    }
}

/// Sends a file: each piece with its length before it, and a piece of none for its end.
async fn send<S>(socket: &mut S, mut bytes: BlobStream) -> Result<(), Unsent>
where
    S: AsyncWrite + Unpin + Send,
{
    write(socket, b"zINSTREAM\0").await?;
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(Unsent::File)?;
        for piece in chunk.chunks(PIECE_BYTES_MAX) {
            write(socket, &(piece.len() as u32).to_be_bytes()).await?;
            write(socket, piece).await?;
        }
    }
    write(socket, &[0; 4]).await
}

async fn write<S>(socket: &mut S, bytes: &[u8]) -> Result<(), Unsent>
where
    S: AsyncWrite + Unpin + Send,
{
    let written = async {
        socket.write_all(bytes).await?;
        socket.flush().await
    };
    in_time(PIECE_TIMEOUT, written).await.map_err(Unsent::Socket)
}

async fn answer<S>(socket: &mut S) -> Result<Verdict, ScanError>
where
    S: AsyncRead + Unpin + Send,
{
    let mut said = Vec::new();
    let mut socket = socket.take(ANSWER_BYTES_MAX);
    let all = async {
        // It ends with a zero, and mostly with the connection.
        while !said.contains(&0) && socket.read_buf(&mut said).await? > 0 {}
        Ok(())
    };
    in_time(ANSWER_TIMEOUT, all).await.map_err(|error| down(&error))?;
    verdict(&said)
}

fn verdict(said: &[u8]) -> Result<Verdict, ScanError> {
    let end = said.iter().position(|byte| *byte == 0);
    let words = String::from_utf8_lossy(&said[..end.unwrap_or(said.len())]);
    let words = words.trim();
    let found = words.strip_prefix("stream: ").unwrap_or(words);
    match found.strip_suffix(" FOUND") {
        // What has no end may be the beginning of something else.
        _ if end.is_none() => Err(ScanError::Unavailable("an answer without an end".to_owned())),
        Some(name) => Ok(Verdict::Found(name.to_owned())),
        None if found == "OK" => Ok(Verdict::Clean),
        None if found.contains("size limit exceeded") => Err(ScanError::TooLarge),
        None => Err(ScanError::Unavailable(format!("it says {words:?}"))),
    }
}

async fn in_time<T>(limit: Duration, answer: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, answer).await?
}

fn down(error: &io::Error) -> ScanError {
    ScanError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use tokio::net::{TcpListener, UnixListener};

    use super::*;

    /// A clamd for one file: reads until it has `max` bytes, or the end, and says something. What it read.
    async fn take<S>(mut socket: S, max: usize, says: &[u8]) -> Vec<u8>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut command = [0; 10];
        socket.read_exact(&mut command).await.expect("a command");
        assert_eq!(&command, b"zINSTREAM\0");
        let mut all = Vec::new();
        while all.len() < max {
            let len = socket.read_u32().await.expect("a length") as usize;
            if len == 0 {
                break;
            }
            let start = all.len();
            all.resize(start + len, 0);
            socket.read_exact(&mut all[start..]).await.expect("a piece");
        }
        socket.write_all(says).await.expect("an answer");
        all
    }

    fn file(pieces: &[&[u8]]) -> BlobStream {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces).boxed()
    }

    /// What comes of an answer over TCP, and what the scanner read.
    async fn said(bytes: BlobStream, says: &'static [u8]) -> (Result<Verdict, ScanError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let clamd = Clamd::at(&address).expect("a scanner");
        let scanner = async {
            let (socket, _) = listener.accept().await.expect("a connection");
            take(socket, usize::MAX, says).await
        };
        tokio::join!(clamd.scan(bytes), scanner)
    }

    #[tokio::test]
    async fn a_file_is_sent_whole_and_the_verdict_heard() {
        let long = vec![7_u8; 3 * PIECE_BYTES_MAX + 1];
        // A piece of none is no end.
        let (verdict, read) = said(file(&[b"ab", b"", &long]), b"stream: OK\0").await;
        assert_eq!(verdict.expect("a verdict"), Verdict::Clean);
        assert!(read == [&b"ab"[..], &long[..]].concat());
        let (verdict, read) = said(file(&[]), b"stream: Eicar-Test-Signature FOUND\0").await;
        let found = Verdict::Found("Eicar-Test-Signature".to_owned());
        assert_eq!((verdict.expect("a verdict"), read), (found, Vec::new()));
    }

    #[tokio::test]
    async fn what_is_no_verdict_is_none() {
        for says in ["", "stream: OK", "\0", "stream: \0", "UNKNOWN COMMAND\0"] {
            let (verdict, _) = said(file(&[b"x"]), says.as_bytes()).await;
            assert!(matches!(verdict, Err(ScanError::Unavailable(_))), "{verdict:?}");
        }
        let says = b"INSTREAM size limit exceeded. ERROR\0";
        let (verdict, _) = said(file(&[b"x"]), says).await;
        assert!(matches!(verdict, Err(ScanError::TooLarge)), "{verdict:?}");
    }

    #[tokio::test]
    async fn a_scanner_of_this_machine_may_stop_before_the_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("clamd");
        let clamd = Clamd::at(&format!("unix:{}", path.display())).expect("a scanner");
        let long = vec![7_u8; 16 << 20];
        for (says, too_large) in
            [("INSTREAM size limit exceeded. ERROR\0", true), ("stream: OK\0", false)]
        {
            let listener = UnixListener::bind(&path).expect("a socket");
            let scanner = async {
                let (socket, _) = listener.accept().await.expect("a connection");
                take(socket, 1000, says.as_bytes()).await
            };
            let (verdict, _) = tokio::join!(clamd.scan(file(&[&long])), scanner);
            let error = verdict.expect_err("no verdict");
            assert_eq!(matches!(error, ScanError::TooLarge), too_large, "{error}");
            std::fs::remove_file(&path).expect("a socket that is gone");
        }
        let nobody = clamd.scan(file(&[b"x"])).await;
        assert!(matches!(nobody, Err(ScanError::Unavailable(_))), "{nobody:?}");
    }

    #[tokio::test]
    async fn a_file_that_breaks_off_is_not_clean() {
        let broken = vec![Ok(Bytes::from_static(b"x")), Err(io::Error::other("gone"))];
        let broken = stream::iter(broken).boxed();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let verdict = Clamd::at(&address).expect("a scanner").scan(broken).await;
        assert!(matches!(verdict, Err(ScanError::Unavailable(_))), "{verdict:?}");
    }

    #[test]
    fn a_place_is_an_address_or_a_socket() {
        for place in ["127.0.0.1:3310", "clamd.internal:3310", "[::1]:3310", "unix:/run/clamd"] {
            assert!(Clamd::at(place).is_ok(), "{place}");
        }
        for place in ["", "clamd", "clamd:", "clamd:x", "unix:", "unix:clamd"] {
            assert!(Clamd::at(place).is_err(), "{place}");
        }
    }
}
