//! A store that stalls, refuses, conflicts and fails with unknown outcome. Its disk outlives the
//! server; what waits for a commit does not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ChatId, ClientId, DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::message::EventKind;
use barterline_domain::personal::{Personal, PersonalChange};
use barterline_storage::chat_log::{
    Append, AppendError, AppendOutcome, ChatHead, ChatLog, ChatMoved, Committed, Range,
};
use barterline_storage::error::StoreError;
use barterline_storage::inbox::{Inbox, InboxPage, InboxRow, Position, Unread};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::disk::{Disk, MarkOp};
use crate::laws::{Verdict, Violation};
use crate::rng::Rng;

/// What every server of a schedule stands on.
pub struct Ground {
    pub disk: Mutex<Disk>,
    pub weather: Mutex<Weather>,
    /// The store goes on.
    released: Notify,
}

/// What the store does to its callers. Chances are in percent.
#[expect(clippy::struct_excessive_bools, reason = "each goes wrong by itself")]
pub struct Weather {
    rng: Rng,
    /// One queue and one writer, as the embedded store: appends may be started before the outcome
    /// of the last is known, nobody else appends, and a failed commit ends appending.
    pub pipelines: bool,
    /// Nothing comes back.
    pub stalled: bool,
    /// Some operations take a while.
    pub slow: bool,
    /// Writes are refused.
    pub refuses: u64,
    /// Reads are refused.
    pub refuses_reads: u64,
    /// Nobody knows whether a write happened.
    pub unknown: u64,
    /// Another node appends first.
    pub rival: u64,
    /// The next commit fails for good.
    pub dies: bool,
    /// Takes no writes until the server starts again.
    pub dead: bool,
    /// What is being committed may be found by a restart.
    in_doubt: bool,
    /// Reads by somebody's inbox, in order.
    pub asked: Vec<(UserId, &'static str)>,
    /// A law broken by what was written.
    pub broken: Option<Violation>,
}

impl Ground {
    pub fn new(pipelines: bool, rng: Rng) -> Self {
        let weather = Weather {
            rng,
            pipelines,
            stalled: false,
            slow: false,
            refuses: 0,
            refuses_reads: 0,
            unknown: 0,
            rival: 0,
            dies: false,
            dead: false,
            in_doubt: false,
            asked: Vec::new(),
            broken: None,
        };
        let disk = Disk { overlap: if pipelines { 0 } else { u64::MAX }, ..Disk::default() };
        Self { disk: Mutex::new(disk), weather: Mutex::new(weather), released: Notify::new() }
    }

    /// Lets the store stand still, or go on.
    pub fn stall(&self, stalled: bool) {
        self.weather.lock().stalled = stalled;
        self.released.notify_waiters();
    }

    /// Nothing goes wrong from here on, but for what has already.
    pub fn clear(&self) {
        let mut weather = self.weather.lock();
        weather.slow = false;
        weather.refuses = 0;
        weather.refuses_reads = 0;
        weather.unknown = 0;
        weather.rival = 0;
        weather.dies = false;
        drop(weather);
        self.stall(false);
    }

    /// What was written has kept the laws so far.
    pub fn verdict(&self) -> Verdict {
        self.weather.lock().broken.clone().map_or(Ok(()), Err)
    }

    /// Waits as long as an operation takes.
    async fn pause(&self) {
        loop {
            let released = self.released.notified();
            if !self.weather.lock().stalled {
                break;
            }
            released.await;
        }
        let (turns, wait) = {
            let Weather { rng, slow, .. } = &mut *self.weather.lock();
            let wait = (*slow && rng.percent(20)).then(|| 1 + rng.below(40));
            // Once at least: a read of the embedded store goes to another thread.
            (1 + rng.below(3), wait)
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        if let Some(wait) = wait {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }
}

/// The store as one server has it open.
pub struct Node {
    ground: Arc<Ground>,
    queue: Mutex<VecDeque<Op>>,
    wake: Notify,
    outcomes: mpsc::Sender<Committed>,
}

enum Op {
    Append(Append),
    Create(Chat, oneshot::Sender<Result<Arc<Chat>, StoreError>>),
    Mark(MarkOp, oneshot::Sender<Result<Option<Marks>, StoreError>>),
}

type Reply = Box<dyn FnOnce() + Send>;

/// Between two looks at what the inbox lacks.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// What a server sent last may arrive when it is gone.
impl Drop for Node {
    fn drop(&mut self) {
        let weather = &mut *self.ground.weather.lock();
        let mut disk = self.ground.disk.lock();
        for op in self.queue.lock().drain(..) {
            if let Op::Append(append) = op
                && !weather.pipelines
                && weather.rng.percent(50)
            {
                disk.late.push(append);
            }
        }
    }
}

impl Node {
    pub fn new(ground: Arc<Ground>, outcomes: mpsc::Sender<Committed>) -> Self {
        Self { ground, queue: Mutex::default(), wake: Notify::new(), outcomes }
    }

    fn enqueue(&self, op: Op) {
        self.queue.lock().push_back(op);
        self.wake.notify_one();
    }

    async fn read<T>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&mut Disk) -> T + Send,
    ) -> Result<T, StoreError> {
        self.ground.pause().await;
        {
            let weather = &mut *self.ground.weather.lock();
            if weather.rng.percent(weather.refuses_reads) {
                return Err(StoreError::unavailable(operation, "the weather"));
            }
        }
        let value = read(&mut self.ground.disk.lock());
        // The answer may be old when it arrives.
        self.ground.pause().await;
        Ok(value)
    }

