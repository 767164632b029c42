use std::collections::{HashMap, HashSet};

use barterline_domain::account::DisplayName;
use barterline_domain::catalogue::attribute::GivenValue;
use barterline_domain::clock::ManualClock;
use barterline_domain::listing::EndReason;
use barterline_domain::money::Currency;
use barterline_storage::embedded::engine::Engine;
use barterline_storage::embedded::listings::EmbeddedListings;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;
use crate::ids::SystemIds;
use crate::services::accounts::UserDirectory;
use crate::services::listings::photos::NoPhotos;
use crate::services::listings::standings::Standings;
use crate::services::listings::{Edit, Rules};

const ANA: UserId = UserId::from_bytes([1; 16]);
const BOB: UserId = UserId::from_bytes([2; 16]);
const FRESH: Duration = Duration::from_mins(5);

/// Everybody of whom anybody has heard.
#[derive(Default)]
struct People {
    known: Mutex<HashMap<UserId, Account>>,
    named: Mutex<HashMap<String, UserId>>,
    made: Mutex<usize>,
}

impl People {
    fn with(&self, user: UserId, change: impl FnOnce(&mut Account)) {
        let name = DisplayName::parse("Ana").expect("a name");
        let mut known = self.known.lock();
        let account =
            known.entry(user).or_insert_with(|| Account::new(user, name, Timestamp::default()));
        change(account);
    }
}

#[async_trait]
impl UserDirectory for People {
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.known.lock().get(&user).cloned())
    }
}

#[async_trait]
impl Sellers for People {
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.known.lock().get(&user).cloned())
    }

    async fn named_by(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError> {
        assert_eq!(issuer, "own");
        Ok(self.named.lock().get(subject).copied())
    }

    async fn known_as(
        &self,
        issuer: &str,
        subject: &str,
        _: Option<String>,
    ) -> Result<Option<UserId>, StoreError> {
        let known = self.named_by(issuer, subject).await?;
        if known.is_some() || subject == "stranger" {
            return Ok(known);
        }
        *self.made.lock() += 1;
        self.with(BOB, |_| {});
        self.named.lock().insert(subject.to_owned(), BOB);
        Ok(Some(BOB))
    }
}

/// A system that answers what it was told to.
#[derive(Default)]
struct Shop {
    /// By the name of a thing: its revision and price, or `!` and another thing.
    things: Mutex<HashMap<String, String>>,
    down: Mutex<HashSet<String>>,
    busy: Mutex<bool>,
    asked: Mutex<usize>,
    held: Mutex<Option<Arc<Notify>>>,
}

#[async_trait]
impl Puller for Shop {
    async fn pull(&self, id: &ExternalId) -> Result<Option<Vec<u8>>, PullError> {
        if *self.busy.lock() {
            return Err(PullError::Busy);
        }
        if matches!(id.as_str(), "." | "..") {
            return Err(PullError::Astray);
        }
        *self.asked.lock() += 1;
        let held = self.held.lock().clone();
        if let Some(held) = held {
            held.notified().await;
        }
        if self.down.lock().contains(id.as_str()) {
            return Err(PullError::Failed("it answers with 500".to_owned()));
        }
        let things = self.things.lock();
        Ok(things.get(id.as_str()).map(|said| format!("{} {said}", id.as_str()).into_bytes()))
    }
}

fn item(id: &str, revision: u64, minor: u64) -> Item {
    Item {
        id: ExternalId::parse(id).expect("an id"),
        revision,
        url: None,
        seller: Seller::Account(ANA),
        text: ListingText::choose("Bike", "Steel".to_owned()).expect("a text"),
        price: Money { minor, currency: Currency::parse("EUR").expect("a currency") },
        said: Said::default(),
        status: ListingStatus::Active,
    }
}

fn read(answer: &[u8]) -> Result<Item, String> {
    let text = std::str::from_utf8(answer).map_err(|error| error.to_string())?;
    let words: Vec<_> = text.split(' ').collect();
    let number = |word: &str| word.parse::<u64>().map_err(|error| error.to_string());
    match words.as_slice() {
        [_, "!", id] => Ok(item(id, 1, 1)),
        [id, revision, price] => Ok(item(id, number(revision)?, number(price)?)),
        _ => Err("no thing".to_owned()),
    }
}

struct World {
    sources: Sources,
    listings: Listings,
    people: Arc<People>,
    shop: Arc<Shop>,
    clock: Arc<ManualClock>,
    _dir: TempDir,
}

