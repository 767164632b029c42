//! Erases accounts: what somebody said, brought, offered and told of themselves, and how they log in
//! (docs/decisions/0014).
//!
//! Nothing is stored to be gone on with later. Each call does what is left, as far as its time reaches,
//! and the log-in goes last: whoever is cut off can ask again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::bearer::Bearer;
use barterline_domain::ids::{SessionId, UserId};
use barterline_storage::error::StoreError;
use barterline_storage::user_state::UserChange;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::accounts::{Accounts, Language, SessionError, Shown};
use super::chats::{Chats, SendError};
use super::favourites::Favourites;
use super::listings::{ListingError, Listings};
use super::media::{Media, MediaError};
use super::people::{People, PeopleError};
use super::saved_searches::SavedSearches;
use crate::auth::principal::Principal;

/// For one call, but for its last step: a small part of what a request may take.
const TIME: Duration = Duration::from_secs(5);
/// Accounts that are worked on at a time; of each person one.
const AT_ONCE: usize = 8;
/// How long a session that proved who it is goes on without doing so again: a code counts once.
const PROVEN_FOR: Duration = Duration::from_mins(10);
/// When what sockets said has arrived after the last log-in ended: they get two seconds, and an append three.
const LATE: Duration = Duration::from_secs(6);
/// On a cluster sockets at other servers end within half a minute, if the database answers.
const LATE_ON_CLUSTER: Duration = Duration::from_secs(45);
/// How often is looked for it, and the first pause between two looks, which doubles.
const LATE_LOOKS: u32 = 6;
const LATE_PAUSE: Duration = Duration::from_secs(10);

/// The rules of leaving.
#[derive(Clone)]
pub struct Erasure {
    accounts: Accounts,
    chats: Chats,
    listings: Listings,
    favourites: Favourites,
    saved_searches: SavedSearches,
    media: Media,
    people: People,
    /// How long a request may take that was let in before the log-in ended.
    request_time: Duration,
    leaving: Arc<Mutex<HashMap<UserId, Leaving>>>,
}

/// Somebody who leaves.
struct Leaving {
    /// By which session, and when it proved who it is.
    proven: Option<(SessionId, Instant)>,
    /// A call works on it.
    working: bool,
}

/// A call that works on somebody's account.
struct Work {
    leaving: Arc<Mutex<HashMap<UserId, Leaving>>>,
    user: UserId,
}

