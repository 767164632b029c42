//! A room: the live end of one chat's log. Pure: inputs in, effects out, no clock, no I/O.
//!
//! It numbers what is said, knows what was said before, and keeps the newest events at hand. What
//! it cannot decide from memory it asks for by an effect, and keeps later commands in order behind.
//! It never says that something happened: only the store's outcome does (G1, G4).
//!
//! What is new about the chat's listing it makes an event of by itself, in front of the next command: what
//! the chat was told stands in its small state, so that the head an append names says at once that nobody
//! else has told it. No name has to be searched for that.

use std::collections::VecDeque;
use std::sync::Arc;

use barterline_domain::chat::Chat;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq, SmallState};
use barterline_domain::ids::ClientId;
use barterline_domain::listing::change::{ListingChange, Standing};
use barterline_domain::message::{EventKind, RequestDigest};
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::limits::BASE_DISTANCE_MAX;
use barterline_storage::chat_log::{APPEND_BYTES_MAX, event_bytes};

use super::ring::{Entry, Name, Ring};
use crate::fault::{Fault, planted};

/// Commands that wait for a load or a search before a room refuses more.
const QUEUE_MAX: usize = 256;
/// Events on their way to the store before a room refuses more: four full connections.
const PENDING_MAX: usize = 256;

/// Something somebody wants to say.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who.
    pub author: Author,
    /// Their name for it.
    pub id: ClientId,
    /// Digest of the request.
    pub digest: RequestDigest,
    /// An earlier success of this command lies above. Without one the log is searched as far back
    /// as it is searched at all.
    pub base: Option<Seq>,
    /// What.
    pub kind: EventKind,
    /// When it came.
    pub at: Timestamp,
    /// The other person has blocked the author.
    pub withheld: bool,
    /// Who waits for the answer, in the caller's terms; everybody who uses the name, without one.
    pub origin: Option<u64>,
    /// Why it cannot be, unless it was carried out earlier: what was allowed once may no longer be,
    /// and its retry gets its number all the same (G2).
    pub refusal: Option<Refusal>,
    /// How the chat's listing stands, where the caller knows: what is new of it is told before this.
    pub standing: Option<Arc<Standing>>,
}

/// Why a command was refused. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A rule is against it.
    Forbidden(Forbidden),
    /// `base` lies above the newest number.
    SeqAhead {
        /// The newest number.
        head: Seq,
    },
    /// `base` lies too far back to search from.
    BaseOld {
        /// The newest number.
        head: Seq,
    },
    /// The id names something else already.
    IdConflict,
    /// Too much at once.
    Busy,
    /// The store takes nothing at the moment.
    Unavailable,
    /// What has to be searched is damaged.
    Damaged,
}

impl Refusal {
    /// Whether the same command may succeed later.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable | Self::Forbidden(Forbidden::MediaNotReady))
    }

    /// The name that clients know it by, at every door.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Forbidden(Forbidden::TargetNotFound) => ErrorCode::TargetNotFound,
            Self::Forbidden(Forbidden::TargetNotYours) => ErrorCode::TargetNotYours,
            Self::Forbidden(Forbidden::TargetGone) => ErrorCode::TargetGone,
            Self::Forbidden(Forbidden::TargetTooOld) => ErrorCode::TargetTooOld,
            Self::Forbidden(Forbidden::ReactionUnsupported) => ErrorCode::ReactionUnsupported,
            Self::Forbidden(Forbidden::MediaNotFound) => ErrorCode::MediaNotFound,
            Self::Forbidden(Forbidden::MediaNotReady) => ErrorCode::MediaNotReady,
            Self::Forbidden(Forbidden::MediaUsed) => ErrorCode::MediaUsed,
            Self::Forbidden(Forbidden::ListingClosed) => ErrorCode::ListingClosed,
            Self::SeqAhead { .. } => ErrorCode::SeqAhead,
            Self::BaseOld { .. } => ErrorCode::BaseOld,
            Self::IdConflict => ErrorCode::IdConflict,
            Self::Busy => ErrorCode::Busy,
            Self::Unavailable => ErrorCode::Unavailable,
            Self::Damaged => ErrorCode::Damaged,
        }
    }

    /// The chat's newest number, where the refusal depends on it.
    pub fn head(self) -> Option<Seq> {
        match self {
            Self::SeqAhead { head } | Self::BaseOld { head } => Some(head),
            Self::Forbidden(_)
            | Self::IdConflict
            | Self::Busy
            | Self::Unavailable
            | Self::Damaged => None,
        }
    }
}

