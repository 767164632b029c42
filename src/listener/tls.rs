//! TLS over a connection, for one that reads and several that write (docs/decisions/0007).
//!
//! rustls keeps no buffers here: what came and what leaves lies with us, for as long as it waits and
//! no longer. An idle connection holds its keys and nothing else. The lock is held while a record is
//! encrypted or decrypted, never while anything waits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Read from the system at once.
const READ_BYTES: usize = 4 * 1024;
/// The part of a record that has come, or of the client's first message: a record of TLS 1.2 is the
/// longest (RFC 5246, section 6.2.3).
const INCOMING_BYTES_MAX: usize = 5 + 16 * 1024 + 2 * 1024;
/// Plaintext in one record (RFC 8446, section 5.1).
const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Waits for a client before nothing more is read, which could ask for answers of TLS itself: a
/// record, and such answers beside it.
const OUTGOING_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;
/// What a record adds to its plaintext: header, type, nonce and tag.
const RECORD_OVERHEAD: usize = 5 + 1 + 8 + 16;
/// Level and description.
const ALERT_BYTES: usize = 2;

/// A connection under TLS after its handshake.
pub struct TlsStream {
    socket: TcpStream,
    state: Mutex<State>,
}

struct State {
    tls: UnbufferedServerConnection,
    /// Came, and is no whole record yet.
    incoming: Vec<u8>,
    /// Decrypted, and not yet asked for.
    received: Vec<u8>,
    /// Encrypted; the first `sent` bytes have left.
    outgoing: Vec<u8>,
    sent: usize,
    /// Plaintext bytes in `outgoing` that a caller was not told of yet.
    accepted: usize,
    /// The client says nothing more.
    ended: bool,
}

