//! The core: rooms, connections, and the way between them.
//!
//! A chat's room lives in one of a fixed number of shards, each behind a lock that is held for
//! short, pure turns (docs/decisions/0002). When the store has committed a group, one task takes
//! each event to its room and to the connections of both people, and then writes once to every
//! socket that got something. What a socket does not take is pulled later by the connection's own
//! task, from the ring or the store: the same way a client catches up after an absence.
//!
//! Who has no connection waits for the outcome of a send, or for any change, in two small tables
//! that deliveries look at only while somebody is in them.
//!
//! Lock order: shard, then registry, then slot; answers and polls are last. Nothing waits while it
//! holds one.

pub mod answers;
pub mod polls;
pub mod registry;
pub mod ring;
pub mod room;
pub mod slot;
pub mod turn;
pub mod watch;

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barterline_domain::chat::{Chat, Participants, Role};
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ChatId, ClientId, ListingId, UserId};
use barterline_domain::listing::change::Standing;
use barterline_protocol::Outgoing;
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::limits::PUSH_EVENTS_MAX;
use barterline_protocol::push::{Behind, StateMoved};
use barterline_storage::chat_log::{
    Append, AppendError, AppendOutcome, ChatLog, ChatMoved, Committed, Outcomes, Range,
};
use barterline_storage::error::StoreError;
use barterline_storage::inbox::PersonalMoved;
use barterline_storage::turns::Loads;
use parking_lot::Mutex;

use crate::fault::{Fault, planted};
use crate::telemetry::metrics::HubMetrics;
use crate::wire;
use answers::{Answers, Sent};
use polls::{Poll, Polls, TooManyPolls};
use registry::Registry;
use ring::{Entry, RING_EVENTS_MAX};
use room::{
    Command, Effect, Effects, Found, Input, Laws, Numbered, Refusal, Room, Searched, Snapshot,
};
use slot::Slot;
use turn::Turn;
use watch::Watches;

/// Locks that rooms are spread over: enough that two cores seldom meet.
const SHARDS: usize = 64;
/// A room in which nothing happened for so long is forgotten.
const ROOM_IDLE: Duration = Duration::from_mins(1);
/// Events read from the store in one step of a pull.
const PULL_EVENTS: usize = 100;
/// How long the store is read for somebody who speaks: with the time that an answer takes on its way,
/// they hear within five seconds that they may try again (G10).
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a sender without a connection waits for the store.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The hub's handle.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    shards: Vec<Mutex<HashMap<ChatId, Room>>>,
    hasher: std::hash::RandomState,
    registry: Registry,
    watches: Watches,
    answers: Answers,
    polls: Polls,
    log: Arc<dyn ChatLog>,
    /// Reads of rooms' live ends: however many ask for one at once, it is read once at a time.
    loads: Loads<Option<Snapshot>>,
    clock: Arc<dyn Clock>,
    closes_with_listing: bool,
    /// Inbox position up to which every change has been delivered or noted.
    delivered: AtomicU64,
    metrics: HubMetrics,
}

impl Hub {
    /// A hub over `log`, whose outcomes up to `position` were delivered before its time. Whether chats close
    /// with their listing: see [`Laws`].
    pub fn new(
        log: Arc<dyn ChatLog>,
        clock: Arc<dyn Clock>,
        position: u64,
        closes_with_listing: bool,
        metrics: HubMetrics,
    ) -> Self {
        Self(Arc::new(Inner {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: std::hash::RandomState::new(),
            registry: Registry::default(),
            watches: Watches::default(),
            answers: Answers::default(),
            polls: Polls::new(metrics.polls.clone()),
            log,
            loads: Loads::default(),
            clock,
            closes_with_listing,
            delivered: AtomicU64::new(position),
            metrics,
        }))
    }

    /// Who is connected.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Who has which chat on screen.
    pub fn watches(&self) -> &Watches {
        &self.0.watches
    }

    /// Inbox position up to which every change has been delivered to or noted on every connection.
    pub fn delivered(&self) -> u64 {
        self.0.delivered.load(Ordering::Acquire)
    }

