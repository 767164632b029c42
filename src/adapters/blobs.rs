//! Bytes of files: in a local directory, or in a bucket of S3, Google Cloud Storage or Azure.
//!
//! What is written is there whole, and for good, or not at all. Each call has an end; a bucket that stumbles
//! is asked again a few times, by the client that speaks to it. Names are made of ids by whoever calls, never
//! of what people say.

mod buckets;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer};
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions,
};
use tokio::runtime::Handle;
use tokio::time::timeout;
use url::Url;

pub use self::buckets::{AzurePlace, DirectoryPlace, GcsPlace, Place, S3Place};

/// For a question with a short answer. What is tried again is in it, as in the next.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);
/// For a piece that is written, a file that is read whole, or a removal.
const CARRY_TIMEOUT: Duration = Duration::from_mins(1);
/// For the next bytes of what is read.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// What is read from a local file at a time.
const READ_BYTES: u64 = 64 << 10;
/// What is written into a local file at a time.
const DIRECTORY_PIECE: usize = 512 << 10;
/// What is sent to a bucket at a time: the least that S3 takes. As much is held for each upload.
const BUCKET_PIECE: usize = 5 << 20;
/// How pieces are called that arrived one by one; their offset follows.
const PART: &str = "part-";

/// Where bytes of files are. Clones are the same place.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    store: Arc<dyn ObjectStore>,
    signing: Option<Signing>,
    /// The same place as a directory, if it is one.
    directory: Option<Local>,
    piece: usize,
}

/// A directory of this machine.
#[derive(Clone)]
struct Local {
    path: PathBuf,
    /// Bytes that are left free on its disk.
    keep_free: u64,
}

impl Local {
    /// Whether there is room.
    fn has_room(&self) -> io::Result<bool> {
        let disk = rustix::fs::statvfs(&self.path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >= self.keep_free)
    }
}

impl Inner {
    /// Whether there is room for more. A bucket says so itself.
    async fn has_room(&self) -> Result<(), BlobError> {
        let Some(local) = self.directory.clone() else { return Ok(()) };
        // A directory of others may hang.
        let looked = tokio::task::spawn_blocking(move || local.has_room());
        let down = |error: &dyn std::error::Error| BlobError::Unavailable(error.to_string());
        match timeout(ASK_TIMEOUT, looked).await {
            Ok(Ok(Ok(true))) => Ok(()),
            Ok(Ok(Ok(false))) => Err(BlobError::Full),
            Ok(Ok(Err(error))) => Err(down(&error)),
            Ok(Err(error)) => Err(down(&error)),
            Err(error) => Err(down(&error)),
        }
    }
}

/// How links are made under which others write.
struct Signing {
    signer: Arc<dyn Signer>,
    demand: Demand,
}

/// What a link demands beside the method and the name.
enum Demand {
    /// Nothing: no length is bound.
    Nothing,
    /// A header that bounds the length.
    LengthRange(HeaderName),
    /// A header with this value, which bounds nothing.
    Header(&'static str, &'static str),
}

/// Why bytes cannot be had, or kept.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is nothing of this name.
    #[error("there are no such bytes")]
    Missing,
    /// There is no room for more.
    #[error("there is no room for more bytes")]
    Full,
    /// There are more bytes than were to be taken.
    #[error("more than {max} bytes")]
    TooLarge {
        /// As many were to be taken.
        max: u64,
    },
    /// What was to be written broke off.
    #[error("the bytes broke off: {0}")]
    Interrupted(#[source] io::Error),
    /// The place is down, too slow, or refuses.
    #[error("bytes of files cannot be reached: {0}")]
    Unavailable(String),
}

/// What came of bytes that may break off.
#[derive(Debug)]
pub struct Arrived {
    /// How many were kept.
    pub bytes: u64,
    /// Why there are no more; `None`: they came to their end.
    pub broken: Option<io::Error>,
}

/// A link under which bytes can be put, once.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Where to put them.
    pub url: Url,
    /// Headers that have to be sent along.
    pub headers: Vec<(&'static str, String)>,
}

/// Bytes as they are read.
pub type BlobStream = BoxStream<'static, io::Result<Bytes>>;

