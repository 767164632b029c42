//! Logs and inboxes of all chats over CQL.
//!
//! Correctness is one conditional batch for each append, on the head of the bucket that it falls
//! in (`append`). Everything else follows from the log: inbox rows and amendments are written before
//! the outcome is told (`effects`), and again from a durable mark if a crash comes in between
//! (`dirty`).

mod append;
pub(super) mod bulk;
mod dirty;
mod effects;
mod erase;
mod read;
mod rows;
mod statements;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barterline_domain::chat::Chat;
use barterline_domain::clock::Clock;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, UserId};
use barterline_domain::message::EventKind;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use tokio::sync::{Mutex as TurnMutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::columns::Id as _;
use super::session::Database;
use super::statements::{Conditional, SerialRead, Tries};
use crate::chat_log::{Append, AppendError, AppendOutcome, ChatHead, Committed, Outcomes, Range};
use crate::error::StoreError;
use crate::inbox::{InboxPage, InboxRow, Position};
use crate::record::chat_rows::chat_bytes;
use crate::turns::{Loads, Turns};
use rows::Unshown;
use statements::{OfDirty, OfInbox, OfLog};

/// Events of one bucket: a partition of 1 to 75 MB (design: `bucket = seq / 4096`).
const BUCKET_EVENTS: u64 = 4_096;
/// Appends under way at a time, of all chats: the hub has one for each busy chat.
const APPENDS_MAX: usize = 4_096;
/// Outcomes that wait for the hub.
const OUTCOMES_MAX: usize = 1_024;
/// Chats whose appends were refused are remembered up to this many.
const UNTOLD_MAX: usize = 100_000;
/// Rows of a page that are read at a time.
const ROWS_AT_ONCE: usize = 8;

/// Which bucket an event is in.
const fn bucket_of(seq: Seq) -> i64 {
    (seq.0 / BUCKET_EVENTS).cast_signed()
}

/// The epoch of the store, which begins at one. Restore and repair raise it.
pub async fn epoch(database: &Database) -> Result<u32, StoreError> {
    let operation = "read the epoch";
    bulk::Note::prepare(database).await?.begin_to_serve().await?;
    let text = "SELECT epoch FROM {chats}.store_epoch WHERE part = 'store'";
    let read = SerialRead::prepare(database, text).await?;
    let text = "INSERT INTO {chats}.store_epoch (part, epoch, import) VALUES ('store', 1, '') \
                IF NOT EXISTS";
    let begin = Conditional::prepare(database, text).await?;
    let mut tries = Tries::new(operation);
    loop {
        if let Some((Some(epoch),)) = tries.after(read.row::<(Option<i32>,)>(operation, ())).await?
        {
            let damaged = |_| StoreError::corrupt(operation, "store_epoch");
            return u32::try_from(epoch).map_err(damaged);
        }
        if tries.settle(begin.run(operation, ())).await? {
            return Ok(1);
        }
    }
}

/// The chat store of a cluster. Cheap to clone; its tasks end with the last handle.
#[derive(Clone)]
pub struct ScyllaChats(Arc<Handle>);

struct Handle {
    store: Arc<Store>,
    appends: mpsc::Sender<(Append, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    /// Ends with the handle.
    _tasks: JoinSet<()>,
}

/// What the tasks share.
pub(in crate::scylla) struct Store {
    database: Database,
    log: OfLog,
    inbox: OfInbox,
    dirty: OfDirty,
    epoch: u32,
    clock: Arc<dyn Clock>,
    /// Microseconds of this server's own, under a thousand. (Process ids are alike in containers.)
    salt: u64,
    /// The newest position that was given out.
    position: AtomicU64,
    /// Locked while a position is taken and an outcome sent, so that positions ascend.
    outcomes: TurnMutex<mpsc::Sender<Committed>>,
    /// The order of changes of one chat on this node.
    turns: Turns,
    heads: Loads<Result<Option<ChatHead>, StoreError>>,
    /// Of which chats there may be events that no outcome has told of, and from where.
    untold: Mutex<HashMap<ChatId, Untold>>,
    /// Whose marks may have moved without anybody being told, and how.
    unshown: Mutex<HashMap<(UserId, ChatId), Unshown>>,
    /// Which chats are marked as dirty, and since when on this node's clock.
    marked: Mutex<HashMap<ChatId, Instant>>,
}

/// Events that may stand and were not told.
struct Untold {
    /// The first of them.
    from: Seq,
    /// An append is under way that will tell.
    appending: bool,
}

/// An open chat store, and where its outcomes arrive.
pub struct Opened {
    /// The store.
    pub chats: ScyllaChats,
    /// To be read without pause.
    pub outcomes: Outcomes,
}

impl ScyllaChats {
    /// Prepares the statements and starts the tasks. Needs a tokio runtime around it.
    pub async fn open(
        database: Database,
        epoch: u32,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, StoreError> {
        let log = OfLog::prepare(&database).await?;
        let inbox = OfInbox::prepare(&database).await?;
        let dirty = OfDirty::prepare(&database).await?;
        let (sender, outcomes) = mpsc::channel(OUTCOMES_MAX);
        let store = Arc::new(Store {
            database,
            log,
            inbox,
            dirty,
            epoch,
            clock,
            salt: u64::from(Uuid::new_v4().as_fields().0) % 1_000,
            position: AtomicU64::new(0),
            outcomes: TurnMutex::new(sender),
            turns: Turns::default(),
            heads: Loads::default(),
            untold: Mutex::default(),
            unshown: Mutex::default(),
            marked: Mutex::default(),
        });
        let (appends, taken) = mpsc::channel(APPENDS_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(run_appends(Arc::clone(&store), taken));
        tasks.spawn(Arc::clone(&store).run_repair());
        let room = Arc::new(Semaphore::new(APPENDS_MAX));
        let chats = Self(Arc::new(Handle { store, appends, room, _tasks: tasks }));
        Ok(Opened { chats, outcomes })
    }

    /// Looks now at every mark that is at least `age` old, and makes up for what is missing behind
    /// it; gives how many there were. Nodes do so by themselves within a minute and a half.
    pub async fn make_up(&self, age: Duration) -> Result<usize, StoreError> {
        self.store().show_unshown().await;
        self.store().look_at_all(age).await
    }

    pub(in crate::scylla) fn store(&self) -> &Arc<Store> {
        &self.0.store
    }

    /// Starts an append.
    pub(in crate::scylla) fn begin(&self, append: Append) {
        let Handle { store, appends, room, .. } = &*self.0;
        // The room is as large as the channel: what has a permit finds a place.
        let refused = match Arc::clone(room).try_acquire_owned() {
            Ok(permit) => match appends.try_send((append, permit)) {
                Ok(()) => return,
                Err(error) => error.into_inner().0,
            },
            Err(_) => append,
        };
        let store = Arc::clone(store);
        let why = AppendError::Unavailable("too many appends are under way".to_owned());
        let _told = tokio::spawn(async move { store.tell(vec![outcome(refused, Err(why))]).await });
    }
}

/// Carries appends out side by side until the last handle is gone.
async fn run_appends(store: Arc<Store>, mut taken: mpsc::Receiver<(Append, OwnedSemaphorePermit)>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            next = taken.recv() => {
                let Some((append, permit)) = next else { break };
                let store = Arc::clone(&store);
                running.spawn(async move {
                    store.carry_out(append).await;
                    drop(permit);
                });
            }
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "an append was not told");
                }
            }
        }
    }
}