    fn ask(&self, user: UserId, what: &'static str) {
        self.ground.weather.lock().asked.push((user, what));
    }

    /// Commits what waits, group by group, until the server is gone.
    pub async fn run_committer(self: Arc<Self>) {
        let outcomes = self.outcomes.clone();
        loop {
            if self.queue.lock().is_empty() {
                tokio::select! {
                    () = self.wake.notified() => continue,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
                // What is found is told before anybody else can read it.
                let Ok(permit) = outcomes.reserve().await else { return };
                let moved = self.look_around();
                let position = self.ground.disk.lock().position;
                permit.send(Committed { moved, position, ..Committed::default() });
                continue;
            }
            self.ground.pause().await;
            let group = self.take_group();
            let (committed, replies) = self.commit(group);
            let reply_first = self.ground.weather.lock().rng.percent(50);
            let mut replies = Some(replies);
            if reply_first {
                replies.take().into_iter().flatten().for_each(|reply| reply());
            }
            // A crash here leaves a durable group that nobody heard of.
            self.ground.pause().await;
            if outcomes.send(committed).await.is_err() {
                return;
            }
            self.ground.pause().await;
            replies.into_iter().flatten().for_each(|reply| reply());
        }
    }

    /// Makes up for what the inbox lacks, as a node of many does now and then.
    fn look_around(&self) -> Vec<ChatMoved> {
        let mut disk = self.ground.disk.lock();
        disk.lagging().into_iter().filter_map(|id| disk.make_up(id)).collect()
    }

    /// Some of what waits: the oldest where there is one queue, else anything.
    fn take_group(&self) -> Vec<Op> {
        let weather = &mut *self.ground.weather.lock();
        let mut queue = self.queue.lock();
        let size = 1 + weather.rng.index(queue.len());
        if weather.pipelines {
            return queue.drain(..size).collect();
        }
        let any = || {
            let at = weather.rng.index(queue.len());
            queue.remove(at)
        };
        std::iter::repeat_with(any).take(size).flatten().collect()
    }

    fn commit(&self, group: Vec<Op>) -> (Committed, Vec<Reply>) {
        let weather = &mut *self.ground.weather.lock();
        let mut disk = self.ground.disk.lock();
        weather.late_ones_land(&mut disk);
        let mut committed = Committed::default();
        let mut replies: Vec<Reply> = Vec::new();
        weather.in_doubt = std::mem::take(&mut weather.dies) && !weather.dead;
        weather.dead |= weather.in_doubt;
        for op in group {
            match op {
                Op::Append(append) => {
                    let result = weather.append(&mut disk, &append);
                    let Append { chat, events, .. } = append;
                    committed.appends.push(AppendOutcome { chat, events, result });
                }
                Op::Create(chat, reply) => {
                    let result = match weather.write("create a chat") {
                        Ok(()) => Ok(disk.create(chat)),
                        Err(error) => Err(error),
                    };
                    committed.opened.extend(result.as_ref().ok().cloned());
                    replies.push(Box::new(move || drop(reply.send(result))));
                }
                Op::Mark(op, reply) => {
                    let result = match weather.write("mark") {
                        Ok(()) => {
                            let moved = disk.mark(op);
                            let marks = moved.as_ref().map(|moved| moved.marks);
                            committed.marks.extend(moved);
                            let lost = weather.rng.percent(weather.unknown);
                            if lost {
                                Err(StoreError::Unknown { operation: "mark" })
                            } else {
                                Ok(marks)
                            }
                        }
                        Err(error) => Err(error),
                    };
                    replies.push(Box::new(move || drop(reply.send(result))));
                }
            }
        }
        committed.position = disk.position;
        (committed, replies)
    }
}

impl Weather {
    fn write(&mut self, operation: &'static str) -> Result<(), StoreError> {
        if self.dead || self.rng.percent(self.refuses) {
            return Err(StoreError::unavailable(operation, "the weather"));
        }
        Ok(())
    }

