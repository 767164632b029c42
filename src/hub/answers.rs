//! Who waits for the outcome of a send without a connection: each is answered once.
//!
//! Deliveries look here only while somebody waits, which they see by one load.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Seq};
use barterline_domain::ids::{ChatId, ClientId};
use barterline_domain::message::RequestDigest;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::room::Refusal;

/// Sends that wait here at a time: 64 full connections' worth.
const WAITING_MAX: usize = 4_096;
/// Origins given out here lie above every connection's.
const ORIGINS_FROM: u64 = 1 << 63;

/// What a send is known by.
pub type Key = (ChatId, Author, ClientId);

/// A message that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub seq: Seq,
    /// When it was taken.
    pub at: Timestamp,
    /// The number was given earlier.
    pub repeat: bool,
}

/// Everybody who waits.
pub struct Answers {
    waiting: Mutex<HashMap<Key, Vec<Waiting>>>,
    /// How many they are.
    count: AtomicUsize,
    next_origin: AtomicU64,
}

struct Waiting {
    origin: u64,
    digest: RequestDigest,
    answer: oneshot::Sender<Result<Sent, Refusal>>,
}

/// A place among those who wait, given back when it is dropped.
pub struct Place<'a> {
    answers: &'a Answers,
    key: Key,
    /// Who waits, as rooms know it.
    pub origin: u64,
    answer: oneshot::Receiver<Result<Sent, Refusal>>,
}

impl Default for Answers {
    fn default() -> Self {
        let next_origin = AtomicU64::new(ORIGINS_FROM);
        Self { waiting: Mutex::default(), count: AtomicUsize::new(0), next_origin }
    }
}

impl Answers {
    /// Takes a place; `None` when there are too many already. To be taken before the room hears of
    /// the send.
    pub fn wait_for(&self, key: Key, digest: RequestDigest) -> Option<Place<'_>> {
        let mut waiting = self.waiting.lock();
        if self.count.load(Ordering::Relaxed) >= WAITING_MAX {
            return None;
        }
        let origin = self.next_origin.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        waiting.entry(key).or_default().push(Waiting { origin, digest, answer: sender });
        self.count.fetch_add(1, Ordering::Relaxed);
        Some(Place { answers: self, key, origin, answer })
    }

    /// Whether nobody waits. Whoever took a place before a turn of the chat's room is seen after
    /// that turn: the lock of the room's shard stands between.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Tells everybody who sent just this that it is durable; what else has the name is no repeat
    /// of it and is answered by its own turn. `sent` is the first's answer, the others repeat it.
    pub fn settle(&self, key: Key, digest: RequestDigest, mut sent: Sent) {
        for waiting in self.take(key, |waiting| waiting.digest == digest) {
            // Whoever went away meanwhile asks again.
            let _ = waiting.answer.send(Ok(sent));
            sent.repeat = true;
        }
    }

    /// Tells `origin` no; everybody who uses the name, without one.
    pub fn refuse(&self, key: Key, origin: Option<u64>, refusal: Refusal) {
        let concerned = |waiting: &Waiting| origin.is_none_or(|origin| origin == waiting.origin);
        for waiting in self.take(key, concerned) {
            let _ = waiting.answer.send(Err(refusal));
        }
    }

    fn take(&self, key: Key, concerned: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock();
        let Some(same_name) = waiting.get_mut(&key) else { return Vec::new() };
        let taken: Vec<_> = same_name.extract_if(.., |waiting| concerned(waiting)).collect();
        if same_name.is_empty() {
            waiting.remove(&key);
        }
        self.count.fetch_sub(taken.len(), Ordering::Relaxed);
        taken
    }
}

impl Place<'_> {
    /// Waits for the answer. Cancel safe.
    pub async fn answer(&mut self) -> Result<Sent, Refusal> {
        // Nobody drops a sender without having answered.
        (&mut self.answer).await.unwrap_or(Err(Refusal::Unavailable))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.answers.take(self.key, |waiting| waiting.origin == self.origin);
    }
}

#[cfg(test)]
mod tests {
    use barterline_domain::message::EventKind;

    use super::*;

    const KEY: Key = (ChatId::from_bytes([1; 16]), Author::Buyer, ClientId::from_bytes([2; 16]));

    fn digest(text: &str) -> RequestDigest {
        EventKind::text(text).digest()
    }

    fn sent(repeat: bool) -> Sent {
        Sent { seq: Seq(7), at: Timestamp::from_millis(1), repeat }
    }

    #[tokio::test]
    async fn g2_copies_of_a_message_are_answered_with_one_number_and_another_text_is_not() {
        let answers = Answers::default();
        let mut first = answers.wait_for(KEY, digest("x")).expect("a place");
        let mut second = answers.wait_for(KEY, digest("x")).expect("a place");
        let mut other = answers.wait_for(KEY, digest("y")).expect("a place");
        answers.settle(KEY, digest("x"), sent(false));
        assert_eq!(first.answer().await, Ok(sent(false)));
        assert_eq!(second.answer().await, Ok(sent(true)));
        answers.refuse(KEY, Some(other.origin), Refusal::IdConflict);
        assert_eq!(other.answer().await, Err(Refusal::IdConflict));
        assert!(answers.is_empty());
    }

    #[test]
    fn a_place_is_given_back_whether_answered_or_not() {
        let answers = Answers::default();
        let mut places: Vec<_> = (0..WAITING_MAX)
            .map(|_| answers.wait_for(KEY, digest("x")).expect("a place"))
            .collect();
        assert!(answers.wait_for(KEY, digest("x")).is_none(), "their number is bounded");
        places.pop();
        assert!(answers.wait_for(KEY, digest("x")).is_some());
        answers.refuse(KEY, None, Refusal::Unavailable);
        assert!(answers.is_empty());
        drop(places);
        assert!(answers.is_empty() && answers.waiting.lock().is_empty());
    }
}