impl Blobs {
    /// A place by its settings. A directory is made if it is missing; a bucket is not yet asked.
    pub fn open(place: Place) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(buckets::open(place)?)))
    }

    /// A place that is gone with the process.
    #[cfg(test)]
    pub fn in_memory() -> Self {
        Self::over(object_store::memory::InMemory::new())
    }

    /// Any store, in small pieces.
    #[cfg(test)]
    fn over(store: impl ObjectStore) -> Self {
        let store = Arc::new(store);
        Self(Arc::new(Inner { store, signing: None, directory: None, piece: 1024 }))
    }

    /// Writes bytes that were made of others, in the place of what was there.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        put(&*self.0.store, &path(key)?, bytes).await
    }

    /// Writes what comes, up to `max` bytes, and says how many they were. Nothing is kept of what breaks
    /// off, or has more. Who may go on later where it broke off calls [`Self::put_arrived`].
    pub async fn put_stream<S>(&self, key: &str, bytes: S, max: u64) -> Result<u64, BlobError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        self.put_all(self.writing(key, true)?, bytes, max).await
    }

    /// The same for what is made of bytes that are there: it may take the room that is left free for others, as
    /// what it is made of goes behind it.
    pub async fn put_made<S>(&self, key: &str, bytes: S, max: u64) -> Result<u64, BlobError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        self.put_all(self.writing(key, false)?, bytes, max).await
    }

    async fn put_all<S>(&self, mut writing: Writing, bytes: S, max: u64) -> Result<u64, BlobError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let written = match writing.take_all(bytes, max).await {
            Ok(None) => writing.finish().await,
            Ok(Some(broken)) => Err(BlobError::Interrupted(broken)),
            Err(error) => Err(error),
        };
        if written.is_err() {
            writing.abort().await;
        }
        written
    }

    /// Writes what comes, up to `max` bytes, and keeps what came before it broke off, if that is anything.
    /// Whoever drops this before it is done keeps nothing.
    pub async fn put_arrived<S>(&self, key: &str, bytes: S, max: u64) -> Result<Arrived, BlobError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let mut writing = self.writing(key, true)?;
        let written = match writing.take_all(bytes, max).await {
            Ok(broken) if writing.bytes == 0 => Ok(Arrived { bytes: 0, broken }),
            Ok(broken) => writing.finish().await.map(|bytes| Arrived { bytes, broken }),
            Err(error) => Err(error),
        };
        if written.is_err() {
            writing.abort().await;
        }
        written
    }

    /// How many bytes there are; `None`: there is nothing of this name.
    pub async fn head(&self, key: &str) -> Result<Option<u64>, BlobError> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.get(key, options).await {
            Ok(found) => Ok(Some(found.meta.size)),
            Err(BlobError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes from and to an offset, which are within and not none.
    pub async fn read(&self, key: &str, range: Range<u64>) -> Result<BlobStream, BlobError> {
        let range = Some(GetRange::Bounded(range));
        let found = self.get(key, GetOptions { range, ..GetOptions::default() }).await?;
        Ok(match found.payload {
            GetResultPayload::File(file, _) => of_file(file, found.range),
            GetResultPayload::Stream(stream) => of_bucket(stream),
        })
    }

    /// All bytes, if they are not more than `max`.
    pub async fn bytes(&self, key: &str, max: u64) -> Result<Bytes, BlobError> {
        let found = self.get(key, GetOptions::default()).await?;
        if found.meta.size > max {
            return Err(BlobError::TooLarge { max });
        }
        in_time(CARRY_TIMEOUT, found.bytes()).await
    }

    /// The first bytes: `max` of them, or as many as there are.
    pub async fn start(&self, key: &str, max: u64) -> Result<Bytes, BlobError> {
        let size = self.head(key).await?.ok_or(BlobError::Missing)?;
        // A range of none is none.
        if size.min(max) == 0 {
            return Ok(Bytes::new());
        }
        let range = Some(GetRange::Bounded(0..size.min(max)));
        let found = self.get(key, GetOptions { range, ..GetOptions::default() }).await?;
        in_time(CARRY_TIMEOUT, found.bytes()).await
    }

    /// Pieces that arrived one by one under `prefix`, as `part-` with their offset: each offset with how many
    /// bytes there are, the first one first.
    pub async fn list_parts(&self, prefix: &str) -> Result<Vec<(u64, u64)>, BlobError> {
        let listed = self.0.store.list(Some(&path(prefix)?));
        let listed: Vec<ObjectMeta> = in_time(ASK_TIMEOUT, listed.try_collect()).await?;
        let part = |meta: &ObjectMeta| {
            let offset = meta.location.filename()?.strip_prefix(PART)?.parse::<u64>().ok()?;
            Some((offset, meta.size))
        };
        let mut parts: Vec<_> = listed.iter().filter_map(part).collect();
        parts.sort_unstable();
        Ok(parts)
    }

    /// Removes what is of a name, if anything is.
    pub async fn remove(&self, key: &str) -> Result<(), BlobError> {
        self.delete(stream::iter([Ok(path(key)?)]).boxed()).await
    }

    /// Removes all there is under a prefix, of a directory also what a crash left half-written. What is being
    /// written meanwhile may remain: whoever has to be sure comes again.
    pub async fn remove_all(&self, prefix: &str) -> Result<(), BlobError> {
        let path = path(prefix)?;
        let Some(directory) = &self.0.directory else {
            let listed = self.0.store.list(Some(&path)).map_ok(|meta| meta.location);
            return self.delete(listed.boxed()).await;
        };
        let within: &str = path.as_ref();
        let directory = directory.path.join(within);
        let removal = tokio::task::spawn_blocking(move || match fs::remove_dir_all(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        });
        let down = |error: &dyn std::error::Error| BlobError::Unavailable(error.to_string());
        match timeout(CARRY_TIMEOUT, removal).await {
            Ok(Ok(removed)) => removed.map_err(|error| down(&error)),
            Ok(Err(error)) => Err(down(&error)),
            Err(error) => Err(down(&error)),
        }
    }

    /// Whether others can write here under a link.
    pub fn can_sign(&self) -> bool {
        self.0.signing.is_some()
    }

    /// A link under which `bytes` can be put by anybody who has it, for so long; `None`: there are none here.
    ///
    /// S3 and Azure bound no length: whoever gave the link looks how many there are before anything is done
    /// with them.
    pub async fn signed_put(
        &self,
        key: &str,
        bytes: u64,
        ttl: Duration,
    ) -> Result<Option<Signed>, BlobError> {
        let Some(Signing { signer, demand }) = &self.0.signing else { return Ok(None) };
        let path = path(key)?;
        let (options, headers) = match demand {
            Demand::Nothing => (SignedUrlOptions::new(), Vec::new()),
            Demand::Header(name, value) => {
                (SignedUrlOptions::new(), vec![(*name, (*value).to_owned())])
            }
            Demand::LengthRange(name) => {
                let range = format!("0,{bytes}");
                let value = HeaderValue::try_from(range.as_str())
                    .map_err(|error| BlobError::Unavailable(error.to_string()))?;
                let options = SignedUrlOptions::new().with_signed_header(name.clone(), value);
                (options, vec![(buckets::GCS_LENGTH_RANGE, range)])
            }
        };
        let url = in_time(ASK_TIMEOUT, signer.signed_url_opts(Method::PUT, &path, ttl, &options));
        Ok(Some(Signed { url: url.await?, headers }))
    }

    fn writing(&self, key: &str, leaves_room: bool) -> Result<Writing, BlobError> {
        let (place, path) = (Arc::clone(&self.0), path(key)?);
        Ok(Writing { place, path, leaves_room, held: BytesMut::new(), parts: None, bytes: 0 })
    }

    async fn get(&self, key: &str, options: GetOptions) -> Result<GetResult, BlobError> {
        in_time(ASK_TIMEOUT, self.0.store.get_opts(&path(key)?, options)).await
    }

    async fn delete(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<(), BlobError> {
        let mut removed = self.0.store.delete_stream(paths);
        let all = async {
            while let Some(one) = removed.next().await {
                match one {
                    // Somebody else was first.
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        in_time(CARRY_TIMEOUT, all).await
    }
}

/// Something that is being written. What is small goes in one piece.
struct Writing {
    place: Arc<Inner>,
    path: Path,
    /// Whether it is looked for room before each piece.
    leaves_room: bool,
    /// What is not yet a piece.
    held: BytesMut,
    parts: Option<Box<dyn MultipartUpload>>,
    bytes: u64,
}

impl Writing {
    /// Takes what comes. Says why it broke off, if it did.
    async fn take_all<S>(&mut self, mut bytes: S, max: u64) -> Result<Option<io::Error>, BlobError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        while let Some(chunk) = bytes.next().await {
            match chunk {
                Ok(chunk) if self.bytes + chunk.len() as u64 > max => {
                    return Err(BlobError::TooLarge { max });
                }
                Ok(chunk) => self.take(&chunk).await?,
                Err(broken) => return Ok(Some(broken)),
            }
        }
        Ok(None)
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), BlobError> {
        self.bytes += chunk.len() as u64;
        self.held.extend_from_slice(chunk);
        // All of one length but the last, as some buckets ask.
        while self.held.len() > self.place.piece {
            let piece = self.held.split_to(self.place.piece).freeze();
            self.put_part(piece).await?;
        }
        Ok(())
    }

    async fn look_for_room(&mut self) -> Result<(), BlobError> {
        if self.leaves_room { self.place.has_room().await } else { Ok(()) }
    }

    async fn put_part(&mut self, piece: Bytes) -> Result<(), BlobError> {
        self.look_for_room().await?;
        let parts = if let Some(parts) = &mut self.parts {
            parts
        } else {
            let options = PutMultipartOptions::default();
            let begun = self.place.store.put_multipart_opts(&self.path, options);
            let begun = in_time(ASK_TIMEOUT, begun).await.map_err(of_place)?;
            self.parts.insert(begun)
        };
        in_time(CARRY_TIMEOUT, parts.put_part(piece.into())).await.map_err(of_place)
    }

    /// Makes it be there. Says how many bytes it has.
    async fn finish(&mut self) -> Result<u64, BlobError> {
        let rest = self.held.split().freeze();
        if self.parts.is_none() {
            self.look_for_room().await?;
            put(&*self.place.store, &self.path, rest).await?;
            return Ok(self.bytes);
        }
        if !rest.is_empty() {
            self.put_part(rest).await?;
        }
        if let Some(parts) = &mut self.parts {
            in_time(CARRY_TIMEOUT, parts.complete()).await.map_err(of_place)?;
        }
        self.parts = None;
        Ok(self.bytes)
    }

    /// Removes its pieces, as far as that can be done.
    async fn abort(&mut self) {
        if let Some(parts) = self.parts.take() {
            abort(parts).await;
        }
    }
}

impl Drop for Writing {
    /// Whoever waited has gone.
    fn drop(&mut self) {
        if let (Some(parts), Ok(runtime)) = (self.parts.take(), Handle::try_current()) {
            runtime.spawn(abort(parts));
        }
    }
}

/// What remains all the same is for the bucket's own rules: docs/media.md.
async fn abort(mut parts: Box<dyn MultipartUpload>) {
    if let Err(error) = in_time(ASK_TIMEOUT, parts.abort()).await {
        tracing::debug!(%error, "pieces of an upload could not be removed");
    }
}

async fn put(store: &dyn ObjectStore, path: &Path, bytes: Bytes) -> Result<(), BlobError> {
    let put = store.put_opts(path, bytes.into(), PutOptions::default());
    in_time(CARRY_TIMEOUT, put).await.map(drop).map_err(of_place)
}

/// Bytes of a local file.
fn of_file(file: File, range: Range<u64>) -> BlobStream {
    let all = (Arc::new(file), range);
    stream::try_unfold(all, |(file, range)| next_of_file(file, range)).boxed()
}

type InFile = (Arc<File>, Range<u64>);

async fn next_of_file(file: Arc<File>, range: Range<u64>) -> io::Result<Option<(Bytes, InFile)>> {
    if range.is_empty() {
        return Ok(None);
    }
    let (from, at) = (Arc::clone(&file), range.start);
    let len = READ_BYTES.min(range.end - at);
    let piece = tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; len as usize];
        from.read_exact_at(&mut piece, at)?;
        Ok::<_, io::Error>(Bytes::from(piece))
    });
    let piece = timeout(READ_TIMEOUT, piece).await?.map_err(io::Error::other)??;
    Ok(Some((piece, (file, at + len..range.end))))
}

/// Bytes of a bucket, if the next ones come in time.
fn of_bucket(stream: BoxStream<'static, object_store::Result<Bytes>>) -> BlobStream {
    let next = |stream: Option<BoxStream<'static, object_store::Result<Bytes>>>| async move {
        let mut stream = stream?;
        match timeout(READ_TIMEOUT, stream.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(stream))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
            Err(late) => Some((Err(io::Error::from(late)), None)),
        }
    };
    stream::unfold(Some(stream), next).boxed()
}

