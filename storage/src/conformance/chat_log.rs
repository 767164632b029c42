//! Laws of the chat log.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Amended, Author, Event, Seq};
use barterline_domain::message::{Body, Content, EventKind, Message, Reaction};
use tokio::time::timeout;

use super::samples;
use crate::chat_log::{Append, AppendError, AppendOutcome, ChatLog, Committed, Outcomes, Range};

/// Longest wait for an outcome: a store that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A log with the end at which its outcomes arrive.
pub struct Subject {
    /// The log.
    pub log: Arc<dyn ChatLog>,
    /// Its outcomes.
    pub outcomes: Outcomes,
    waiting: std::collections::VecDeque<AppendOutcome>,
}

impl Subject {
    /// A log under test.
    pub fn new(log: Arc<dyn ChatLog>, outcomes: Outcomes) -> Self {
        Self { log, outcomes, waiting: std::collections::VecDeque::new() }
    }

    /// What the next commit settled.
    pub async fn committed(&mut self) -> Committed {
        let committed = timeout(PATIENCE, self.outcomes.recv()).await;
        committed.expect("an outcome in time").expect("an open store")
    }

    /// The next outcome.
    pub async fn outcome(&mut self) -> AppendOutcome {
        loop {
            if let Some(outcome) = self.waiting.pop_front() {
                return outcome;
            }
            let committed = self.committed().await;
            self.waiting.extend(committed.appends);
        }
    }

    /// Appends and waits for the outcome.
    pub async fn append(
        &mut self,
        chat: &Arc<Chat>,
        expected_head: u64,
        events: Vec<Event>,
    ) -> Result<(), AppendError> {
        let expected_head = Seq(expected_head);
        self.log.append(Append { chat: Arc::clone(chat), expected_head, events });
        self.outcome().await.result
    }

    /// Appends `count` events behind `head`, one by one.
    pub async fn grow(&mut self, chat: &Arc<Chat>, head: u64, count: u64) {
        for seq in head + 1..=head + count {
            self.append(chat, seq - 1, vec![samples::event(seq)]).await.expect("an append");
        }
    }

    /// A fresh chat.
    pub async fn chat(&self, n: u8) -> Arc<Chat> {
        self.log.create(samples::chat(n)).await.expect("a chat")
    }

    async fn numbers(&self, chat: &Chat, range: Range, limit: usize) -> Vec<u64> {
        let events = self.log.read(chat.id, range, limit).await.expect("a read");
        events.iter().map(|event| event.seq.0).collect()
    }
}

/// Of two chats with one id the first wins and is given back.
pub async fn create_finds_the_first(subject: &mut Subject) {
    let first = subject.chat(1).await;
    let mut other = samples::chat(1);
    "another title".clone_into(&mut other.snapshot.title);
    let again = subject.log.create(other).await.expect("a chat");
    assert_eq!(first, again);
    let head = subject.log.head(first.id).await.expect("a read").expect("the chat");
    assert_eq!((head.head, head.chat), (Seq::ZERO, first));
}

/// A chat that was never created has no head and no events.
pub async fn a_missing_chat_is_empty(subject: &mut Subject) {
    let missing = samples::chat(2);
    assert!(subject.log.head(missing.id).await.expect("a read").is_none());
    assert!(subject.numbers(&missing, Range::After(Seq::ZERO), 10).await.is_empty());
    let missing = Arc::new(missing);
    let outcome = subject.append(&missing, 0, vec![samples::event(1)]).await;
    assert!(matches!(outcome, Err(AppendError::Unavailable(_))), "{outcome:?}");
    assert!(subject.log.head(missing.id).await.expect("a read").is_none(), "nor made by that");
}

/// What was appended is read back as it was, under its numbers.
pub async fn g3_events_are_read_as_they_were_appended(subject: &mut Subject) {
    let chat = subject.chat(3).await;
    let events: Vec<_> = (1..=5).map(samples::event).collect();
    subject.append(&chat, 0, events[..2].to_vec()).await.expect("an append");
    subject.append(&chat, 2, events[2..].to_vec()).await.expect("an append");
    let read = subject.log.read(chat.id, Range::After(Seq::ZERO), 10).await.expect("a read");
    assert_eq!(read, events);
    let head = subject.log.head(chat.id).await.expect("a read").expect("the chat");
    assert_eq!((head.head, head.state), (Seq(5), events[4].after));
    // What the server tells of the listing, and a message behind it in one append.
    let told: Vec<_> = (6..=8).map(samples::listing_event).chain([samples::event(9)]).collect();
    subject.append(&chat, 5, told[..2].to_vec()).await.expect("an append");
    let head = subject.log.head(chat.id).await.expect("a read").expect("the chat");
    assert_eq!((head.head, head.state), (Seq(7), told[1].after));
    subject.append(&chat, 7, told[2..].to_vec()).await.expect("an append");
    let read = subject.log.read(chat.id, Range::After(Seq(5)), 10).await.expect("a read");
    assert_eq!(read, told);
}