/// Rules about what is said, all of which depend on more than the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// The message it is about is none of this chat.
    TargetNotFound,
    /// The message it is about is the other person's.
    TargetNotYours,
    /// The message it is about was taken back.
    TargetGone,
    /// The message it is about is too old.
    TargetTooOld,
    /// The reaction is not offered.
    ReactionUnsupported,
    /// There is no such upload for this person.
    MediaNotFound,
    /// The upload is not whole yet, or is still being looked at.
    MediaNotReady,
    /// Another message shows the upload.
    MediaUsed,
    /// The listing is sold or withdrawn, and its chats are closed.
    ListingClosed,
}

/// What has to be done for a room after a turn.
#[derive(Debug, Default)]
pub struct Effects {
    /// Hand these to the store, before anything else is. One field, because the common turn has
    /// nothing else and should not take memory for a list.
    pub append: Option<Numbered>,
    /// The rest, in order.
    pub others: Vec<Effect>,
}

/// Events with the numbers that follow `expected_head`.
#[derive(Debug)]
pub struct Numbered {
    /// The head they were numbered from.
    pub expected_head: Seq,
    /// The events.
    pub events: Vec<Event>,
}

/// One thing that has to be done for a room.
#[derive(Debug)]
pub enum Effect {
    /// This command was carried out earlier: tell its author the same number again.
    Repeat {
        /// Who asks.
        author: Author,
        /// The name.
        id: ClientId,
        /// Digest of the request.
        digest: RequestDigest,
        /// The number it was given.
        seq: Seq,
        /// When it was taken.
        at: Timestamp,
    },
    /// Tell the author no.
    Refuse {
        /// Who waits for the answer; everybody who sent it, if it was numbered already.
        origin: Option<u64>,
        /// Who asks.
        author: Author,
        /// The name.
        id: ClientId,
        /// Why.
        refusal: Refusal,
    },
    /// Read head, state and newest events, and come back with [`Input::Loaded`].
    Load {
        /// To be given back: [`Room::setbacks`].
        setbacks: u64,
    },
    /// Look for an event above `after` and below `before`; come back with [`Input::Searched`].
    Search {
        /// To be given back.
        number: u64,
        /// Below the first event to look at.
        after: Seq,
        /// Above the last event to look at.
        before: Seq,
        /// Whose.
        author: Author,
        /// By which name.
        id: ClientId,
    },
}

/// What happens to a room.
#[derive(Debug)]
pub enum Input {
    /// Somebody speaks.
    Send(Command),
    /// Somebody looked at the chat's listing.
    Heard {
        /// How it stands.
        standing: Arc<Standing>,
        /// When.
        at: Timestamp,
    },
    /// The store was read.
    Loaded {
        /// [`Room::setbacks`] before it was read.
        setbacks: u64,
        /// `None` when it could not be read.
        snapshot: Option<Snapshot>,
    },
    /// The log was searched; `Err` when it could not be.
    Searched {
        /// Which search it was.
        number: u64,
        /// What it found.
        result: Result<Searched, Refusal>,
    },
    /// The oldest events on their way are durable.
    Appended(Vec<Entry>),
    /// Another node was faster: these start again from the store.
    Overtaken(Vec<Event>),
    /// The store refused these, or nobody knows; what is behind them is refused too.
    Failed(Vec<Event>),
    /// The log goes on up to this number, by somebody else.
    Moved(Seq),
}

/// The live end of a chat as the store has it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Newest durable number.
    pub head: Seq,
    /// Small state there.
    pub state: SmallState,
    /// The newest events, ascending, up to `head`.
    pub newest: Vec<Entry>,
}

/// What a search came to.
#[derive(Debug)]
pub enum Searched {
    /// It is this event.
    Found(Found),
    /// It is none of these, which are the names of all events that were looked at, ascending.
    Absent(Vec<Name>),
}

