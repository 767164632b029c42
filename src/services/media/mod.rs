//! Files: brought, looked at, shown by a message, a listing or a profile, fetched by those for whom that is, and
//! gone with it.
//!
//! A file is a row, its bytes are elsewhere, and what shows it is an event of a log, or another row. Each step is
//! one compare-and-set of the row; what is left undone by a server that ends is done by whoever looks next
//! (docs/decisions/0023).
//!
//! | file | |
//! |---|---|
//! | `claims` | what shows a file |
//! | `holders` | whether it does |
//! | `upload` | how bytes arrive: at once, in parts, or past this server |
//! | `source` | what has arrived of a file |
//! | `streams` | bytes on their way, which have to come in time and be the same twice |
//! | `work` | what is made of them once they are there |
//! | `pictures` | the threads on which pictures are made anew |
//! | `serve` | who may fetch what |
//! | `sweep` | what nothing shows any more goes |
//! | `keys` | how bytes are called |

pub mod claims;
mod holders;
mod keys;
pub mod pictures;
mod serve;
mod source;
mod streams;
mod sweep;
mod upload;
mod work;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Unpermitted};
use barterline_domain::clock::{Clock, Timestamp};
use barterline_domain::ids::{MediaId, UserId};
use barterline_domain::listing::details::PHOTOS_MAX;
use barterline_domain::media::{self as files, FileName, ORPHAN_LIFETIME, Purpose, Refusal, State};
use barterline_media::{Family, Limits as Bounds};
use barterline_storage::error::StoreError;
use barterline_storage::media::{Look, MediaStore};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::holders::Holding;
use self::pictures::Pictures;
pub use self::serve::{BytesStream, Link, Opened, Viewer};
pub use self::upload::{Progress, SignedPut};
use super::accounts::UserDirectory;
use super::chats::{ChatError, Chats};
use super::listings::ListingReader;
use crate::adapters::blobs::{BlobError, Blobs};
use crate::adapters::scanner::Scanner;
use crate::auth::sealed::Sealing;
use crate::ids::Ids;
use crate::limits::{Exceeded, Limits};

/// Files of somebody that are looked at for those that are not finished, the newest ones.
const RECENT: usize = 100;
/// Files of somebody that are in memory at a time.
const PAGE: usize = 50;
/// Tries against others who change the same file.
const TRIES_MAX: usize = 5;
/// When bytes of a file that ends are removed once more, behind what was on its way; the row goes with it.
const ROW_STAYS: Duration = Duration::from_hours(1);
/// When what was to show a file is there, if it ever is.
const HOLDER_COMES: Duration = Duration::from_mins(10);
/// Files of somebody that end at a time.
const ENDS_AT_ONCE: usize = 16;
/// When it is looked whether a file that was to end did.
const END_LOOK: Duration = Duration::from_secs(10);

/// Bytes that are brought to this server at a time, each of which holds a few megabytes.
const UPLOADS_AT_ONCE: usize = 32;
/// Files that are looked at or wait for it; for more a look comes later.
const WORK_MAX: usize = 64;
/// Files that are passed through at a time.
const PASSED_AT_ONCE: usize = 4;

/// The rules of files. Clones are one.
#[derive(Clone)]
pub struct Media(Arc<Inner>);

struct Inner {
    store: Arc<dyn MediaStore>,
    blobs: Blobs,
    scanner: Option<Arc<dyn Scanner>>,
    chats: Chats,
    listings: Arc<dyn ListingReader>,
    users: Arc<dyn UserDirectory>,
    limits: Arc<Limits>,
    links: Sealing,
    pictures: Pictures,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    rules: Rules,
    /// Of which file bytes are being brought here, and by whom.
    arriving: Mutex<HashMap<MediaId, UserId>>,
    uploads: Arc<Semaphore>,
    /// Which files are being looked at here.
    working: Mutex<HashSet<MediaId>>,
    admitted: Arc<Semaphore>,
    passing: Semaphore,
}

