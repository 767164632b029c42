//! The two halves of a socket. tungstenite reads through [`SocketIo`]; everything that leaves,
//! its pongs and close frames too, goes through the slot, so that there is one order and one
//! unfinished write (docs/decisions/0004).
//!
//! A socket is a type parameter: the server's are TCP streams, plain or under TLS, and a
//! simulation's stand in memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::hub::slot::{Outlet, Slot};
use crate::listener::TlsStream;

/// What the gateway needs of a client's socket: one place reads, several write.
pub trait Socket: Send + 'static {
    /// Read by the connection's task.
    type Read: AsyncRead + Unpin + Send + Sync;
    /// Shared by the connection and its slot.
    type Write: WriteHalf;

    /// Splits the socket.
    fn into_halves(self) -> (Self::Read, Self::Write);
}

/// The write half of a socket. Its clones are the same half.
pub trait WriteHalf: Outlet + Clone + Unpin + 'static {
    /// Waits until the socket takes more. Cancel safe.
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// Whether the socket takes more; if not, wakes the task of the latest call when it does.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Socket for TcpStream {
    type Read = OwnedReadHalf;
    type Write = TcpWriteHalf;

    fn into_halves(self) -> (OwnedReadHalf, TcpWriteHalf) {
        let (read, write) = self.into_split();
        (read, TcpWriteHalf(Arc::new(write)))
    }
}

/// The write half of a TCP stream.
#[derive(Clone)]
pub struct TcpWriteHalf(Arc<OwnedWriteHalf>);

impl WriteHalf for TcpWriteHalf {
    async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsRef::<TcpStream>::as_ref(&*self.0).poll_write_ready(cx)
    }
}

impl Outlet for TcpWriteHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }
}

impl Socket for TlsStream {
    type Read = TlsHalf;
    type Write = TlsHalf;

    fn into_halves(self) -> (TlsHalf, TlsHalf) {
        let half = TlsHalf(Arc::new(self));
        (half.clone(), half)
    }
}

/// Either half of a stream under TLS: reading and writing share its keys.
#[derive(Clone)]
pub struct TlsHalf(Arc<TlsStream>);

impl AsyncRead for TlsHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_receive(cx, buffer)
    }
}

impl WriteHalf for TlsHalf {
    async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }
}

impl Outlet for TlsHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_send(bytes)
    }
}

/// What tungstenite reads from and believes to write to.
pub struct SocketIo<S: Socket> {
    read: S::Read,
    write: S::Write,
    /// What came behind the upgrade request in the same read. Nothing, nearly always; copied,
    /// because a slice would keep the request's whole buffer for the life of the connection.
    early: Vec<u8>,
    /// Takes what is written, once `hello` has made a slot.
    slot: Option<Arc<Slot>>,
}

impl<S: Socket> SocketIo<S> {
    /// The socket before `hello`.
    pub fn new(read: S::Read, write: S::Write, early: &[u8]) -> Self {
        Self { read, write, early: early.to_vec(), slot: None }
    }

    /// From here on everything leaves through `slot`.
    pub fn write_through(&mut self, slot: Arc<Slot>) {
        self.slot = Some(slot);
    }
}

impl<S: Socket> AsyncRead for SocketIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let n = self.early.len().min(buffer.remaining());
            let rest = self.early.split_off(n);
            let taken = std::mem::replace(&mut self.early, rest);
            buffer.put_slice(&taken);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl<S: Socket> AsyncWrite for SocketIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(slot) = &self.slot {
            // Bounded: tungstenite answers what was read, and reading stops while bytes wait.
            slot.put_raw(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        loop {
            ready!(self.write.poll_writable(cx))?;
            match self.write.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