/// An append whose expected head is not the head changes nothing and learns the head.
pub async fn g3_a_stale_head_conflicts(subject: &mut Subject) {
    let chat = subject.chat(4).await;
    subject.grow(&chat, 0, 3).await;
    for stale in [0, 2, 4] {
        let outcome = subject.append(&chat, stale, vec![samples::event(stale + 1)]).await;
        assert_eq!(outcome, Err(AppendError::Conflict { head: Seq(3) }), "expected {stale}");
    }
    assert_eq!(subject.numbers(&chat, Range::After(Seq::ZERO), 10).await, [1, 2, 3]);
    subject.grow(&chat, 3, 1).await;
}

/// Where appends may be pipelined, they become durable in order.
pub async fn g3_pipelined_appends_keep_their_order(subject: &mut Subject) {
    if !subject.log.pipelines() {
        return;
    }
    let chat = subject.chat(5).await;
    for seq in 1..=50 {
        let events = vec![samples::event(seq)];
        let expected_head = Seq(seq - 1);
        subject.log.append(Append { chat: Arc::clone(&chat), expected_head, events });
    }
    for seq in 1..=50 {
        let outcome = subject.outcome().await;
        assert_eq!((outcome.events[0].seq, outcome.result), (Seq(seq), Ok(())));
    }
}

/// Where appends may be pipelined, what is behind one that fails fails too.
pub async fn g3_what_is_behind_a_failed_append_fails(subject: &mut Subject) {
    if !subject.log.pipelines() {
        return;
    }
    let chat = subject.chat(8).await;
    for seq in [2, 3, 4] {
        let events = vec![samples::event(seq)];
        let expected_head = Seq(seq - 1);
        subject.log.append(Append { chat: Arc::clone(&chat), expected_head, events });
    }
    for seq in [2, 3, 4] {
        let outcome = subject.outcome().await;
        assert_eq!(outcome.events[0].seq, Seq(seq));
        assert_eq!(outcome.result, Err(AppendError::Conflict { head: Seq::ZERO }));
    }
    assert_eq!(subject.numbers(&chat, Range::After(Seq::ZERO), 10).await, [0; 0]);
    subject.grow(&chat, 0, 1).await;
}

/// Both directions, from anywhere, over the distances at which the skip pointers change.
pub async fn ranges_are_exclusive_and_ascend(subject: &mut Subject) {
    let chat = subject.chat(6).await;
    let head = 4_500;
    for first in (1..=head).step_by(100) {
        let events = (first..first + 100).map(samples::event).collect();
        subject.append(&chat, first - 1, events).await.expect("an append");
    }
    for at in [0, 1, 2, 63, 64, 65, 127, 128, 4_031, 4_095, 4_096, 4_097, 4_160, 4_499, 4_500] {
        let after: Vec<_> = (at + 1..=head).take(3).collect();
        assert_eq!(subject.numbers(&chat, Range::After(Seq(at)), 3).await, after, "after {at}");
        let mut before: Vec<_> = (1..at).rev().take(3).collect();
        before.reverse();
        assert_eq!(subject.numbers(&chat, Range::Before(Seq(at)), 3).await, before, "before {at}");
    }
    assert_eq!(subject.numbers(&chat, Range::After(Seq(9_999)), 3).await, [0; 0]);
    assert_eq!(subject.numbers(&chat, Range::Before(Seq(9_999)), 1).await, [head]);
    assert_eq!(subject.numbers(&chat, Range::After(Seq::ZERO), 0).await, [0; 0]);
}

/// The event with this number by which `author` says or does `kind`.
fn saying(seq: u64, author: Author, kind: EventKind) -> Event {
    Event { author, digest: kind.digest(), kind, ..samples::event(seq) }
}

/// The same while the other person blocks `author`.
fn withheld(seq: u64, author: Author, kind: EventKind) -> Event {
    Event { withheld: true, ..saying(seq, author, kind) }
}

fn edit(target: u64, text: &str) -> EventKind {
    EventKind::Edit { target: Seq(target), body: Body::parse(text.to_owned()).ok() }
}

fn react(target: u64, reaction: Option<&str>) -> EventKind {
    let reaction = reaction.and_then(|text| Reaction::parse(text).ok());
    EventKind::Reaction { target: Seq(target), reaction }
}