/// What the operator may choose.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How large files may be.
    pub bounds: Bounds,
    /// Files of one person, for one purpose, that nothing shows. Of photos, as many as a listing may have at
    /// least.
    pub unfinished_max: usize,
}

/// What the rules stand on.
pub struct Parts {
    /// What is known of files.
    pub store: Arc<dyn MediaStore>,
    /// Their bytes.
    pub blobs: Blobs,
    /// Who looks through them, if anybody does.
    pub scanner: Option<Arc<dyn Scanner>>,
    /// Who talks to whom, and what was said.
    pub chats: Chats,
    /// What is for sale, and which photos it shows.
    pub listings: Arc<dyn ListingReader>,
    /// Who people are, and which pictures they show.
    pub users: Arc<dyn UserDirectory>,
    /// How much anybody may do.
    pub limits: Arc<Limits>,
    /// Seals links.
    pub links: Sealing,
    /// Where pictures are made anew.
    pub pictures: Pictures,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Names of files, and how pauses differ.
    pub ids: Arc<dyn Ids>,
    /// What the operator chose.
    pub rules: Rules,
}

/// A file that somebody is about to bring.
#[derive(Debug, Clone)]
pub struct NewMedia {
    /// What it is for.
    pub purpose: Purpose,
    /// What they call it.
    pub name: String,
    /// How many bytes it has.
    pub size: u64,
}

/// Why something was refused.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The API key is not for that.
    #[error(transparent)]
    Unpermitted(#[from] Unpermitted),
    /// No such file, or not for the caller.
    #[error("no such file")]
    NotFound,
    /// No such chat, or of other people.
    #[error("no such chat")]
    ChatNotFound,
    /// More bytes than any file may have, or than were announced.
    #[error("more than {max} bytes")]
    TooLarge {
        /// As many it may have.
        max: u64,
    },
    /// A file without a byte.
    #[error("the file has no bytes")]
    Empty,
    /// As many of the caller's files as may be are neither whole nor sent.
    #[error("{max} files are not finished")]
    TooManyUnfinished {
        /// As many may be.
        max: usize,
    },
    /// Too many at once.
    #[error("too much at once")]
    Limited(Exceeded),
    /// All bytes are there.
    #[error("the file has all its bytes")]
    NotWaiting,
    /// Fewer bytes than were announced.
    #[error("{missing} bytes are missing")]
    Incomplete {
        /// As many.
        missing: u64,
    },
    /// The bytes do not go on where those end that are there.
    #[error("the bytes go on at {at}")]
    OffsetMismatch {
        /// Where those end.
        at: u64,
    },
    /// Somebody else brings bytes of the same file.
    #[error("bytes of the file are being brought")]
    Underway,
    /// The bytes broke off, or did not come in time.
    #[error("the bytes broke off: {0}")]
    Broken(#[source] io::Error),
    /// Something shows it.
    #[error("something shows the file")]
    Used,
    /// It is not whole yet, or is being looked at.
    #[error("the file is not ready")]
    NotReady,
    /// It cannot be used.
    #[error("the file cannot be used: {}", .0.name())]
    Refused(Refusal),
    /// Too many bytes are being brought.
    #[error("too many files are being brought")]
    Busy,
    /// Where files are kept nobody else can put them.
    #[error("files are brought by way of the server")]
    DirectUnavailable,
    /// There is no room for more.
    #[error("there is no room for files")]
    Full,
    /// Where files are kept is down or too slow, or the scanner is.
    #[error(transparent)]
    Unavailable(BlobError),
    /// What chats know of it cannot be had.
    #[error(transparent)]
    Chats(#[from] ChatError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BlobError> for MediaError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing => Self::NotFound,
            BlobError::Full => Self::Full,
            BlobError::TooLarge { max } => Self::TooLarge { max },
            BlobError::Interrupted(error) => Self::Broken(error),
            error @ BlobError::Unavailable(_) => Self::Unavailable(error),
        }
    }
}

impl MediaError {
    /// It cannot be done now, for a reason that is the operator's business.
    fn unavailable(reason: impl std::fmt::Display) -> Self {
        Self::Unavailable(BlobError::Unavailable(reason.to_string()))
    }
}

