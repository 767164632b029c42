//! A chat log that is not kept as it should be.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq, SmallState};
use barterline_domain::ids::ChatId;
use barterline_domain::message::EventKind;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::breaches;
use crate::chat_log::{
    Append, AppendError, AppendOutcome, ChatHead, ChatLog, Committed, Outcomes, Range,
};
use crate::error::StoreError;

breaches! {
    /// Of two chats with one id the last is given back.
    LastChatIsGiven,
    /// The first event of a chat is read no more.
    EventsDisappear,
    /// Events are read under the number after theirs.
    EventsAreRenumbered,
    /// A message is read as it was first said.
    OldTextIsRead,
    /// What is withheld is lost.
    WithheldIsLost,
    /// What the buyer does withheld is everybody's.
    WithheldIsShown,
    /// An append passes for done and is not.
    NothingIsAppended,
    /// A conflict passes for done.
    ConflictPassesForDone,
    /// What is behind an append that failed passes for done.
    FailureIsForgotten,
    /// Of two appends under way the second is told first.
    OutcomesAreSwapped,
    /// A message's newest text passes for its first.
    OriginalIsNewest,
    /// What was taken back is still given.
    TakenBackIsOriginal,
    /// What is no message is given as one.
    AnythingIsOriginal,
    /// The head is one behind.
    HeadIsBehind,
    /// The state is that of an empty chat.
    StateIsLost,
    /// What the chat was told of its listing is forgotten.
    ToldIsForgotten,
    /// What the server tells of a listing is lost.
    ListingChangesAreLost,
    /// A missing chat is found.
    MissingIsFound,
    /// A page has one more than it may.
    PagesAreLarger,
    /// A page ends one before it could.
    PagesAreSmaller,
    /// A missing chat cannot be read.
    MissingIsAnError,
    /// The event after which to read is read too.
    AfterIsInclusive,
    /// The event before which to read is read too.
    BeforeIsInclusive,
    /// The newest come first.
    AnswersDescend,
    /// After a number the newest are read, not the oldest.
    AfterReadsTheNewest,
    /// Before a number the oldest are read, not the newest.
    BeforeReadsTheOldest,
    /// What conflicts is written behind the head.
    ConflictIsWritten,
    /// A conflict tells another head.
    ConflictTellsAnotherHead,
    /// An append to a missing chat is refused, and the chat is there.
    RefusedIsWritten,
    /// That a chat was created is not told.
    OpenedIsNotTold,
    /// That marks moved is not told.
    MarksAreNotTold,
    /// What people changed for themselves is not told.
    PersonalIsNotTold,
    /// The position is not told.
    PositionIsNotTold,
}

/// Outcomes that wait: more than any law has under way.
const OUTCOMES_MAX: usize = 1_024;

/// A log over a sound one.
pub struct Mutant {
    sound: Arc<dyn ChatLog>,
    breach: Option<Breach>,
    /// Events as they were to be appended.
    said: Mutex<HashMap<(ChatId, Seq), Event>>,
    told: mpsc::Sender<Committed>,
    _task: JoinSet<()>,
}

impl Mutant {
    /// A log with this breach, or sound as it is, and where its outcomes arrive.
    pub fn over(
        sound: Arc<dyn ChatLog>,
        outcomes: Outcomes,
        breach: Option<Breach>,
    ) -> (Self, Outcomes) {
        let (told, hears) = mpsc::channel(OUTCOMES_MAX);
        let messenger =
            Messenger { sound: Arc::clone(&sound), breach, failed: false, told: told.clone() };
        let mut task = JoinSet::new();
        task.spawn(messenger.run(outcomes));
        (Self { sound, breach, said: Mutex::default(), told, _task: task }, hears)
    }

    fn said(&self, chat: ChatId, seq: Seq) -> Option<Event> {
        self.said.lock().get(&(chat, seq)).cloned()
    }

    fn broken(&self, chat: ChatId, mut event: Event) -> Event {
        match self.breach {
            Some(Breach::EventsAreRenumbered) => event.seq = event.seq.next(),
            Some(Breach::OldTextIsRead) => event = self.said(chat, event.seq).unwrap_or(event),
            Some(Breach::WithheldIsLost) => {
                if let Some(amended) = &mut event.amended {
                    amended.withheld = None;
                }
            }
            Some(Breach::WithheldIsShown) => event = event.seen_by(Role::Buyer).into_owned(),
            _ => {}
        }
        event
    }
}

/// Passes outcomes on, not always as they are.
struct Messenger {
    sound: Arc<dyn ChatLog>,
    breach: Option<Breach>,
    /// Whether the last append failed.
    failed: bool,
    told: mpsc::Sender<Committed>,
}

impl Messenger {
    async fn run(mut self, mut outcomes: Outcomes) {
        while let Some(mut committed) = outcomes.recv().await {
            if self.breach == Some(Breach::OutcomesAreSwapped) && !committed.appends.is_empty() {
                // Those under way are all told by now, or there is only one.
                while let Ok(next) = outcomes.try_recv() {
                    committed.appends.extend(next.appends);
                }
                committed.appends.reverse();
            }
            for outcome in &mut committed.appends {
                self.meddle(outcome, &mut outcomes).await;
            }
            match self.breach {
                Some(Breach::OpenedIsNotTold) => committed.opened.clear(),
                Some(Breach::MarksAreNotTold) => committed.marks.clear(),
                Some(Breach::PersonalIsNotTold) => committed.personal.clear(),
                Some(Breach::PositionIsNotTold) => committed.position = 0,
                _ => {}
            }
            // A law that failed hears no more.
            let _over = self.told.send(committed).await;
        }
    }

