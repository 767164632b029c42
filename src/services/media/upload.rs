//! How bytes arrive: at once, in parts, or past this server.
//!
//! Nothing is seen of them before the row says that all are there, which one compare-and-set does. Who brings
//! the same file twice at once wins once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::bearer::Bearer;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{MediaId, UserId};
use barterline_domain::media::{self as files, ORPHAN_LIFETIME, State};
use barterline_storage::media::Look;
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::streams::{Wanted, paced, short};
use super::{Inner, Media, MediaError, keys};
use crate::adapters::blobs::{BlobError, BlobStream};
use crate::services::to_the_end;

/// For how long others may put bytes past this server. Less than what is kept of a file that ends
/// ([`super::ROW_STAYS`]).
const DIRECT_FOR: Duration = Duration::from_mins(15);
/// How long after that is looked at what was put there.
const DIRECT_LOOK: Duration = Duration::from_mins(1);
/// When another server goes on with bytes that are all there, if this one ended.
pub(super) const RECEIVED_LOOK: Duration = Duration::from_mins(1);
/// For how long whoever brought the last byte waits for what comes of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Parts of a file: who brings it in smaller ones begins anew.
const PARTS_MAX: usize = 1_000;
/// Files that one person brings to this server at a time.
const UPLOADS_OF_ONE: usize = 4;

/// Where bytes can be put without this server.
#[derive(Debug, Clone)]
pub struct SignedPut {
    /// Whoever knows it can put them there.
    pub url: String,
    /// Headers that have to be sent along.
    pub headers: Vec<(&'static str, String)>,
    /// Until when.
    pub expires: Timestamp,
}

/// How far a file has come that arrives in parts.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Bytes that are there, from the first on.
    pub offset: u64,
    /// Bytes that were announced.
    pub size: u64,
    /// The file.
    pub media: files::Media,
}

/// The right to bring bytes of a file to this server.
struct Place {
    inner: Arc<Inner>,
    media: MediaId,
    /// Of those who bring bytes.
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.arriving.lock().remove(&self.media);
        drop(self.permit.take());
    }
}

impl Media {
    /// Where the caller can put the bytes of a file without this server. Behind it they call
    /// [`Self::complete`].
    pub async fn direct(&self, caller: Bearer, id: MediaId) -> Result<SignedPut, MediaError> {
        let media = self.waiting(caller, id).await?;
        if !self.0.blobs.can_sign() {
            return Err(MediaError::DirectUnavailable);
        }
        let now = self.0.clock.now();
        // Where no length is bound, more may be put than was announced; and what was begun in time may end
        // whenever it likes.
        for later in [DIRECT_FOR + DIRECT_LOOK, ORPHAN_LIFETIME] {
            self.0.store.look_again(Look { at: now.plus(later), media: id }).await?;
        }
        let signed = self.0.blobs.signed_put(&keys::raw(id), media.declared, DIRECT_FOR).await?;
        let signed = signed.ok_or(MediaError::DirectUnavailable)?;
        let expires = now.plus(DIRECT_FOR);
        Ok(SignedPut { url: signed.url.into(), headers: signed.headers, expires })
    }

    /// Takes all bytes of a file. What breaks off leaves nothing.
    pub async fn receive<S>(
        &self,
        caller: Bearer,
        id: MediaId,
        bytes: S,
    ) -> Result<files::Media, MediaError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    {
        let media = self.waiting(caller, id).await?;
        let place = self.begin(media.owner, id)?;
        let bytes = paced(bytes, Wanted::All(media.declared));
        let rules = self.clone();
        to_the_end(async move { Box::pin(rules.take(media, bytes, place)).await }).await
    }

    async fn take(
        self,
        media: files::Media,
        bytes: BlobStream,
        place: Place,
    ) -> Result<files::Media, MediaError> {
        let key = keys::raw(media.id);
        match self.0.blobs.put_stream(&key, bytes, media.declared).await {
            Ok(_) => {}
            Err(BlobError::Interrupted(error)) => return Err(broken(error)),
            Err(error) => return Err(error.into()),
        }
        self.arrived(media, place).await
    }

    /// Says that all bytes of a file are there: behind those that were put past this server.
    pub async fn complete(&self, caller: Bearer, id: MediaId) -> Result<files::Media, MediaError> {
        let media = self.own(caller, id).await?;
        match media.state {
            State::Waiting => {}
            State::Received => return self.looked_at(media).await,
            State::Ready(_) | State::Refused(_) | State::Ending => return settled(media),
        }
        let place = self.hold(media.owner, id)?;
        let (there, wanted) = (self.source(&media).await?.bytes, media.declared);
        if there > wanted {
            self.forget_arrived(id).await?;
            return Err(MediaError::TooLarge { max: wanted });
        }
        if there < wanted {
            return Err(MediaError::Incomplete { missing: wanted - there });
        }
        self.arrived(media, place).await
    }

    /// How far a file has come.
    pub async fn offset(&self, caller: Bearer, id: MediaId) -> Result<Progress, MediaError> {
        let media = self.own(caller, id).await?;
        let size = media.declared;
        let offset = match media.state {
            State::Waiting => match self.source(&media).await? {
                odd if odd.is_odd => 0,
                source => source.bytes,
            },
            State::Received | State::Ready(_) | State::Refused(_) | State::Ending => size,
        };
        Ok(Progress { offset, size, media })
    }