/// An event that a search found.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Its number.
    pub seq: Seq,
    /// When it was taken.
    pub at: Timestamp,
    /// Digest of its request.
    pub digest: RequestDigest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Knows nothing, and has not asked.
    Unknown,
    /// Waits for a snapshot.
    Loading,
    /// Waits for this search on behalf of the first queued command, above `after` and below
    /// `before`.
    Searching {
        number: u64,
        after: Seq,
        before: Seq,
    },
    Ready,
}

/// An event on its way: numbered, not durable.
#[derive(Debug)]
struct Pending {
    seq: Seq,
    author: Author,
    id: ClientId,
    digest: RequestDigest,
    base: Option<Seq>,
}

/// What holds for every room.
#[derive(Debug, Clone, Copy)]
pub struct Laws {
    /// Whether the store takes an append before the one ahead of it is done.
    pub pipelines: bool,
    /// Whether buyers say nothing more about what is sold or withdrawn, unless the seller goes on.
    pub closes_with_listing: bool,
}

/// The live end of one chat.
#[derive(Debug)]
pub struct Room {
    chat: Arc<Chat>,
    laws: Laws,
    phase: Phase,
    /// Newest durable number.
    head: Seq,
    /// Newest number given out, and the small state there.
    taken: Seq,
    state: SmallState,
    ring: Ring,
    /// Everything between `head` and `taken`.
    pending: VecDeque<Pending>,
    /// The newest of `pending`, which the store has not been handed yet.
    waiting: Vec<Event>,
    /// Commands not decided yet.
    queue: VecDeque<Command>,
    /// The last command for which the store was asked whether the log has gone on.
    looked_ahead_for: Option<ClientId>,
    /// Searches asked for so far.
    searches: u64,
    /// Times that the room had to start again from the store.
    setbacks: u64,
    last_active: Timestamp,
    /// When somebody was last heard here, and did not just look.
    spoken_at: Option<Timestamp>,
    /// The newest that was heard of the listing.
    standing: Option<Arc<Standing>>,
    /// Since when what is new of it is to be told also while nobody speaks, if it is.
    to_tell: Option<Timestamp>,
}

impl Room {
    /// A room that knows nothing yet; its first command makes it ask.
    pub fn new(chat: Arc<Chat>, laws: Laws, now: Timestamp) -> Self {
        Self {
            chat,
            laws,
            phase: Phase::Unknown,
            head: Seq::ZERO,
            taken: Seq::ZERO,
            state: SmallState::default(),
            ring: Ring::default(),
            pending: VecDeque::new(),
            waiting: Vec::new(),
            queue: VecDeque::new(),
            looked_ahead_for: None,
            searches: 0,
            setbacks: 0,
            last_active: now,
            spoken_at: None,
            standing: None,
            to_tell: None,
        }
    }

    /// What never changes about its chat.
    pub fn chat(&self) -> &Arc<Chat> {
        &self.chat
    }

    /// Whether somebody was heard here since then, and did not just look.
    pub fn is_spoken_in_since(&self, then: Timestamp) -> bool {
        self.spoken_at.is_some_and(|at| at >= then)
    }

    /// Times that the room had to start again from the store: what was read before the last of
    /// them is too old.
    pub fn setbacks(&self) -> u64 {
        self.setbacks
    }

    /// The newest number that is known to be durable.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The newest durable events above `seq`, or `None` when they are not all at hand.
    pub fn events_above(&self, seq: Seq) -> Option<impl Iterator<Item = &Entry>> {
        let known = !matches!(self.phase, Phase::Unknown | Phase::Loading);
        (known && self.ring.covers(seq, self.head)).then(|| self.ring.above(seq))
    }

    /// Whether no snapshot has been taken in since the room was made or set back.
    pub fn knows_nothing(&self) -> bool {
        self.pending.is_empty() && matches!(self.phase, Phase::Unknown | Phase::Loading)
    }

    /// Whether nothing happened since `before` and nothing is on its way.
    pub fn is_idle_since(&self, before: Timestamp) -> bool {
        self.last_active < before
            && (self.pending.is_empty() || planted(Fault::BusyRoomForgotten))
            && self.queue.is_empty()
            && matches!(self.phase, Phase::Ready | Phase::Unknown)
    }