    async fn meddle(&mut self, outcome: &mut AppendOutcome, outcomes: &mut Outcomes) {
        let failed = outcome.result.is_err();
        match (self.breach, &outcome.result) {
            (Some(Breach::ConflictPassesForDone), Err(AppendError::Conflict { .. })) => {
                outcome.result = Ok(());
            }
            (Some(Breach::FailureIsForgotten), Err(_)) if self.failed => outcome.result = Ok(()),
            (Some(Breach::ConflictTellsAnotherHead), Err(AppendError::Conflict { head })) => {
                outcome.result = Err(AppendError::Conflict { head: head.next() });
            }
            (Some(Breach::ConflictIsWritten), Err(AppendError::Conflict { head })) => {
                let expected_head = *head;
                let mut events = outcome.events.clone();
                for (event, n) in events.iter_mut().zip(1..) {
                    event.seq = Seq(expected_head.0 + n);
                }
                let chat = Arc::clone(&outcome.chat);
                self.sound.append(Append { chat, expected_head, events });
                let _unheard = outcomes.recv().await;
            }
            (Some(Breach::RefusedIsWritten), Err(AppendError::Unavailable(_))) => {
                let _created = self.sound.create((*outcome.chat).clone()).await;
            }
            _ => {}
        }
        self.failed = failed;
    }
}

#[async_trait]
impl ChatLog for Mutant {
    async fn create(&self, chat: Chat) -> Result<Arc<Chat>, StoreError> {
        let wanted = chat.clone();
        let found = self.sound.create(chat).await?;
        let last = self.breach == Some(Breach::LastChatIsGiven);
        Ok(if last { Arc::new(wanted) } else { found })
    }

    fn append(&self, append: Append) {
        let mut said = self.said.lock();
        for event in &append.events {
            said.insert((append.chat.id, event.seq), event.clone());
        }
        drop(said);
        if self.breach == Some(Breach::NothingIsAppended) {
            let Append { chat, events, .. } = append;
            let appends = vec![AppendOutcome { chat, events, result: Ok(()) }];
            let _over = self.told.try_send(Committed { appends, ..Committed::default() });
        } else {
            self.sound.append(append);
        }
    }

    fn pipelines(&self) -> bool {
        self.sound.pipelines()
    }

    async fn original(&self, chat: ChatId, seq: Seq) -> Result<Option<Event>, StoreError> {
        let original = self.sound.original(chat, seq).await?;
        let is_message = |event: &Event| matches!(event.kind, EventKind::Message(_));
        Ok(match self.breach {
            Some(Breach::OriginalIsNewest) if original.is_some() => {
                self.sound.read(chat, Range::Before(seq.next()), 1).await?.pop()
            }
            Some(Breach::TakenBackIsOriginal) => self.said(chat, seq).filter(is_message),
            Some(Breach::AnythingIsOriginal) => {
                original.or_else(|| self.said(chat, seq).filter(|event| !is_message(event)))
            }
            _ => original,
        })
    }

    async fn head(&self, chat: ChatId) -> Result<Option<ChatHead>, StoreError> {
        let found = self.sound.head(chat).await?;
        Ok(match self.breach {
            Some(Breach::HeadIsBehind) => found.map(|found| {
                let head = Seq(found.head.0.saturating_sub(1));
                ChatHead { head, ..found }
            }),
            Some(Breach::StateIsLost) => {
                found.map(|found| ChatHead { state: SmallState::default(), ..found })
            }
            Some(Breach::ToldIsForgotten) => found.map(|found| {
                let SmallState { buyer_messages, seller_messages, .. } = found.state;
                let state = SmallState { buyer_messages, seller_messages, ..SmallState::default() };
                ChatHead { state, ..found }
            }),
            Some(Breach::MissingIsFound) => found.or_else(|| {
                let chat = Arc::new(crate::conformance::samples::chat(0));
                Some(ChatHead { chat, head: Seq::ZERO, state: SmallState::default() })
            }),
            _ => found,
        })
    }

    async fn read(
        &self,
        chat: ChatId,
        range: Range,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let range = match (self.breach, range) {
            (Some(Breach::AfterIsInclusive), Range::After(seq)) => {
                Range::After(Seq(seq.0.saturating_sub(1)))
            }
            (Some(Breach::BeforeIsInclusive), Range::Before(seq)) => Range::Before(seq.next()),
            (Some(Breach::AfterReadsTheNewest), Range::After(_)) => Range::Before(Seq(u64::MAX)),
            (Some(Breach::BeforeReadsTheOldest), Range::Before(_)) => Range::After(Seq::ZERO),
            _ => range,
        };
        let limit = match self.breach {
            Some(Breach::PagesAreLarger) => limit + 1,
            Some(Breach::PagesAreSmaller) => limit.saturating_sub(1),
            _ => limit,
        };
        let mut events = self.sound.read(chat, range, limit).await?;
        match self.breach {
            Some(Breach::EventsDisappear) => events.retain(|event| event.seq.0 > 1),
            Some(Breach::ListingChangesAreLost) => {
                events.retain(|event| !matches!(event.kind, EventKind::Listing(_)));
            }
            Some(Breach::AnswersDescend) => events.reverse(),
            Some(Breach::MissingIsAnError) if self.sound.head(chat).await?.is_none() => {
                return Err(StoreError::unavailable("read", "there is no such chat"));
            }
            _ => {}
        }
        Ok(events.into_iter().map(|event| self.broken(chat, event)).collect())
    }
}