    /// Takes the next bytes of a file. What came stays, also when they break off; with the last of them the
    /// file is complete.
    pub async fn append<S>(
        &self,
        caller: Bearer,
        id: MediaId,
        offset: u64,
        bytes: S,
    ) -> Result<Progress, MediaError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    {
        let media = self.waiting(caller, id).await?;
        let place = self.begin(media.owner, id)?;
        let bytes = paced(bytes, Wanted::Any);
        let rules = self.clone();
        to_the_end(async move { Box::pin(rules.take_part(media, offset, bytes, place)).await })
            .await
    }

    async fn take_part(
        self,
        media: files::Media,
        offset: u64,
        bytes: BlobStream,
        place: Place,
    ) -> Result<Progress, MediaError> {
        let (id, size) = (media.id, media.declared);
        let source = self.source(&media).await?;
        let is_crumbled = source.count() >= PARTS_MAX && source.bytes < size;
        let at = if source.is_odd || source.bytes > size || is_crumbled {
            // Nothing goes on there.
            self.forget_arrived(id).await?;
            0
        } else {
            source.bytes
        };
        if offset != at {
            return Err(MediaError::OffsetMismatch { at });
        }
        let (mut offset, mut end) = (at, None);
        if at < size {
            let arrived = self.0.blobs.put_arrived(&keys::part(id, at), bytes, size - at).await;
            let arrived = arrived.map_err(|error| match error {
                BlobError::TooLarge { .. } => MediaError::TooLarge { max: size },
                error => error.into(),
            })?;
            offset += arrived.bytes;
            end = arrived.broken;
        }
        if offset == size {
            // Whatever came behind the last byte.
            let media = self.arrived(media, place).await?;
            return Ok(Progress { offset, size, media });
        }
        match end {
            Some(error) => Err(broken(error)),
            None => Ok(Progress { offset, size, media }),
        }
    }

    /// A file of the caller's own, whose bytes are to come.
    async fn waiting(&self, caller: Bearer, id: MediaId) -> Result<files::Media, MediaError> {
        let media = self.own(caller, id).await?;
        match media.state {
            State::Waiting => Ok(media),
            State::Refused(refusal) => Err(MediaError::Refused(refusal)),
            State::Received | State::Ready(_) => Err(MediaError::NotWaiting),
            State::Ending => Err(MediaError::NotFound),
        }
    }

    /// One at a time may bring bytes of a file here.
    fn begin(&self, owner: UserId, media: MediaId) -> Result<Place, MediaError> {
        let permit = Arc::clone(&self.0.uploads).try_acquire_owned();
        let permit = permit.map_err(|_| MediaError::Busy)?;
        let theirs = self.0.arriving.lock().values().filter(|by| **by == owner).count();
        if theirs >= UPLOADS_OF_ONE {
            return Err(MediaError::TooManyUnfinished { max: UPLOADS_OF_ONE });
        }
        let mut place = self.hold(owner, media)?;
        place.permit = Some(permit);
        Ok(place)
    }

    /// The same without bringing any: so nobody else does meanwhile.
    fn hold(&self, owner: UserId, media: MediaId) -> Result<Place, MediaError> {
        let mut arriving = self.0.arriving.lock();
        if arriving.contains_key(&media) {
            return Err(MediaError::Underway);
        }
        arriving.insert(media, owner);
        Ok(Place { inner: Arc::clone(&self.0), media, permit: None })
    }

    /// All bytes are there: says so in the row, and looks at them. Until the row says it nobody else brings any.
    async fn arrived(&self, media: files::Media, place: Place) -> Result<files::Media, MediaError> {
        let id = media.id;
        // Before the row: another server goes on if this one ends.
        let at = self.0.clock.now().plus(RECEIVED_LOOK);
        self.0.store.look_again(Look { at, media: id }).await?;
        let received = media.with(State::Received);
        let is_received = self.0.store.replace(received.clone()).await?;
        drop(place);
        if is_received {
            return self.looked_at(received).await;
        }
        match self.0.store.find(id).await? {
            Some(faster) if !faster.is_ending() => {
                if !matches!(faster.state, State::Waiting | State::Received) {
                    self.forget_arrived(id).await?;
                }
                settled(faster)
            }
            // It was removed meanwhile, and what arrived goes with it.
            _ => {
                self.0.blobs.remove_all(&keys::all(id)).await?;
                Err(MediaError::NotFound)
            }
        }
    }

    /// Looks at a file that is all there, or waits a while for who does. Who does not wait to the end finds it
    /// still being looked at.
    async fn looked_at(&self, media: files::Media) -> Result<files::Media, MediaError> {
        let Some(work) = self.work_on(media.clone()) else { return Ok(media) };
        match timeout(PATIENCE, work).await {
            Ok(Ok(Ok(done))) => settled(done),
            // Somebody else was faster, or it was removed meanwhile.
            Ok(Ok(Err(MediaError::NotFound))) => {
                settled(self.0.store.find(media.id).await?.ok_or(MediaError::NotFound)?)
            }
            // Its bytes are safe, and it is tried again.
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Ok(media),
        }
    }
}

/// The file, unless it cannot be used.
fn settled(media: files::Media) -> Result<files::Media, MediaError> {
    match media.state {
        State::Waiting | State::Received | State::Ready(_) => Ok(media),
        State::Refused(refusal) => Err(MediaError::Refused(refusal)),
        State::Ending => Err(MediaError::NotFound),
    }
}

fn broken(error: io::Error) -> MediaError {
    match short(&error) {
        Some(short) => MediaError::Incomplete { missing: short.missing },
        None => MediaError::Broken(error),
    }
}