fn outcome(append: Append, result: Result<(), AppendError>) -> AppendOutcome {
    AppendOutcome { chat: append.chat, events: append.events, result }
}

impl Store {
    /// A position above every one that was given out: microseconds of this node's clock.
    fn next_position(&self) -> u64 {
        // Two servers in one millisecond give different ones: pages end between them.
        let now = self.clock.now().as_millis() * 1_000 + self.salt;
        let next = |last: u64| Some(now.max(last + 1));
        let last = self.position.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        last.map_or(now, |last| now.max(last + 1))
    }

    /// Notes that an append is under way, and will tell what stands from `from`.
    fn begin_untold(&self, chat: ChatId, from: Seq) {
        let mut all = self.untold.lock();
        if all.len() > UNTOLD_MAX {
            all.retain(|_, untold| untold.appending);
        }
        let untold = all.entry(chat).or_insert(Untold { from, appending: true });
        untold.from = untold.from.min(from);
        untold.appending = true;
    }

    /// Notes that it is not; `told`: and that everything is told.
    fn end_untold(&self, chat: ChatId, told: bool) {
        let mut all = self.untold.lock();
        if told {
            all.remove(&chat);
        } else if let Some(untold) = all.get_mut(&chat) {
            untold.appending = false;
        }
    }

    /// Notes that what stands from `from` was not told.
    fn note_untold(&self, chat: ChatId, from: Seq) {
        let mut all = self.untold.lock();
        let untold = all.entry(chat).or_insert(Untold { from, appending: false });
        untold.from = untold.from.min(from);
    }

    /// From where to tell of a chat that ends at `head`, once; nothing while an append will.
    fn take_untold(&self, chat: ChatId, head: Seq) -> Option<Seq> {
        let mut all = self.untold.lock();
        let due = all.get(&chat).filter(|untold| !untold.appending && untold.from <= head);
        let from = due.map(|untold| untold.from)?;
        all.remove(&chat);
        Some(from)
    }

    async fn tell(&self, appends: Vec<AppendOutcome>) {
        self.tell_all(Committed { appends, ..Committed::default() }).await;
    }

    /// Tells the hub.
    async fn tell_all(&self, mut committed: Committed) {
        let outcomes = self.outcomes.lock().await;
        committed.position = self.next_position();
        // The hub is gone when the server stops.
        let _gone = outcomes.send(committed).await;
    }

