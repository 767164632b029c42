//! The way out of a connection: each frame is its own `send`, as it would be with real clients. If
//! the socket is full, the rest waits here and the connection's task sends it on.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};

use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::OwnedSemaphorePermit;

use crate::ws::frame;

/// The sending end of a device's present connection.
#[derive(Debug, Default)]
pub struct Link {
    writer: Option<OwnedWriteHalf>,
    unsent: Vec<u8>,
    waker: Option<Waker>,
    mask: [u8; 4],
    /// Held until the connection is live, so that not all connect at once.
    permit: Option<OwnedSemaphorePermit>,
    live: bool,
    /// Requests made on this connection.
    requests: u32,
}

impl Link {
    /// A socket that has been upgraded.
    pub fn opened(&mut self, writer: OwnedWriteHalf, mask: [u8; 4], permit: OwnedSemaphorePermit) {
        *self = Self { writer: Some(writer), mask, permit: Some(permit), ..Self::default() };
    }

    /// The server's greeting is complete.
    pub fn set_live(&mut self) {
        self.live = true;
        self.permit = None;
    }

    /// Messages may be sent.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The socket is gone. True if it was live.
    pub fn closed(&mut self) -> bool {
        std::mem::take(self).live
    }

    /// A number for a request: none is used twice on a connection.
    pub fn reference(&mut self) -> u32 {
        self.requests += 1;
        self.requests
    }

    /// Sends one frame. `scratch` is overwritten. Errors show in the connection's task.
    pub fn send(&mut self, opcode: u8, payload: &[u8], scratch: &mut Vec<u8>) {
        let Some(writer) = &self.writer else { return };
        scratch.clear();
        frame::write(scratch, opcode, payload, Some(self.mask));
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(scratch);
            return;
        }
        let sent = match writer.try_write(scratch) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return,
        };
        if sent < scratch.len() {
            self.unsent.extend_from_slice(&scratch[sent..]);
            if let Some(waker) = &self.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Sends one half of a frame, unless the other half of another one still waits here: whoever
    /// closes the socket now leaves the server in the middle of a frame.
    pub fn send_half(&mut self, opcode: u8, payload: &[u8], scratch: &mut Vec<u8>) {
        let Some(writer) = self.writer.as_ref().filter(|_| self.unsent.is_empty()) else { return };
        scratch.clear();
        frame::write(scratch, opcode, payload, Some(self.mask));
        // If the socket takes nothing, it is closed between two frames: that happens, too.
        let _ = writer.try_write(&scratch[..scratch.len() / 2]);
    }

    /// Lets the socket be reset when it is closed: what is on its way is lost.
    pub fn reset_on_close(&self) {
        if let Some(Err(error)) = self.writer.as_ref().map(|half| half.as_ref().set_zero_linger()) {
            tracing::debug!("asking for a reset: {error}");
        }
    }

    /// Sends what waits, as far as the socket takes it. Called by the connection's task, which is
    /// woken when more can be taken.
    pub fn flush(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.waker.is_none() {
            self.waker = Some(context.waker().clone());
        }
        let Some(writer) = &self.writer else {
            return Ok(());
        };
        while !self.unsent.is_empty() {
            match writer.as_ref().poll_write_ready(context) {
                Poll::Pending => return Ok(()),
                Poll::Ready(ready) => ready?,
            }
            match writer.try_write(&self.unsent) {
                Ok(sent) => {
                    self.unsent.drain(..sent);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