/// Why an account is still there, or some of it.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The caller did not prove who they are. Nothing changed.
    #[error(transparent)]
    Proof(#[from] SessionError),
    /// Another call works on it, or too many others are worked on.
    #[error("an account is being erased; ask again when that call has ended")]
    Busy,
    /// The caller's log-in was ended meanwhile, or staff keep them out.
    #[error("the log-in that asked for it has ended")]
    Ended,
    /// What they said could not be taken back.
    #[error(transparent)]
    Chats(#[from] SendError),
    /// What they offered could not be withdrawn.
    #[error(transparent)]
    Listings(#[from] ListingError),
    /// What they brought could not be removed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// What they chose could not be changed.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Erasure {
    /// The rules over these.
    pub fn new(
        accounts: &Accounts,
        (chats, media): (&Chats, &Media),
        (listings, favourites, saved_searches): (&Listings, &Favourites, &SavedSearches),
        people: &People,
        request_time: Duration,
    ) -> Self {
        Self {
            accounts: accounts.clone(),
            chats: chats.clone(),
            listings: listings.clone(),
            favourites: favourites.clone(),
            saved_searches: saved_searches.clone(),
            media: media.clone(),
            people: people.clone(),
            request_time,
            leaving: Arc::default(),
        }
    }

    /// Erases the caller's account; `false`: there is more, and the caller is to ask again.
    pub async fn erase(
        &self,
        caller: &Principal,
        shown: Option<Shown>,
        from: IpAddr,
        language: Language,
    ) -> Result<bool, ErasureError> {
        let (user, session) = (caller.user, caller.session().map_err(SessionError::from)?);
        let work = self.begin(user).ok_or(ErasureError::Busy)?;
        if !work.is_proven_by(session) {
            self.accounts.begin_erasure(caller, shown, from, language).await?;
            work.prove(session);
        }
        if !work.is_one_of_few() {
            return Err(ErasureError::Busy);
        }
        let until = Instant::now() + TIME;
        if !self.chats.take_back_all(user, until).await? {
            return Ok(false);
        }
        // Before the photos and the picture that they show: whoever is stopped from here on shows nothing that is
        // gone.
        self.listings.erase_all(user).await?;
        self.accounts.hide_avatar(user).await?;
        if !self.media.erase_all(user, until).await? {
            return Ok(false);
        }
        // Whoever saw the mail and ended this log-in, or staff, stopped it here.
        if !self.accounts.still_admits(caller.bearer()).await? {
            return Err(ErasureError::Ended);
        }
        self.accounts.end_log_ins(user).await?;
        self.take_what_came(user).await?;
        let hidden = vec![UserChange::ShowRead(false), UserChange::ShowPresence(false)];
        self.people.change_settings(Bearer::served(user), hidden).await?;
        self.accounts.forget_account(user).await?;
        self.look_once_more(user);
        Ok(true)
    }

    fn begin(&self, user: UserId) -> Option<Work> {
        let mut all = self.leaving.lock();
        all.retain(|_, leaving| leaving.working || leaving.is_proven());
        let leaving = all.entry(user).or_insert(Leaving { proven: None, working: false });
        if std::mem::replace(&mut leaving.working, true) {
            return None;
        }
        Some(Work { leaving: Arc::clone(&self.leaving), user })
    }

    async fn take_what_came(&self, user: UserId) -> Result<(), ErasureError> {
        // However much it is: nobody can ask again.
        while !self.chats.take_back_all(user, Instant::now() + TIME).await? {}
        self.listings.erase_all(user).await?;
        while !self.media.erase_all(user, Instant::now() + TIME).await? {}
        self.favourites.erase_all(user).await?;
        Ok(self.saved_searches.erase_all(user).await?)
    }

    /// Takes back what was on its way when the last log-in ended.
    fn look_once_more(&self, user: UserId) {
        let late = if self.chats.hears_everything() { LATE } else { LATE_ON_CLUSTER };
        // A request has its time for the body, and as much for the answer.
        let late = late.max(2 * self.request_time);
        // What failed together does not come again together.
        let spread = Duration::from_millis(20 * u64::from(user.as_bytes()[0]));
        let erasure = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            for look in 0..LATE_LOOKS {
                match erasure.take_what_came(user).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(%error, %user, look, "an erased account said more");
                    }
                }
                tokio::time::sleep(LATE_PAUSE * 2_u32.pow(look) + spread).await;
            }
            tracing::error!(%user, "what an erased account said last stands");
        });
    }
}

impl Leaving {
    fn is_proven(&self) -> bool {
        self.proven.is_some_and(|(_, at)| at.elapsed() < PROVEN_FOR)
    }
}

impl Work {
    fn is_proven_by(&self, session: SessionId) -> bool {
        let all = self.leaving.lock();
        let leaving = all.get(&self.user).filter(|leaving| leaving.is_proven());
        leaving.and_then(|leaving| leaving.proven).is_some_and(|(by, _)| by == session)
    }

    /// Whether not too many others who proved who they are are worked on.
    fn is_one_of_few(&self) -> bool {
        let all = self.leaving.lock();
        let working = all.values().filter(|leaving| leaving.working && leaving.is_proven());
        working.count() <= AT_ONCE
    }

    fn prove(&self, session: SessionId) {
        if let Some(leaving) = self.leaving.lock().get_mut(&self.user) {
            leaving.proven = Some((session, Instant::now()));
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(leaving) = self.leaving.lock().get_mut(&self.user) {
            leaving.working = false;
        }
    }
}
