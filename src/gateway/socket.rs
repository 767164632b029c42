//! The two halves of a socket. tungstenite reads through [`SocketIo`]; everything that leaves,
//! its pongs and close frames too, goes through the slot, so that there is one order and one
//! unfinished write (docs/decisions/0004).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::hub::slot::{Outlet, Slot};

/// The write half, shared by the connection and its slot.
#[derive(Clone)]
pub struct WriteHalf(Arc<OwnedWriteHalf>);

impl WriteHalf {
    /// Shares a write half.
    pub fn new(half: OwnedWriteHalf) -> Self {
        Self(Arc::new(half))
    }

    /// Waits until the socket takes more.
    pub async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }
}

impl Outlet for WriteHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }
}

/// What tungstenite reads from and believes to write to.
pub struct SocketIo {
    read: OwnedReadHalf,
    write: WriteHalf,
    /// What came behind the upgrade request in the same read. Nothing, nearly always; copied,
    /// because a slice would keep the request's whole buffer for the life of the connection.
    early: Vec<u8>,
    /// Takes what is written, once `hello` has made a slot.
    slot: Option<Arc<Slot>>,
}

impl SocketIo {
    /// The socket before `hello`.
    pub fn new(read: OwnedReadHalf, write: WriteHalf, early: &[u8]) -> Self {
        Self { read, write, early: early.to_vec(), slot: None }
    }

    /// From here on everything leaves through `slot`.
    pub fn write_through(&mut self, slot: Arc<Slot>) {
        self.slot = Some(slot);
    }
}

impl AsyncRead for SocketIo {
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

impl AsyncWrite for SocketIo {
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
            ready!(AsRef::<tokio::net::TcpStream>::as_ref(&*self.write.0).poll_write_ready(cx))?;
            match self.write.0.try_write(bytes) {
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
