//! An inbox that is not kept as it should be.

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Seq, SmallState};
use barterline_domain::ids::{ChatId, DeviceId, UserId};
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::personal::{Personal, PersonalChange};
use parking_lot::Mutex;

use super::{AtOnce, breaches};
use crate::chat_log::ChatLog;
use crate::error::StoreError;
use crate::inbox::{Inbox, InboxPage, InboxRow, Position, Unread};

breaches! {
    /// Strangers find a chat.
    StrangersAreMembers,
    /// A chat that does not exist is an error, one of others is not.
    MissingIsAnError,
    /// A row's head is above the log's.
    RowHeadIsAhead,
    /// Strangers are told of a head.
    StrangersHaveHeads,
    /// The buyer is on the seller's side.
    RolesAreSwapped,
    /// A row is one behind the log.
    RowIsBehind,
    /// A row's state is that of an empty chat.
    StateIsLost,
    /// What the chat was told of its listing is forgotten.
    ToldIsForgotten,
    /// A row has no newest event.
    LastIsLost,
    /// A row has none of one's own marks.
    MarksAreLost,
    /// A row has none of the other's marks.
    PeerMarksAreLost,
    /// A row has nothing that is one's own.
    PersonalIsLost,
    /// What one says oneself counts as unread.
    OwnCountsAsUnread,
    /// A row says that it never changed.
    ChangeIsLost,
    /// A page has one more than it may.
    PagesAreLarger,
    /// The newest change comes first where it should come last.
    NewestChangeFirst,
    /// Changes at and before the position come again.
    OldChangesAreTold,
    /// The last change is left out.
    LastChangeIsLost,
    /// A list begins at its end.
    OldestChangeFirst,
    /// A list goes on where it began.
    ListsStartAnew,
    /// A chat in which nothing was said is none.
    EmptyChatsDoNotCount,
    /// A chat that is marked as unread is none.
    FlagsDoNotCount,
    /// What is said to a seller does not count.
    SellersDoNotCount,
    /// The marks that were asked for are given.
    MarksAreGivenAsAsked,
    /// A mark that goes back moves it back.
    MarksGoBack,
    /// A mark that goes back is a change.
    GoingBackIsAChange,
    /// Marks above the head stay there.
    MarksAreNotCut,
    /// The other person sees everything.
    EverythingIsShown,
    /// Reading on leaves the flag.
    FlagStays,
    /// What one changes the other has too.
    ChangesAreForBoth,
    /// A change gives what was before.
    OldPersonalIsGiven,
    /// Of several changes at once the last stays.
    LastChangeStays,
    /// Strangers change something.
    StrangersMayChange,
    /// The position is above what is to come.
    PositionIsAhead,
    /// The position never moves.
    PositionStands,
}

/// An inbox over a sound one.
pub struct Mutant {
    sound: Arc<dyn Inbox>,
    log: Arc<dyn ChatLog>,
    breach: Option<Breach>,
    /// The marks that came last, and whose.
    asked: Mutex<Option<(UserId, Marks)>>,
    at_once: AtOnce,
}

impl Mutant {
    /// An inbox with this breach, or sound as it is.
    pub fn over(sound: Arc<dyn Inbox>, log: Arc<dyn ChatLog>, breach: Option<Breach>) -> Self {
        Self { sound, log, breach, asked: Mutex::default(), at_once: AtOnce::default() }
    }

    fn broken(&self, user: UserId, mut row: InboxRow) -> InboxRow {
        match self.breach {
            Some(Breach::RolesAreSwapped) => row.role = row.role.other(),
            Some(Breach::RowIsBehind) => row.head = Seq(row.head.0.saturating_sub(1)),
            Some(Breach::StateIsLost) => row.state = SmallState::default(),
            Some(Breach::ToldIsForgotten) => {
                let SmallState { buyer_messages, seller_messages, .. } = row.state;
                row.state = SmallState { buyer_messages, seller_messages, ..SmallState::default() };
            }
            Some(Breach::LastIsLost) => row.last = None,
            Some(Breach::MarksAreLost) => row.marks = Marks::default(),
            Some(Breach::PeerMarksAreLost) => row.peer_marks = Marks::default(),
            Some(Breach::PersonalIsLost) => row.personal = Personal::default(),
            Some(Breach::OwnCountsAsUnread) => {
                row.unread = row.head.0.saturating_sub(row.marks.read.0);
            }
            Some(Breach::ChangeIsLost) => row.changed = 0,
            Some(Breach::MarksGoBack) => match *self.asked.lock() {
                Some((whose, marks)) if whose == user => row.marks = marks,
                Some((_, marks)) => row.peer_marks = marks,
                None => {}
            },
            _ => {}
        }
        row
    }

    fn page(&self, user: UserId, page: InboxPage) -> InboxPage {
        let rows = page.rows.into_iter().map(|row| self.broken(user, row));
        InboxPage { rows: rows.collect(), ..page }
    }

    fn limit(&self, limit: usize) -> usize {
        limit + usize::from(self.breach == Some(Breach::PagesAreLarger))
    }
}