    /// Says something in a chat, for the connection `slot`. The answer goes out on it.
    pub fn send(
        &self,
        chat: &Arc<Chat>,
        slot: &Arc<Slot>,
        reference: Option<u32>,
        command: Command,
    ) {
        let id = command.id;
        if slot.begin_send(chat.id, id, reference).is_err() {
            self.refuse_by_order(chat.id, slot, reference, id);
            return;
        }
        debug_assert_eq!(command.origin, Some(slot.id));
        if planted(Fault::AckBeforePersist) {
            slot.repeat(chat.id, id, command.base.unwrap_or_default().next(), command.at);
            slot.flush();
        }
        self.step(chat, Input::Send(command));
    }

    /// Refuses a send that would be refused for its order whatever the store says: nobody has to look
    /// anything up for that. Where that is not so, the send has come again, and holds back what follows
    /// no more: it has to be sent or refused then.
    pub fn refuse_early(
        &self,
        chat: ChatId,
        slot: &Slot,
        reference: Option<u32>,
        id: ClientId,
    ) -> bool {
        let held_back = slot.hold_back(chat, id);
        if held_back {
            self.refuse_by_order(chat, slot, reference, id);
        }
        held_back
    }

    fn refuse_by_order(&self, chat: ChatId, slot: &Slot, reference: Option<u32>, id: ClientId) {
        self.0.metrics.refused.inc();
        slot.answer(reference, &wire::refusal(ErrorCode::AfterRefused, chat, id, None));
    }