    /// Takes one input.
    pub fn step(&mut self, input: Input, effects: &mut Effects) {
        match input {
            Input::Send(command) => self.send(command, effects),
            Input::Heard { standing, at } => self.heard(standing, at, effects),
            Input::Loaded { setbacks, snapshot } => self.loaded(setbacks, snapshot, effects),
            Input::Searched { number, result } => self.searched(number, result, effects),
            Input::Appended(entries) => self.appended(entries, effects),
            Input::Overtaken(events) => self.overtaken(events, effects),
            Input::Failed(events) => self.failed(&events, effects),
            Input::Moved(head) => self.moved(head, effects),
        }
    }

    fn send(&mut self, mut command: Command, effects: &mut Effects) {
        self.last_active = command.at;
        if let Some(standing) = command.standing.take() {
            self.learn(standing);
        }
        if self.phase == Phase::Ready {
            debug_assert!(self.queue.is_empty());
            self.decide(command, effects);
            self.hand_over(effects);
        } else if self.queue.len() < QUEUE_MAX {
            self.queue.push_back(command);
            self.ask_to_load(effects);
        } else {
            effects.others.push(refuse(&command, Refusal::Busy));
        }
    }

    fn heard(&mut self, standing: Arc<Standing>, at: Timestamp, effects: &mut Effects) {
        // That does not keep the room: nobody may be here.
        self.learn(standing);
        self.to_tell = Some(at);
        if self.phase == Phase::Ready {
            self.tell_by_itself();
            self.hand_over(effects);
        } else {
            // It is told with the load, or in front of the next command.
            self.ask_to_load(effects);
        }
    }

    /// Remembers what was heard of the listing, unless something newer was.
    fn learn(&mut self, heard: Arc<Standing>) {
        if self.standing.as_ref().is_none_or(|known| known.version < heard.version) {
            self.standing = Some(heard);
        }
    }

    /// Asks for a snapshot, unless one was asked for or something is still on its way.
    fn ask_to_load(&mut self, effects: &mut Effects) {
        if self.phase == Phase::Unknown && self.pending.is_empty() {
            self.phase = Phase::Loading;
            effects.others.push(Effect::Load { setbacks: self.setbacks });
        }
    }

    fn loaded(&mut self, setbacks: u64, snapshot: Option<Snapshot>, effects: &mut Effects) {
        if !self.knows_nothing() || setbacks != self.setbacks {
            // Another load was faster, or this one is from before the room was set back: its head
            // is not the one that sent it back.
            return;
        }
        let Some(snapshot) = snapshot else {
            // The next command asks again, or who looks.
            self.phase = Phase::Unknown;
            self.to_tell = None;
            self.refuse_queue(effects);
            return;
        };
        self.phase = Phase::Ready;
        self.head = snapshot.head;
        self.taken = snapshot.head;
        self.state = snapshot.state;
        self.ring = Ring::default();
        for entry in snapshot.newest {
            self.ring.push(entry);
        }
        self.drain(effects);
    }

    /// Carries out what waited, in order, until something has to be asked for.
    fn drain(&mut self, effects: &mut Effects) {
        while self.phase == Phase::Ready {
            let Some(command) = self.queue.pop_front() else {
                break;
            };
            self.decide(command, effects);
        }
        if self.phase == Phase::Ready {
            self.tell_by_itself();
        }
        self.hand_over(effects);
    }

    /// Tells what is new about the listing while nobody speaks, if somebody wants that: what a command brought
    /// that nobody hears is told with one that is heard. Not in a chat in which nothing was said: its seller
    /// hears of it with the first message.
    fn tell_by_itself(&mut self) {
        let Some(at) = self.to_tell.take() else { return };
        if self.taken > Seq::ZERO && self.pending.len() < PENDING_MAX {
            self.tell(at);
        }
    }

    /// What is new about the listing.
    fn news(&self) -> Option<ListingChange> {
        let standing = self.standing.as_ref()?;
        standing.change_since(&self.chat.snapshot, self.state)
    }

