//! People who say something and leave: each has a chat, fills it over a connection of its own, and
//! knows afterwards under which number every message is acknowledged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, DeviceId, ListingId};
use barterline_protocol::hello::{Hello, VERSION};
use barterline_protocol::request::{Open, Ping, Send};
use barterline_protocol::response::ErrorBody;
use barterline_protocol::{Outgoing, Request};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::engine::Socket;
use crate::message::{Name, Place, Side, Texts};

/// Speakers at a time. With [`IN_FLIGHT`] each they fill the groups of a server, and no more than
/// wait in its queues.
const SPEAKERS_MAX: usize = 64;
/// Messages of one speaker that wait for their answer.
const IN_FLIGHT: u32 = 8;
/// What a speaker waits after a refusal that does not say how long.
const WAIT_MS: u64 = 20;

/// What the speakers of a run have in common.
#[derive(Debug)]
pub struct Speech {
    /// The server.
    pub server: SocketAddr,
    /// Tells this run's messages from all others.
    pub nonce: u32,
    /// What they say.
    pub texts: Texts,
    /// Longest wait for an answer.
    pub patience: Duration,
}

/// The buyer of one chat.
#[derive(Debug)]
pub struct Speaker {
    /// Index of the room.
    pub room: u32,
    /// Of the buyer.
    pub token: String,
    /// This installation, and the key of its frames.
    pub device: [u8; 16],
    /// The chat, once it is there.
    pub chat: Option<ChatId>,
    /// The numbers of what was said, in the order of saying.
    pub numbers: Vec<u64>,
}

impl Speech {
    /// The text of a message.
    pub fn text(&self, name: Name) -> Vec<u8> {
        let mut text = Vec::new();
        self.texts.write(name, 0, &mut text);
        text
    }
}

/// Lets all speak, each until it has said as many messages as `until` says of its room. Who has no
/// chat opens the one about `listing` first.
pub async fn speak(
    speech: &Rc<Speech>,
    speakers: &mut Vec<Speaker>,
    listing: Option<ListingId>,
    until: impl Fn(u32) -> u32,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(SPEAKERS_MAX));
    let mut speaking = JoinSet::new();
    for mut speaker in speakers.drain(..) {
        let (speech, places, count) = (Rc::clone(speech), places.clone(), until(speaker.room));
        speaking.spawn_local(async move {
            let _place = places.acquire_owned().await?;
            let said = speaker.speak(&speech, listing, count).await;
            said.with_context(|| format!("speaking in room {}", speaker.room))?;
            anyhow::Ok(speaker)
        });
    }
    while let Some(outcome) = speaking.join_next().await {
        speakers.push(outcome??);
    }
    speakers.sort_unstable_by_key(|speaker| speaker.room);
    Ok(())
}

impl Speaker {
    /// The buyer of a room, who has said nothing.
    pub fn new(room: u32, token: String, device: [u8; 16], chat: Option<ChatId>) -> Self {
        Self { room, token, device, chat, numbers: Vec::new() }
    }

    /// The `counter`-th message of this speaker.
    pub fn message(&self, counter: u32) -> Name {
        self.place().message(counter)
    }

    /// Where this speaker's messages are composed.
    pub fn place(&self) -> Place {
        Place { room: self.room, side: Side::Buyer, device: 0 }
    }

    async fn speak(
        &mut self,
        speech: &Speech,
        listing: Option<ListingId>,
        until: u32,
    ) -> anyhow::Result<()> {
        let mut socket = Socket::open(speech.server, self.device).await?;
        let hello = Hello {
            token: self.token.clone(),
            device: DeviceId::from_bytes(self.device),
            versions: vec![VERSION],
            cursor: None,
            have: Vec::new(),
        };
        socket.send(&Request::Hello(hello)).await?;
        while !matches!(next(&mut socket, speech.patience).await?, Outgoing::Live(_)) {}
        let chat = if let Some(chat) = self.chat {
            chat
        } else {
            let listing = listing.context("there is no chat, and nothing to open one about")?;
            *self.chat.insert(open(&mut socket, listing, speech.patience).await?)
        };
        Saying { speaker: self, speech, socket, chat }.say(until).await
    }
}

