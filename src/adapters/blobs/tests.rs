use std::io::ErrorKind;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use tempfile::TempDir;

use super::*;

const KEY: &str = "0a/018f/raw";

fn directory(path: PathBuf, keep_free: u64) -> Place {
    Place::Directory(DirectoryPlace { path, keep_free })
}

/// A directory and a memory, each with what it is called.
fn places() -> (TempDir, Vec<(&'static str, Blobs)>) {
    let dir = TempDir::new().expect("a directory");
    let place = directory(dir.path().join("a/media"), 0);
    let directory = Blobs::open(place).expect("a directory for files");
    (dir, vec![("directory", directory), ("memory", Blobs::in_memory())])
}

/// Bytes that differ.
fn some(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

/// The same as they arrive, and perhaps an end before their end.
fn arriving(bytes: &[u8], breaks: bool) -> BlobStream {
    let mut chunks: Vec<_> =
        bytes.chunks(700_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    if breaks {
        chunks.push(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    }
    stream::iter(chunks).boxed()
}

async fn all_of(blobs: &Blobs, key: &str, range: Range<u64>) -> Vec<u8> {
    let stream = blobs.read(key, range).await.expect("a stream");
    let pieces: Vec<Bytes> = stream.try_collect().await.expect("bytes");
    pieces.concat()
}

/// Every file below a directory.
fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect()
}

#[tokio::test]
async fn what_is_written_is_read_whole_and_in_part() {
    let (_dir, places) = places();
    for (name, blobs) in &places {
        for len in [0, 1, 1024, 1025, 3 << 20] {
            let bytes = some(len);
            let written = blobs.put_stream(KEY, arriving(&bytes, false), len as u64).await;
            assert_eq!(written.expect("written"), len as u64, "{name}");
            assert_eq!(blobs.head(KEY).await.expect("an answer"), Some(len as u64), "{name}");
            assert_eq!(blobs.bytes(KEY, len as u64).await.expect("bytes"), bytes, "{name}");
            let start = blobs.start(KEY, 1000).await.expect("bytes");
            assert_eq!(start, bytes[..len.min(1000)], "{name}");
        }
        let bytes = some(3 << 20);
        for (from, to) in [(0, 3 << 20), (0, 1), (65_535, 65_537), (3_000_000, 3 << 20)] {
            let read = all_of(blobs, KEY, from as u64..to as u64).await;
            assert!(read == bytes[from..to], "{name}: {from} to {to}");
        }
        let refused = blobs.bytes(KEY, (3 << 20) - 1).await;
        assert!(matches!(refused, Err(BlobError::TooLarge { .. })), "{name}");
        blobs.put(KEY, Bytes::from_static(b"other")).await.expect("written");
        assert_eq!(blobs.bytes(KEY, 5).await.expect("bytes"), "other", "{name}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let (_dir, places) = places();
    for (name, blobs) in &places {
        assert_eq!(blobs.head(KEY).await.expect("an answer"), None, "{name}");
        assert!(matches!(blobs.bytes(KEY, 1).await, Err(BlobError::Missing)), "{name}");
        assert!(matches!(blobs.start(KEY, 1).await, Err(BlobError::Missing)), "{name}");
        assert!(matches!(blobs.read(KEY, 0..1).await, Err(BlobError::Missing)), "{name}");
        blobs.remove(KEY).await.expect("none to remove");
        blobs.remove_all("0a/018f").await.expect("none to remove");
        assert!(blobs.list_parts("0a/018f").await.expect("a list").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn nothing_is_kept_of_what_breaks_off_or_has_no_end() {
    let (dir, places) = places();
    for (name, blobs) in &places {
        for len in [10, 2_000_000] {
            let broken = blobs.put_stream(KEY, arriving(&some(len), true), len as u64).await;
            let Err(BlobError::Interrupted(error)) = broken else { panic!("{name}: {broken:?}") };
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            for refused in [
                blobs.put_stream(KEY, arriving(&some(len), false), len as u64 - 1).await.err(),
                blobs.put_arrived(KEY, arriving(&some(len), true), len as u64 - 1).await.err(),
            ] {
                assert!(matches!(refused, Some(BlobError::TooLarge { .. })), "{name}");
            }
            assert_eq!(blobs.head(KEY).await.expect("an answer"), None, "{name}");
        }
    }
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_arrived_before_a_break_is_kept_if_it_is_asked_for() {
    let (_dir, places) = places();
    for (name, blobs) in &places {
        let arrived = blobs.put_arrived(KEY, arriving(&[], true), 10).await.expect("nothing");
        assert!(arrived.bytes == 0 && arrived.broken.is_some(), "{name}");
        assert_eq!(blobs.head(KEY).await.expect("an answer"), None, "{name}");
        for (offset, len, breaks) in [(2_000_010, 5, false), (0, 10, true), (10, 2_000_000, true)] {
            let key = format!("0a/018f/part-{offset:020}");
            let arrived = blobs.put_arrived(&key, arriving(&some(len), breaks), len as u64).await;
            let arrived = arrived.expect("what arrived");
            assert_eq!((arrived.bytes, arrived.broken.is_some()), (len as u64, breaks), "{name}");
        }
        // Of others, and another thing.
        for key in ["0a/018f0/part-00000000000000000007", "0a/018f/raw", "0a/018f/part-x"] {
            blobs.put(key, Bytes::from_static(b"x")).await.expect("written");
        }
        let parts = blobs.list_parts("0a/018f").await.expect("a list");
        assert_eq!(parts, [(0, 10), (10, 2_000_000), (2_000_010, 5)], "{name}");
    }
}

#[tokio::test]
async fn all_of_a_prefix_is_removed_and_nothing_else() {
    let (dir, places) = places();
    for (name, blobs) in &places {
        for key in ["0a/018f/raw", "0a/018f/full", "0a/018f0/raw", "0b/018f/raw"] {
            blobs.put(key, Bytes::from_static(b"x")).await.expect("written");
        }
        blobs.remove("0a/018f/raw").await.expect("removed");
        assert_eq!(blobs.head("0a/018f/raw").await.expect("an answer"), None, "{name}");
        assert_eq!(blobs.head("0a/018f/full").await.expect("an answer"), Some(1), "{name}");
        if *name == "directory" {
            // What a crash leaves, which no list has.
            fs::write(dir.path().join("a/media/0a/018f/thumb#1"), "x").expect("a file");
        }
        blobs.remove_all("0a/018f").await.expect("removed");
        assert_eq!(blobs.head("0a/018f/full").await.expect("an answer"), None, "{name}");
        for other in ["0a/018f0/raw", "0b/018f/raw"] {
            assert_eq!(blobs.head(other).await.expect("an answer"), Some(1), "{name}");
        }
        for wrong in ["", "/", "..", "0a/../0b", "0a//x"] {
            let refused = blobs.remove_all(wrong).await;
            assert!(matches!(refused, Err(BlobError::Unavailable(_))), "{name}: {wrong:?}");
        }
    }
    assert_eq!(files(dir.path()).len(), 2);
}

#[test]
fn a_directory_is_for_its_owner_alone() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("media");
    fs::create_dir(&path).expect("a directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    for path in [path, dir.path().join("new/media")] {
        Blobs::open(directory(path.clone(), 0)).expect("a directory for files");
        let mode = fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_unavailable() {
    let dir = TempDir::new().expect("a directory");
    let place = directory(dir.path().to_owned(), 0);
    let blobs = Blobs::open(place).expect("a directory for files");
    // A file is where a directory should be.
    fs::write(dir.path().join("0a"), "x").expect("a file");
    let put = blobs.put(KEY, Bytes::from_static(b"x")).await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
    let len = 2_000_000;
    let put = blobs.put_stream(KEY, arriving(&some(len), false), len as u64).await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
}

#[tokio::test]
async fn a_directory_leaves_room_for_others() {
    let dir = TempDir::new().expect("a directory");
    let place = directory(dir.path().join("media"), u64::MAX);
    let blobs = Blobs::open(place).expect("a directory for files");
    for len in [10, 2_000_000] {
        let put = blobs.put_stream(KEY, arriving(&some(len), false), len as u64).await;
        assert!(matches!(put, Err(BlobError::Full)), "{put:?}");
        let put = blobs.put_arrived(KEY, arriving(&some(len), false), len as u64).await;
        assert!(matches!(put, Err(BlobError::Full)), "{put:?}");
    }
    assert_eq!(blobs.head(KEY).await.expect("an answer"), None);
    assert!(files(dir.path()).is_empty());
    // What is made of others takes their place.
    let made = blobs.put_made(KEY, arriving(&some(10), false), 10).await;
    assert_eq!(made.expect("written"), 10);
    // What is there can be removed all the same.
    blobs.remove_all("0a/018f").await.expect("removed");
}

#[test]
fn a_full_disk_is_known_however_deep_it_is_said() {
    let of = |source: io::Error| object_store::Error::Generic { store: "x", source: source.into() };
    for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge] {
        assert!(matches!(failed(&of(io::Error::from(kind))), BlobError::Full));
        let deep = io::Error::other(of(io::Error::from(kind)));
        assert!(matches!(failed(&of(deep)), BlobError::Full));
    }
    let other = failed(&of(io::Error::from(ErrorKind::PermissionDenied)));
    assert!(matches!(other, BlobError::Unavailable(_)));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_does_not_answer_is_given_up() {
    let long = Duration::from_hours(1);
    let slow = ThrottleConfig {
        wait_get_per_call: long,
        wait_list_per_call: long,
        ..ThrottleConfig::default()
    };
    let blobs = Blobs::over(ThrottledStore::new(InMemory::new(), slow));
    blobs.put(KEY, Bytes::from_static(b"x")).await.expect("written");
    let head = blobs.head(KEY).await;
    assert!(matches!(head, Err(BlobError::Unavailable(_))), "{head:?}");
    let listed = blobs.list_parts("0a/018f").await;
    assert!(matches!(listed, Err(BlobError::Unavailable(_))), "{listed:?}");
}

/// A bucket that gives these answers to requests, the last one to all that follow; how many there were.
fn bucket(answers: &'static [&'static str]) -> (Blobs, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let mut len = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    len = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            let mut body = vec![0; len];
            reader.read_exact(&mut body).expect("a body");
            let n = counted.fetch_add(1, Ordering::SeqCst);
            let status = answers[n.min(answers.len() - 1)];
            let head = "etag: \"x\"\r\ncontent-length: 0\r\nconnection: close\r\n";
            let mut answer = &stream;
            let _ = write!(answer, "HTTP/1.1 {status}\r\n{head}\r\n");
        }
    });
    let place = S3Place {
        bucket: "files".to_owned(),
        region: String::new(),
        endpoint: Some(endpoint),
        keys: Some(("key".to_owned(), "hunter2".to_owned())),
        allow_http: true,
    };
    (Blobs::open(Place::S3(place)).expect("a bucket"), asked)
}

#[tokio::test]
async fn a_bucket_that_stumbles_is_asked_again() {
    let (blobs, asked) = bucket(&["503 x", "500 x", "200 OK"]);
    blobs.put(KEY, Bytes::from_static(b"x")).await.expect("written");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_bucket_that_is_down_is_asked_a_few_times() {
    let (blobs, asked) = bucket(&["503 x"]);
    let put = blobs.put(KEY, Bytes::from_static(b"x")).await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_missing_file() {
    let (blobs, asked) = bucket(&["404 x"]);
    let put = blobs.put(KEY, Bytes::from_static(b"x")).await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(matches!(blobs.bytes(KEY, 1).await, Err(BlobError::Missing)));
}

#[tokio::test]
async fn a_link_is_signed_where_others_can_write() {
    let (blobs, asked) = bucket(&["200 OK"]);
    assert!(blobs.can_sign());
    let signed = blobs.signed_put(KEY, 1, Duration::from_mins(10)).await.expect("an answer");
    let url = signed.expect("a link").url;
    assert!(url.path().ends_with(KEY), "{url}");
    let query = url.query().expect("a query");
    assert!(query.contains("X-Amz-Signature=") && query.contains("X-Amz-Expires=600"), "{url}");
    assert!(!url.as_str().contains("hunter2"), "{url}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let blobs = Blobs::in_memory();
    let none = blobs.signed_put(KEY, 1, Duration::from_mins(10)).await.expect("an answer");
    assert!(none.is_none() && !blobs.can_sign());
}

#[tokio::test]
async fn without_tls_nobody_is_asked_unless_settings_say_so() {
    let place = S3Place {
        bucket: "files".to_owned(),
        region: String::new(),
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        keys: Some(("key".to_owned(), "secret".to_owned())),
        allow_http: false,
    };
    let blobs = Blobs::open(Place::S3(place)).expect("a bucket");
    assert!(matches!(blobs.head(KEY).await, Err(BlobError::Unavailable(_))));
}
