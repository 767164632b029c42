//! Bytes on their way: they have to come in time, to be as many as was said, and to be the same when they are
//! read again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use barterline_media::HEAD_BYTES;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};

use crate::adapters::blobs::BlobStream;

/// Longest wait for the next bytes.
pub const IDLE_MAX: Duration = Duration::from_secs(30);
/// Longest time that one request may bring bytes: less than what is kept of a file that ends
/// ([`super::ROW_STAYS`]), so that nothing is written of one that is forgotten.
pub const WHOLE_MAX: Duration = Duration::from_mins(50);

/// Fewer bytes than were said.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{missing} bytes are missing")]
pub struct Short {
    /// As many.
    pub missing: u64,
}

/// How many bytes have to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// These, or it breaks off with [`Short`].
    All(u64),
    /// As many as there are.
    Any,
}

struct Coming<S> {
    bytes: S,
    missing: u64,
    until: Instant,
}

/// What somebody brings. It breaks off when nothing comes for too long.
pub fn paced<S>(bytes: S, wanted: Wanted) -> BlobStream
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
{
    let missing = match wanted {
        Wanted::All(bytes) => bytes,
        Wanted::Any => 0,
    };
    let coming = Coming { bytes, missing, until: Instant::now() + WHOLE_MAX };
    stream::unfold(Some(coming), |coming| async move {
        let mut coming = coming?;
        let until = coming.until.min(Instant::now() + IDLE_MAX);
        match timeout_at(until, coming.bytes.next()).await {
            Ok(Some(Ok(chunk))) => {
                coming.missing = coming.missing.saturating_sub(chunk.len() as u64);
                Some((Ok(chunk), Some(coming)))
            }
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) if coming.missing > 0 => {
                let short = Short { missing: coming.missing };
                Some((Err(io::Error::new(io::ErrorKind::UnexpectedEof, short)), None))
            }
            Ok(None) => None,
            Err(_) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, "no bytes came in time");
                Some((Err(late), None))
            }
        }
    })
    .boxed()
}

/// How many bytes were missing, if that is why they broke off.
pub fn short(error: &io::Error) -> Option<Short> {
    error.get_ref()?.downcast_ref().copied()
}

/// What was seen of bytes that went by.
#[derive(Clone, Default)]
pub struct Witness(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    hash: Sha256,
    bytes: u64,
    head: Vec<u8>,
}

impl Witness {
    /// The same bytes, seen as they go by.
    pub fn of(&self, bytes: BlobStream) -> BlobStream {
        let seen = Arc::clone(&self.0);
        bytes.inspect_ok(move |chunk| seen.lock().take(chunk)).boxed()
    }

    /// How many they were.
    pub fn bytes(&self) -> u64 {
        self.0.lock().bytes
    }

    /// How they began.
    pub fn head(&self) -> Vec<u8> {
        self.0.lock().head.clone()
    }

    /// Their SHA-256.
    pub fn digest(&self) -> [u8; 32] {
        self.0.lock().hash.clone().finalize().into()
    }
}

impl Seen {
    fn take(&mut self, chunk: &Bytes) {
        self.hash.update(chunk);
        self.bytes += chunk.len() as u64;
        let lacking = HEAD_BYTES.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..lacking]);
    }
}

/// The same bytes, which break off at their end unless they have this digest.
pub fn checked(bytes: BlobStream, digest: [u8; 32]) -> BlobStream {
    let begun = Some((bytes, Sha256::new()));
    stream::unfold(begun, move |read| async move {
        let (mut bytes, mut hash) = read?;
        match bytes.next().await {
            Some(Ok(chunk)) => {
                hash.update(&chunk);
                Some((Ok(chunk), Some((bytes, hash))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => {
                let is_same = <[u8; 32]>::from(hash.finalize()) == digest;
                let changed = io::Error::other("the bytes changed while they were read");
                (!is_same).then_some((Err(changed), None))
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(chunks: &'static [&'static [u8]]) -> BlobStream {
        stream::iter(chunks).map(|chunk| Ok(Bytes::from_static(chunk))).boxed()
    }

    async fn gathered(mut bytes: BlobStream) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = bytes.next().await {
            all.extend_from_slice(&chunk?);
        }
        Ok(all)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_have_to_come_in_time() {
        let slow = of(&[b"ab"]).chain(stream::pending());
        let began = Instant::now();
        let late = gathered(paced(slow, Wanted::Any)).await.expect_err("no end");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), IDLE_MAX.as_secs());

        // A byte now and then is no upload.
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(IDLE_MAX.saturating_sub(Duration::from_secs(1))).await;
            Some((Ok::<_, io::Error>(Bytes::from_static(b"a")), ()))
        });
        let began = Instant::now();
        let late = gathered(paced(trickle.boxed(), Wanted::Any)).await.expect_err("no end");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), WHOLE_MAX.as_secs());
    }

    #[tokio::test]
    async fn bytes_have_to_be_as_many_as_was_said() {
        let all = paced(of(&[b"ab", b"c"]), Wanted::All(3));
        assert_eq!(gathered(all).await.expect("bytes"), b"abc");
        let error = gathered(paced(of(&[b"ab"]), Wanted::All(3))).await.expect_err("short");
        assert_eq!(short(&error).map(|short| short.missing), Some(1));
        assert!(short(&io::Error::other("else")).is_none());
    }

    #[tokio::test]
    async fn bytes_have_to_be_the_same_twice() {
        let witness = Witness::default();
        gathered(witness.of(of(&[b"ab", b"c"]))).await.expect("bytes");
        assert_eq!((witness.bytes(), witness.head()), (3, b"abc".to_vec()));
        assert_eq!(witness.digest(), <[u8; 32]>::from(Sha256::digest(b"abc")));
        let same = checked(of(&[b"a", b"bc"]), witness.digest());
        assert_eq!(gathered(same).await.expect("bytes"), b"abc");
        assert!(gathered(checked(of(&[b"abd"]), witness.digest())).await.is_err());
    }
}