impl TlsStream {
    /// Agrees with the client upon keys.
    pub async fn accept(socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let tls = UnbufferedServerConnection::new(config).map_err(invalid)?;
        let stream = Self { socket, state: Mutex::new(State::new(tls)) };
        loop {
            std::future::poll_fn(|cx| stream.poll_send(cx)).await?;
            if !stream.state.lock().tls.is_handshaking() {
                return Ok(stream);
            }
            stream.socket.readable().await?;
            let mut state = stream.state.lock();
            match stream.read(&mut state) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(()) if state.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(()) => {}
            }
        }
    }

    /// Reads what the client says. Its end without a `close_notify` is an end as well: what a
    /// request or a frame lacks is seen where it is read.
    ///
    /// Also sends what TLS itself has to say. Wakes the task of the latest call, so one task reads.
    pub fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        loop {
            if !state.received.is_empty() {
                state.hand_out(buffer);
                return Poll::Ready(Ok(()));
            }
            if state.ended {
                return Poll::Ready(Ok(()));
            }
            self.poll_send_waiting(&mut state, cx)?;
            if state.outgoing.len() - state.sent > OUTGOING_BYTES_MAX {
                return Poll::Pending;
            }
            ready!(self.socket.poll_read_ready(cx))?;
            match self.read(&mut state) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => result?,
            }
        }
    }

    /// Sends what the connection takes now, one record at most.
    ///
    /// `WouldBlock` may mean that a record was encrypted and has not left as a whole: the caller
    /// tries again with the same bytes in front, once the connection takes more, and is then told
    /// how many of them that were.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        self.flush(&mut state)?;
        if state.accepted > 0 {
            return Ok(std::mem::take(&mut state.accepted).min(bytes.len()));
        }
        let bytes = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
        state.encrypt(bytes)?;
        if let Err(error) = self.flush(&mut state) {
            state.accepted = bytes.len();
            return Err(error);
        }
        Ok(bytes.len())
    }

    /// Waits until the connection takes more. Cancel safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Whether the connection takes more; if not, wakes the task of the latest call when it does.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(cx)
    }

    /// Reads once, and takes in what that brought.
    fn read(&self, state: &mut State) -> io::Result<()> {
        let mut fresh = [0; READ_BYTES];
        let room = INCOMING_BYTES_MAX.saturating_sub(state.incoming.len()).min(READ_BYTES);
        if room == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let n = self.socket.try_read(&mut fresh[..room])?;
        if n == 0 {
            state.ended = true;
            return Ok(());
        }
        let taken = state.take_in(&mut fresh[..n]);
        // The keys, tickets or alert that follow from it. Who reads sees to the rest of them.
        match self.flush(state) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => taken,
        }
    }

    /// Writes what has been encrypted; `WouldBlock` while some of it waits.
    fn flush(&self, state: &mut State) -> io::Result<()> {
        while state.sent < state.outgoing.len() {
            match self.socket.try_write(&state.outgoing[state.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => state.sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        state.outgoing = Vec::new();
        state.sent = 0;
        Ok(())
    }

    /// Writes what has been encrypted, as far as it leaves; wakes the task when more does.
    fn poll_send_waiting(&self, state: &mut State, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            match self.flush(state) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            match self.socket.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Writes all that has been encrypted.
    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        self.poll_send_waiting(&mut state, cx)?;
        if state.outgoing.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        // A client that does not take its goodbye does without it.
        let mut state = self.state.lock();
        let _ = state.say_goodbye().and_then(|()| self.flush(&mut state));
    }
}

impl State {
    fn new(tls: UnbufferedServerConnection) -> Self {
        Self {
            tls,
            incoming: Vec::new(),
            received: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            accepted: 0,
            ended: false,
        }
    }

    /// Moves what was decrypted.
    fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) {
        let n = self.received.len().min(buffer.remaining());
        buffer.put_slice(&self.received[..n]);
        self.received.drain(..n);
        if self.received.is_empty() {
            self.received = Vec::new();
        }
    }

    /// Decrypts the whole records of what came, and keeps the rest.
    fn take_in(&mut self, fresh: &mut [u8]) -> io::Result<()> {
        if self.incoming.is_empty() {
            // Where they were read: mostly these are whole records.
            let used = self.advance(fresh, |_, _| Ok(()))?.0;
            self.incoming.extend_from_slice(&fresh[used..]);
            return Ok(());
        }
        let mut incoming = std::mem::take(&mut self.incoming);
        incoming.extend_from_slice(fresh);
        let used = self.advance(&mut incoming, |_, _| Ok(()))?.0;
        if used < incoming.len() {
            incoming.drain(..used);
            self.incoming = incoming;
        }
        Ok(())
    }

    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<()> {
        let encrypted = self.write(|traffic, outgoing| {
            let size = bytes.len() + RECORD_OVERHEAD;
            append(outgoing, size, |out| traffic.encrypt(bytes, out).map_err(TooSmall::from))
        })?;
        encrypted.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// Tells the client, once, that nothing more comes; if it can be told.
    fn say_goodbye(&mut self) -> io::Result<()> {
        let told = self.write(|traffic, outgoing| {
            let size = ALERT_BYTES + RECORD_OVERHEAD;
            append(outgoing, size, |out| traffic.queue_close_notify(out).map_err(TooSmall::from))
        });
        told.map(|_| ())
    }

    /// Writes; `None` if nothing can be written any more, or yet.
    fn write(
        &mut self,
        write: impl FnOnce(&mut Traffic<'_>, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<Option<()>> {
        let mut incoming = std::mem::take(&mut self.incoming);
        let (used, written) = self.advance(&mut incoming, write)?;
        incoming.drain(..used);
        self.incoming = incoming;
        Ok(written)
    }

    /// Has TLS do all it can with `incoming`; then, if the keys are there, `then`. Gives how many
    /// bytes were used, and what `then` gave.
    fn advance<T>(
        &mut self,
        incoming: &mut [u8],
        then: impl FnOnce(&mut Traffic<'_>, &mut Vec<u8>) -> io::Result<T>,
    ) -> io::Result<(usize, Option<T>)> {
        let Self { tls, received, outgoing, ended, .. } = self;
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                tls.process_tls_records(&mut incoming[used..]);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        discard += record.discard;
                        received.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(outgoing, 0, |out| data.encode(out).map_err(TooSmall::from))?;
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => *ended = true,
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let then = then(&mut traffic, outgoing)?;
                    return Ok((used + discard, Some(then)));
                }
                // The rest is not for us: we take no data before the handshake is over.
                Ok(_) => return Ok((used + discard, None)),
                Err(error) => {
                    used += discard;
                    // The alert that says why.
                    let last = tls.process_tls_records(&mut incoming[used..]).state;
                    if let Ok(ConnectionState::EncodeTlsData(mut data)) = last {
                        append(outgoing, 0, |out| data.encode(out).map_err(TooSmall::from))?;
                    }
                    return Err(invalid(error));
                }
            }
            used += discard;
        }
    }
}

type Traffic<'a> = WriteTraffic<'a, ServerConnectionData>;

/// Why nothing was put into a buffer.
enum TooSmall {
    /// It needs so many bytes.
    Needs(usize),
    /// No size would do.
    Never(io::Error),
}

impl From<EncodeError> for TooSmall {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Self::Needs(required_size)
            }
            EncodeError::AlreadyEncoded => Self::Never(io::Error::other(error)),
        }
    }
}

impl From<EncryptError> for TooSmall {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Self::Needs(required_size)
            }
            EncryptError::EncryptExhausted => Self::Never(io::Error::other(error)),
        }
    }
}

