//! Sockets in, log, sockets out, all on one thread.
//!
//! Reader tasks append to the open group. Whenever the log thread is free, the open group goes
//! there; when it comes back, the next one leaves before this one is sent.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::mpsc::SyncSender;

use tokio::net::{TcpListener, TcpStream};

use crate::frame::{self, BINARY, CLOSE};
use crate::log::{Entry, Group, Log, Place};
use crate::upgrade;

/// What the acknowledgement starts with; the frame's first 16 bytes follow.
const ACK: &[u8; 4] = b"ack!";
/// Bytes of a frame's name.
const NAME_BYTES: usize = 16;
/// One read of any socket.
const READ_BYTES: usize = 64 * 1024;

struct Relay {
    peers: RefCell<HashMap<Place, Rc<TcpStream>>>,
    open: RefCell<OpenGroup>,
    read_buffer: RefCell<Vec<u8>>,
    submit: SyncSender<Group>,
}

struct OpenGroup {
    group: Group,
    /// A group is with the log thread.
    busy: bool,
}

/// Accepts and relays for as long as the log takes groups.
pub async fn serve(listener: TcpListener, log: Log) -> anyhow::Result<()> {
    let Log { submit, mut durable } = log;
    let relay = Rc::new(Relay {
        peers: RefCell::default(),
        open: RefCell::new(OpenGroup { group: Group::with_room(), busy: false }),
        read_buffer: RefCell::new(vec![0; READ_BYTES]),
        submit,
    });
    let accepting = tokio::task::spawn_local(accept(listener, Rc::clone(&relay)));
    while let Some(group) = durable.recv().await {
        relay.open.borrow_mut().busy = false;
        relay.submit_open();
        relay.deliver(&group);
    }
    accepting.abort();
    anyhow::bail!("the log takes no more writes")
}

async fn accept(listener: TcpListener, relay: Rc<Relay>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(connection(stream, Rc::clone(&relay)));
        }
    }
}

async fn connection(mut stream: TcpStream, relay: Rc<Relay>) {
    // Best effort: without it only latency suffers.
    let _ = stream.set_nodelay(true);
    let Some(place) = upgrade::accept(&mut stream).await else {
        return;
    };
    let stream = Rc::new(stream);
    relay.peers.borrow_mut().insert(place, Rc::clone(&stream));
    let mut tail = Vec::new();
    while stream.readable().await.is_ok() {
        if relay.read(&stream, place, &mut tail).is_err() {
            break;
        }
        relay.submit_open();
    }
    let mut peers = relay.peers.borrow_mut();
    if peers.get(&place).is_some_and(|peer| Rc::ptr_eq(peer, &stream)) {
        peers.remove(&place);
    }
}

/// The connection has ended.
struct Ended;

impl Relay {
    /// Reads once, and appends every whole frame to the open group.
    fn read(&self, stream: &TcpStream, place: Place, tail: &mut Vec<u8>) -> Result<(), Ended> {
        let mut buffer = self.read_buffer.borrow_mut();
        let kept = tail.len();
        if kept >= buffer.len() {
            return Err(Ended);
        }
        buffer[..kept].copy_from_slice(tail);
        let filled = match stream.try_read(&mut buffer[kept..]) {
            Ok(0) => return Err(Ended),
            Ok(n) => kept + n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(Ended),
        };
        tail.clear();
        let bytes = &mut buffer[..filled];
        let mut at = 0;
        let group = &mut self.open.borrow_mut().group;
        while let Some(frame) = frame::read(bytes, at).map_err(|_| Ended)? {
            at = frame.end;
            match frame.opcode {
                BINARY if frame.end - frame.start >= NAME_BYTES => {
                    let start = group.bytes.len() as u32;
                    frame::write_header(&mut group.bytes, frame.end - frame.start);
                    let payload = group.bytes.len() as u32;
                    group.bytes.extend_from_slice(&bytes[frame.start..frame.end]);
                    group.entries.push(Entry {
                        from: place,
                        start,
                        payload,
                        end: group.bytes.len() as u32,
                    });
                }
                CLOSE => return Err(Ended),
                _ => {}
            }
        }
        tail.extend_from_slice(&bytes[at..]);
        Ok(())
    }

    /// Hands the open group to the log thread, if that is free and there is anything to write.
    fn submit_open(&self) {
        let mut open = self.open.borrow_mut();
        if open.busy || open.group.entries.is_empty() {
            return;
        }
        open.busy = true;
        let group = std::mem::replace(&mut open.group, Group::with_room());
        // The thread has ended only after an error that it reported; `serve` ends then too.
        let _ = self.submit.send(group);
    }

    fn deliver(&self, group: &Group) {
        let peers = self.peers.borrow();
        let mut ack = Vec::with_capacity(2 + ACK.len() + NAME_BYTES);
        for entry in &group.entries {
            let other = Place { room: entry.from.room, side: 1 - entry.from.side };
            send(&peers, other, &group.bytes[entry.start as usize..entry.end as usize]);
            let name = entry.payload as usize;
            ack.clear();
            frame::write_header(&mut ack, ACK.len() + NAME_BYTES);
            ack.extend_from_slice(ACK);
            ack.extend_from_slice(&group.bytes[name..name + NAME_BYTES]);
            send(&peers, entry.from, &ack);
        }
    }
}

/// One frame, one `send`. A short write would be a lost message, which the harness reports: small
/// frames into a socket that its reader keeps empty do not meet it.
fn send(peers: &HashMap<Place, Rc<TcpStream>>, to: Place, bytes: &[u8]) {
    if let Some(stream) = peers.get(&to) {
        let _ = stream.try_write(bytes);
    }
}