fn world() -> World {
    let dir = TempDir::new().expect("a directory");
    let engine = Engine::open(&dir.path().join("main.redb")).expect("a file");
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(10_000_000)));
    let people = Arc::new(People::default());
    people.with(ANA, |_| {});
    let rules = Rules {
        catalogue: Arc::new(
            serde_json::from_str(r#"{"categories": [{"id": "books", "names": {}}]}"#)
                .expect("a tree"),
        ),
        lifetime: Some(Duration::from_hours(24)),
    };
    let now = Arc::clone(&clock) as Arc<dyn Clock>;
    let listings = Listings::new(
        Arc::new(EmbeddedListings(engine)),
        Arc::clone(&people) as Arc<dyn UserDirectory>,
        Arc::clone(&now),
        Arc::new(SystemIds),
        Arc::new(Standings::new(Duration::from_secs(5))),
        Arc::new(NoPhotos),
        rules,
    );
    let shop = Arc::new(Shop::default());
    let pulled = Source {
        webhook_key: None,
        pull: Some(Arc::clone(&shop) as Arc<dyn Puller>),
        fresh_for: FRESH,
        issuer: None,
    };
    let named = Source { pull: None, issuer: Some("own".to_owned()), ..pulled.clone() };
    let sources = BTreeMap::from([(name("shop"), pulled), (name("named"), named)]);
    let sellers = Arc::clone(&people) as Arc<dyn Sellers>;
    let parts = Parts { sources, listings: listings.clone(), sellers, read, clock: now };
    World { sources: Sources::new(parts), listings, people, shop, clock, _dir: dir }
}

fn name(source: &str) -> SourceName {
    SourceName::parse(source).expect("a source")
}

impl World {
    async fn put(&self, item: Item) -> Result<Taken, Refusal> {
        let taken = self.sources.take(&name("shop"), vec![item]).await.expect("an answer");
        taken.into_iter().next().expect("one")
    }

    async fn outcome(&self, item: Item) -> Outcome {
        self.put(item).await.expect("taken").outcome
    }

    async fn read(&self, id: &str) -> Result<Listing, SourceError> {
        self.sources.read(None, "shop", id).await
    }

    async fn resolve(&self, id: &str) -> Result<ListingId, SourceError> {
        self.sources.resolve(Bearer::served(BOB), "shop", id).await
    }

    async fn stored(&self, id: &str) -> Listing {
        let id = ExternalId::parse(id).expect("an id");
        let found = self.listings.find(listing_of(&name("shop"), &id)).await;
        found.expect("a read").expect("a listing")
    }

    fn asked(&self) -> usize {
        *self.shop.asked.lock()
    }
}

#[tokio::test]
async fn what_is_newer_is_told_by_its_revision() {
    let world = world();
    assert_eq!(world.outcome(item("1", 5, 100)).await, Outcome::Created);
    for (revision, minor, outcome) in [
        (5, 100, Outcome::Unchanged),
        // What is sent twice counts once, whatever it says.
        (5, 1, Outcome::Unchanged),
        (4, 1, Outcome::Stale),
        (0, 1, Outcome::Stale),
        (7, 90, Outcome::Changed),
        (6, 1, Outcome::Stale),
        (8, 90, Outcome::Changed),
        (7, 1, Outcome::Stale),
    ] {
        assert_eq!(world.outcome(item("1", revision, minor)).await, outcome, "{revision}");
    }
    let listing = world.stored("1").await;
    assert_eq!((listing.price.minor, listing.version, listing.expires_at), (90, 3, None));
    assert_eq!(listing.details.external.map(|external| external.revision), Some(8));
}

#[tokio::test]
async fn what_was_over_before_anybody_heard_of_it_stays_so() {
    let world = world();
    let gone = Item { status: ListingStatus::Withdrawn, ..item("1", 5, 100) };
    assert_eq!(world.outcome(gone).await, Outcome::Created);
    assert_eq!(world.outcome(item("1", 4, 100)).await, Outcome::Stale);
    let listing = world.stored("1").await;
    assert_eq!(listing.status, ListingStatus::Withdrawn);
    assert!(listing.was_for_sale(), "it is there for anybody");
    assert_eq!(world.outcome(item("1", 6, 100)).await, Outcome::Changed);
    let listing = world.stored("1").await;
    assert_eq!((listing.status, listing.history.len()), (ListingStatus::Active, 2));
}