/// A name as the place takes it. Never the whole place.
fn path(key: &str) -> Result<Path, BlobError> {
    let path = Path::parse(key).map_err(|error| BlobError::Unavailable(error.to_string()))?;
    if path.is_root() {
        return Err(BlobError::Unavailable("a name of nothing".to_owned()));
    }
    Ok(path)
}

async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = object_store::Result<T>>,
) -> Result<T, BlobError> {
    let Ok(answer) = timeout(limit, answer).await else {
        let seconds = limit.as_secs();
        return Err(BlobError::Unavailable(format!("no answer within {seconds} seconds")));
    };
    answer.map_err(|error| failed(&error))
}

fn failed(error: &object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing,
        error if is_full(error) => BlobError::Full,
        error => BlobError::Unavailable(error.to_string()),
    }
}

/// What is missing where something is written, is the place itself.
fn of_place(error: BlobError) -> BlobError {
    match error {
        BlobError::Missing => BlobError::Unavailable("there is no such bucket".to_owned()),
        error => error,
    }
}

fn is_full(error: &object_store::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};

    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(StorageFull | QuotaExceeded | FileTooLarge)) {
            return true;
        }
        cause = error.source();
    }
    // A bucket in somebody's own house. Its status stands nowhere else.
    error.to_string().contains("507 Insufficient Storage")
}

#[cfg(test)]
mod tests;