/// Appends what `put` writes; `size` bytes will do, most likely.
fn append(
    outgoing: &mut Vec<u8>,
    size: usize,
    mut put: impl FnMut(&mut [u8]) -> Result<usize, TooSmall>,
) -> io::Result<()> {
    let start = outgoing.len();
    outgoing.resize(start + size, 0);
    loop {
        match put(&mut outgoing[start..]) {
            Ok(n) => {
                outgoing.truncate(start + n);
                return Ok(());
            }
            Err(TooSmall::Needs(size)) => outgoing.resize(start + size, 0),
            Err(TooSmall::Never(error)) => {
                outgoing.truncate(start);
                return Err(error);
            }
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl AsyncRead for TlsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_receive(cx, buffer)
    }
}

/// For HTTP, which flushes: what was taken may wait until then.
impl AsyncWrite for TlsStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let bytes = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
        self.state.lock().encrypt(bytes)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.state.lock().say_goodbye()?;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;
    use rustls::crypto::ring;
    use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpSocket};
    use tokio_rustls::TlsConnector;

    use super::*;

    type Client = tokio_rustls::client::TlsStream<TcpStream>;

    /// Both ends of a connection for which the kernel keeps little.
    async fn pair(version: &'static SupportedProtocolVersion) -> (TlsStream, Client) {
        let certified = generate_simple_self_signed(["x.example".to_owned()]).expect("a name");
        let provider = Arc::new(ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).expect("a certificate");
        let trusting = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();

        let small = || {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.set_recv_buffer_size(4 * 1024).expect("a size");
            socket.set_send_buffer_size(4 * 1024).expect("a size");
            socket
        };
        let listening = small();
        listening.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let listener: TcpListener = listening.listen(1).expect("a listener");
        let connecting = small().connect(listener.local_addr().expect("an address"));
        let (theirs, ours) = tokio::join!(connecting, listener.accept());
        let (theirs, ours) = (theirs.expect("a stream"), ours.expect("a stream").0);
        let connector = TlsConnector::from(Arc::new(trusting));
        let name = ServerName::try_from("x.example").expect("a name");
        let (client, server) = tokio::join!(
            connector.connect(name, theirs),
            TlsStream::accept(ours, Arc::new(config))
        );
        (server.expect("a handshake"), client.expect("a handshake"))
    }

    fn letters(n: usize) -> Vec<u8> {
        (b'a'..=b'z').cycle().take(n).collect()
    }

    /// Sends as the hub does: what did not leave is tried again, with more behind it.
    async fn send(server: &TlsStream, bytes: &[u8]) -> u32 {
        let (mut sent, mut refused, mut given) = (0, 0, 1);
        while sent < bytes.len() {
            match server.try_send(&bytes[sent..given.max(sent + 1)]) {
                Ok(n) => sent += n,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    refused += 1;
                    server.writable().await.expect("a connection");
                }
            }
            given = (given + 5_000).min(bytes.len());
        }
        refused
    }

    #[tokio::test]
    async fn what_does_not_leave_at_once_leaves_once_and_in_order() {
        for version in rustls::ALL_VERSIONS {
            let (server, mut client) = pair(version).await;
            let bytes = letters(1_000_000);
            let reading = async {
                let mut read = vec![0; bytes.len()];
                client.read_exact(&mut read).await.expect("all of it");
                read
            };
            let (refused, read) = tokio::join!(send(&server, &bytes), reading);
            assert!(refused > 0, "the kernel keeps less");
            assert!(read == bytes, "{version:?}");
            // What left is not kept.
            assert_eq!(server.state.lock().outgoing.capacity(), 0);
        }
    }

    #[tokio::test]
    async fn both_sides_talk_at_once() {
        for version in rustls::ALL_VERSIONS {
            let (server, client) = pair(version).await;
            let (mut hearing, mut saying) = tokio::io::split(client);
            let bytes = letters(300_000);
            let heard_by_client = async {
                let mut read = vec![0; bytes.len()];
                hearing.read_exact(&mut read).await.expect("all of it");
                read
            };
            let said_by_client = async {
                saying.write_all(&bytes).await.expect("a connection");
                saying.shutdown().await.expect("a connection");
            };
            let heard = async {
                let mut heard = Vec::new();
                loop {
                    let mut part = [0; 1_000];
                    let mut part = ReadBuf::new(&mut part);
                    std::future::poll_fn(|cx| server.poll_receive(cx, &mut part))
                        .await
                        .expect("a connection");
                    if part.filled().is_empty() {
                        return heard;
                    }
                    heard.extend_from_slice(part.filled());
                    assert!(server.state.lock().incoming.len() < INCOMING_BYTES_MAX);
                }
            };
            let (_, read, (), heard) =
                tokio::join!(send(&server, &bytes), heard_by_client, said_by_client, heard);
            assert!(read == bytes && heard == bytes, "{version:?}");
            let state = server.state.lock();
            assert_eq!((state.incoming.capacity(), state.received.capacity()), (0, 0));
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_dropped_says_goodbye() {
        let (server, mut client) = pair(&rustls::version::TLS13).await;
        server.try_send(b"the last word").expect("room");
        drop(server);
        let mut heard = String::new();
        // Without a goodbye that is an error.
        client.read_to_string(&mut heard).await.expect("an end");
        assert_eq!(heard, "the last word");
    }

    #[tokio::test]
    async fn a_client_that_just_goes_has_said_all_it_had() {
        let (mut server, mut client) = pair(&rustls::version::TLS13).await;
        client.write_all(b"half").await.expect("a connection");
        client.flush().await.expect("a connection");
        // The end of the connection, and no word of TLS about it.
        client.get_mut().0.shutdown().await.expect("a connection");
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.expect("an end");
        assert_eq!(heard, "half");
    }
}