#[tokio::test]
async fn several_at_once_are_as_one_after_the_other() {
    let world = world();
    let sent = (1..=4).map(|revision| world.put(item("1", revision, revision)));
    let taken = futures_util::future::join_all(sent).await;
    let created = taken.iter().flatten().filter(|taken| taken.outcome == Outcome::Created);
    assert_eq!((created.count(), taken.iter().filter(|taken| taken.is_err()).count()), (1, 0));
    assert_eq!(world.stored("1").await.price.minor, 4);
}

#[tokio::test]
async fn a_listing_of_elsewhere_is_not_changed_here() {
    let world = world();
    let listing = world.put(item("1", 1, 100)).await.expect("taken").listing;
    let edit = Edit { title: Some("Mine".to_owned()), ..Edit::default() };
    let ana = Bearer::served(ANA);
    let edited = world.listings.edit(ana, listing.id, &edit).await;
    assert!(matches!(edited, Err(ListingError::External)), "{edited:?}");
    let renewed = world.listings.renew(ana, listing.id).await;
    assert!(matches!(renewed, Err(ListingError::External)), "{renewed:?}");
    let edited = world.listings.edit(Bearer::served(BOB), listing.id, &edit).await;
    assert!(matches!(edited, Err(ListingError::NotYours)), "{edited:?}");
}

#[tokio::test]
async fn who_left_does_not_come_back_by_a_webhook() {
    let world = world();
    world.put(item("1", 1, 100)).await.expect("taken");
    world.listings.erase_all(ANA).await.expect("an erasure");
    let again = world.put(item("1", 2, 100)).await;
    assert!(matches!(again, Err(Refusal::SellerGone)), "{again:?}");
    world.people.with(ANA, |account| account.erased_at = Some(Timestamp::default()));
    let other = world.put(item("2", 1, 100)).await;
    assert!(matches!(other, Err(Refusal::SellerGone)), "{other:?}");
    let listing = world.stored("1").await;
    assert!(listing.text.is_erased());
    assert_eq!(listing.reason, Some(EndReason::Erased));
    assert_eq!(world.read("1").await.expect("a listing"), listing);
    world.clock.advance(FRESH);
    world.resolve("1").await.expect("a listing");
    assert_eq!(world.asked(), 0, "there is nothing to ask");
}

#[tokio::test]
async fn a_seller_is_named_as_the_operator_says_and_stays() {
    let world = world();
    let named = name("named");
    let by = |id: &str, subject: &str, revision| {
        let seller = Seller::Subject { subject: subject.to_owned(), name: None };
        Item { seller, ..item(id, revision, 100) }
    };
    let put = async |source: &SourceName, item: Item| {
        let taken = world.sources.take(source, vec![item]).await.expect("an answer");
        taken.into_iter().next().expect("one")
    };
    let form = put(&named, item("1", 1, 100)).await;
    assert!(matches!(form, Err(Refusal::SellerForm("`subject`"))), "{form:?}");
    let form = put(&name("shop"), by("1", "bob", 1)).await;
    assert!(matches!(form, Err(Refusal::SellerForm("`account`"))), "{form:?}");
    let unknown = put(&named, by("1", "stranger", 1)).await;
    assert!(matches!(unknown, Err(Refusal::SellerUnknown)), "{unknown:?}");
    let nowhere = Item {
        said: Said {
            attributes: [("x".to_owned(), GivenValue::Whole(1))].into(),
            ..Said::default()
        },
        ..by("1", "bob", 1)
    };
    let nowhere = put(&named, nowhere).await;
    assert!(matches!(nowhere, Err(Refusal::Invalid(_))), "{nowhere:?}");
    assert_eq!(*world.people.made.lock(), 0, "nobody is made for nothing");
    let taken = put(&named, by("1", "bob", 1)).await.expect("taken");
    assert_eq!((taken.listing.seller, *world.people.made.lock()), (BOB, 1));
    put(&named, by("1", "bob", 2)).await.expect("taken");
    let other = put(&named, by("1", "eve", 3)).await;
    assert!(matches!(other, Err(Refusal::SellerUnknown)), "{other:?}");
    world.people.named.lock().insert("ana".to_owned(), ANA);
    let other = put(&named, by("1", "ana", 3)).await;
    assert!(matches!(other, Err(Refusal::SellerChanged)), "{other:?}");
    assert_eq!(*world.people.made.lock(), 1);
    world.people.with(BOB, |account| account.suspended_at = Some(Timestamp::default()));
    let kept_out = put(&named, by("1", "bob", 4)).await;
    assert!(matches!(kept_out, Err(Refusal::SellerSuspended)), "{kept_out:?}");
    let sold = Item { status: ListingStatus::Sold, ..by("1", "bob", 4) };
    assert_eq!(put(&named, sold).await.expect("taken").outcome, Outcome::Changed);
    // By a name that nobody has any more.
    world.people.named.lock().clear();
    let unknown = put(&named, by("1", "bob", 5)).await;
    assert!(matches!(unknown, Err(Refusal::SellerUnknown)), "{unknown:?}");
    let ended = Item { status: ListingStatus::Withdrawn, ..by("1", "bob", 5) };
    let taken = put(&named, ended).await.expect("taken");
    assert_eq!((taken.outcome, taken.listing.status), (Outcome::Changed, ListingStatus::Withdrawn));
    assert_eq!((taken.listing.seller, *world.people.made.lock()), (BOB, 1));
}