    /// Tells what is new about the listing, if anything is.
    fn tell(&mut self, at: Timestamp) {
        let Some(change) = self.news() else { return };
        let told = self.state.listing_version;
        let id = ClientId::of_listing_change(self.chat.id, change.version());
        let kind = EventKind::Listing(change);
        let digest = kind.digest();
        self.take((Author::System, id, digest), None, kind, at, false);
        if planted(Fault::ListingToldTwice) {
            self.state.listing_version = told;
        }
    }

    /// Decides one command against everything durable and on its way (the law of the head).
    fn decide(&mut self, mut command: Command, effects: &mut Effects) {
        let Command { author, id, digest, .. } = command;
        let furthest = Seq(self.head.0.saturating_sub(BASE_DISTANCE_MAX));
        let base = *command.base.get_or_insert(furthest);
        if let Some(known) = self.known(base, &command) {
            match known {
                Known::OnItsWay(same) | Known::Durable(Found { digest: same, .. })
                    if !digest.repeats(same) =>
                {
                    effects.others.push(refuse(&command, Refusal::IdConflict));
                }
                Known::Durable(Found { seq, at, .. }) => {
                    effects.others.push(Effect::Repeat { author, id, digest, seq, at });
                }
                // Its author hears when the first is durable.
                Known::OnItsWay(_) => {}
            }
        } else if base > self.taken {
            self.look_ahead(command, effects);
        } else if self.head.0.saturating_sub(base.0) > BASE_DISTANCE_MAX {
            effects.others.push(refuse(&command, Refusal::BaseOld { head: self.head }));
        } else if DEDUPE_IS_OFF {
            self.number(command, effects);
        } else if let Some(seq) = self.ring.find_name(base, (author, id)) {
            // It is this very message: the store has the rest of it.
            self.search(command, Seq(seq.0 - 1), seq.next(), effects);
        } else if self.ring.names_cover(base, self.head) {
            self.number(command, effects);
        } else {
            let before = self.ring.oldest_name().unwrap_or(self.head.next());
            let after = if planted(Fault::LogSearchedFromNext) { base.next() } else { base };
            self.search(command, after, before, effects);
        }
    }

    /// Decides a command whose base lies above the newest number given out. Where others append
    /// too, only the store can tell whether that is a mistake.
    fn look_ahead(&mut self, command: Command, effects: &mut Effects) {
        if self.laws.pipelines || self.looked_ahead_for == Some(command.id) {
            effects.others.push(refuse(&command, Refusal::SeqAhead { head: self.head }));
        } else if self.pending.is_empty() {
            self.looked_ahead_for = Some(command.id);
            self.queue.push_front(command);
            self.set_back();
            self.ask_to_load(effects);
        } else {
            effects.others.push(refuse(&command, Refusal::Unavailable));
            self.refuse_queue(effects);
        }
    }

    /// Has the log searched for the command above `after` and below `before`; it and what comes
    /// after it wait.
    fn search(&mut self, command: Command, after: Seq, before: Seq, effects: &mut Effects) {
        let Command { author, id, .. } = command;
        self.searches += 1;
        let number = self.searches;
        self.phase = Phase::Searching { number, after, before };
        self.queue.push_front(command);
        effects.others.push(Effect::Search { number, after, before, author, id });
    }

    /// An earlier success of the command above `base`, in memory.
    fn known(&self, base: Seq, command: &Command) -> Option<Known> {
        if DEDUPE_IS_OFF {
            return None;
        }
        let Command { author, id, .. } = *command;
        let mut pending = self.pending.iter().filter(|_| !planted(Fault::PendingUnknown));
        if let Some(same) = pending.find(|pending| pending.id == id && pending.author == author) {
            return Some(Known::OnItsWay(same.digest));
        }
        let from = if planted(Fault::RingSearchedFromNext) { base.next() } else { base };
        let Entry { seq, at, digest, .. } = *self.ring.find(from, author, id)?;
        Some(Known::Durable(Found { seq, at, digest }))
    }

