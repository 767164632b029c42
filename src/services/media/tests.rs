use async_trait::async_trait;
use barterline_domain::account::DisplayName;
use barterline_domain::clock::ManualClock;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ClientId, ListingId};
use barterline_domain::listing::{Listing, ListingText};
use barterline_domain::media::{Holder, Size};
use barterline_domain::money::{Currency, Money};
use barterline_storage::accounts::Account;
use barterline_storage::embedded;
use barterline_storage::record::sealing::Sealing as Words;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;

use super::*;
use crate::adapters::blobs::BlobStream;
use crate::adapters::scanner::{ScanError, Verdict};
use crate::auth::keyring::Keyring;
use crate::auth::token::Tokens;
use crate::hub::Hub;
use crate::hub::answers::Sent;
use crate::hub::room::{Forbidden, Refusal as Refused};
use crate::ids::SystemIds;
use crate::services::chats::media::MediaDirectory;
use crate::services::chats::{self, Send, SendError};
use crate::services::listings::photos::Photos;
use crate::services::listings::standings::Standings;
use crate::services::listings::{self, Listings, catalogue};
use crate::services::media::claims::Claims;
use crate::services::people::People;
use crate::telemetry::metrics::HubMetrics;

mod photos;

const BUYER: UserId = UserId::from_bytes([1; 16]);
const SELLER: UserId = UserId::from_bytes([2; 16]);
const STRANGER: UserId = UserId::from_bytes([3; 16]);
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\
    \x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
const PAGES: &[u8] = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n";
const DAY: Duration = ORPHAN_LIFETIME;

/// Bicycles, and people who are all called alike and look alike.
#[derive(Default)]
struct Town {
    avatar: Mutex<Option<MediaId>>,
}

/// What is for sale; of some of it, how it was before its last change came to be there.
struct Shelf {
    listings: Listings,
    earlier: Mutex<Option<Listing>>,
}

#[async_trait]
impl ListingReader for Town {
    async fn find(&self, id: ListingId) -> Result<Option<Listing>, StoreError> {
        let price = Money { minor: 1, currency: Currency::parse("EUR").expect("a currency") };
        let text = ListingText::parse("A bicycle", String::new()).expect("a title");
        Ok(Some(Listing::offered(id, SELLER, text, price, Timestamp::from_millis(1))))
    }
}

#[async_trait]
impl UserDirectory for Town {
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let name = DisplayName::parse("somebody").expect("a name");
        let account = Account::new(user, name, Timestamp::from_millis(1));
        Ok(Some(Account { avatar: *self.avatar.lock(), ..account }))
    }
}

#[async_trait]
impl ListingReader for Shelf {
    async fn find(&self, id: ListingId) -> Result<Option<Listing>, StoreError> {
        let earlier = self.earlier.lock().clone().filter(|listing| listing.id == id);
        match earlier {
            Some(listing) => Ok(Some(listing)),
            None => ListingReader::find(&self.listings, id).await,
        }
    }

    async fn settled(&self, id: ListingId) -> Result<Option<Listing>, StoreError> {
        *self.earlier.lock() = None;
        self.listings.settled(id).await
    }
}

/// Says what it is told to.
struct Guard(Mutex<Option<Verdict>>);

#[async_trait]
impl Scanner for Guard {
    async fn scan(&self, mut bytes: BlobStream) -> Result<Verdict, ScanError> {
        while bytes.next().await.is_some() {}
        let verdict = self.0.lock().clone();
        verdict.ok_or_else(|| ScanError::Unavailable("it is down".to_owned()))
    }
}

struct World {
    media: Media,
    chats: Chats,
    shelf: Arc<Shelf>,
    claims: Arc<Claims>,
    town: Arc<Town>,
    guard: Arc<Guard>,
    clock: Arc<ManualClock>,
    chat: ChatId,
    _dir: TempDir,
}

