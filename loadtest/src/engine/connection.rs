//! One device's connection: set up, read, lost, set up again, until the task is aborted.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rand::Rng as _;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use super::Shared;
use super::device::Device;
use super::socket;
use crate::ws::frame;

/// From the connect to the end of the server's greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(30);
/// How often somebody who stalls shows life: three times in a heartbeat of the protocol.
const LIFE_EVERY: Duration = Duration::from_secs(10);
/// What a socket that stalls takes in without being read: as little as the kernel allows.
const STALLED_BUFFER_BYTES: u32 = 4_096;
/// From our close frame to the end of the socket.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The first wait before coming back; it doubles with each failure, and half of it is random.
const BACKOFF_MS: u64 = 20;
const BACKOFF_MS_MAX: u64 = 1_000;

/// What ended a connection.
enum End {
    /// The device did.
    Left,
    /// Anything else; it was live before or not.
    Lost { was_live: bool, why: anyhow::Error },
}

/// Keeps the device at `index` connected.
pub async fn keep(shared: Rc<Shared>, index: usize) {
    let mut failures = 0;
    loop {
        let end = run(&shared, index).await;
        let wait = {
            let state = &mut shared.state.borrow_mut();
            match end {
                End::Left => state.closed(index, None),
                End::Lost { was_live, why } => {
                    failures = if was_live { 0 } else { failures + 1 };
                    tracing::debug!(index, failures, "connection lost: {why:#}");
                    state.closed(index, Some(&format!("{why:#}")));
                }
            }
            let ceiling = (BACKOFF_MS << failures.min(10)).min(BACKOFF_MS_MAX);
            state.rng.random_range(ceiling / 2..=ceiling)
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// One connection.
async fn run(shared: &Rc<Shared>, index: usize) -> End {
    let mut reader = match greeted(shared, index).await {
        Ok(reader) => reader,
        Err(why) => return End::Lost { was_live: false, why },
    };
    if shared.state.borrow().devices[index].stalls {
        stall(shared, index).await;
        return reader.until_closed(shared, index).await;
    }
    let Some(mean) = shared.flap else {
        return reader.until_closed(shared, index).await;
    };
    loop {
        let (stay, calm) = {
            let state = &mut shared.state.borrow_mut();
            let sure: f64 = state.rng.random();
            // Departures are independent of each other and of the past: the stay is exponential.
            (mean.mul_f64(-(1.0 - sure).ln()), state.calm)
        };
        match tokio::time::timeout(stay, reader.until_closed(shared, index)).await {
            Ok(end) => return end,
            Err(_) if calm || shared.state.borrow().calm => {}
            Err(_) => {
                leave(shared, index, &mut reader).await;
                return End::Left;
            }
        }
    }
}

/// Sets the connection up, to the end of the server's greeting.
async fn greeted(shared: &Rc<Shared>, index: usize) -> anyhow::Result<Reader> {
    let permit = Rc::clone(shared).connects.clone().acquire_owned().await?;
    let (path, nonce, buffer_bytes) = {
        let state = &mut shared.state.borrow_mut();
        let Device { place, stalls, .. } = &state.devices[index];
        let buffer_bytes = stalls.then_some(STALLED_BUFFER_BYTES);
        (shared.adapter.path(place.room, place.side), state.rng.random(), buffer_bytes)
    };
    let (stream, rest) = tokio::time::timeout(
        GREETING_TIMEOUT,
        socket::connect(shared.server.get(), shared.adapter, path, nonce, buffer_bytes),
    )
    .await
    .context("no answer to the upgrade")??;
    let (half, writer) = stream.into_split();
    shared.state.borrow_mut().opened(index, writer, permit);
    let mut reader = Reader { half, tail: rest, fragments: Vec::new() };
    // What came right behind the upgrade.
    reader.take_tail(shared, index)?;
    let live = || shared.state.borrow().devices[index].link.is_live();
    let greeted = std::future::poll_fn(|context| {
        let outcome = reader.turn(shared, index, context);
        match outcome {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending if live() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    });
    tokio::time::timeout(GREETING_TIMEOUT, greeted)
        .await
        .context("the server's greeting did not end")??;
    Ok(reader)
}

/// Reads nothing until those that stall are told to. It shows the server that it lives: what is
/// measured is a slow reader, not a dead one.
async fn stall(shared: &Rc<Shared>, index: usize) {
    let mut reading = shared.reading.subscribe();
    while tokio::time::timeout(LIFE_EVERY, reading.wait_for(|reads| *reads)).await.is_err() {
        shared.state.borrow_mut().show_life(index);
    }
}

/// Ends the connection, in one of two ways: with a close frame, or in the middle of a frame.
async fn leave(shared: &Rc<Shared>, index: usize, reader: &mut Reader) {
    let polite = shared.state.borrow_mut().rng.random();
    if polite {
        shared.state.borrow_mut().leave(index);
        let closed = reader.until_closed(shared, index);
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            tracing::debug!(index, "a close frame was not answered");
        }
    } else {
        shared.state.borrow_mut().break_off(index);
    }
}

/// The receiving end.
struct Reader {
    half: OwnedReadHalf,
    /// The start of a frame that has not come whole.
    tail: Vec<u8>,
    /// The start of a fragmented message.
    fragments: Vec<u8>,
}

impl Reader {
    /// Reads until the connection ends.
    async fn until_closed(&mut self, shared: &Shared, index: usize) -> End {
        let why = std::future::poll_fn(|context| self.turn(shared, index, context)).await;
        End::Lost { was_live: true, why }
    }

    /// Sends what waits and reads until there is no more. Ready only when the connection ends.
    ///
    /// A read that does not fill the buffer clears tokio's readiness, so a quiet socket costs one
    /// `recv` for each wake-up, not two.
    fn turn(
        &mut self,
        shared: &Shared,
        index: usize,
        context: &mut Context<'_>,
    ) -> Poll<anyhow::Error> {
        let flushed = shared.state.borrow_mut().devices[index].link.flush(context);
        if let Err(error) = flushed {
            return Poll::Ready(error.into());
        }
        loop {
            let mut buffer = shared.read_buffer.borrow_mut();
            let mut read = ReadBuf::new(&mut buffer);
            match Pin::new(&mut self.half).poll_read(context, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(error.into()),
                Poll::Ready(Ok(())) => {}
            }
            let bytes = read.filled();
            if bytes.is_empty() {
                return Poll::Ready(anyhow::anyhow!("closed by the server"));
            }
            let taken = if self.tail.is_empty() {
                let taken = frames(bytes, &mut self.fragments, shared, index);
                if let Ok(taken) = taken {
                    self.tail.extend_from_slice(&bytes[taken..]);
                }
                taken.map(|_| ())
            } else {
                self.tail.extend_from_slice(bytes);
                self.take_tail(shared, index)
            };
            if let Err(error) = taken {
                return Poll::Ready(error);
            }
        }
    }

    fn take_tail(&mut self, shared: &Shared, index: usize) -> anyhow::Result<()> {
        let taken = frames(&self.tail, &mut self.fragments, shared, index)?;
        self.tail.drain(..taken);
        if self.tail.is_empty() {
            // Ten thousand idle connections keep nothing.
            self.tail = Vec::new();
        }
        Ok(())
    }
}

/// Handles every whole frame; gives how many bytes they took.
fn frames(
    bytes: &[u8],
    fragments: &mut Vec<u8>,
    shared: &Shared,
    index: usize,
) -> anyhow::Result<usize> {
    let now = shared.clock.now();
    let state = &mut shared.state.borrow_mut();
    let mut at = 0;
    while let Some(frame) = frame::read(&bytes[at..])? {
        let payload = &bytes[at..][frame.payload.clone()];
        at += frame.payload.end;
        match frame.opcode {
            frame::BINARY if frame.last => state.handle(index, payload, now)?,
            frame::BINARY | frame::CONTINUATION => {
                fragments.extend_from_slice(payload);
                if fragments.len() > frame::PAYLOAD_BYTES_MAX {
                    bail!("a message in endless fragments");
                }
                if frame.last {
                    let message = std::mem::take(fragments);
                    state.handle(index, &message, now)?;
                }
            }
            frame::PING => state.pong(index, payload),
            frame::PONG => {}
            frame::CLOSE => bail!("closed by the server: {}", socket::close_reason(payload)),
            other => bail!("a frame of opcode {other} on the binary subprotocol"),
        }
    }
    Ok(at)
}
