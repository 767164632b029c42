//! A scanner looks through each file before anybody else may have it: here one that speaks as clamd does.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::{PDF, announced, ask, content, put, put_call, send, state, until, uploaded};
use crate::support::World;
use crate::support::pictures::photo;

/// What the scanner knows.
const VIRUS: &[u8] = b"X5O!P%@AP[4 a virus";

/// A scanner that answers once it is let.
#[derive(Clone)]
struct Scanner {
    at: SocketAddr,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Scanner {
    /// One that looks at once.
    fn start() -> Self {
        let scanner = Self::hesitating();
        scanner.goes_on();
        scanner
    }

    /// One that takes its time.
    fn hesitating() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let scanner = Self { at, gate: Arc::default() };
        let serving = scanner.clone();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let scanner = serving.clone();
                // Whoever asks may be gone before the answer.
                thread::spawn(move || scanner.answers(stream).ok());
            }
        });
        scanner
    }

    fn goes_on(&self) {
        let (open, told) = &*self.gate;
        *open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        told.notify_all();
    }

    /// A server that asks it.
    fn world(&self) -> World {
        World::with_setting("BARTERLINE_MEDIA__SCANNER", &self.at.to_string())
    }

    /// Takes a file in pieces, each behind its length, up to one of no length.
    fn answers(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut from = BufReader::new(stream.try_clone()?);
        let mut command = Vec::new();
        from.read_until(0, &mut command)?;
        assert_eq!(command, b"zINSTREAM\0");
        let mut bytes = Vec::new();
        loop {
            let mut length = [0; 4];
            from.read_exact(&mut length)?;
            let length = u64::from(u32::from_be_bytes(length));
            if length == 0 {
                break;
            }
            (&mut from).take(length).read_to_end(&mut bytes)?;
        }
        let (open, told) = &*self.gate;
        let open = open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(told.wait_while(open, |open| !*open));
        let is_found = bytes.windows(VIRUS.len()).any(|window| window == VIRUS);
        let verdict =
            if is_found { "stream: Win.Test.EICAR_HDB-1 FOUND\0" } else { "stream: OK\0" };
        stream.write_all(verdict.as_bytes())
    }
}

#[tokio::test]
async fn what_the_scanner_finds_is_refused() {
    let world = Scanner::start().world();
    let (ana, bob, chat) = world.chat().await;
    for clean in [PDF, &photo(400, 300)[..]] {
        let media = uploaded(&world, &ana, chat, "clean", clean).await;
        send(&world, &ana, chat, &media).expect(201);
        content(&world, &bob, &media, "").expect(200);
    }
    for bytes in [[PDF, VIRUS].concat(), [&photo(400, 300)[..], VIRUS].concat()] {
        let media = announced(&world, &ana, chat, "virus", bytes.len());
        let problem = put(&world, &ana, &media, &bytes).problem(422, "media.refused");
        assert_eq!(problem["reason"], "infected");
        send(&world, &ana, chat, &media).problem(404, "media.not_found");
        content(&world, &ana, &media, "").problem(422, "media.refused");
    }
}

#[tokio::test]
async fn as_long_as_the_scanner_looks_nobody_has_a_file() {
    let scanner = Scanner::hesitating();
    let world = scanner.world();
    let (ana, _, chat) = world.chat().await;
    let media = announced(&world, &ana, chat, "papers.pdf", PDF.len());
    let bringing = world.begin(put_call(&ana, &media, PDF));
    until("the file to be looked at", || state(&world, &ana, &media) == "processing").await;
    content(&world, &ana, &media, "").problem(409, "media.not_ready");
    send(&world, &ana, chat, &media).problem(409, "media.not_ready");
    scanner.goes_on();
    let answer = bringing.join().expect("an answer");
    assert!([200, 202].contains(&answer.status), "{}", answer.body);
    until("the file to be ready", || state(&world, &ana, &media) == "ready").await;
    content(&world, &ana, &media, "").expect(200);
}

#[tokio::test]
async fn while_the_scanner_is_gone_files_wait_and_nobody_has_them() {
    let nobody =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let world = World::with_setting("BARTERLINE_MEDIA__SCANNER", &nobody.to_string());
    let (ana, _, chat) = world.chat().await;
    let media = announced(&world, &ana, chat, "papers.pdf", PDF.len());
    let answer = put(&world, &ana, &media, PDF);
    assert!([202, 503].contains(&answer.status), "{} {}", answer.status, answer.body);
    assert_eq!(state(&world, &ana, &media), "processing");
    content(&world, &ana, &media, "").problem(409, "media.not_ready");
    send(&world, &ana, chat, &media).problem(409, "media.not_ready");
    // The next server has one.
    let scanner = Scanner::start();
    let world = world.restart_with(&[("BARTERLINE_MEDIA__SCANNER", &scanner.at.to_string())]);
    until("the file to be ready", || {
        ask(&world, "POST", &ana, &format!("/v1/media/{media}/complete"));
        state(&world, &ana, &media) == "ready"
    })
    .await;
    assert_eq!(content(&world, &ana, &media, "").expect(200).bytes, PDF);
}