async fn open(
    socket: &mut Socket,
    listing: ListingId,
    patience: Duration,
) -> anyhow::Result<ChatId> {
    socket.send(&Request::Open(Open { listing })).await?;
    loop {
        match next(socket, patience).await? {
            Outgoing::Chat(row) => return Ok(row.chat),
            Outgoing::Error(error) => bail!("opening a chat: {}: {}", error.code, error.message),
            _ => {}
        }
    }
}

/// The next frame, unless the server leaves. A `ping` is answered on the way.
pub async fn next(socket: &mut Socket, patience: Duration) -> anyhow::Result<Outgoing> {
    match tokio::time::timeout(patience, socket.next()).await.context("no answer")?? {
        Outgoing::Bye(bye) => bail!("bye: {} {}", bye.code, bye.reason),
        Outgoing::Ping(ping) => {
            socket.send(&Request::Pong(Ping::default())).await?;
            Ok(Outgoing::Ping(ping))
        }
        frame => Ok(frame),
    }
}

/// A connection on which messages are said in order, each until it is acknowledged.
struct Saying<'a> {
    speaker: &'a mut Speaker,
    speech: &'a Speech,
    socket: Socket,
    chat: ChatId,
}

impl Saying<'_> {
    async fn say(mut self, until: u32) -> anyhow::Result<()> {
        let first = self.speaker.numbers.len() as u32 + 1;
        self.speaker.numbers.resize(until as usize, 0);
        let mut due: VecDeque<u32> = (first..=until).collect();
        let mut refused: Vec<u32> = Vec::new();
        let (mut in_flight, mut wait_ms) = (0, 0);
        loop {
            // Behind a refusal everything waits for what was refused, so nothing new is sent.
            while in_flight < IN_FLIGHT && refused.is_empty() {
                let Some(counter) = due.pop_front() else { break };
                self.send(counter).await?;
                in_flight += 1;
            }
            if in_flight == 0 {
                if refused.is_empty() {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(std::mem::take(&mut wait_ms))).await;
                refused.sort_unstable();
                refused.drain(..).rev().for_each(|counter| due.push_front(counter));
                continue;
            }
            match next(&mut self.socket, self.speech.patience).await? {
                Outgoing::Ack(ack) => {
                    let counter = self.counter(Some(ack.id))?;
                    self.speaker.numbers[counter as usize - 1] = ack.seq.0;
                    in_flight -= 1;
                }
                Outgoing::Error(error) => {
                    ensure!(may_be_repeated(&error), "{}: {}", error.code, error.message);
                    refused.push(self.counter(error.id)?);
                    wait_ms = wait_ms.max(error.retry_after_ms.unwrap_or(WAIT_MS));
                    in_flight -= 1;
                }
                _ => {}
            }
        }
    }

    /// Which of this speaker's messages an answer is about.
    fn counter(&self, id: Option<ClientId>) -> anyhow::Result<u32> {
        let name = id.and_then(|id| Name::of_id(&id, self.speech.nonce));
        let ours = name.filter(|name| {
            let said = 1..=self.speaker.numbers.len();
            name.place() == self.speaker.place() && said.contains(&(name.counter as usize))
        });
        Ok(ours.context("an answer to what was not said here")?.counter)
    }

    async fn send(&mut self, counter: u32) -> anyhow::Result<()> {
        let name = self.speaker.message(counter);
        let text = String::from_utf8(self.speech.text(name))?;
        // Nobody else speaks here and at most so many wait, so this many are acknowledged; and it
        // is the same for every try.
        let base = Seq(u64::from(counter.saturating_sub(IN_FLIGHT)));
        let send = Send::text(self.chat, name.id(self.speech.nonce), base, text);
        self.socket.send(&Request::Send(send)).await
    }
}

fn may_be_repeated(error: &ErrorBody) -> bool {
    error.retry_after_ms.is_some() || error.code == "send.after_refused"
}
