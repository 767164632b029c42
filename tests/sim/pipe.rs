//! A socket in memory: what the gateway serves in the place of a TCP stream. The client's end is
//! plain values, read and written by the schedule.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use barterline::gateway::socket::{Socket, WriteHalf};
use barterline::hub::slot::Outlet;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, ReadBuf};

/// The server's end.
pub struct ServerEnd(Arc<Mutex<State>>);

/// The client's end.
pub struct ClientEnd(Arc<Mutex<State>>);

/// The server's half that reads.
pub struct Read(Arc<Mutex<State>>);

/// The server's half that writes.
#[derive(Clone)]
pub struct Write(Arc<Closing>);

/// Closes the pipe when the last half that writes is gone.
struct Closing(Arc<Mutex<State>>);

struct State {
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// What the network keeps for a client that does not read.
    capacity: usize,
    reader: Option<Waker>,
    writers: Vec<Waker>,
    client_gone: bool,
    server_gone: bool,
}

/// A pipe that holds `capacity` bytes for the client.
pub fn pipe(capacity: usize) -> (ClientEnd, ServerEnd) {
    let state = Arc::new(Mutex::new(State {
        to_server: VecDeque::new(),
        to_client: VecDeque::new(),
        capacity,
        reader: None,
        writers: Vec::new(),
        client_gone: false,
        server_gone: false,
    }));
    (ClientEnd(Arc::clone(&state)), ServerEnd(state))
}

impl State {
    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writers.drain(..)).for_each(Waker::wake);
    }
}

impl ClientEnd {
    /// Hands bytes to the network.
    pub fn write(&self, bytes: &[u8]) {
        let mut state = self.0.lock();
        state.to_server.extend(bytes);
        state.wake();
    }

    /// Takes what has arrived, `max` bytes at most.
    pub fn read(&self, into: &mut Vec<u8>, max: usize) {
        let mut state = self.0.lock();
        let n = state.to_client.len().min(max);
        into.extend(state.to_client.drain(..n));
        state.wake();
    }

    /// Lets the network keep as much as there is.
    pub fn widen(&self) {
        self.0.lock().capacity = usize::MAX;
    }

    /// Whether the server has closed its end and all that it wrote has been read.
    pub fn is_over(&self) -> bool {
        let state = self.0.lock();
        state.server_gone && state.to_client.is_empty()
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.client_gone = true;
        state.wake();
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.lock().server_gone = true;
    }
}

impl Socket for ServerEnd {
    type Read = Read;
    type Write = Write;

    fn into_halves(self) -> (Read, Write) {
        (Read(Arc::clone(&self.0)), Write(Arc::new(Closing(self.0))))
    }
}

impl AsyncRead for Read {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.to_server.is_empty() && !state.client_gone {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = state.to_server.len().min(buffer.remaining());
        for byte in state.to_server.drain(..n) {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl Outlet for Write {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock();
        if state.client_gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(state.capacity - state.to_client.len());
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.to_client.extend(&bytes[..n]);
        Ok(n)
    }
}

impl WriteHalf for Write {
    async fn writable(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_writable(cx)).await
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock();
        if state.client_gone || state.to_client.len() < state.capacity {
            return Poll::Ready(Ok(()));
        }
        state.writers.push(cx.waker().clone());
        Poll::Pending
    }
}