    fn append(&mut self, disk: &mut Disk, append: &Append) -> Result<(), AppendError> {
        let refused = || AppendError::Unavailable("the weather".to_owned());
        let Append { chat, expected_head, events } = append;
        if self.in_doubt {
            let (chat, expected_head) = (Arc::clone(chat), *expected_head);
            disk.in_doubt.push(Append { chat, expected_head, events: events.clone() });
        }
        if self.dead || self.rng.percent(self.refuses) {
            return Err(refused());
        }
        if disk.chats[&chat.id].head() == *expected_head && self.rng.percent(self.rival) {
            self.rival(disk, chat.id, events);
        }
        let head = disk.chats[&chat.id].head();
        if head != *expected_head {
            disk.catch_up(chat.id);
            disk.untold.remove(&chat.id);
            return Err(AppendError::Conflict { head });
        }
        let unknown = self.rng.percent(self.unknown);
        let written = !unknown || self.rng.percent(50);
        // Of many nodes, whoever does not know the outcome may have come to the inbox, or not.
        let with_inbox = !unknown || self.pipelines || self.rng.percent(50);
        let verdict = match (written, with_inbox) {
            (true, true) => disk.append(chat.id, events),
            (true, false) => disk.land(chat.id, events),
            (false, _) => Ok(()),
        };
        if let Err(violation) = verdict {
            self.broken.get_or_insert(violation);
            return Err(refused());
        }
        if unknown && written && !self.pipelines {
            disk.untold.entry(chat.id).or_insert(expected_head.next());
        }
        if unknown && !written && !self.pipelines && self.rng.percent(30) {
            let (chat, expected_head) = (Arc::clone(chat), *expected_head);
            disk.late.push(Append { chat, expected_head, events: events.clone() });
        }
        if unknown { Err(AppendError::Unknown) } else { Ok(()) }
    }

    /// Some of what was given up lands after all, where nobody was faster.
    fn late_ones_land(&mut self, disk: &mut Disk) {
        for append in std::mem::take(&mut disk.late) {
            if self.rng.percent(50) {
                disk.late.push(append);
                continue;
            }
            let Append { chat, expected_head, events } = append;
            if disk.chats[&chat.id].head() == expected_head
                && let Err(violation) = disk.land(chat.id, &events)
            {
                self.broken.get_or_insert(violation);
            }
        }
    }

    /// Another node is faster: with a message of its own, or with the very same one, which the
    /// client sent there as well.
    fn rival(&mut self, disk: &mut Disk, chat: ChatId, events: &[Event]) {
        for _ in 0..=self.rng.below(2) {
            let stored = &disk.chats[&chat];
            // The client keeps to its order there, too.
            let same = self.rng.percent(50).then(|| &events[0]);
            let same =
                same.filter(|event| disk.find(chat, event.author, *event.id.as_bytes()).is_none());
            // It tells of the listing from what it finds that was told.
            let told = stored.state().listing_version;
            let same = same.filter(|event| match &event.kind {
                EventKind::Listing(change) => change.since() == told,
                _ => true,
            });
            let template = same.unwrap_or(&events[0]);
            let mut event = Event { seq: stored.head().next(), ..template.clone() };
            if same.is_none() {
                if event.author == Author::System {
                    event.author = Author::Seller;
                }
                event.kind = EventKind::text("from another node");
                event.digest = event.kind.digest();
                event.id = ClientId::from_bytes(self.rng.id());
            }
            event.after = stored.state().after(event.author, &event.kind, false);
            if let Err(violation) = disk.append(chat, &[event]) {
                self.broken.get_or_insert(violation);
            }
        }
    }
}

#[async_trait]
impl ChatLog for Node {
    async fn create(&self, chat: Chat) -> Result<Arc<Chat>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Op::Create(chat, reply));
        answer.await.map_err(|_| StoreError::Unknown { operation: "create a chat" })?
    }

