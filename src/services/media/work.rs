//! What is made of a file once its bytes are there: what it is, whether it is harmless, and what is served
//! of it.
//!
//! What arrived may be written over while it is looked at. So a picture is read once; what is passed
//! through is read twice, and served only if both times were the same. What is made has a name that says
//! what is in it, and the row is set once: two servers may do this at the same time, and one of them cleans
//! up.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::ids::MediaId;
use barterline_domain::media::{self as files, Content, Picture, Purpose, Refusal, Size, State};
use barterline_media::{Encoded, Family, HEAD_BYTES, ImageError, Kind};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::pictures::Made;
use super::source::Source;
use super::streams::{Witness, checked};
use super::{Inner, Media, MediaError, keys};
use crate::adapters::blobs::{BlobError, BlobStream};
use crate::adapters::scanner::{ScanError, Verdict};

/// For one file, waiting for its turn included. Less than what is kept of one that ends ([`super::ROW_STAYS`]).
const WORK_TIMEOUT: Duration = Duration::from_mins(15);

/// What a file turned out to be.
type Judged = Result<Content, Refusal>;

/// A file that is being looked at here.
struct Working {
    inner: Arc<Inner>,
    media: MediaId,
    _admitted: OwnedSemaphorePermit,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.inner.working.lock().remove(&self.media);
    }
}

impl Media {
    /// Has a file looked at that is all there. `None`: that is being done here, or too many others are.
    pub(super) fn work_on(
        &self,
        media: files::Media,
    ) -> Option<JoinHandle<Result<files::Media, MediaError>>> {
        let (id, rules) = (media.id, self.clone());
        let working = self.begin_work(id)?;
        Some(tokio::spawn(async move {
            let done = timeout(WORK_TIMEOUT, Box::pin(rules.work(media))).await;
            let done = done.unwrap_or_else(|_| Err(MediaError::unavailable("it took too long")));
            drop(working);
            match &done {
                Ok(_) | Err(MediaError::NotFound) => {}
                Err(error) => tracing::warn!(%error, media = %id, "a file is looked at later"),
            }
            done
        }))
    }

    fn begin_work(&self, media: MediaId) -> Option<Working> {
        let admitted = Arc::clone(&self.0.admitted).try_acquire_owned().ok()?;
        let is_new = self.0.working.lock().insert(media);
        // Made only where it is to be taken away again.
        is_new.then(|| Working { inner: Arc::clone(&self.0), media, _admitted: admitted })
    }

    async fn work(&self, media: files::Media) -> Result<files::Media, MediaError> {
        let id = media.id;
        let judged = self.judge(&media).await?;
        let (state, left) = match &judged {
            Ok(content) => (State::Ready(content.clone()), keys::arriving(id)),
            Err(refusal) => (State::Refused(*refusal), keys::all(id)),
        };
        let done = media.with(state);
        if !self.0.store.replace(done.clone()).await? {
            return self.overtaken(id, judged).await;
        }
        if let Err(error) = self.0.blobs.remove_all(&left).await {
            tracing::debug!(%error, media = %id, "what a file came as is removed later");
        }
        Ok(done)
    }

    /// Cleans up behind a file that has changed while it was looked at.
    async fn overtaken(&self, id: MediaId, judged: Judged) -> Result<files::Media, MediaError> {
        let found = self.0.store.find(id).await?.filter(|media| !media.is_ending());
        let Some(media) = found else {
            self.0.blobs.remove_all(&keys::all(id)).await?;
            return Err(MediaError::NotFound);
        };
        if let Ok(mine) = judged
            && media.content().is_none_or(|content| content.digest != mine.digest)
        {
            for key in served(id, &mine) {
                self.0.blobs.remove(&key).await?;
            }
        }
        Ok(media)
    }

    async fn judge(&self, media: &files::Media) -> Result<Judged, MediaError> {
        let source = self.source(media).await?;
        if source.bytes == 0 {
            // They were there: somebody else was faster, or it is the place that is missing.
            self.is_still_to_do(media).await?;
            return Err(MediaError::unavailable("the bytes of a file are not where they were put"));
        }
        if source.bytes != media.declared {
            return Ok(Err(Refusal::Damaged));
        }
        let head = self.gathered(&source, HEAD_BYTES as u64).await?;
        let Some(kind) = Kind::of(&head) else { return Ok(Err(Refusal::Unsupported)) };
        if kind.family() != Family::Picture && !matches!(media.purpose, Purpose::Chat(_)) {
            return Ok(Err(Refusal::Unsupported));
        }
        if source.bytes > self.0.rules.bounds.of(kind.family()) {
            return Ok(Err(Refusal::TooLarge));
        }
        match kind.family() {
            Family::Picture => Box::pin(self.picture(media, kind, source)).await,
            Family::Video | Family::Audio | Family::Document => {
                Box::pin(self.passed(media, kind, source)).await
            }
        }
    }