async fn world() -> World {
    let dir = TempDir::new().expect("a directory");
    let opened = embedded::open(dir.path(), 1 << 20, Words::default()).expect("a store");
    let stores = opened.stores;
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let now = Arc::clone(&clock) as Arc<dyn Clock>;
    let log = Arc::clone(&stores.chat_log);
    let hub = Hub::new(log, Arc::clone(&now), 0, false, HubMetrics::default());
    tokio::spawn(hub.clone().run_delivery(opened.outcomes));
    let limits = Arc::new(Limits::none());
    let claims = Arc::new(Claims::new(Arc::clone(&stores.media)));
    let (town, ids) = (Arc::new(Town::default()), Arc::new(SystemIds));
    let listings = Listings::new(
        stores.listings,
        Arc::clone(&town) as Arc<dyn UserDirectory>,
        Arc::clone(&now),
        Arc::clone(&ids) as Arc<dyn Ids>,
        Arc::new(Standings::new(Duration::from_secs(5))),
        Arc::clone(&claims) as Arc<dyn Photos>,
        listings::Rules { catalogue: catalogue::open(None).expect("a tree"), lifetime: None },
    );
    let shelf = Arc::new(Shelf { listings, earlier: Mutex::default() });
    let chats = Chats::new(chats::Parts {
        log: stores.chat_log,
        inbox: stores.inbox,
        listings: Arc::clone(&town) as Arc<dyn ListingReader>,
        standings: Arc::new(Standings::new(Duration::from_secs(5))),
        media: Arc::clone(&claims) as Arc<dyn MediaDirectory>,
        people: People::new(
            Arc::clone(&town) as Arc<dyn UserDirectory>,
            stores.user_states,
            stores.blocks,
        ),
        limits: Arc::clone(&limits),
        hub,
        clock: Arc::clone(&now),
        rules: chats::Rules {
            edit_window: Duration::ZERO,
            delete_window: Duration::from_hours(48),
            reactions: Vec::new(),
            chats_max: 100,
        },
    });
    let listing = ListingId::from_bytes([7; 16]);
    let chat = chats.open(Bearer::served(BUYER), listing).await.expect("a chat").row.chat.id;
    let guard = Arc::new(Guard(Mutex::new(Some(Verdict::Clean))));
    let (mib, pixels) = (1 << 20, 1_000_000);
    let media = Media::new(Parts {
        store: stores.media,
        blobs: Blobs::in_memory(),
        scanner: Some(Arc::clone(&guard) as Arc<dyn Scanner>),
        chats: chats.clone(),
        listings: Arc::clone(&shelf) as Arc<dyn ListingReader>,
        users: Arc::clone(&town) as Arc<dyn UserDirectory>,
        limits,
        links: Tokens::new(Keyring::generate()).sealing(),
        pictures: Pictures::new(1).expect("threads"),
        clock: now,
        ids,
        rules: Rules {
            bounds: Bounds {
                picture_bytes: mib,
                video_bytes: 4 * mib,
                audio_bytes: mib,
                document_bytes: mib,
                pixels,
            },
            unfinished_max: 3,
        },
    });
    World { media, chats, shelf, claims, town, guard, clock, chat, _dir: dir }
}

fn of(bytes: &[u8]) -> BlobStream {
    stream::iter([Ok(Bytes::copy_from_slice(bytes))]).boxed()
}

fn broken_off(bytes: &[u8]) -> BlobStream {
    let end = stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
    of(bytes).chain(end).boxed()
}

fn by(user: UserId) -> Viewer {
    Viewer::Bearer(Bearer::served(user))
}

fn name(n: u8) -> ClientId {
    ClientId::from_bytes([n; 16])
}

impl World {
    async fn begun(&self, size: usize) -> files::Media {
        let (purpose, name) = (Purpose::Chat(self.chat), "a/bike.gif".to_owned());
        let new = NewMedia { purpose, name, size: size as u64 };
        self.media.create(Bearer::served(BUYER), new).await.expect("a file")
    }

    async fn brought(&self, bytes: &[u8]) -> Result<files::Media, MediaError> {
        let id = self.begun(bytes.len()).await.id;
        self.media.receive(Bearer::served(BUYER), id, of(bytes)).await
    }

    async fn send(&self, n: u8, media: MediaId) -> Result<Sent, SendError> {
        let send = Send { media: Some(media), ..said(n, "media") };
        self.chats.send_and_wait(Bearer::served(BUYER), self.chat, send).await
    }

    async fn delete(&self, n: u8, target: Seq) {
        let send = Send { target: Some(target), ..said(n, "delete") };
        let sent = self.chats.send_and_wait(Bearer::served(BUYER), self.chat, send).await;
        sent.expect("a deletion");
    }

    async fn state(&self, id: MediaId) -> Option<State> {
        self.media.0.store.find(id).await.expect("a read").map(|media| media.state)
    }