    /// Gives the command the next number.
    fn number(&mut self, command: Command, effects: &mut Effects) {
        if self.pending.len() >= PENDING_MAX {
            effects.others.push(refuse(&command, Refusal::Busy));
            return;
        }
        if let Some(refusal) = command.refusal {
            effects.others.push(refuse(&command, refusal));
            if refusal.is_retryable() {
                self.refuse_behind(&command, effects);
            }
            return;
        }
        if self.is_closed_to(&command) {
            // It says why, but for who is not heard.
            if !command.withheld {
                self.to_tell = Some(command.at);
                self.tell_by_itself();
            }
            effects.others.push(refuse(&command, Refusal::Forbidden(Forbidden::ListingClosed)));
            return;
        }
        let Command { author, id, digest, base, kind, at, withheld, .. } = command;
        if !withheld {
            self.spoken_at = Some(at);
            self.tell(at);
        }
        self.take((author, id, digest), base, kind, at, withheld);
    }

    /// Whether a buyer says something new about what is gone. What the chat was told decides, and what it is
    /// about to be told: so of two servers that number for one chat neither lets through behind the end what
    /// the other refuses.
    fn is_closed_to(&self, command: &Command) -> bool {
        let by_law = self.laws.closes_with_listing
            && command.author == Author::Buyer
            && matches!(command.kind, EventKind::Message(_));
        by_law && {
            let told =
                |change| self.state.after(Author::System, &EventKind::Listing(change), false);
            let state = self.news().map_or(self.state, told);
            state.is_over() && !state.seller_went_on
        }
    }

    /// Gives an event the next number.
    fn take(
        &mut self,
        (author, id, digest): (Author, ClientId, RequestDigest),
        base: Option<Seq>,
        kind: EventKind,
        at: Timestamp,
        withheld: bool,
    ) {
        let seq = self.taken.next();
        self.taken = seq;
        self.state = self.state.after(author, &kind, withheld);
        self.pending.push_back(Pending { seq, author, id, digest, base });
        let (after, amended) = (self.state, None);
        self.waiting.push(Event { seq, at, author, id, digest, kind, after, withheld, amended });
    }

    /// Hands what is numbered to the store, if it may be handed now.
    fn hand_over(&mut self, effects: &mut Effects) {
        let handed = self.pending.len() - self.waiting.len();
        if self.waiting.is_empty() || (handed > 0 && !self.laws.pipelines) {
            return;
        }
        let expected_head = Seq(self.taken.0 - self.waiting.len() as u64);
        debug_assert!(effects.append.is_none(), "a turn hands over once, at its end");
        let mut bytes = 0;
        let fits = self.waiting.iter().take_while(|event| {
            bytes += event_bytes(&event.kind);
            bytes <= APPEND_BYTES_MAX
        });
        // What is more is handed over when this is durable.
        let rest = self.waiting.split_off(fits.count());
        let events = std::mem::replace(&mut self.waiting, rest);
        effects.append = Some(Numbered { expected_head, events });
    }

    fn searched(&mut self, number: u64, result: Result<Searched, Refusal>, effects: &mut Effects) {
        let (after, before) = match self.phase {
            Phase::Searching { number: awaited, after, before } if awaited == number => {
                (after, before)
            }
            // The room was set back meanwhile; the command is decided anew.
            _ => return,
        };
        self.phase = Phase::Ready;
        let Some(mut command) = self.queue.pop_front() else {
            return;
        };
        let Command { author, id, .. } = command;
        match result {
            Err(refusal) => {
                effects.others.push(refuse(&command, refusal));
                if refusal.is_retryable() {
                    self.refuse_behind(&command, effects);
                }
            }
            Ok(Searched::Found(found)) if command.digest.repeats(found.digest) => {
                let (Found { seq, at, .. }, digest) = (found, command.digest);
                effects.others.push(Effect::Repeat { author, id, digest, seq, at });
            }
            Ok(Searched::Found(_)) => effects.others.push(refuse(&command, Refusal::IdConflict)),
            // A name that was in the ring is not in the log: nothing can be told of this chat.
            Ok(Searched::Absent(_)) if command.base != Some(after) => {
                effects.others.push(refuse(&command, Refusal::Damaged));
            }
            Ok(Searched::Absent(names)) => {
                if self.ring.oldest_name() == Some(before) {
                    self.ring.learn_names(names);
                }
                // Nothing below `before` is it; what came since is looked at like anything else.
                command.base = Some(Seq(before.0 - 1));
                self.decide(command, effects);
            }
        }
        self.drain(effects);
    }