impl Media {
    /// The rules over these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, blobs, scanner, chats, listings, users, .. } = parts;
        let Parts { limits, links, pictures, clock, ids, rules, .. } = parts;
        Self(Arc::new(Inner {
            store,
            blobs,
            scanner,
            chats,
            listings,
            users,
            limits,
            links,
            pictures,
            clock,
            ids,
            rules,
            arriving: Mutex::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)),
            working: Mutex::default(),
            admitted: Arc::new(Semaphore::new(WORK_MAX)),
            passing: Semaphore::new(PASSED_AT_ONCE),
        }))
    }

    /// Bytes that no file has more of.
    pub fn size_max(&self) -> u64 {
        self.0.rules.bounds.largest()
    }

    /// Begins a file, whose bytes are to come.
    pub async fn create(&self, caller: Bearer, new: NewMedia) -> Result<files::Media, MediaError> {
        let NewMedia { purpose, name, size } = new;
        let owner = caller.may(writing(purpose))?;
        let max = match purpose {
            Purpose::Chat(_) => self.size_max(),
            Purpose::Listing | Purpose::Avatar => self.0.rules.bounds.of(Family::Picture),
        };
        if size == 0 {
            return Err(MediaError::Empty);
        }
        if size > max {
            return Err(MediaError::TooLarge { max });
        }
        if let Purpose::Chat(chat) = purpose {
            self.0.chats.role_in(owner, chat).await?.ok_or(MediaError::ChatNotFound)?;
        }
        let now = self.0.clock.now();
        self.0.limits.upload(owner, size, now).await.map_err(MediaError::Limited)?;
        self.may_begin(owner, purpose).await?;
        let media = files::Media {
            // Ordered by time, so that somebody's newest come first.
            id: MediaId::from_bytes(self.0.ids.ordered(now)),
            owner,
            purpose,
            name: FileName::of(&name),
            declared: size,
            created: now,
            version: 1,
            state: State::Waiting,
            shown: None,
        };
        self.0.store.insert(media.clone(), now.plus(ORPHAN_LIFETIME)).await?;
        Ok(media)
    }

    /// Whether somebody has few enough files that nothing shows, of those for chats, listings or their profile.
    async fn may_begin(&self, owner: UserId, purpose: Purpose) -> Result<(), MediaError> {
        let max = self.0.rules.unfinished_max;
        // All photos of a listing are there before it shows them.
        let max = if purpose == Purpose::Listing { max.max(PHOTOS_MAX) } else { max };
        let recent = self.0.store.list_by_owner(owner, None, RECENT.max(max)).await?;
        let unfinished = recent.iter().filter(|media| {
            writing(media.purpose) == writing(purpose) && media.shown.is_none() && is_kept(media)
        });
        if unfinished.count() >= max {
            return Err(MediaError::TooManyUnfinished { max });
        }
        Ok(())
    }

    /// A file of the caller's own.
    async fn own(&self, caller: Bearer, id: MediaId) -> Result<files::Media, MediaError> {
        let found = self.0.store.find(id).await?;
        let own = found.filter(|media| media.owner == caller.user && !media.is_ending());
        let own = own.ok_or(MediaError::NotFound)?;
        // Nobody but its owner learns by this that it is there.
        caller.may(writing(own.purpose))?;
        Ok(own)
    }

    /// Removes a file of the caller's own that nothing shows.
    pub async fn remove(&self, caller: Bearer, id: MediaId) -> Result<(), MediaError> {
        for _ in 0..TRIES_MAX {
            let media = self.own(caller, id).await?;
            if let Some(shown) = media.shown {
                let is_old = self.0.clock.now().since(shown.at) >= HOLDER_COMES;
                match self.holding(&media).await? {
                    // What was taken back goes by itself, and is gone by now for everybody.
                    Holding::Gone if media.chat().is_some() => return Err(MediaError::NotFound),
                    Holding::Gone => {}
                    // It was to be shown, and was not. Who tries once more now changes it.
                    Holding::Absent { .. } if is_old => {}
                    Holding::Stands(_) | Holding::Absent { .. } | Holding::Unclear => {
                        return Err(MediaError::Used);
                    }
                }
                if self.stands_after_all(&media).await? {
                    return Err(MediaError::Used);
                }
            }
            if self.end(media).await? {
                return Ok(());
            }
        }
        Err(StoreError::unavailable("remove a file", "it changes all the time").into())
    }

    /// Removes all that somebody brought, whatever shows it; the bytes follow. `false`: there was no time for all
    /// of it.
    pub async fn erase_all(&self, user: UserId, until: Instant) -> Result<bool, MediaError> {
        let (mut before, mut ended) = (None, 0);
        loop {
            let page = self.0.store.list_by_owner(user, before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(true) };
            // What is gone already is passed over however long that takes: each call comes further.
            if ended > 0 && Instant::now() >= until {
                return Ok(false);
            }
            before = Some(last.id);
            let ends = page.into_iter().filter(|media| !media.is_ending());
            let ends: Vec<_> = ends.map(|media| self.erase(media)).collect();
            ended += ends.len();
            stream::iter(ends).buffer_unordered(ENDS_AT_ONCE).try_collect::<()>().await?;
        }
    }

    async fn erase(&self, mut media: files::Media) -> Result<(), MediaError> {
        let id = media.id;
        for _ in 0..TRIES_MAX {
            if media.is_ending() || self.begin_end(media).await? {
                return Ok(());
            }
            match self.0.store.find(id).await? {
                Some(changed) => media = changed,
                None => return Ok(()),
            }
        }
        Err(StoreError::unavailable("erase a file", "it changes all the time").into())
    }

    /// Lists at most `limit` of somebody's files, the newest first, those below `before`. Fewer only at the
    /// end.
    pub async fn owned(
        &self,
        user: UserId,
        mut before: Option<MediaId>,
        limit: usize,
    ) -> Result<Vec<files::Media>, MediaError> {
        let mut owned = Vec::new();
        while owned.len() < limit {
            let page = self.0.store.list_by_owner(user, before, limit - owned.len()).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            owned.extend(page.into_iter().filter(|media| !media.is_ending()));
        }
        Ok(owned)
    }

    /// Has a file be gone for everybody, as it is at this version; `false`: it has changed. Its bytes go now,
    /// and once more when nothing can be on its way.
    async fn end(&self, media: files::Media) -> Result<bool, MediaError> {
        let id = media.id;
        if !self.begin_end(media).await? {
            return Ok(false);
        }
        if let Err(error) = self.0.blobs.remove_all(&keys::all(id)).await {
            tracing::debug!(%error, media = %id, "bytes of a file are removed later");
        }
        Ok(true)
    }

    /// The same; its bytes go later.
    async fn begin_end(&self, media: files::Media) -> Result<bool, MediaError> {
        let (id, now) = (media.id, self.0.clock.now());
        // Before it ends: whoever looks then finds out whether it did.
        for later in [END_LOOK, ROW_STAYS] {
            self.0.store.look_again(Look { at: now.plus(later), media: id }).await?;
        }
        Ok(self.0.store.replace(ending(media, now)).await?)
    }
}

/// What lets somebody bring files of a purpose, and take them away.
fn writing(purpose: Purpose) -> Scope {
    match purpose {
        Purpose::Chat(_) => Scope::WriteChats,
        Purpose::Listing => Scope::WriteListings,
        Purpose::Avatar => Scope::WriteProfile,
    }
}

/// Whether something is kept of a file.
fn is_kept(media: &files::Media) -> bool {
    match media.state {
        State::Waiting | State::Received | State::Ready(_) => true,
        State::Refused(_) | State::Ending => false,
    }
}

/// A file that is gone. What people wrote goes at once; the row stays for a while, and its time says since when
/// it is one of these.
fn ending(media: files::Media, now: Timestamp) -> files::Media {
    let name = FileName::of("");
    files::Media { name, created: now, shown: None, ..media }.with(State::Ending)
}

#[cfg(test)]
mod tests;
