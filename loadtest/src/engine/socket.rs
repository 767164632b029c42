//! A WebSocket for one question at a time: the way in for every connection, and all that the
//! read-back needs.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use barterline_protocol::{Encoding, Outgoing, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::wire::Adapter;
use crate::wire::barterline::write_request;
use crate::ws::frame;
use crate::ws::upgrade::Upgrade;

/// Connects and upgrades; `buffer_bytes` is what the kernel may hold of what comes, its own choice
/// if `None`. Gives the stream and what came behind the server's answer.
pub async fn connect(
    server: SocketAddr,
    adapter: Adapter,
    path: String,
    nonce: [u8; 16],
    buffer_bytes: Option<u32>,
) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = buffer_bytes {
        // Before the connect: the window that is offered follows from it.
        socket.set_recv_buffer_size(bytes)?;
    }
    let mut stream = socket.connect(server).await.context("connecting")?;
    stream.set_nodelay(true)?;
    let upgrade =
        Upgrade { host: server.to_string(), path, subprotocol: adapter.subprotocol(), nonce };
    stream.write_all(upgrade.request().as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            bail!("closed by the server during the upgrade");
        }
        if let Some(end) = upgrade.judge(&answer)? {
            answer.drain(..end);
            return Ok((stream, answer));
        }
    }
}

/// What a close frame says.
pub fn close_reason(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason))
        }
        _ => "no reason given".to_owned(),
    }
}

/// A connection on which whoever asks waits for the answer.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    mask: [u8; 4],
    received: u64,
}

impl Socket {
    /// Connects to a server that speaks protocol v1.
    pub async fn open(server: SocketAddr, nonce: [u8; 16]) -> anyhow::Result<Self> {
        let path = "/v1/socket".to_owned();
        let (stream, buffer) = connect(server, Adapter::Barterline, path, nonce, None).await?;
        let mask = [nonce[0], nonce[1], nonce[2], nonce[3]];
        let received = buffer.len() as u64;
        Ok(Self { stream, buffer, mask, received })
    }

    /// Bytes that came after the upgrade, frame headers included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// A request as it goes over the wire, under this number if any.
    pub fn frame(&self, reference: Option<u32>, request: &Request) -> Vec<u8> {
        let mut payload = Vec::new();
        write_request(reference, request, &mut payload);
        let mut bytes = Vec::new();
        frame::write(&mut bytes, frame::BINARY, &payload, Some(self.mask));
        bytes
    }

    /// Sends a frame.
    pub async fn write(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(frame).await?)
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        self.write(&self.frame(None, request)).await
    }

    /// The next frame of the protocol.
    pub async fn next(&mut self) -> anyhow::Result<Outgoing> {
        let payload = self.next_payload().await?;
        Ok(Encoding::MsgPack.decode::<Outgoing>(&payload)?.message)
    }

    /// The next frame of the protocol, as it came.
    pub async fn next_payload(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Some(frame) = frame::read(&self.buffer)? {
                let payload: Vec<u8> = self.buffer[frame.payload.clone()].to_vec();
                self.buffer.drain(..frame.payload.end);
                match frame.opcode {
                    frame::BINARY if frame.last => return Ok(payload),
                    frame::CLOSE => bail!("closed by the server: {}", close_reason(&payload)),
                    _ => continue,
                }
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            if read == 0 {
                bail!("closed by the server");
            }
            self.received += read as u64;
        }
    }
}