    /// Refuses what its author sent behind a command that may come again: the order is theirs.
    fn refuse_behind(&mut self, refused: &Command, effects: &mut Effects) {
        if planted(Fault::QueueOvertakesRefused) {
            return;
        }
        self.queue.retain(|command| {
            let stays = command.author != refused.author;
            if !stays {
                effects.others.push(refuse(command, Refusal::Unavailable));
            }
            stays
        });
    }

    fn appended(&mut self, entries: Vec<Entry>, effects: &mut Effects) {
        for entry in entries {
            let expected = self.pending.pop_front();
            debug_assert!(expected.is_some_and(|pending| pending.seq == entry.seq));
            self.head = entry.seq;
            self.ring.push(entry);
        }
        self.hand_over(effects);
        // Set back while they were on their way.
        self.ask_again(effects);
    }

    /// Puts everything on its way back in front of the queue, to be decided against the new head.
    fn overtaken(&mut self, mut events: Vec<Event>, effects: &mut Effects) {
        if self.laws.pipelines {
            // What is behind them is on its way too and could be decided out of order.
            self.failed(&events, effects);
            return;
        }
        events.append(&mut self.waiting);
        let pending = std::mem::take(&mut self.pending);
        for (event, pending) in events.into_iter().zip(pending).rev() {
            let Event { at, author, id, digest, kind, withheld, .. } = event;
            if is_told_by_itself(&kind) {
                // Whoever was faster may have told it; what is still new follows from the new head.
                self.to_tell = Some(at);
                continue;
            }
            let base = pending.base;
            let unsearched = planted(Fault::RenumberWithoutSearch);
            let base = if unsearched { Some(pending.seq) } else { base };
            // Whoever sent it again while it was on its way waits for the same answer.
            self.queue.push_front(Command {
                author,
                id,
                digest,
                base,
                kind,
                at,
                withheld,
                origin: None,
                refusal: None,
                standing: None,
            });
        }
        self.set_back();
        self.ask_to_load(effects);
    }

    /// Starts again from the store; with appends under way after the last of them, which will not
    /// stand.
    fn moved(&mut self, head: Seq, effects: &mut Effects) {
        if self.phase == Phase::Ready && self.head >= head {
            return;
        }
        self.set_back();
        self.ask_again(effects);
    }

    /// Asks for a snapshot, if anything waits for one.
    fn ask_again(&mut self, effects: &mut Effects) {
        if !self.queue.is_empty() || self.to_tell.is_some() {
            self.ask_to_load(effects);
        }
    }

    fn set_back(&mut self) {
        self.phase = Phase::Unknown;
        self.setbacks += 1;
    }

    /// Refuses what the store refused. The head is read anew before anything else is numbered.
    fn failed(&mut self, events: &[Event], effects: &mut Effects) {
        for event in events.iter().chain(&std::mem::take(&mut self.waiting)) {
            let Event { author, id, .. } = *event;
            let (origin, refusal) = (None, Refusal::Unavailable);
            if !is_told_by_itself(&event.kind) {
                effects.others.push(Effect::Refuse { origin, author, id, refusal });
            }
            self.pending.retain(|pending| pending.seq != event.seq);
        }
        self.refuse_queue(effects);
        self.set_back();
    }

    /// Refuses what waits behind a command that was refused as retryable: carried out, it would
    /// stand before what its author said first.
    fn refuse_queue(&mut self, effects: &mut Effects) {
        if planted(Fault::QueueOvertakesRefused) {
            return;
        }
        for command in std::mem::take(&mut self.queue) {
            effects.others.push(refuse(&command, Refusal::Unavailable));
        }
    }
}

/// Planted fault: no search for the client id. Breaks G2 on purpose.
const DEDUPE_IS_OFF: bool = cfg!(feature = "fault-no-dedupe");

/// Whether a room makes such events by itself: nobody waits for them, and they are made anew.
fn is_told_by_itself(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Listing(_))
}

enum Known {
    OnItsWay(RequestDigest),
    Durable(Found),
}

fn refuse(command: &Command, refusal: Refusal) -> Effect {
    let Command { origin, author, id, .. } = *command;
    Effect::Refuse { origin, author, id, refusal }
}

#[cfg(test)]
mod tests;