    /// Says something in a chat, for somebody without a connection, and waits for what becomes of
    /// it. Given up before that, it may still happen: the same command again gets its number.
    pub async fn send_and_wait(
        &self,
        chat: &Arc<Chat>,
        mut command: Command,
    ) -> Result<Sent, Refusal> {
        let Command { author, id, digest, .. } = command;
        let Some(mut place) = self.0.answers.wait_for((chat.id, author, id), digest) else {
            self.0.metrics.refused.inc();
            return Err(Refusal::Busy);
        };
        command.origin = Some(place.origin);
        self.step(chat, Input::Send(command));
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, place.answer()).await;
        answer.unwrap_or(Err(Refusal::Unavailable))
    }

    /// Has a chat told what is new about its listing, if it was not told yet.
    pub fn hear(&self, chat: &Arc<Chat>, standing: Arc<Standing>) {
        self.step(chat, Input::Heard { standing, at: self.0.clock.now() });
    }

    /// The chats about these listings in which somebody spoke in the last minute. Not where somebody just
    /// looked: what is told at once would tell the other that.
    pub fn chats_about(&self, listings: &HashSet<ListingId>) -> Vec<Arc<Chat>> {
        let (mut found, then) = (Vec::new(), self.a_while_ago());
        for shard in &self.0.shards {
            let shard = shard.lock();
            let chats = shard.values().filter(|room| room.is_spoken_in_since(then)).map(Room::chat);
            found.extend(chats.filter(|chat| listings.contains(&chat.listing)).cloned());
        }
        found
    }

    /// Waits, without a connection, for anything of `user` to change.
    pub fn poll(&self, user: UserId) -> Result<Poll<'_>, TooManyPolls> {
        self.0.polls.begin(user)
    }

    /// Runs one turn of a room and carries out what follows from it.
    fn step(&self, chat: &Arc<Chat>, input: Input) {
        let mut effects = Effects::default();
        {
            let mut shard = self.shard(chat.id).lock();
            let room = shard.entry(chat.id).or_insert_with(|| self.room(chat));
            room.step(input, &mut effects);
            self.hand_over(chat, &mut effects);
        }
        self.carry_out(chat, effects);
    }

    fn room(&self, chat: &Arc<Chat>) -> Room {
        let pipelines = self.0.log.pipelines();
        let laws = Laws { pipelines, closes_with_listing: self.0.closes_with_listing };
        Room::new(Arc::clone(chat), laws, self.0.clock.now())
    }

    fn shard(&self, chat: ChatId) -> &Mutex<HashMap<ChatId, Room>> {
        let hash = self.0.hasher.hash_one(chat);
        &self.0.shards[hash as usize % SHARDS]
    }

    /// Hands what was numbered to the store, under the lock of the shard, so that it keeps its
    /// order.
    fn hand_over(&self, chat: &Arc<Chat>, effects: &mut Effects) {
        if let Some(Numbered { expected_head, events }) = effects.append.take() {
            self.0.log.append(Append { chat: Arc::clone(chat), expected_head, events });
        }
    }

    fn carry_out(&self, chat: &Arc<Chat>, effects: Effects) {
        for effect in effects.others {
            match effect {
                Effect::Repeat { author, id, digest, seq, at } => {
                    let seq = if planted(Fault::RepeatTellsNext) { seq.next() } else { seq };
                    self.0.metrics.repeats.inc();
                    if !self.0.answers.is_empty() {
                        let sent = Sent { seq, at, repeat: true };
                        self.0.answers.settle((chat.id, author, id), digest, sent);
                    }
                    self.each_author_slot(&chat.participants, author, |slot| {
                        if slot.repeat(chat.id, id, seq, at) {
                            slot.flush();
                        }
                    });
                }
                Effect::Refuse { origin, author, id, refusal } => {
                    self.refuse(chat, origin, author, id, refusal);
                }
                Effect::Load { setbacks } => {
                    let (hub, chat) = (self.clone(), Arc::clone(chat));
                    tokio::spawn(async move {
                        let snapshot = hub.snapshot(&chat).await;
                        hub.step(&chat, Input::Loaded { setbacks, snapshot });
                    });
                }
                Effect::Search { number, after, before, author, id } => {
                    let (hub, chat) = (self.clone(), Arc::clone(chat));
                    tokio::spawn(async move {
                        let search = hub.search(&chat, after, before, author, id);
                        let result = tokio::time::timeout(READ_TIMEOUT, search).await;
                        let result = result.unwrap_or(Err(Refusal::Unavailable));
                        hub.step(&chat, Input::Searched { number, result });
                    });
                }
            }
        }
    }

    fn refuse(
        &self,
        chat: &Chat,
        origin: Option<u64>,
        author: Author,
        id: ClientId,
        refusal: Refusal,
    ) {
        self.0.metrics.refused.inc();
        if !self.0.answers.is_empty() {
            self.0.answers.refuse((chat.id, author, id), origin, refusal);
        }
        let retryable = refusal.is_retryable();
        let error = wire::refusal(refusal.code(), chat.id, id, refusal.head());
        self.each_author_slot(&chat.participants, author, |slot| {
            let waits = origin.is_none_or(|origin| origin == slot.id);
            if waits && slot.refuse(chat.id, id, &error, retryable) {
                slot.flush();
            }
        });
    }

    fn wake_both(&self, participants: &Participants) {
        self.0.polls.wake(participants.buyer);
        self.0.polls.wake(participants.seller);
    }

    fn each_author_slot(
        &self,
        participants: &Participants,
        author: Author,
        f: impl FnMut(&Arc<Slot>),
    ) {
        let user = match author {
            Author::Buyer => participants.buyer,
            Author::Seller => participants.seller,
            // The server waits on no connection.
            Author::System => return,
        };
        self.0.registry.each_of(user, f);
    }

    /// The live end of a chat; `None` when the store cannot say, or not in time.
    async fn snapshot(&self, chat: &Chat) -> Option<Snapshot> {
        let load = self.0.loads.load(chat.id, Box::pin(self.read_snapshot(chat)));
        let loaded = tokio::time::timeout(READ_TIMEOUT, load).await;
        loaded.unwrap_or_else(|_| {
            tracing::warn!(chat = %chat.id, "a room was not loaded in time");
            None
        })
    }

    async fn read_snapshot(&self, chat: &Chat) -> Option<Snapshot> {
        let head = match self.0.log.head(chat.id).await {
            Ok(head) => head?,
            Err(error) => {
                tracing::warn!(%error, chat = %chat.id, "cannot load a room");
                return None;
            }
        };
        let range = Range::Before(head.head.next());
        match self.0.log.read(chat.id, range, RING_EVENTS_MAX).await {
            // The chat goes on without them: who asks for them is told.
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(%error, chat = %chat.id, "a chat's newest events are damaged");
                Some(Snapshot { head: head.head, state: head.state, newest: Vec::new() })
            }
            Ok(events) => {
                // Events may have become durable between the two reads.
                let newest = events.iter().filter(|event| event.seq <= head.head);
                let newest = newest.map(|event| encode(chat.id, event)).collect();
                Some(Snapshot { head: head.head, state: head.state, newest })
            }
            Err(error) => {
                tracing::warn!(%error, chat = %chat.id, "cannot load a room");
                None
            }
        }
    }

    /// Looks for the event that `author` named `id` between `after` and `before`.
    async fn search(
        &self,
        chat: &Chat,
        mut after: Seq,
        before: Seq,
        author: Author,
        id: ClientId,
    ) -> Result<Searched, Refusal> {
        let mut names = Vec::new();
        let looked_at = (before.0 - after.0).saturating_sub(1) as usize;
        while after.next() < before {
            let events = self.0.log.read(chat.id, Range::After(after), PULL_EVENTS).await;
            let events = events.map_err(|error| {
                tracing::warn!(%error, chat = %chat.id, "cannot search a chat");
                match error {
                    StoreError::Corrupt { .. } => Refusal::Damaged,
                    StoreError::Unavailable { .. } | StoreError::Unknown { .. } => {
                        Refusal::Unavailable
                    }
                }
            })?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            let found = events.iter().find(|event| event.id == id && event.author == author);
            if let Some(Event { seq, at, digest, .. }) = found {
                return Ok(Searched::Found(Found { seq: *seq, at: *at, digest: *digest }));
            }
            let looked = events.iter().filter(|event| event.seq < before);
            names.extend(looked.map(|event| (event.author, event.id)));
        }
        // Names stand for numbers by their place.
        let complete = names.len() == looked_at;
        if complete { Ok(Searched::Absent(names)) } else { Err(Refusal::Unavailable) }
    }

    /// Takes the store's outcomes to rooms and connections until the store is closed.
    pub async fn run_delivery(self, mut outcomes: Outcomes) {
        let mut turn = Turn::default();
        while let Some(committed) = outcomes.recv().await {
            self.deliver(committed, &mut turn);
        }
    }

    /// Delivers one committed group: every socket that gets something is written to once.
    fn deliver(&self, committed: Committed, turn: &mut Turn) {
        turn.position_before = self.delivered();
        self.0.metrics.groups.inc();
        for chat in committed.opened {
            // A seller hears of it with its first message.
            let buyer = chat.participants.buyer;
            if !planted(Fault::OpenNotTold) {
                self.0.registry.each_of(buyer, |slot| {
                    slot.note(chat.id, Seq(1), turn.position_before);
                });
            }
            self.0.polls.wake(buyer);
        }
        for moved in committed.moved {
            self.deliver_moved(&moved, turn.position_before);
        }
        for outcome in committed.appends {
            self.deliver_append(outcome, turn);
        }
        let moves = if planted(Fault::MarksNotTold) { Vec::new() } else { committed.marks };
        for moved in moves {
            for role in [Role::Buyer, Role::Seller] {
                let marks = if role == moved.role { Some(moved.marks) } else { moved.shown };
                let Some(marks) = marks else { continue };
                let frame = Outgoing::Marks(slot::marks_moved(moved.chat.id, moved.role, marks));
                self.0.registry.each_of(moved.chat.participants.user(role), |slot| {
                    slot.deliver_frame(moved.chat.id, &frame, turn);
                });
            }
            self.wake_both(&moved.chat.participants);
        }
        for moved in committed.personal {
            let PersonalMoved { chat, role, personal } = moved;
            let state = wire::state(&personal);
            let frame = Outgoing::State(StateMoved { chat: chat.id, state });
            self.0.registry.each_of(chat.participants.user(role), |slot| {
                slot.deliver_frame(chat.id, &frame, turn);
            });
            self.0.polls.wake(chat.participants.user(role));
        }
        self.0.delivered.store(committed.position, Ordering::Release);
        turn.flush();
    }

    /// What nobody told here: the connections look for themselves, from where they may lack it.
    fn deliver_moved(&self, moved: &ChatMoved, position_before: u64) {
        let ChatMoved { chat, from, head } = moved;
        if planted(Fault::MovedNotTold) {
            return;
        }
        let mut effects = Effects::default();
        {
            let mut shard = self.shard(chat.id).lock();
            if let Some(room) = shard.get_mut(&chat.id) {
                room.step(Input::Moved(*head), &mut effects);
                self.hand_over(chat, &mut effects);
            }
            for user in [chat.participants.buyer, chat.participants.seller] {
                self.0.registry.each_of(user, |slot| slot.note(chat.id, *from, position_before));
            }
        }
        self.carry_out(chat, effects);
        self.wake_both(&chat.participants);
    }

    fn deliver_append(&self, outcome: AppendOutcome, turn: &mut Turn) {
        let AppendOutcome { chat, events, result } = outcome;
        let unknown = result == Err(AppendError::Unknown);
        let conflict = matches!(result, Err(AppendError::Conflict { .. }));
        let as_written = planted(Fault::AckRefusedAppend) && !unknown
            || planted(Fault::AckUnknownOutcome) && unknown;
        let result = if as_written { Ok(()) } else { result };
        let input = match result {
            Ok(()) => {
                self.0.metrics.events.inc_by(events.len() as u64);
                let encoded = events.iter().map(|event| turn.encode(chat.id, event));
                Input::Appended(encoded.collect())
            }
            Err(AppendError::Conflict { .. }) => Input::Overtaken(events),
            // The store has looked and tried for as long as a client waits. If they stand after all,
            // they are told as moved, and whoever sends them again gets their numbers.
            Err(AppendError::Unavailable(_) | AppendError::Unknown) => Input::Failed(events),
        };
        let mut effects = Effects::default();
        {
            // Ring and connections learn of an event in one turn: a pull, which takes the same
            // lock, neither misses nor doubles it.
            let mut shard = self.shard(chat.id).lock();
            if let Input::Appended(entries) = &input {
                for entry in entries {
                    for role in [Role::Buyer, Role::Seller] {
                        if planted(Fault::PeerNotTold) && entry.author != role.into() {
                            continue;
                        }
                        self.0.registry.each_of(chat.participants.user(role), |slot| {
                            self.0.metrics.deliveries.inc();
                            slot.deliver(chat.id, role, entry, turn);
                        });
                    }
                    if !self.0.answers.is_empty() {
                        let Entry { seq, at, author, id, digest, .. } = *entry;
                        let sent = Sent { seq, at, repeat: false };
                        self.0.answers.settle((chat.id, author, id), digest, sent);
                    }
                }
            }
            let room = shard.entry(chat.id).or_insert_with(|| self.room(&chat));
            let untold = conflict || unknown && self.0.log.pipelines();
            if untold && !planted(Fault::RivalUnnoticed) {
                // Whoever was faster told nobody here. The connections look for themselves, and
                // hold their cursors back until they have.
                let from = room.head().next();
                for role in [Role::Buyer, Role::Seller] {
                    self.0.registry.each_of(chat.participants.user(role), |slot| {
                        slot.note(chat.id, from, turn.position_before);
                    });
                }
            }
            room.step(input, &mut effects);
            self.hand_over(&chat, &mut effects);
        }
        // After failures, too: what the store is not sure of may be there.
        self.wake_both(&chat.participants);
        self.carry_out(&chat, effects);
    }

    /// Sends a connection what it lacks of a chat, as far as its socket takes it: one step; the
    /// caller comes again while the chat is noted.
    pub async fn pull(&self, slot: &Slot, chat: &Arc<Chat>) -> Result<(), StoreError> {
        let Some(from) = slot.noted_from(chat.id) else {
            slot.settle_marks(chat.id);
            return Ok(());
        };
        let after = Seq(from.0.saturating_sub(u64::from(!planted(Fault::PullFromNext))));
        if self.put_from_ring(slot, chat, after) {
            return Ok(());
        }
        let head = self.0.log.head(chat.id).await?;
        let head = head.ok_or(StoreError::Unknown { operation: "push a chat" })?;
        if head.head.0.saturating_sub(after.0) > PUSH_EVENTS_MAX {
            self.leave_to_client(slot, chat.id, head.head);
            return Ok(());
        }
        let events = self.0.log.read(chat.id, Range::After(after), PULL_EVENTS).await?;
        self.load_room(chat).await?;
        if self.put_from_ring(slot, chat, after) {
            return Ok(());
        }
        let entries: Vec<_> = events.iter().map(|event| encode(chat.id, event)).collect();
        // No further than the room, which knows what was delivered: what is durable already and
        // not delivered yet would come twice. The end is decided with the ring at hand.
        let shard = self.shard(chat.id).lock();
        let delivered = shard.get(&chat.id).map(Room::head).unwrap_or_default();
        let entries = entries
            .iter()
            .take_while(|entry| entry.seq <= delivered || planted(Fault::PullBeyondRoom));
        slot.put_entries(chat, entries, planted(Fault::PullEndsWithoutRoom));
        Ok(())
    }

    /// Tells a connection that it is behind in a chat, up to `head` at least, and notes nothing of
    /// it any more. Sends of that chat whose answers may have been among it are to come again.
    pub fn leave_to_client(&self, slot: &Slot, chat: ChatId, head: Seq) {
        let Some(from) = slot.noted_from(chat) else { return };
        let after = Seq(from.0.saturating_sub(1));
        let behind = Behind { chat, after, head: head.max(from) };
        slot.answer(None, &Outgoing::Behind(behind));
        slot.forget(chat);
    }

    /// Sends what the ring has above `after`; `false` if the ring does not reach back so far.
    fn put_from_ring(&self, slot: &Slot, chat: &Chat, after: Seq) -> bool {
        let shard = self.shard(chat.id).lock();
        let entries = shard.get(&chat.id).and_then(|room| room.events_above(after));
        let Some(entries) = entries else { return false };
        slot.put_entries(chat, entries, true);
        true
    }

    /// Makes sure that a room knows its head.
    async fn load_room(&self, chat: &Arc<Chat>) -> Result<(), StoreError> {
        let setbacks = match self.shard(chat.id).lock().get(&chat.id) {
            Some(room) if room.events_above(room.head()).is_some() => return Ok(()),
            Some(room) => room.setbacks(),
            None => 0,
        };
        let Some(snapshot) = self.snapshot(chat).await else {
            return Err(StoreError::unavailable("load a room", "its newest events cannot be read"));
        };
        let mut effects = Effects::default();
        {
            let mut shard = self.shard(chat.id).lock();
            let room = shard.entry(chat.id).or_insert_with(|| self.room(chat));
            if room.knows_nothing() {
                let snapshot = Some(snapshot);
                room.step(Input::Loaded { setbacks, snapshot }, &mut effects);
                self.hand_over(chat, &mut effects);
            } else if room.events_above(room.head()).is_none() {
                // Set back, with appends under way that will fail: it is loaded after the last.
                return Err(StoreError::unavailable("load a room", "its appends are under way"));
            }
        }
        self.carry_out(chat, effects);
        Ok(())
    }

    /// Where nothing happened since, nothing is going on.
    fn a_while_ago(&self) -> Timestamp {
        let now = self.0.clock.now().as_millis();
        let idle = u64::try_from(ROOM_IDLE.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(now.saturating_sub(idle))
    }

    /// Forgets rooms in which nothing happened for a while.
    pub fn evict_idle_rooms(&self) {
        let before = self.a_while_ago();
        let mut rooms = 0;
        for shard in &self.0.shards {
            let mut shard = shard.lock();
            shard.retain(|_, room| !room.is_idle_since(before));
            if shard.capacity() > 4 * shard.len() {
                shard.shrink_to_fit();
            }
            rooms += shard.len();
        }
        self.0.metrics.rooms.set(i64::try_from(rooms).unwrap_or(i64::MAX));
    }
}

/// Encodes an event once, for everybody.
fn encode(chat: ChatId, event: &Event) -> Entry {
    Turn::default().encode(chat, event)
}
