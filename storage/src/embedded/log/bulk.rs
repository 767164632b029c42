//! The log, read whole and filled.

use std::collections::HashMap;
use std::sync::Arc;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::ChatId;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::state::{Log, Op};
use crate::bulk::{ChatItem, Item, PAGE_ITEMS, Page, Place};
use crate::chat_log::{
    APPEND_BYTES_MAX, Append, AppendError, ChatLog as _, Outcomes, Range, event_bytes,
};
use crate::embedded::chat_log::lost;
use crate::error::StoreError;
use crate::gate::READ_ONLY;
use crate::record::chat_log::{ImportedSide, put_imported_side};
use crate::record::index::{IndexedChat, Side};
use crate::record::sealing::Sealing;

const OPERATION: &str = "import";

impl Log {
    /// Chats by id, behind a place.
    pub(crate) fn page(&self, after: Option<&Place>) -> Result<Page, StoreError> {
        if after.is_none() {
            // So that the index has every chat that there is now.
            self.shared.checkpoint()?;
        }
        let ids = self.shared.index.chats_after(after.map(|place| &place.0[..]), PAGE_ITEMS)?;
        let mut page = Page::default();
        for id in ids {
            let place = Place(id.as_bytes().to_vec());
            let missing = || StoreError::corrupt("read the store", format!("chat {id}"));
            page.items.push((place, self.item(id)?.ok_or_else(missing)?));
        }
        page.end();
        Ok(page)
    }

    /// A chat as an archive has it.
    pub(crate) fn item(&self, chat: ChatId) -> Result<Option<Item>, StoreError> {
        let row = self.peek(chat)?;
        Ok(row.map(|row| Item::Chat(Box::new(item_of(row)))))
    }

    /// A chat's row, which is not kept in memory for that: an export comes by all of them.
    fn peek(&self, chat: ChatId) -> Result<Option<IndexedChat>, StoreError> {
        let row = self.shared.state.lock().chats.get(&chat).map(|entry| entry.row.clone());
        row.map_or_else(|| self.shared.index.chat(chat), |row| Ok(Some(row)))
    }

    /// How the words of events are kept.
    pub(crate) fn sealing(&self) -> &Sealing {
        &self.shared.sealing
    }

    /// Events as they were appended, but for words that were taken back.
    pub(crate) fn raw_events(
        &self,
        chat: ChatId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let Some(row) = self.peek(chat)? else { return Ok(Vec::new()) };
        let mut events = self.shared.raw_events(chat, &row.tail, Range::After(after), limit)?;
        self.shared.empty_gone(chat, &mut events)?;
        Ok(events)
    }

    /// Brings the index up to every chat that there is now.
    pub(crate) fn index_all(&self) -> Result<(), StoreError> {
        self.shared.checkpoint()
    }

    /// Takes no writes from here on, or takes them again. What was under way is settled when what
    /// this gives is; nothing is, when the log is closed anyway.
    pub(crate) fn hold(&self, on: bool) -> Option<oneshot::Receiver<()>> {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        state.held = on.then_some(READ_ONLY);
        if state.failed.is_some() {
            return None;
        }
        let (reply, settled) = oneshot::channel();
        state.open_group(shared.segment_bytes).ops.push(Op::Settled(reply));
        shared.ask_for_commit(&mut state);
        Some(settled)
    }

    /// Replaces a side of a chat.
    pub(crate) async fn import_side(
        &self,
        chat: ChatId,
        role: Role,
        side: Side,
    ) -> Result<(), StoreError> {
        let (reply, outcome) = oneshot::channel();
        {
            let shared = &self.shared;
            let mut state = shared.state.lock();
            if let Some(reason) = state.refusal() {
                return Err(StoreError::unavailable(OPERATION, reason));
            }
            let side = ImportedSide { chat, role, side };
            let group = state.open_group(shared.segment_bytes);
            put_imported_side(&mut group.bytes, &side);
            let end = group.start + group.bytes.len() as u64;
            group.ops.push(Op::Side { side, end, reply });
            shared.ask_for_commit(&mut state);
        }
        outcome.await.map_err(lost(OPERATION))?
    }
}

fn item_of(row: IndexedChat) -> ChatItem {
    let [buyer, seller] = [Role::Buyer, Role::Seller]
        .map(|role| Side { changed: row.changed_for(role), ..row.side(role).clone() });
    ChatItem { head: row.tail.head, chat: row.chat, buyer, seller }
}

type Waiting = Arc<Mutex<HashMap<ChatId, oneshot::Sender<Result<(), AppendError>>>>>;

/// Appends whose outcomes are waited for, one at a time for each chat.
pub(crate) struct Appends {
    log: Log,
    waiting: Waiting,
    /// Ends with it.
    _outcomes: JoinSet<()>,
}

impl Appends {
    /// Over a log that nobody else appends to.
    pub fn of(log: Log, mut outcomes: Outcomes) -> Self {
        let waiting = Waiting::default();
        let mut tasks = JoinSet::new();
        let told = Arc::clone(&waiting);
        tasks.spawn(async move {
            while let Some(committed) = outcomes.recv().await {
                for outcome in committed.appends {
                    let waiter = told.lock().remove(&outcome.chat.id);
                    // Who waited may be gone.
                    let _gone = waiter.map(|waiter| waiter.send(outcome.result));
                }
            }
        });
        Self { log, waiting, _outcomes: tasks }
    }

    /// Appends what is not there yet; see [`crate::bulk::Target::append`].
    pub async fn append(&self, chat: &Arc<Chat>, events: Vec<Event>) -> Result<(), StoreError> {
        self.log.create_chat(Chat::clone(chat)).await?;
        let head = self.log.head(chat.id).await?.map_or(Seq::ZERO, |chat| chat.head);
        let mut rest = events;
        rest.retain(|event| event.seq > head);
        let mut head = head;
        while !rest.is_empty() {
            if rest[0].seq != head.next() {
                let place = format!("chat {}, number {}", chat.id, head.next().0);
                return Err(StoreError::corrupt(OPERATION, place));
            }
            let mut bytes = 0;
            let fit = rest.iter().take_while(|event| {
                bytes += event_bytes(&event.kind);
                bytes <= APPEND_BYTES_MAX
            });
            let fit = fit.count().max(1);
            let others = rest.split_off(fit);
            let (expected_head, events) = (head, std::mem::replace(&mut rest, others));
            head = events.last().map_or(head, |last| last.seq);
            let (told, outcome) = oneshot::channel();
            self.waiting.lock().insert(chat.id, told);
            self.log.append(Append { chat: Arc::clone(chat), expected_head, events });
            let result = outcome.await.map_err(lost(OPERATION))?;
            result.map_err(|error| StoreError::unavailable(OPERATION, error))?;
        }
        Ok(())
    }
}