    async fn sees(&self, user: UserId, id: MediaId) -> bool {
        let read = self.media.read(Bearer::served(user), id).await;
        let opened = self.media.open(by(user), id, None).await;
        match (read, opened) {
            (Ok(_), Ok(_)) => true,
            (Err(MediaError::NotFound), Err(MediaError::NotFound)) => false,
            (read, opened) => panic!("{read:?}, {:?}", opened.err()),
        }
    }

    /// Lets time pass, and looks at what is due by then.
    async fn after(&self, time: Duration) {
        self.clock.advance(time);
        while self.media.sweep().await > 0 {}
    }

    async fn has(&self, key: &str) -> bool {
        self.media.0.blobs.head(key).await.expect("an answer").is_some()
    }

    async fn until_ready(&self, id: MediaId) {
        let ready = async {
            while !matches!(self.state(id).await, Some(State::Ready(_))) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("a file");
    }
}

fn said(n: u8, kind: &str) -> Send {
    Send {
        id: name(n),
        base: None,
        kind: kind.to_owned(),
        text: None,
        reply: None,
        target: None,
        reaction: None,
        media: None,
        data: None,
    }
}

fn forbidden(sent: Result<Sent, SendError>) -> Forbidden {
    match sent {
        Err(SendError::Refused(Refused::Forbidden(forbidden))) => forbidden,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_picture_is_seen_by_both_from_its_message_on_and_goes_with_it() {
    let world = world().await;
    let picture = world.brought(PIXEL).await.expect("a picture");
    assert_eq!((picture.name.as_str(), picture.version), ("bike.gif", 3));
    let content = picture.content().expect("content").clone();
    assert_eq!(content.pictures.len(), 1);
    let full = keys::served(picture.id, &content.digest, Some(Size::Full));
    assert!(world.has(&full).await && !world.has(&keys::raw(picture.id)).await);
    let seen = [BUYER, SELLER, STRANGER].map(|user| world.sees(user, picture.id));
    assert_eq!(futures_util::future::join_all(seen).await, [true, false, false]);

    let sent = world.send(1, picture.id).await.expect("a message");
    let seen = [BUYER, SELLER, STRANGER].map(|user| world.sees(user, picture.id));
    assert_eq!(futures_util::future::join_all(seen).await, [true, true, false]);
    let opened = world.media.open(by(SELLER), picture.id, Some(Size::Thumb)).await.expect("bytes");
    assert_eq!(opened.picture.map(|picture| picture.size), Some(Size::Full));
    assert!(opened.etag.starts_with('"') && opened.etag.ends_with("-full\""), "{}", opened.etag);
    let mut bytes = opened.stream(0..opened.bytes).await.expect("bytes");
    let mut read = 0;
    while let Some(chunk) = bytes.next().await {
        read += chunk.expect("bytes").len() as u64;
    }
    assert_eq!(read, content.bytes);

    world.after(DAY).await;
    assert!(world.sees(SELLER, picture.id).await, "a message shows it");
    world.delete(2, sent.seq).await;
    assert!(!world.sees(SELLER, picture.id).await && !world.sees(BUYER, picture.id).await);
    world.after(Duration::from_secs(11)).await;
    assert!(!world.has(&full).await);
    assert_eq!(world.state(picture.id).await, Some(State::Ending));
    world.after(ROW_STAYS).await;
    assert_eq!(world.state(picture.id).await, None);
    let again = world.send(1, picture.id).await.expect("its number");
    assert_eq!((again.seq, again.repeat), (sent.seq, true), "a retry keeps its number");
}

#[tokio::test]
async fn a_link_opens_its_file_for_as_long_as_its_maker_may_see_it() {
    let world = world().await;
    let pages = world.brought(PAGES).await.expect("a document").id;
    let other = world.brought(PAGES).await.expect("a document").id;
    let sent = world.send(1, pages).await.expect("a message");
    let link = world.media.link(Bearer::served(SELLER), pages).await.expect("a link");
    let open =
        async |id: MediaId| world.media.open(Viewer::Link(link.token.clone()), id, None).await.ok();
    let opened = open(pages).await.expect("a file");
    assert_eq!((opened.until, opened.media_type.as_str()), (Some(link.expires), "application/pdf"));
    assert_eq!(opened.bytes, PAGES.len() as u64);
    assert!(open(other).await.is_none(), "of another file");
    let thumb = world.media.open(by(SELLER), pages, Some(Size::Thumb)).await.err();
    assert!(matches!(thumb, Some(MediaError::NotFound)), "{thumb:?}");
    world.delete(2, sent.seq).await;
    assert!(open(pages).await.is_none(), "its message is gone");

    let link = world.media.link(Bearer::served(BUYER), other).await.expect("a link");
    world.clock.advance(serve::LINK_FOR);
    let late = world.media.open(Viewer::Link(link.token), other, None).await.err();
    assert!(matches!(late, Some(MediaError::NotFound)), "{late:?}");
    let stranger = world.media.link(Bearer::served(STRANGER), other).await;
    assert!(matches!(stranger, Err(MediaError::NotFound)), "{stranger:?}");
}

#[tokio::test]
async fn g2_one_message_shows_a_file_however_often_it_is_sent() {
    let world = world().await;
    let picture = world.brought(PIXEL).await.expect("a picture").id;
    let first = world.send(1, picture).await.expect("a message");
    let again = world.send(1, picture).await.expect("the same");
    assert_eq!((again.seq, again.repeat), (first.seq, true));
    assert_eq!(forbidden(world.send(2, picture).await), Forbidden::MediaUsed);
    let removed = world.media.remove(Bearer::served(BUYER), picture).await;
    assert!(matches!(removed, Err(MediaError::Used)), "{removed:?}");

    let theirs = Send { media: Some(picture), ..said(3, "media") };
    let theirs = world.chats.send_and_wait(Bearer::served(SELLER), world.chat, theirs).await;
    assert_eq!(forbidden(theirs), Forbidden::MediaNotFound);
    // What may not be said takes no file.
    let picture = world.brought(PIXEL).await.expect("a picture").id;
    let nowhere = Send { media: Some(picture), reply: Some(Seq(99)), ..said(4, "media") };
    let nowhere = world.chats.send_and_wait(Bearer::served(BUYER), world.chat, nowhere).await;
    assert_eq!(forbidden(nowhere), Forbidden::TargetNotFound);
    world.send(5, picture).await.expect("a message");
}

#[tokio::test]
async fn what_is_not_whole_is_not_sent_and_not_served() {
    let world = world().await;
    let id = world.begun(PIXEL.len()).await.id;
    let refused = forbidden(world.send(1, id).await);
    assert_eq!(refused, Forbidden::MediaNotReady);
    assert!(Refused::Forbidden(refused).is_retryable());
    let opened = world.media.open(by(BUYER), id, None).await.err();
    assert!(matches!(opened, Some(MediaError::NotReady)), "{opened:?}");

    let bearer = Bearer::served(BUYER);
    let short = world.media.receive(bearer, id, of(&PIXEL[1..])).await;
    assert!(matches!(short, Err(MediaError::Incomplete { missing: 1 })), "{short:?}");
    let long = world.media.receive(bearer, id, of(&[PIXEL, b"x"].concat())).await;
    assert!(matches!(long, Err(MediaError::TooLarge { .. })), "{long:?}");
    let broken = world.media.receive(bearer, id, broken_off(&PIXEL[..9])).await;
    assert!(matches!(broken, Err(MediaError::Broken(_))), "{broken:?}");
    assert!(!world.has(&keys::raw(id)).await, "nothing is kept of these");
    let early = world.media.complete(bearer, id).await;
    assert!(matches!(early, Err(MediaError::Incomplete { .. })), "{early:?}");
    let theirs = world.media.receive(Bearer::served(SELLER), id, of(PIXEL)).await;
    assert!(matches!(theirs, Err(MediaError::NotFound)), "{theirs:?}");

    world.media.receive(bearer, id, of(PIXEL)).await.expect("a picture");
    let twice = world.media.receive(bearer, id, of(PIXEL)).await;
    assert!(matches!(twice, Err(MediaError::NotWaiting)), "{twice:?}");
    assert!(world.media.complete(bearer, id).await.expect("a picture").content().is_some());
    world.send(1, id).await.expect("a message");
}

#[tokio::test]
async fn parts_go_on_where_the_last_ones_ended() {
    let world = world().await;
    let (id, bearer) = (world.begun(PAGES.len()).await.id, Bearer::served(BUYER));
    let append =
        async |at: usize, bytes: BlobStream| world.media.append(bearer, id, at as u64, bytes).await;
    let first = append(0, of(&PAGES[..10])).await.expect("a part");
    assert_eq!((first.offset, first.size), (10, PAGES.len() as u64));
    let wrong = append(9, of(&PAGES[9..])).await;
    assert!(matches!(wrong, Err(MediaError::OffsetMismatch { at: 10 })), "{wrong:?}");
    let broken = append(10, broken_off(&PAGES[10..15])).await;
    assert!(matches!(broken, Err(MediaError::Broken(_))), "{broken:?}");
    let progress = world.media.offset(bearer, id).await.expect("an answer");
    assert_eq!(progress.offset, 15, "what came before it broke off is there");
    let long = append(15, of(&[PAGES, PAGES].concat())).await;
    assert!(matches!(long, Err(MediaError::TooLarge { .. })), "{long:?}");
    let last = append(15, of(&PAGES[15..])).await.expect("the rest");
    assert_eq!(last.offset, PAGES.len() as u64);
    let content = last.media.content().expect("content");
    let served = keys::served(id, &content.digest, None);
    let kept = world.media.0.blobs.bytes(&served, 1 << 20).await.expect("bytes");
    assert_eq!(&kept[..], PAGES);
    assert!(!world.has(&keys::part(id, 0)).await);
    let progress = world.media.offset(bearer, id).await.expect("an answer");
    assert_eq!(progress.offset, progress.size);
}

#[tokio::test]
async fn one_at_a_time_brings_a_file() {
    let world = world().await;
    let (id, bearer) = (world.begun(PIXEL.len()).await.id, Bearer::served(BUYER));
    let endless = of(&PIXEL[..3]).chain(stream::pending()).boxed();
    let rules = world.media.clone();
    let slow = tokio::spawn(async move { rules.receive(bearer, id, endless).await });
    while world.media.0.arriving.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = world.media.receive(bearer, id, of(PIXEL)).await;
    assert!(matches!(second, Err(MediaError::Underway)), "{second:?}");
    world.media.remove(bearer, id).await.expect("an end");
    assert_eq!(world.state(id).await, Some(State::Ending));
    slow.abort();
}

#[tokio::test]
async fn what_cannot_be_used_is_told_and_leaves_nothing() {
    let world = world().await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let large = [PAGES, &vec![0; 2 << 20]].concat();
    for (bytes, why) in [
        (svg.as_slice(), Refusal::Unsupported),
        (&PIXEL[..20], Refusal::Damaged),
        (large.as_slice(), Refusal::TooLarge),
    ] {
        let refused = world.brought(bytes).await;
        assert!(matches!(refused, Err(MediaError::Refused(it)) if it == why), "{refused:?}");
    }
    *world.guard.0.lock() = Some(Verdict::Found("Eicar".to_owned()));
    for bytes in [PIXEL, PAGES] {
        let refused = world.brought(bytes).await;
        let infected = matches!(refused, Err(MediaError::Refused(Refusal::Infected)));
        assert!(infected, "{refused:?}");
    }
    for media in world.media.owned(BUYER, None, 9).await.expect("files") {
        assert!(!world.has(&keys::raw(media.id)).await);
        assert_eq!(forbidden(world.send(1, media.id).await), Forbidden::MediaNotFound);
    }
}

#[tokio::test]
async fn files_wait_for_the_scanner_and_for_a_server_that_ended() {
    let world = world().await;
    *world.guard.0.lock() = None;
    let waits = world.brought(PAGES).await.expect("its bytes are safe");
    assert_eq!(waits.state, State::Received);
    assert_eq!(forbidden(world.send(1, waits.id).await), Forbidden::MediaNotReady);
    // As it is when a server ends behind its row.
    let left = world.begun(PIXEL.len()).await;
    world.media.0.blobs.put(&keys::raw(left.id), Bytes::from_static(PIXEL)).await.expect("bytes");
    let at = world.clock.now().plus(Duration::from_mins(1));
    let look = Look { at, media: left.id };
    world.media.0.store.look_again(look).await.expect("a look");
    let id = left.id;
    let stored = world.media.0.store.replace(left.with(State::Received)).await;
    assert!(stored.expect("an answer"));

    *world.guard.0.lock() = Some(Verdict::Clean);
    world.after(Duration::from_mins(2)).await;
    for id in [waits.id, id] {
        world.until_ready(id).await;
        assert!(world.sees(BUYER, id).await);
    }
}

#[tokio::test]
async fn what_is_never_sent_goes_within_a_day() {
    let world = world().await;
    let waiting = world.begun(9).await.id;
    let ready = world.brought(PIXEL).await.expect("a picture").id;
    let sent = world.brought(PIXEL).await.expect("a picture").id;
    world.send(1, sent).await.expect("a message");
    // One whose message was never said.
    let claimed = world.brought(PIXEL).await.expect("a picture");
    world.clock.advance(DAY.saturating_sub(Duration::from_secs(10)));
    let at = world.clock.now();
    let by = Holder::Message { id: name(9), above: Seq::ZERO };
    let shown = Some(files::Shown { by, at });
    let version = claimed.version + 1;
    let claimed = files::Media { shown, version, ..claimed };
    assert!(world.media.0.store.replace(claimed.clone()).await.expect("an answer"));

    world.after(Duration::from_secs(10)).await;
    for id in [waiting, ready] {
        assert_eq!(world.state(id).await, Some(State::Ending));
    }
    world.after(ROW_STAYS).await;
    assert_eq!((world.state(waiting).await, world.state(ready).await), (None, None));
    assert!(matches!(world.state(claimed.id).await, Some(State::Ready(_))));
    world.after(DAY).await;
    assert_eq!(world.state(claimed.id).await, Some(State::Ending));
    world.after(DAY).await;
    assert!(world.sees(SELLER, sent).await, "its message stands");
}

#[tokio::test]
async fn somebody_has_few_files_that_nothing_shows() {
    let world = world().await;
    let bearer = Bearer::served(BUYER);
    let purpose = Purpose::Chat(world.chat);
    let new = |size| NewMedia { purpose, name: String::new(), size };
    let empty = world.media.create(bearer, new(0)).await;
    assert!(matches!(empty, Err(MediaError::Empty)), "{empty:?}");
    let large = world.media.create(bearer, new(world.media.size_max() + 1)).await;
    assert!(matches!(large, Err(MediaError::TooLarge { .. })), "{large:?}");
    let stranger = world.media.create(Bearer::served(STRANGER), new(1)).await;
    assert!(matches!(stranger, Err(MediaError::ChatNotFound)), "{stranger:?}");
    let first = world.begun(1).await.id;
    for _ in 0..2 {
        world.begun(1).await;
    }
    let fourth = world.media.create(bearer, new(1)).await;
    assert!(matches!(fourth, Err(MediaError::TooManyUnfinished { max: 3 })), "{fourth:?}");
    let direct = world.media.direct(bearer, first).await;
    assert!(matches!(direct, Err(MediaError::DirectUnavailable)), "{direct:?}");
    world.media.remove(bearer, first).await.expect("an end");
    let twice = world.media.remove(bearer, first).await;
    assert!(matches!(twice, Err(MediaError::NotFound)), "{twice:?}");
    world.begun(1).await;
}

#[tokio::test]
async fn who_leaves_takes_their_files_along() {
    let world = world().await;
    let shown = world.brought(PIXEL).await.expect("a picture").id;
    world.send(1, shown).await.expect("a message");
    let waiting = world.begun(5).await.id;
    assert_eq!(world.media.owned(BUYER, None, 10).await.expect("files").len(), 2);
    let long = tokio::time::Instant::now() + DAY;
    assert!(world.media.erase_all(BUYER, long).await.expect("an end"));
    assert!(world.media.erase_all(BUYER, long).await.expect("the same"));
    for id in [shown, waiting] {
        assert_eq!(world.state(id).await, Some(State::Ending));
        assert!(!world.sees(BUYER, id).await && !world.sees(SELLER, id).await);
    }
    assert!(world.media.owned(BUYER, None, 10).await.expect("files").is_empty());
}

#[tokio::test]
async fn who_leaves_with_many_files_comes_further_with_each_call() {
    let world = world().await;
    let (at, now) = (Timestamp::from_millis(1), tokio::time::Instant::now());
    let media = world.begun(5).await;
    for n in 0..2 * PAGE as u8 {
        let id = MediaId::from_bytes([n; 16]);
        let media = files::Media { id, ..media.clone() };
        world.media.0.store.insert(media, at).await.expect("a row");
    }
    let mut calls = 0;
    while !world.media.erase_all(BUYER, now).await.expect("an end") {
        calls += 1;
        assert!(calls <= 3, "it does not end");
    }
    assert_eq!(calls, 2);
    assert!(world.media.owned(BUYER, None, 10).await.expect("files").is_empty());
}