    fn append(&self, append: Append) {
        self.enqueue(Op::Append(append));
    }

    fn pipelines(&self) -> bool {
        self.ground.weather.lock().pipelines
    }

    async fn head(&self, chat: ChatId) -> Result<Option<ChatHead>, StoreError> {
        // What is found is told before anybody else can read it.
        let Ok(permit) = self.outcomes.reserve().await else {
            return Err(StoreError::unavailable("read a head", "the server is gone"));
        };
        let tell = move |moved: Vec<ChatMoved>, position| {
            if !moved.is_empty() {
                permit.send(Committed { moved, position, ..Committed::default() });
            }
        };
        let head = self.read("read a head", move |disk| {
            let moved: Vec<_> = disk.make_up(chat).into_iter().collect();
            tell(moved, disk.position);
            let stored = disk.chats.get(&chat)?;
            let (head, state) = (stored.head(), stored.state());
            Some(ChatHead { chat: Arc::clone(&stored.chat), head, state })
        });
        head.await
    }

    async fn original(&self, _: ChatId, _: Seq) -> Result<Option<Event>, StoreError> {
        unreachable!("nobody changes or reports a message here")
    }

    async fn read(
        &self,
        chat: ChatId,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.read("read the log", move |disk| {
            let Some(stored) = disk.chats.get(&chat) else { return Vec::new() };
            let head = stored.log.len();
            let range = match range {
                Range::After(Seq(after)) => {
                    let first = head.min(after as usize);
                    first..head.min(first + limit)
                }
                Range::Before(Seq(before)) => {
                    let end = head.min((before as usize).saturating_sub(1));
                    end.saturating_sub(limit)..end
                }
            };
            stored.log[range].iter().map(|(event, _)| event.clone()).collect()
        })
        .await
    }
}

#[async_trait]
impl Inbox for Node {
    async fn membership(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Arc<Chat>>, StoreError> {
        self.ask(user, "membership");
        let row = self.read("read the inbox", move |disk| disk.row(user, chat)).await?;
        Ok(row.map(|row| row.chat))
    }

    async fn row_head(&self, user: UserId, chat: ChatId) -> Result<Option<Seq>, StoreError> {
        self.ask(user, "row_head");
        let row = self.read("read the inbox", move |disk| disk.row(user, chat)).await?;
        Ok(row.map(|row| row.head))
    }

    async fn row(&self, user: UserId, chat: ChatId) -> Result<Option<InboxRow>, StoreError> {
        self.ask(user, "row");
        self.read("read the inbox", move |disk| disk.row(user, chat)).await
    }

    async fn changed_after(
        &self,
        user: UserId,
        position: u64,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        self.ask(user, "changed_after");
        self.read("read the inbox", move |disk| {
            let rows = disk.rows(user);
            let mut rows: Vec<_> = rows.into_iter().filter(|row| row.changed > position).collect();
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more).map(|row| row.changed);
            InboxPage { rows, next }
        })
        .await
    }

    async fn list(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        self.ask(user, "list");
        let before = before.unwrap_or(u64::MAX);
        self.read("read the inbox", move |disk| {
            let rows = disk.rows(user).into_iter().rev();
            let mut rows: Vec<_> = rows.filter(|row| row.changed < before).collect();
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more).map(|row| row.changed);
            InboxPage { rows, next }
        })
        .await
    }

    async fn count(&self, user: UserId) -> Result<usize, StoreError> {
        self.read("count the chats", move |disk| disk.rows(user).len()).await
    }

    async fn unread(&self, _: UserId) -> Result<Unread, StoreError> {
        unreachable!("nobody counts here")
    }

    async fn mark(
        &self,
        user: UserId,
        chat: ChatId,
        device: DeviceId,
        marks: Marks,
        _: Visibility,
    ) -> Result<Option<Marks>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Op::Mark(MarkOp { user, chat, device, marks }, reply));
        answer.await.map_err(|_| StoreError::Unknown { operation: "mark" })?
    }

    async fn change(
        &self,
        _: UserId,
        _: ChatId,
        _: PersonalChange,
    ) -> Result<Option<Personal>, StoreError> {
        unreachable!("nobody changes anything for themselves here")
    }

    fn position(&self) -> Position {
        self.ground.disk.lock().now()
    }

    fn overlap(&self) -> u64 {
        self.ground.disk.lock().overlap
    }
}
