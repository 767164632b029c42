//! The room against a store that is slow, fails and lets others go first, under random schedules.

use std::collections::{HashMap, VecDeque};

use barterline_domain::chat::Participants;
use barterline_domain::ids::{ChatId, ListingId, UserId};
use barterline_domain::listing::{Listing, ListingStatus, ListingText};
use barterline_domain::money::{Currency, Money};
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
        standing: None,
    }
}

/// The chat of whoever speaks, about a bicycle for 120 euros.
fn chat() -> Arc<Chat> {
    let (listing, buyer) = (ListingId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
    let seller = UserId::from_bytes([3; 16]);
    Arc::new(Chat {
        id: ChatId::of(listing, buyer),
        listing,
        participants: Participants { buyer, seller },
        snapshot: bicycle().snapshot(),
        opened_at: Timestamp::from_millis(1),
    })
}

fn bicycle() -> Listing {
    let (id, seller) = (ListingId::from_bytes([1; 16]), UserId::from_bytes([3; 16]));
    let price = Money { minor: 12_000, currency: Currency::parse("EUR").expect("a currency") };
    let text = ListingText::parse("A bicycle", String::new()).expect("a title");
    Listing::offered(id, seller, text, price, Timestamp::from_millis(1))
}

/// Chats close with their listing, of which nothing is heard but in tests of that.
fn laws(pipelines: bool) -> Laws {
    Laws { pipelines, closes_with_listing: true }
}

/// How the bicycle stands after so many edits, each of which makes it a cent dearer.
fn edited(edits: u64) -> Arc<Standing> {
    Arc::new(Standing::of(&dearer(edits)))
}

/// The same, and then it is sold.
fn sold(edits: u64) -> Arc<Standing> {
    let (listing, status) = (dearer(edits), ListingStatus::Sold);
    let sold = Listing { status, ..listing.clone() }.after(&listing, Timestamp::from_millis(2));
    Arc::new(Standing::of(&sold))
}

fn dearer(edits: u64) -> Listing {
    let mut listing = bicycle();
    for _ in 0..edits {
        let price = Money { minor: listing.price.minor + 1, ..listing.price };
        let edited = Listing { price, ..listing.clone() };
        listing = edited.after(&listing, Timestamp::from_millis(2));
    }
    listing
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
            room: Room::new(chat(), laws(pipelines), Timestamp::from_millis(0)),
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
            if let EventKind::Listing(change) = event.kind {
                let told = self.log.last().map(|event| event.after.listing_version);
                assert_eq!(change.since(), told.unwrap_or_default(), "G3: it goes on where it was");
                assert_eq!(event.after.listing_version, change.version());
            }
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

    /// Another node tells the chat how the listing stands.
    fn rival_tells(&mut self, standing: &Standing) {
        let before = self.log.last().map(|event| event.after).unwrap_or_default();
        let Some(change) = standing.change_since(&chat().snapshot, before) else { return };
        let (seq, author) = (Seq(self.head() + 1), Author::System);
        let id = ClientId::of_listing_change(chat().id, change.version());
        let kind = EventKind::Listing(change);
        let (digest, after) = (kind.digest(), before.after(author, &kind, false));
        let (at, withheld, amended) = (Timestamp::from_millis(1), false, None);
        self.log.push(Event { seq, at, author, id, digest, kind, after, withheld, amended });
    }

    /// Versions of the listing that the log tells of.
    fn told_versions(&self) -> Vec<u64> {
        let told = self.log.iter().filter_map(|event| match &event.kind {
            EventKind::Listing(change) => Some(change.version()),
            _ => None,
        });
        told.collect()
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
    Edit,
    Hear,
    RivalTells,
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
        2 => Just(Step::Edit),
        2 => Just(Step::Hear),
        1 => Just(Step::RivalTells),
    ]
}

proptest! {
    /// G2, G3: whatever the store does and however often clients retry, a message stands in the
    /// log once, numbers have no gap, and every retry is told the same number. What is new about the
    /// listing is told once, from where the chat was told last, whoever else tells it.
    #[test]
    fn g2_g3_once_and_in_order(
        pipelines in any::<bool>(),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut world = World::new(pipelines);
        let mut bases: HashMap<u8, u64> = HashMap::new();
        let (mut edits, at) = (0, Timestamp::from_millis(1));
        for step in steps {
            let standing = edited(edits);
            match step {
                Step::Say(n) => {
                    let head = world.head();
                    let base = *bases.entry(n).or_insert(head);
                    let standing = Some(standing);
                    world.step(Input::Send(Command { standing, ..command(n, base) }));
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
                Step::RivalTells => if !pipelines { world.rival_tells(&standing) },
                Step::Edit => edits += 1,
                Step::Hear => world.step(Input::Heard { standing, at }),
            }
        }
        world.run_dry();
        world.step(Input::Heard { standing: edited(edits), at });
        world.run_dry();
        let told = world.told_versions();
        prop_assert!(told.is_sorted_by(|one, next| one < next), "{told:?}");
        let newest = told.last().copied().unwrap_or_default();
        prop_assert!(newest == edits + 1 || edits == 0 || world.head() == 0, "{told:?}, {edits}");
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
    world.room = Room::new(chat(), laws(true), Timestamp::from_millis(0));
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
fn g3_what_was_sent_behind_something_that_may_come_again_does_not_overtake_it() {
    let mut world = World::new(false);
    let mut early = command(2, 0);
    early.refusal = Some(Refusal::Forbidden(Forbidden::MediaNotReady));
    // The room is cold: all of them wait for it.
    for command in [early, command(4, 0), command(3, 0)] {
        world.step(Input::Send(command));
    }
    world.run_dry();
    let not_ready = Refusal::Forbidden(Forbidden::MediaNotReady);
    assert_eq!(
        world.refused,
        [(command(2, 0).id, not_ready), (command(4, 0).id, Refusal::Unavailable)]
    );
    // The other one of the chat waits for nobody.
    assert_eq!(world.told.keys().collect::<Vec<_>>(), [&command(3, 0).id]);
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
    world.room = Room::new(chat(), laws(true), Timestamp::from_millis(0));
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

#[test]
fn g3_what_is_new_about_the_listing_stands_before_what_is_said_next_and_once() {
    let mut world = loaded(2);
    let standing = Some(edited(3));
    world.step(Input::Send(Command { standing: standing.clone(), ..command(7, 2) }));
    world.step(Input::Send(Command { standing, ..command(8, 2) }));
    world.run_dry();
    assert_eq!((world.head(), world.told_versions()), (5, vec![4]));
    assert_eq!(world.log[2].author, Author::System);
    assert_eq!(world.told[&command(7, 0).id], Seq(4));
    assert_eq!(world.log[4].after.listing_version, 4, "each event says what was told");
    world.step(Input::Heard { standing: edited(1), at: Timestamp::from_millis(1) });
    world.run_dry();
    assert_eq!(world.head(), 5, "what is older is no news");
}

#[test]
fn g3_of_two_nodes_that_tell_at_once_one_does() {
    let mut world = World::new(false);
    world.step(Input::Send(command(1, 0)));
    world.run_dry();
    world.step(Input::Send(Command { standing: Some(edited(2)), ..command(2, 1) }));
    world.rival_tells(&edited(1));
    world.run_dry();
    // The other had heard of one edit, and this one tells of the next.
    assert_eq!(world.told_versions(), [2, 3]);
    assert_eq!((world.head(), world.told[&command(2, 0).id]), (4, Seq(4)));
}

#[test]
fn nothing_is_told_where_nothing_was_said() {
    let mut world = World::new(true);
    world.step(Input::Heard { standing: edited(1), at: Timestamp::from_millis(1) });
    world.run_dry();
    assert_eq!(world.head(), 0, "the seller would hear of a chat without a message");
    world.step(Input::Send(command(1, 0)));
    world.run_dry();
    assert_eq!((world.head(), world.told_versions()), (2, vec![2]));
}

#[test]
fn what_could_not_be_told_is_told_later_and_refuses_nobody() {
    let mut world = loaded(2);
    world.step(Input::Heard { standing: edited(1), at: Timestamp::from_millis(1) });
    world.fail();
    assert_eq!((world.head(), world.refused.len()), (2, 0));
    world.step(Input::Send(command(7, 2)));
    world.run_dry();
    assert_eq!((world.told_versions(), world.told[&command(7, 0).id]), (vec![2], Seq(4)));
}

#[test]
fn what_waited_is_not_said_behind_the_end_of_its_listing() {
    let closed = Refusal::Forbidden(Forbidden::ListingClosed);
    let (bought, lost) = (command(8, 1), command(4, 2));
    let mut world = World::new(true);
    world.step(Input::Send(command(6, 0)));
    world.run_dry();
    world.room = Room::new(chat(), laws(true), Timestamp::from_millis(0));
    // It is taken while the room is still asked for, and the end is heard of behind it.
    world.step(Input::Send(bought.clone()));
    world.step(Input::Heard { standing: sold(0), at: Timestamp::from_millis(3) });
    world.run_dry();
    assert_eq!((world.told_versions(), world.head()), (vec![2], 2));
    assert_eq!(world.refused, [(bought.id, closed)]);
    // What was said before has its number (G2), and what happens to it goes on.
    world.step(Input::Send(command(6, 0)));
    let kind = EventKind::Delete { target: Seq(1) };
    world.step(Input::Send(Command { digest: kind.digest(), kind, ..command(10, 2) }));
    world.run_dry();
    assert_eq!((world.told[&command(6, 0).id], world.head()), (Seq(1), 3));
    assert_eq!(world.refused.len(), 1);
    // A node that heard nothing of it goes by what the chat was told.
    world.room = Room::new(chat(), laws(false), Timestamp::from_millis(0));
    world.step(Input::Send(lost.clone()));
    world.run_dry();
    assert_eq!(world.refused.last(), Some(&(lost.id, closed)));
    // Whom the seller goes on with may answer.
    world.step(Input::Send(command(7, 2)));
    world.step(Input::Send(command(12, 2)));
    world.run_dry();
    assert_eq!((world.head(), world.told[&command(12, 2).id]), (5, Seq(5)));
}

#[test]
fn of_two_nodes_the_one_that_did_not_hear_of_the_end_says_nothing_behind_it() {
    let mut world = World::new(false);
    world.step(Input::Send(command(1, 0)));
    world.run_dry();
    world.step(Input::Send(command(2, 1)));
    world.rival_tells(&sold(0));
    world.run_dry();
    assert_eq!((world.told_versions(), world.head()), (vec![2], 2));
    let closed = Refusal::Forbidden(Forbidden::ListingClosed);
    assert_eq!(world.refused, [(command(2, 0).id, closed)]);
}

#[test]
fn what_nobody_hears_brings_no_news() {
    for pipelines in [true, false] {
        // Cold, as most rooms are, and warm.
        for is_warm in [false, true] {
            let mut world = loaded(2);
            world.room = Room::new(chat(), laws(pipelines), Timestamp::from_millis(0));
            if is_warm {
                world.step(Input::Send(command(1, 0)));
                world.run_dry();
            }
            let standing = Some(edited(1));
            world.step(Input::Send(Command { standing, withheld: true, ..command(7, 2) }));
            world.run_dry();
            // A retry, and what is refused, neither.
            world.step(Input::Send(Command { standing: Some(edited(1)), ..command(7, 2) }));
            let refusal = Some(Refusal::Forbidden(Forbidden::TargetGone));
            world.step(Input::Send(Command { refusal, ..command(9, 2) }));
            world.run_dry();
            assert_eq!((world.told_versions(), world.head()), (vec![], 3));
            let heard = |world: &World| world.room.is_spoken_in_since(Timestamp::default());
            assert!(!heard(&world), "nor is it known that somebody is here");
            // As for everybody else the chat is closed to who is not heard.
            world.step(Input::Send(Command {
                standing: Some(sold(1)),
                withheld: true,
                ..command(10, 2)
            }));
            world.run_dry();
            assert_eq!((world.refused.len(), world.head()), (2, 3));
            world.step(Input::Send(command(11, 2)));
            world.run_dry();
            assert_eq!((world.told_versions(), world.head()), (vec![3], 5));
            assert!(heard(&world));
        }
    }
}

#[test]
fn who_looks_has_it_told_and_keeps_no_room() {
    let mut world = loaded(2);
    world.room = Room::new(chat(), laws(true), Timestamp::from_millis(0));
    world.step(Input::Heard { standing: edited(1), at: Timestamp::from_millis(70_000) });
    world.run_dry();
    let first = Timestamp::default();
    assert!(!world.room.is_spoken_in_since(first), "who looks does not speak");
    assert!(world.room.is_idle_since(Timestamp::from_millis(60_000)));
    assert_eq!(world.told_versions(), [2]);
    assert_eq!(world.log[2].at, Timestamp::from_millis(70_000), "it is told when he looks");
}

#[test]
fn what_is_looked_at_is_told_though_another_node_was_faster() {
    let mut world = loaded(2);
    world.room = Room::new(chat(), laws(false), Timestamp::from_millis(0));
    world.step(Input::Heard { standing: edited(1), at: Timestamp::from_millis(3) });
    world.rival(9);
    world.step(Input::Moved(Seq(3)));
    world.run_dry();
    assert_eq!((world.told_versions(), world.head()), (vec![2], 4));
    // What cannot be read is not told behind the back of whoever speaks next.
    world.room = Room::new(chat(), laws(false), Timestamp::from_millis(0));
    world.step(Input::Heard { standing: edited(2), at: Timestamp::from_millis(4) });
    let setbacks = world.loads.pop_front().expect("a load");
    world.step(Input::Loaded { setbacks, snapshot: None });
    world.step(Input::Send(Command { withheld: true, ..command(11, 4) }));
    world.run_dry();
    assert_eq!((world.told_versions(), world.head()), (vec![2], 5));
}

#[test]
fn a_chat_without_a_message_stays_one() {
    let mut world = World::new(true);
    world.step(Input::Send(Command { standing: Some(sold(0)), ..command(2, 0) }));
    world.run_dry();
    let closed = Refusal::Forbidden(Forbidden::ListingClosed);
    assert_eq!((world.refused.clone(), world.head()), (vec![(command(2, 0).id, closed)], 0));
}