/// Says and does in a chat, from its beginning, everything that changes how messages read.
pub async fn amend(subject: &mut Subject, chat: &Arc<Chat>) {
    use Author::{Buyer, Seller};
    let reply = Message { content: Content::Text(body("answer")), reply: Some(Seq(1)) };
    let events = [
        saying(1, Buyer, EventKind::text("first")),
        saying(2, Seller, EventKind::text("second")),
        saying(3, Buyer, EventKind::Message(reply)),
        saying(4, Buyer, edit(1, "first, edited")),
        saying(5, Buyer, edit(1, "first, edited again")),
        saying(6, Seller, react(1, Some("+1"))),
        saying(7, Buyer, react(1, Some("-1"))),
        saying(8, Buyer, react(1, None)),
        saying(9, Seller, react(2, Some("+1"))),
        saying(10, Buyer, edit(3, "answer, edited")),
        saying(11, Buyer, EventKind::Delete { target: Seq(3) }),
        // As of another node that had not heard of the deletion.
        saying(12, Buyer, edit(3, "too late")),
        withheld(13, Buyer, edit(1, "first, unseen")),
        withheld(14, Seller, react(1, None)),
        withheld(15, Buyer, react(2, Some("-1"))),
        withheld(16, Seller, edit(2, "second, unseen")),
        // Taken back: what comes from here on is seen again.
        saying(17, Buyer, react(2, Some("+1"))),
        saying(18, Seller, edit(2, "second, edited")),
    ];
    for event in events {
        subject.append(chat, event.seq.0 - 1, vec![event]).await.expect("an append");
    }
}

fn body(text: &str) -> Body {
    Body::parse(text.to_owned()).expect("a body")
}

/// Asserts that the chat which [`amend`] made reads as it should.
pub async fn is_amended(log: &dyn ChatLog, chat: &Chat) {
    let events = log.read(chat.id, Range::After(Seq::ZERO), 100).await.expect("a read");
    assert_eq!(events.len(), 18);
    let text = |text: &str| EventKind::text(text);
    let up = Reaction::parse("+1").ok();
    let edited = |seq| Some((Seq(seq), samples::event(seq).at));
    let gone = Message { content: Content::Gone("text".to_owned()), reply: None };
    let of = |event: &Event| {
        let Amended { edit, buyer, seller, .. } = event.amended.as_deref().cloned()?;
        Some((event.kind.clone(), edit, buyer, seller))
    };
    let (first, second) = (&events[0], &events[1]);
    let both = Some((text("first, edited again"), edited(5), None, up.clone()));
    assert_eq!(of(first), both);
    let buyers = Some((text("first, unseen"), edited(13), None, up.clone()));
    assert_eq!(of(&first.seen_by(Role::Buyer)), buyers, "the buyer sees their own edit");
    let sellers = Some((text("first, edited again"), edited(5), None, None));
    assert_eq!(of(&first.seen_by(Role::Seller)), sellers, "and the seller their own reaction");
    let both = Some((text("second, edited"), edited(18), up.clone(), up));
    for seen in [second.clone(), second.seen_by(Role::Buyer).into_owned()] {
        assert_eq!(of(&seen), both, "what was withheld is over");
    }
    assert_eq!(of(&second.seen_by(Role::Seller)), both);
    assert_eq!((&events[2].kind, &events[2].amended), (&EventKind::Message(gone), &None));
    assert_eq!(events[3].kind, edit(1, "first, edited"), "the history of an edit stays");
    for late in [9, 11] {
        assert_eq!(events[late].kind, EventKind::Edit { target: Seq(3), body: None }, "{late}");
    }
    for (seq, said) in [(1, Some("first")), (2, Some("second")), (3, None), (4, None), (99, None)] {
        let original = log.original(chat.id, Seq(seq)).await.expect("a read");
        assert_eq!(original.map(|event| event.kind), said.map(text), "as it was said: {seq}");
    }
    // Whatever part is read, and alone.
    for (event, seq) in events.iter().zip(0..) {
        let alone = log.read(chat.id, Range::After(Seq(seq)), 1).await.expect("a read");
        assert_eq!(alone, std::slice::from_ref(event));
    }
}

/// A message is read with what later events made of it: its newest text, the reactions that stand,
/// or that it is gone, together with the texts of its edits. What is withheld its maker alone sees.
pub async fn a_message_is_read_as_it_became(subject: &mut Subject) {
    let chat = subject.chat(7).await;
    amend(subject, &chat).await;
    is_amended(&*subject.log, &chat).await;
}