#[async_trait]
impl Inbox for Mutant {
    async fn membership(
        &self,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Arc<Chat>>, StoreError> {
        let found = self.sound.membership(user, chat).await?;
        if found.is_some() {
            return Ok(found);
        }
        let exists = self.log.head(chat).await?;
        match self.breach {
            Some(Breach::StrangersAreMembers) => Ok(exists.map(|found| found.chat)),
            Some(Breach::MissingIsAnError) if exists.is_none() => {
                Err(StoreError::unavailable("look for a chat", "there is no such chat"))
            }
            _ => Ok(None),
        }
    }

    async fn row_head(&self, user: UserId, chat: ChatId) -> Result<Option<Seq>, StoreError> {
        let head = self.sound.row_head(user, chat).await?;
        Ok(match self.breach {
            Some(Breach::RowHeadIsAhead) => head.map(Seq::next),
            Some(Breach::StrangersHaveHeads) => head.or(Some(Seq::ZERO)),
            _ => head,
        })
    }

    async fn row(&self, user: UserId, chat: ChatId) -> Result<Option<InboxRow>, StoreError> {
        Ok(self.sound.row(user, chat).await?.map(|row| self.broken(user, row)))
    }

    async fn changed_after(
        &self,
        user: UserId,
        position: u64,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        let old = self.breach == Some(Breach::OldChangesAreTold);
        let position = if old { 0 } else { position };
        let page = self.sound.changed_after(user, position, self.limit(limit)).await?;
        let mut page = self.page(user, page);
        match self.breach {
            Some(Breach::NewestChangeFirst) => page.rows.reverse(),
            Some(Breach::LastChangeIsLost) if page.next.is_none() => {
                page.rows.pop();
            }
            _ => {}
        }
        Ok(page)
    }

    async fn list(
        &self,
        user: UserId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<InboxPage, StoreError> {
        let before = before.filter(|_| self.breach != Some(Breach::ListsStartAnew));
        let page = self.sound.list(user, before, self.limit(limit)).await?;
        let mut page = self.page(user, page);
        if self.breach == Some(Breach::OldestChangeFirst) {
            page.rows.reverse();
        }
        Ok(page)
    }

    async fn count(&self, user: UserId) -> Result<usize, StoreError> {
        if self.breach != Some(Breach::EmptyChatsDoNotCount) {
            return self.sound.count(user).await;
        }
        let rows = self.sound.list(user, None, usize::MAX).await?.rows;
        Ok(rows.iter().filter(|row| row.head > Seq::ZERO).count())
    }

    async fn unread(&self, user: UserId) -> Result<Unread, StoreError> {
        if !matches!(self.breach, Some(Breach::FlagsDoNotCount | Breach::SellersDoNotCount)) {
            return self.sound.unread(user).await;
        }
        let mut unread = Unread::default();
        for row in self.sound.list(user, None, usize::MAX).await?.rows {
            if self.breach == Some(Breach::FlagsDoNotCount) {
                unread.add(row.unread, false);
            } else if row.role == Role::Buyer {
                unread.add(row.unread, row.personal.unread);
            }
        }
        Ok(unread)
    }

    async fn mark(
        &self,
        user: UserId,
        chat: ChatId,
        device: DeviceId,
        marks: Marks,
        visibility: Visibility,
    ) -> Result<Option<Marks>, StoreError> {
        let Some(before) = self.sound.row(user, chat).await? else { return Ok(None) };
        *self.asked.lock() = Some((user, marks));
        let shows_all = self.breach == Some(Breach::EverythingIsShown);
        let visibility = if shows_all { Visibility::Both } else { visibility };
        let after = self.sound.mark(user, chat, device, marks, visibility).await?;
        let again = match self.breach {
            Some(Breach::GoingBackIsAChange) => PersonalChange::Pin(before.personal.pinned),
            Some(Breach::FlagStays) => PersonalChange::Unread(before.personal.unread),
            Some(Breach::MarksAreGivenAsAsked) => return Ok(Some(marks)),
            Some(Breach::MarksAreNotCut) => return Ok(after.map(|after| after.merge(marks))),
            _ => return Ok(after),
        };
        self.sound.change(user, chat, again).await?;
        Ok(after)
    }

    async fn change(
        &self,
        user: UserId,
        chat: ChatId,
        change: PersonalChange,
    ) -> Result<Option<Personal>, StoreError> {
        let last_stays = self.breach == Some(Breach::LastChangeStays);
        let lost = last_stays && self.at_once.another_comes().await;
        let Some(before) = self.sound.row(user, chat).await? else {
            let may = self.breach == Some(Breach::StrangersMayChange);
            return Ok(may.then(Personal::default));
        };
        if lost {
            return Ok(Some(before.personal));
        }
        if self.breach == Some(Breach::ChangesAreForBoth) {
            let other = before.chat.participants.user(before.role.other());
            self.sound.change(other, chat, change).await?;
        }
        let after = self.sound.change(user, chat, change).await?;
        let old = self.breach == Some(Breach::OldPersonalIsGiven);
        Ok(if old { Some(before.personal) } else { after })
    }

    fn position(&self) -> Position {
        let Position { epoch, position } = self.sound.position();
        match self.breach {
            Some(Breach::PositionIsAhead) => Position { epoch, position: position + 1_000_000 },
            Some(Breach::PositionStands) => Position { epoch, position: 0 },
            _ => Position { epoch, position },
        }
    }

    fn overlap(&self) -> u64 {
        self.sound.overlap()
    }
}
