//! The room against a store that is slow, fails and lets others go first, under random schedules.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn command(n: u8, base: u64) -> Command {
    text_command(n, base, &format!("message {n}"))
}

fn text_command(n: u8, base: u64, text: &str) -> Command {
    let kind = EventKind::text(text);
    Command {
        author: if n.is_multiple_of(2) { Author::Buyer } else { Author::Seller },
        id: ClientId::from_bytes([n; 16]),
        digest: kind.digest(),
        base: Some(Seq(base)),
        kind,
        at: Timestamp::from_millis(1),
        withheld: false,
        origin: None,
        refusal: None,
    }
}

/// A room, and a store that answers when it is told to.
struct World {
    room: Room,
    log: Vec<Event>,
    appends: VecDeque<(Seq, Vec<Event>)>,
    loads: VecDeque<u64>,
    searches: VecDeque<(u64, Seq, Seq, Author, ClientId)>,
    /// What every author was told.
    told: HashMap<ClientId, Seq>,
    refused: Vec<(ClientId, Refusal)>,
}

impl World {
    fn new(pipelines: bool) -> Self {
        Self {
            room: Room::new(pipelines, Timestamp::from_millis(0)),
            log: Vec::new(),
            appends: VecDeque::new(),
            loads: VecDeque::new(),
            searches: VecDeque::new(),
            told: HashMap::new(),
            refused: Vec::new(),
        }
    }

    fn head(&self) -> u64 {
        self.log.len() as u64
    }

    fn step(&mut self, input: Input) {
        let mut effects = Effects::default();
        self.room.step(input, &mut effects);
        if let Some(Numbered { expected_head, events }) = effects.append {
            self.appends.push_back((expected_head, events));
        }
        for effect in effects.others {
            match effect {
                Effect::Repeat { id, seq, .. } => self.tell(id, seq),
                Effect::Refuse { id, refusal, .. } => self.refused.push((id, refusal)),
                Effect::Load { setbacks } => self.loads.push_back(setbacks),
                Effect::Search { number, after, before, author, id } => {
                    self.searches.push_back((number, after, before, author, id));
                }
            }
        }
    }

    /// G2: whoever is told a number is told the same one again, and it is the event's.
    fn tell(&mut self, id: ClientId, seq: Seq) {
        assert_eq!(*self.told.entry(id).or_insert(seq), seq, "one message, two numbers");
        assert_eq!(self.log[seq.0 as usize - 1].id, id, "told of another's number");
    }

    fn load(&mut self) {
        let Some(setbacks) = self.loads.pop_front() else { return };
        let newest = self.log.iter().rev().take(super::super::ring::RING_EVENTS_MAX).rev();
        let state = self.log.last().map(|event| event.after).unwrap_or_default();
        let newest = newest.map(|event| Entry::new(event, Bytes::new(), None)).collect();
        let snapshot = Snapshot { head: Seq(self.head()), state, newest };
        let snapshot = Some(snapshot);
        self.step(Input::Loaded { setbacks, snapshot });
    }

    fn search(&mut self, works: bool) {
        let Some(search) = self.searches.pop_front() else { return };
        let (number, after, before, author, id) = search;
        let mut between = self.log.iter().filter(|event| event.seq > after && event.seq < before);
        let found = between.find(|event| event.id == id && event.author == author);
        let found = found.map(|Event { seq, at, digest, .. }| Found {
            seq: *seq,
            at: *at,
            digest: *digest,
        });
        let between = self.log.iter().filter(|event| event.seq > after && event.seq < before);
        let names = between.map(|event| (event.author, event.id)).collect();
        let searched = found.map_or(Searched::Absent(names), Searched::Found);
        let result = if works { Ok(searched) } else { Err(Refusal::Unavailable) };
        self.step(Input::Searched { number, result });
    }

