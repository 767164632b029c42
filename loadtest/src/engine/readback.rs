//! What the server has stored, asked for by a device that has seen nothing yet.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, DeviceId};
use barterline_protocol::hello::{Hello, VERSION};
use barterline_protocol::request::{Ping, Pull};
use barterline_protocol::{Outgoing, Request};
use rand::Rng as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Shared;
use super::socket::Socket;
use crate::message::Side;

/// Chats that are read at a time.
const READERS_MAX: usize = 32;
/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads every chat from its first number to its last; in every other room the seller does it.
pub async fn read_back(shared: &Rc<Shared>) -> anyhow::Result<()> {
    let readers = Arc::new(Semaphore::new(READERS_MAX));
    let mut rooms = JoinSet::new();
    let count = shared.state.borrow().rooms();
    for room in 0..count {
        let permit = Arc::clone(&readers).acquire_owned().await?;
        let shared = Rc::clone(shared);
        rooms.spawn_local(async move {
            let outcome = read_room(&shared, room).await;
            drop(permit);
            outcome.with_context(|| format!("reading room {room} back"))
        });
    }
    while let Some(outcome) = rooms.join_next().await {
        outcome??;
    }
    Ok(())
}

async fn read_room(shared: &Shared, room: usize) -> anyhow::Result<()> {
    let side = Side::of_index(room % 2);
    let (chat, hello, nonce) = {
        let state = &mut shared.state.borrow_mut();
        let nonce: [u8; 16] = state.rng.random();
        let Some((chat, device)) =
            state.first_device(room, side).and_then(|device| Some((device.chat?, device)))
        else {
            bail!("the chat was never opened");
        };
        let hello = Hello {
            token: device.token.to_string(),
            device: DeviceId::from_bytes(nonce),
            versions: vec![VERSION],
            cursor: None,
            have: Vec::new(),
        };
        (chat, Request::Hello(hello), nonce)
    };
    let mut socket = Socket::open(shared.server.get(), nonce).await?;
    socket.send(&hello).await?;
    let mut after = Seq::ZERO;
    while !matches!(next(&mut socket).await?, Outgoing::Live(_)) {}
    loop {
        let head = read_page(shared, &mut socket, room as u32, chat, &mut after).await?;
        if let Some(head) = head {
            shared.state.borrow_mut().checker().stored_up_to(room as u32, head.0);
            return Ok(());
        }
    }
}

/// Reads the page above `after`; gives the head when that was the last one.
async fn read_page(
    shared: &Shared,
    socket: &mut Socket,
    room: u32,
    chat: ChatId,
    after: &mut Seq,
) -> anyhow::Result<Option<Seq>> {
    let pull = Pull { chat, after: Some(*after), before: None, limit: None };
    socket.send(&Request::Pull(pull)).await?;
    let page = loop {
        match next(socket).await? {
            Outgoing::Page(page) => break page,
            Outgoing::Ping(_) => socket.send(&Request::Pong(Ping::default())).await?,
            Outgoing::Error(error) => bail!("{}: {}", error.code, error.message),
            _ => {}
        }
    };
    let state = &mut shared.state.borrow_mut();
    for event in &page.events {
        state.stored(room, event);
        *after = event.seq;
    }
    Ok((page.events.is_empty() || *after >= page.head).then_some(page.head))
}

async fn next(socket: &mut Socket) -> anyhow::Result<Outgoing> {
    let frame =
        tokio::time::timeout(ANSWER_TIMEOUT, socket.next()).await.context("no answer")??;
    match frame {
        Outgoing::Bye(bye) => bail!("bye: {} {}", bye.code, bye.reason),
        frame => Ok(frame),
    }
}