    /// Creates a chat, or finds it.
    pub(in crate::scylla) async fn create(&self, chat: Chat) -> Result<Arc<Chat>, StoreError> {
        let id = chat.id;
        let bytes = chat_bytes(&chat);
        let mut tries = Tries::new("create a chat");
        let (chat, is_new) = loop {
            if let Some(found) = tries.after(self.chat_serial(id)).await? {
                // An earlier attempt may have been ours, and unknown.
                let ours = tries.unsettled() && chat_bytes(&found) == bytes;
                break (found, ours);
            }
            let values = (self.epoch.cast_signed(), bytes.as_slice(), id.to_column());
            if tries.settle(self.log.open.run("create a chat", values)).await? {
                break (Arc::new(chat), true);
            }
        };
        // Again for one that exists: whoever created it may have come no further.
        if is_new || self.row_columns(chat.participants.buyer, id).await?.is_none() {
            self.open_rows(&chat).await?;
            let opened = vec![Arc::clone(&chat)];
            self.tell_all(Committed { opened, ..Committed::default() }).await;
        }
        Ok(chat)
    }

    /// A chat, at SERIAL: what is not there can no longer come from an attempt before.
    async fn chat_serial(&self, chat: ChatId) -> Result<Option<Arc<Chat>>, StoreError> {
        let Some(end) = self.bucket_end(chat, 0).await? else { return Ok(None) };
        let bytes = end.opened.unwrap_or_default();
        read::decode_chat("read a chat", chat, &bytes).map(Some)
    }

    /// A chat with its head. However many ask for it at once, it is read once at a time.
    pub(in crate::scylla) async fn head(&self, id: ChatId) -> Result<Option<ChatHead>, StoreError> {
        // On the heap: every caller would else carry room for the read.
        self.heads.load(id, Box::pin(self.read_head(id))).await
    }

    async fn read_head(&self, id: ChatId) -> Result<Option<ChatHead>, StoreError> {
        let Some(end) = self.end_of(id).await? else { return Ok(None) };
        let chat = match &end.opened {
            Some(bytes) => Some(read::decode_chat("read a chat", id, bytes)?),
            None => self.chat(id).await?,
        };
        if let (Some(chat), Some(last)) = (&chat, &end.last) {
            self.catch_up_and_tell(chat, last).await?;
        }
        Ok(chat.map(|chat| ChatHead { chat, head: end.head, state: end.state() }))
    }

    pub(in crate::scylla) async fn original(
        &self,
        chat: ChatId,
        seq: Seq,
    ) -> Result<Option<Event>, StoreError> {
        let Some(before) = seq.0.checked_sub(1) else { return Ok(None) };
        let found = self.raw_events(chat, Range::After(Seq(before)), 1).await?.pop();
        let message = found.filter(|event| matches!(event.kind, EventKind::Message(_)));
        match message {
            Some(message) if !self.is_gone(chat, seq).await? => Ok(Some(message)),
            Some(_) | None => Ok(None),
        }
    }

    /// Where the store stands: whatever was written here before is not above it.
    pub(in crate::scylla) fn now(&self) -> Position {
        Position { epoch: self.epoch, position: self.next_position() }
    }
}

impl ScyllaChats {
    pub(in crate::scylla) async fn member_chat(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Arc<Chat>>, StoreError> {
        let store = self.store();
        let operation = "look for a chat";
        let key = (user.to_column(), chat.to_column());
        let row = store.inbox.opened.row::<(Option<Vec<u8>>,)>(operation, key).await?;
        let Some((Some(bytes),)) = row else { return Ok(None) };
        let chat = read::decode_chat(operation, chat, &bytes)?;
        Ok(chat.participants.role_of(user).is_some().then_some(chat))
    }

    pub(in crate::scylla) async fn find_row(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<InboxRow>, StoreError> {
        match self.store().row_columns(user, chat).await? {
            Some(columns) => self.store().inbox_row(user, &columns).await,
            None => Ok(None),
        }
    }

    /// The rows of `user` whose last change is `wanted`, at most `limit`, by that change.
    pub(in crate::scylla) async fn page(
        &self,
        user: UserId,
        limit: usize,
        wanted: impl Fn(u64) -> bool + Send + Sync,
        newest_first: bool,
    ) -> Result<InboxPage, StoreError> {
        let mut changes = self.store().changes(user, wanted).await?;
        changes.sort_unstable();
        if newest_first {
            changes.reverse();
        }
        let more = changes.len() > limit;
        changes.truncate(limit);
        let next = changes.last().filter(|_| more).map(|(changed, _)| *changed);
        // A row that changes meanwhile keeps its place here, and comes again.
        let row = async |(changed, chat)| {
            let row = self.find_row(user, chat).await?;
            Ok::<_, StoreError>(row.map(|row| InboxRow { changed, ..row }))
        };
        let rows = stream::iter(changes).map(row).buffered(ROWS_AT_ONCE);
        let rows: Vec<_> = rows.try_collect().await?;
        Ok(InboxPage { rows: rows.into_iter().flatten().collect(), next })
    }
}

/// A wait before a try again: longer with each, and another for each chat.
fn back_off(chat: ChatId, attempt: u32) -> Duration {
    let base = 20 << attempt.min(5);
    let jitter = u64::from(chat.as_bytes()[1]) * base / 256;
    Duration::from_millis(base + jitter)
}