    /// The store settles its oldest append.
    fn settle(&mut self) {
        let Some((expected_head, events)) = self.appends.pop_front() else { return };
        if expected_head.0 != self.head() {
            self.step(Input::Overtaken(events));
            return;
        }
        for event in &events {
            assert_eq!(event.seq.0, self.head() + 1, "G3: a gap in the log");
            let again = self.log.iter().any(|old| old.id == event.id && old.author == event.author);
            assert!(!again, "G2: {:?} stands in the log twice", event.id);
            self.log.push(event.clone());
        }
        self.step(Input::Appended(
            events.iter().map(|event| Entry::new(event, Bytes::new(), None)).collect(),
        ));
        for event in &events {
            self.tell(event.id, event.seq);
        }
    }

    /// The store fails, and everything behind fails with it.
    fn fail(&mut self) {
        while let Some((_, events)) = self.appends.pop_front() {
            self.step(Input::Failed(events));
        }
    }

    /// Another node appends, behind the room's back.
    fn rival(&mut self, n: u8) {
        let seq = Seq(self.head() + 1);
        let Command { author, id, digest, kind, at, .. } = command(n, 0);
        if self.log.iter().any(|event| event.id == id) {
            return;
        }
        let before = self.log.last().map(|event| event.after).unwrap_or_default();
        let after = before.after(author, &kind, false);
        let (withheld, amended) = (false, None);
        self.log.push(Event { seq, at, author, id, digest, kind, after, withheld, amended });
    }