    /// Whether nobody else was faster while it waited for its turn.
    async fn is_still_to_do(&self, media: &files::Media) -> Result<(), MediaError> {
        let found = self.0.store.find(media.id).await?;
        if found.is_some_and(|found| found.version == media.version) {
            return Ok(());
        }
        Err(MediaError::NotFound)
    }

    /// A picture, which is made anew.
    async fn picture(
        &self,
        media: &files::Media,
        kind: Kind,
        source: Source,
    ) -> Result<Judged, MediaError> {
        let pictures = &self.0.pictures;
        // Before it is read: no more of them are in memory than there are turns.
        let turn = pictures.turn().await.map_err(MediaError::unavailable)?;
        self.is_still_to_do(media).await?;
        let id = media.id;
        let bytes = self.gathered(&source, source.bytes).await?;
        let once: BlobStream = stream::iter([Ok(bytes.clone())]).boxed();
        if let Some(refusal) = self.scanned(id, once).await? {
            return Ok(Err(refusal));
        }
        let made = pictures.re_encode(turn, bytes, kind, self.0.rules.bounds.pixels).await;
        // The turn is held until all of them are written.
        let (made, _turn) = made.map_err(MediaError::unavailable)?;
        let Made { sizes, digest } = match made {
            Ok(made) => made,
            Err(ImageError::TooManyPixels) => return Ok(Err(Refusal::TooManyPixels)),
            Err(ImageError::Damaged(why)) => {
                tracing::debug!(media = %id, why, "a picture is damaged");
                return Ok(Err(Refusal::Damaged));
            }
        };
        let Some(content) = content_of(&sizes, digest) else { return Ok(Err(Refusal::Damaged)) };
        for Encoded { size, bytes, .. } in sizes {
            let key = keys::served(id, &content.digest, Some(size));
            self.0.blobs.put(&key, Bytes::from(bytes)).await?;
        }
        Ok(Ok(content))
    }

    /// Anything else, which is served as it came.
    async fn passed(
        &self,
        media: &files::Media,
        kind: Kind,
        source: Source,
    ) -> Result<Judged, MediaError> {
        let _turn = self.0.passing.acquire().await.map_err(MediaError::unavailable)?;
        self.is_still_to_do(media).await?;
        let id = media.id;
        let (bytes, witness) = (source.bytes, Witness::default());
        if let Some(refusal) = self.scanned(id, witness.of(self.stream(source.clone()))).await? {
            return Ok(Err(refusal));
        }
        if witness.bytes() != bytes || Kind::of(&witness.head()) != Some(kind) {
            return Err(MediaError::unavailable("the file changed while it was looked at"));
        }
        let digest = witness.digest();
        let again = checked(self.stream(source), digest);
        let key = keys::served(id, &digest, None);
        match self.0.blobs.put_made(&key, again, bytes).await {
            Ok(_) => {}
            // Ours broke off, and nobody else's.
            Err(BlobError::Interrupted(error)) => return Err(MediaError::unavailable(error)),
            Err(error) => return Err(error.into()),
        }
        let media_type = kind.media_type().to_owned();
        Ok(Ok(Content { media_type, bytes, digest, pictures: Vec::new() }))
    }

    /// Reads bytes to their end, with the scanner if there is one. What is against them, if anything is.
    async fn scanned(
        &self,
        id: MediaId,
        mut bytes: BlobStream,
    ) -> Result<Option<Refusal>, MediaError> {
        let Some(scanner) = &self.0.scanner else {
            while let Some(chunk) = bytes.next().await {
                chunk.map_err(MediaError::unavailable)?;
            }
            return Ok(None);
        };
        match scanner.scan(bytes).await {
            Ok(Verdict::Clean) => Ok(None),
            Ok(Verdict::Found(what)) => {
                tracing::warn!(media = %id, what, "something was found in a file");
                Ok(Some(Refusal::Infected))
            }
            Err(ScanError::TooLarge) => Ok(Some(Refusal::TooLarge)),
            Err(error @ ScanError::Unavailable(_)) => Err(MediaError::unavailable(error)),
        }
    }
}

/// What there is of a picture, the largest first; `None` of none.
fn content_of(sizes: &[Encoded], digest: [u8; 32]) -> Option<Content> {
    let whole = sizes.first()?;
    let picture = |made: &Encoded| {
        let Encoded { size, width, height, ref bytes, .. } = *made;
        Picture { size, width, height, bytes: bytes.len() as u64 }
    };
    Some(Content {
        media_type: whole.media_type.to_owned(),
        bytes: whole.bytes.len() as u64,
        digest,
        pictures: sizes.iter().map(picture).collect(),
    })
}

/// How all that is served of a file is called.
fn served(id: MediaId, content: &Content) -> Vec<String> {
    let name = |size: Option<Size>| keys::served(id, &content.digest, size);
    if content.pictures.is_empty() {
        return vec![name(None)];
    }
    content.pictures.iter().map(|picture| name(Some(picture.size))).collect()
}