#[tokio::test]
async fn what_nobody_heard_of_is_asked_for_and_what_is_old_once_more() {
    let world = world();
    let missing = world.resolve("1").await;
    assert!(matches!(missing, Err(SourceError::ListingNotFound)), "{missing:?}");
    let missing = world.read("1").await;
    assert!(matches!(missing, Err(SourceError::ListingNotFound)), "{missing:?}");
    assert_eq!(world.asked(), 1, "not at once again");
    world.shop.things.lock().insert("1".to_owned(), "3 100".to_owned());
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.read("1").await.expect("a listing").price.minor, 100);
    world.shop.things.lock().insert("1".to_owned(), "4 90".to_owned());
    world.resolve("1").await.expect("a listing");
    assert_eq!((world.asked(), world.stored("1").await.price.minor), (2, 100), "it is fresh");
    world.clock.advance(FRESH);
    world.resolve("1").await.expect("a listing");
    assert_eq!((world.asked(), world.stored("1").await.price.minor), (3, 90));
    // An older answer, of a cache.
    world.shop.things.lock().insert("1".to_owned(), "3 100".to_owned());
    world.clock.advance(FRESH);
    world.resolve("1").await.expect("a listing");
    assert_eq!((world.asked(), world.stored("1").await.price.minor), (4, 90));
    let unknown = world.sources.read(None, "other", "1").await;
    assert!(matches!(unknown, Err(SourceError::NotFound)), "{unknown:?}");
    let no_id = world.read("a\nb").await;
    assert!(matches!(no_id, Err(SourceError::ListingNotFound)), "{no_id:?}");
}

#[tokio::test]
async fn what_is_gone_is_withdrawn_and_comes_back_when_it_was_a_mistake() {
    let world = world();
    world.put(item("1", 3, 100)).await.expect("taken");
    world.clock.advance(FRESH);
    world.resolve("1").await.expect("a listing");
    assert_eq!(world.stored("1").await.status, ListingStatus::Withdrawn);
    // A webhook of before that somebody shows again brings nothing back.
    assert_eq!(world.outcome(item("1", 3, 100)).await, Outcome::Unchanged);
    assert_eq!(world.stored("1").await.status, ListingStatus::Withdrawn);
    world.shop.things.lock().insert("1".to_owned(), "3 100".to_owned());
    world.clock.advance(FRESH);
    world.resolve("1").await.expect("a listing");
    assert_eq!(world.stored("1").await.status, ListingStatus::Active);
    let sold = Item { status: ListingStatus::Sold, ..item("2", 1, 100) };
    world.put(sold).await.expect("taken");
    world.clock.advance(FRESH);
    world.resolve("2").await.expect("a listing");
    assert_eq!(world.stored("2").await.status, ListingStatus::Sold, "it is over, and why");
}