    fn run_dry(&mut self) {
        while !self.loads.is_empty() || !self.searches.is_empty() || !self.appends.is_empty() {
            self.load();
            self.search(true);
            self.settle();
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Say(u8),
    Retry(u8),
    Load,
    LoadFails,
    Search(bool),
    Settle,
    Fail,
    Rival(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..120).prop_map(Step::Say),
        4 => (0_u8..120).prop_map(Step::Retry),
        3 => Just(Step::Load),
        1 => Just(Step::LoadFails),
        3 => any::<bool>().prop_map(Step::Search),
        6 => Just(Step::Settle),
        1 => Just(Step::Fail),
        1 => (120_u8..140).prop_map(Step::Rival),
    ]
}

proptest! {
    /// G2, G3: whatever the store does and however often clients retry, a message stands in the
    /// log once, numbers have no gap, and every retry is told the same number.
    #[test]
    fn g2_g3_once_and_in_order(
        pipelines in any::<bool>(),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut world = World::new(pipelines);
        let mut bases: HashMap<u8, u64> = HashMap::new();
        for step in steps {
            match step {
                Step::Say(n) => {
                    let head = world.head();
                    let base = *bases.entry(n).or_insert(head);
                    world.step(Input::Send(command(n, base)));
                }
                Step::Retry(n) => {
                    if let Some(base) = bases.get(&n) {
                        world.step(Input::Send(command(n, *base)));
                    }
                }
                Step::Load => world.load(),
                Step::LoadFails => if let Some(setbacks) = world.loads.pop_front() {
                    world.step(Input::Loaded { setbacks, snapshot: None });
                },
                Step::Search(works) => world.search(works),
                Step::Settle => world.settle(),
                Step::Fail => world.fail(),
                // Only a store that several nodes write has rivals, and it is not pipelined.
                Step::Rival(n) => if !pipelines { world.rival(n) },
            }
        }
        world.run_dry();
        // Every message that was tried comes through in the end, once.
        for (n, base) in &bases {
            world.step(Input::Send(command(*n, *base)));
            world.run_dry();
            let refused = world.refused.last().is_some_and(|(id, refusal)| {
                *id == command(*n, 0).id && !matches!(refusal, Refusal::Unavailable)
            });
            let ids = world.log.iter().filter(|event| event.id == command(*n, 0).id).count();
            prop_assert!(ids == 1 || refused, "message {} stands {} times", n, ids);
        }
    }
}

/// A room over a log with `head` messages, loaded.
fn loaded(head: u8) -> World {
    let mut world = World::new(true);
    for n in 0..head {
        world.step(Input::Send(command(n, u64::from(n))));
        world.run_dry();
    }
    assert_eq!(world.head(), u64::from(head));
    world
}

#[test]
fn a_retry_is_answered_from_memory() {
    let mut world = loaded(3);
    world.step(Input::Send(command(1, 0)));
    assert!(world.appends.is_empty() && world.searches.is_empty());
    assert_eq!(world.told[&command(1, 0).id], Seq(2));
}

#[test]
fn a_retry_from_far_back_searches_the_store() {
    let mut world = loaded(100);
    world.step(Input::Send(command(5, 2)));
    assert_eq!(world.searches.front().map(|search| search.1), Some(Seq(5)));
    world.run_dry();
    assert_eq!(world.head(), 100);
}

#[test]
fn one_search_is_enough_for_all_that_share_a_base() {
    let mut world = loaded(100);
    // Names of what went through this room are known; those before its time are not.
    world.room = Room::new(true, Timestamp::from_millis(0));
    for n in 100..120 {
        world.step(Input::Send(command(n, 2)));
        let searches = world.searches.len();
        assert!(searches <= usize::from(n == 100), "message {n} has the log searched again");
        world.run_dry();
    }
    assert_eq!(world.head(), 120);
    world.step(Input::Send(command(5, 2)));
    assert_eq!(world.searches.front().map(|search| (search.1, search.2)), Some((Seq(5), Seq(7))));
    world.run_dry();
    assert_eq!(world.head(), 120);
}

#[test]
fn the_same_id_with_another_text_is_a_conflict() {
    let mut world = loaded(2);
    world.step(Input::Send(text_command(1, 0, "something else")));
    assert_eq!(world.refused, [(command(1, 0).id, Refusal::IdConflict)]);
}

#[test]
fn a_base_from_the_future_is_refused() {
    let mut world = loaded(2);
    world.step(Input::Send(command(9, 3)));
    assert_eq!(world.refused, [(command(9, 0).id, Refusal::SeqAhead { head: Seq(2) })]);
}

#[test]
fn a_failure_refuses_what_was_on_its_way_and_the_next_command_asks_the_store() {
    let mut world = loaded(2);
    world.step(Input::Send(command(7, 2)));
    world.fail();
    assert_eq!(world.refused, [(command(7, 0).id, Refusal::Unavailable)]);
    world.step(Input::Send(command(7, 2)));
    assert_eq!(world.loads.len(), 1);
    world.run_dry();
    assert_eq!(world.told[&command(7, 0).id], Seq(3));
}

#[test]
fn too_much_at_once_is_refused_as_busy() {
    let mut world = loaded(1);
    for n in 0..=PENDING_MAX {
        let mut command = command(2, 1);
        command.id = ClientId::from_bytes((n as u128 + 1_000).to_be_bytes());
        world.step(Input::Send(command));
    }
    assert!(matches!(world.refused.as_slice(), [(_, Refusal::Busy)]));
}

#[test]
fn g2_without_a_base_the_log_is_searched_as_far_back_as_ever() {
    let mut world = loaded(100);
    // It has forgotten the names: the store has to be asked.
    world.room = Room::new(true, Timestamp::from_millis(0));
    world.step(Input::Send(Command { base: None, ..command(5, 0) }));
    world.load();
    assert_eq!(world.searches.front().map(|search| search.1), Some(Seq::ZERO));
    world.run_dry();
    assert_eq!((world.head(), world.told[&command(5, 0).id]), (100, Seq(6)));
    world.step(Input::Send(Command { base: None, ..command(101, 0) }));
    world.run_dry();
    assert_eq!((world.head(), world.told[&command(101, 0).id]), (101, Seq(101)));
    assert_eq!(world.refused, []);
}

#[test]
fn without_a_base_no_chat_is_too_long() {
    let mut world = World::new(true);
    let distance = BASE_DISTANCE_MAX as usize;
    for n in 0..=distance {
        let kind = EventKind::text("x");
        let id = ClientId::from_bytes((n as u128 + 1_000).to_be_bytes());
        let command = Command { id, digest: kind.digest(), kind, ..command(2, n as u64) };
        world.step(Input::Send(command));
        world.run_dry();
    }
    world.step(Input::Send(command(3, 0)));
    let head = Seq(BASE_DISTANCE_MAX + 1);
    assert_eq!(world.refused, [(command(3, 0).id, Refusal::BaseOld { head })]);
    world.step(Input::Send(Command { base: None, ..command(3, 0) }));
    world.run_dry();
    assert_eq!(world.told[&command(3, 0).id], head.next());
}