#[tokio::test]
async fn what_is_of_no_use_changes_nothing() {
    let world = world();
    world.put(item("known", 1, 100)).await.expect("taken");
    world.clock.advance(FRESH);
    for id in ["known", "new"] {
        world.shop.down.lock().insert(id.to_owned());
    }
    let taken = world.resolve("known").await.expect("what is known");
    assert_eq!(taken, world.stored("known").await.id);
    for _ in 0..3 {
        let nothing = world.resolve("new").await;
        assert!(matches!(nothing, Err(SourceError::Unavailable)), "{nothing:?}");
        world.resolve("known").await.expect("what is known");
    }
    assert_eq!(world.asked(), 2, "not at once again");
    for answer in ["! known", "no thing at all", "1"] {
        world.shop.things.lock().insert("lie".to_owned(), answer.to_owned());
        world.clock.advance(Duration::from_secs(5));
        let nothing = world.resolve("lie").await;
        assert!(matches!(nothing, Err(SourceError::Unavailable)), "{answer}: {nothing:?}");
    }
    assert_eq!(world.stored("known").await.version, 1);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_not_gone() {
    let world = world();
    world.put(item("..", 1, 100)).await.expect("taken");
    world.clock.advance(FRESH);
    world.resolve("..").await.expect("a listing");
    assert_eq!(world.stored("..").await.status, ListingStatus::Active);
    for _ in 0..2 {
        let missing = world.read(".").await;
        assert!(matches!(missing, Err(SourceError::ListingNotFound)), "{missing:?}");
    }
}

#[tokio::test]
async fn strangers_leave_turns_to_whoever_is_known() {
    let world = world();
    let held = Arc::new(Notify::new());
    *world.shop.held.lock() = Some(Arc::clone(&held));
    let names: Vec<_> = (0..STRANGERS_AT_ONCE).map(|n| n.to_string()).collect();
    let strangers = futures_util::future::join_all(names.iter().map(|name| world.read(name)));
    let others = async {
        while world.asked() < STRANGERS_AT_ONCE {
            tokio::task::yield_now().await;
        }
        let one_more = world.read("more").await;
        assert!(matches!(one_more, Err(SourceError::Unavailable)), "{one_more:?}");
        assert_eq!(world.asked(), STRANGERS_AT_ONCE);
        *world.shop.held.lock() = None;
        world.shop.things.lock().insert("more".to_owned(), "1 100".to_owned());
        world.resolve("more").await.expect("a listing");
        held.notify_waiters();
    };
    let (missing, ()) = tokio::join!(strangers, others);
    for missing in missing {
        assert!(matches!(missing, Err(SourceError::ListingNotFound)), "{missing:?}");
    }
    world.shop.things.lock().insert("another".to_owned(), "1 100".to_owned());
    world.read("another").await.expect("they have turns again");
}

#[tokio::test]
async fn who_finds_all_turns_taken_keeps_nobody_from_asking() {
    let world = world();
    world.shop.things.lock().insert("1".to_owned(), "1 100".to_owned());
    *world.shop.busy.lock() = true;
    let busy = world.resolve("1").await;
    assert!(matches!(busy, Err(SourceError::Unavailable)), "{busy:?}");
    *world.shop.busy.lock() = false;
    world.resolve("1").await.expect("a listing");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_news_of_what_is_known() {
    let world = world();
    world.put(item("1", 1, 100)).await.expect("taken");
    world.clock.advance(FRESH);
    *world.shop.held.lock() = Some(Arc::default());
    let begun = tokio::time::Instant::now();
    world.resolve("1").await.expect("what is known");
    let waited = begun.elapsed();
    assert!((PATIENCE..2 * PATIENCE).contains(&waited), "{waited:?}");
    world.resolve("1").await.expect("what is known");
    assert_eq!((begun.elapsed(), world.asked()), (waited, 1), "not at once again");
}

#[tokio::test]
async fn many_who_want_the_same_ask_once() {
    let world = world();
    world.shop.things.lock().insert("1".to_owned(), "1 100".to_owned());
    let wanted = (0..20).map(|_| world.resolve("1"));
    for found in futures_util::future::join_all(wanted).await {
        found.expect("a listing");
    }
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn what_is_said_while_somebody_asks_is_newer_than_that_there_is_nothing() {
    let world = world();
    world.put(item("1", 1, 100)).await.expect("taken");
    world.clock.advance(FRESH);
    let held = Arc::new(Notify::new());
    *world.shop.held.lock() = Some(Arc::clone(&held));
    let said = async {
        while world.asked() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.outcome(item("1", 2, 90)).await, Outcome::Changed);
        held.notify_one();
    };
    let (found, ()) = tokio::join!(world.resolve("1"), said);
    found.expect("a listing");
    let listing = world.stored("1").await;
    assert_eq!((listing.status, listing.price.minor), (ListingStatus::Active, 90));
}
