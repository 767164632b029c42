use std::collections::BTreeMap;

use barterline_domain::account::DisplayName;
use barterline_domain::catalogue::attribute::GivenValue;
use barterline_domain::catalogue::category::CategoryId;
use barterline_domain::clock::{ManualClock, Timestamp};
use barterline_domain::listing::details::Photo;
use barterline_domain::listing::{Change, HISTORY_MAX};
use barterline_domain::money::{Currency, Money};
use barterline_storage::accounts::Account;
use barterline_storage::embedded::engine::Engine;
use barterline_storage::embedded::listings::EmbeddedListings;
use barterline_storage::listings::{Changes, FeedPlace};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::photos::{Claimed, Fresh, NAMED_WITHIN, NoPhotos, PhotoError};
use super::*;
use crate::ids::SystemIds;

const SELLER: UserId = UserId::from_bytes([1; 16]);
const STRANGER: UserId = UserId::from_bytes([2; 16]);
const NOBODY: UserId = UserId::from_bytes([9; 16]);

const LIFETIME: Duration = Duration::from_hours(60 * 24);
const TREE: &str = r#"{"categories": [
    {"id": "cars", "names": {}, "attributes": [
        {"key": "make", "names": {}, "kind": {"type": "text"}, "required": true},
        {"key": "year", "names": {}, "kind": {"type": "number", "min": 1900, "max": 2100}}
    ]},
    {"id": "books", "names": {}}
]}"#;

struct World {
    listings: Listings,
    store: Arc<Contended>,
    clock: Arc<ManualClock>,
    _dir: TempDir,
}

/// Knows the seller and the stranger.
struct Directory;

#[async_trait]
impl UserDirectory for Directory {
    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let name = DisplayName::parse("Ana").expect("a name");
        let account = Account::new(user, name, Timestamp::default());
        Ok((user != NOBODY).then_some(account))
    }
}

/// Another edit is faster, this many times. The next write fails like this.
struct Contended {
    store: Arc<dyn ListingStore>,
    times: std::sync::atomic::AtomicUsize,
    fails: Mutex<Option<StoreError>>,
}

impl Contended {
    fn may_write(&self) -> Result<(), StoreError> {
        self.fails.lock().take().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl ListingStore for Contended {
    async fn insert(&self, listing: Listing) -> Result<(), StoreError> {
        self.may_write()?;
        self.store.insert(listing).await
    }

    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.store.find(listing).await
    }

    async fn replace(&self, listing: Listing) -> Result<Replaced, StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
        self.may_write()?;
        let less = |times: usize| times.checked_sub(1);
        if self.times.fetch_update(SeqCst, SeqCst, less).is_ok() {
            let mut other = self.find(listing.id).await?.expect("a listing");
            other.version += 1;
            other.price.minor += 1;
            assert_eq!(self.store.replace(other).await?, Replaced::Yes);
        }
        self.store.replace(listing).await
    }

    async fn list_by_seller(
        &self,
        seller: UserId,
        before: Option<ListingId>,
        limit: usize,
    ) -> Result<Vec<Listing>, StoreError> {
        self.store.list_by_seller(seller, before, limit).await
    }

    async fn feed_end(&self) -> Result<FeedPlace, StoreError> {
        self.store.feed_end().await
    }

    async fn changes(
        &self,
        after: &FeedPlace,
        limit: usize,
    ) -> Result<Option<Changes>, StoreError> {
        self.store.changes(after, limit).await
    }
}

fn world() -> World {
    contended(0)
}

fn contended(times: usize) -> World {
    let dir = TempDir::new().expect("a directory");
    let engine = Engine::open(&dir.path().join("main.redb")).expect("a file");
    let store = Arc::new(EmbeddedListings(engine));
    let store = Arc::new(Contended { store, times: times.into(), fails: Mutex::default() });
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let now = Arc::clone(&clock) as Arc<dyn Clock>;
    let tree = serde_json::from_str(TREE).expect("a tree");
    let rules = Rules { catalogue: Arc::new(tree), lifetime: Some(LIFETIME) };
    let standings = Arc::new(Standings::new(Duration::from_secs(5)));
    let (users, ids, photos) = (Arc::new(Directory), Arc::new(SystemIds), Arc::new(NoPhotos));
    let all = Arc::clone(&store) as Arc<dyn ListingStore>;
    let listings = Listings::new(all, users, now, ids, standings, photos, rules);
    World { listings, store, clock, _dir: dir }
}

fn price(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

impl World {
    async fn listing(&self, title: &str) -> Listing {
        let text = ListingText::parse(title, "Steel".to_owned()).expect("a text");
        self.offer(Offer::plain(text, price(100))).await.expect("a listing")
    }

    async fn offer(&self, offer: Offer) -> Result<Listing, ListingError> {
        self.listings.create(Bearer::served(SELLER), offer).await
    }

    async fn read(&self, listing: &Listing) -> Listing {
        self.listings.read(Some(Bearer::served(SELLER)), listing.id).await.expect("a read")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn edit(&self, listing: &Listing, edit: Edit) -> Result<Listing, ListingError> {
        self.listings.edit(Bearer::served(SELLER), listing.id, &edit).await
    }
}

fn status(status: ListingStatus) -> Edit {
    Edit { status: Some(status), ..Edit::default() }
}

#[tokio::test]
async fn a_listing_is_read_as_it_was_created() {
    let world = world();
    let listing = world.listing("Bicycle").await;
    assert_eq!((listing.version, listing.status), (1, ListingStatus::Active));
    assert_eq!(listing.seller, SELLER);
    assert_eq!(listing.created_at, world.clock.now());
    assert_eq!(world.listings.read(None, listing.id).await.expect("a read"), listing);
    let missing = world.listings.read(None, ListingId::from_bytes([7; 16])).await;
    assert!(matches!(missing, Err(ListingError::NotFound)), "{missing:?}");
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_counts() {
    let world = world();
    let listing = world.listing("Bicycle").await;
    world.clock.advance(Duration::from_secs(1));
    let edit = Edit { title: Some(" Old bicycle ".to_owned()), ..Edit::default() };
    let edited = world.edit(&listing, edit.clone()).await.expect("an edit");
    assert_eq!(edited.text.title(), "Old bicycle");
    assert_eq!(edited.text.description(), "Steel");
    assert_eq!((edited.price, edited.status), (price(100), ListingStatus::Active));
    assert_eq!((edited.version, edited.created_at), (2, listing.created_at));
    assert_eq!(edited.changed_at, world.clock.now());
    world.clock.advance(Duration::from_secs(1));
    let again = world.edit(&listing, edit).await.expect("a repeat");
    assert_eq!(again, edited, "nothing changed, so nothing counts");
    assert_eq!(world.listings.read(None, listing.id).await.expect("a read"), edited);
}

#[tokio::test]
async fn only_the_seller_edits() {
    let world = world();
    let listing = world.listing("Bicycle").await;
    let edit = Edit { price: Some(price(1)), ..Edit::default() };
    let refused = world.listings.edit(Bearer::served(STRANGER), listing.id, &edit).await;
    assert!(matches!(refused, Err(ListingError::NotYours)), "{refused:?}");
    let missing =
        world.listings.edit(Bearer::served(SELLER), ListingId::from_bytes([7; 16]), &edit).await;
    assert!(matches!(missing, Err(ListingError::NotFound)), "{missing:?}");
    assert_eq!(world.listings.read(None, listing.id).await.expect("a read"), listing);
}

#[tokio::test]
async fn unsound_edits_change_nothing() {
    let world = world();
    let listing = world.listing("Bicycle").await;
    let title = Edit { title: Some("  ".to_owned()), ..Edit::default() };
    let refused = world.edit(&listing, title).await;
    assert!(matches!(refused, Err(ListingError::Invalid(InvalidListing::Title))), "{refused:?}");
    let sold = world.edit(&listing, status(ListingStatus::Sold)).await.expect("sold");
    let back = world.edit(&listing, status(ListingStatus::Active)).await;
    assert!(matches!(back, Err(ListingError::Invalid(_))), "{back:?}");
    assert_eq!(world.listings.read(None, listing.id).await.expect("a read"), sold);
}

#[tokio::test]
async fn an_edit_of_another_version_is_refused_with_the_present_one() {
    let world = world();
    let listing = world.listing("Bicycle").await;
    let at = |version, minor| Edit {
        price: Some(price(minor)),
        if_version: Some(version),
        ..Edit::default()
    };
    assert_eq!(world.edit(&listing, at(1, 200)).await.expect("an edit").version, 2);
    for stale in [1, 3, 0] {
        let refused = world.edit(&listing, at(stale, 300)).await;
        assert!(matches!(refused, Err(ListingError::VersionChanged { current: 2 })), "{refused:?}");
    }
}

#[tokio::test]
async fn edits_at_once_all_count_unless_they_named_a_version() {
    let world = contended(2);
    let listing = world.listing("Bicycle").await;
    let edited = world.edit(&listing, status(ListingStatus::Reserved)).await.expect("an edit");
    assert_eq!((edited.version, edited.price.minor), (4, 102));

    let world = contended(1);
    let listing = world.listing("Bicycle").await;
    let edit = Edit { if_version: Some(1), ..status(ListingStatus::Reserved) };
    let refused = world.edit(&listing, edit).await;
    assert!(matches!(refused, Err(ListingError::VersionChanged { current: 2 })), "{refused:?}");

    let world = contended(usize::MAX);
    let listing = world.listing("Bicycle").await;
    let refused = world.edit(&listing, status(ListingStatus::Reserved)).await;
    assert!(matches!(refused, Err(ListingError::VersionChanged { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_sellers_listings_are_pages_of_their_own() {
    let world = world();
    let mut created = Vec::new();
    for title in ["one", "two", "three"] {
        created.push(world.listing(title).await);
        world.clock.advance(Duration::from_millis(1));
    }
    created.reverse();
    let page = async |before, limit| {
        let page = world.listings.list_by_seller(None, SELLER, before, limit).await;
        let page = page.expect("a page").expect("a seller");
        (page.listings, page.next)
    };
    assert_eq!(page(None, 10).await, (created.clone(), None));
    let second = (created[1..2].to_vec(), Some(created[1].id));
    assert_eq!(page(Some(created[0].id), 1).await, second);
    let others = world.listings.list_by_seller(None, STRANGER, None, 10).await.expect("a page");
    assert_eq!(others.map(|page| page.listings), Some(vec![]), "a seller without listings");
    let nobody = world.listings.list_by_seller(None, NOBODY, None, 10).await.expect("a page");
    assert!(nobody.is_none());
}

fn category(name: &str) -> Option<CategoryId> {
    CategoryId::try_from(name.to_owned()).ok()
}

fn values(json: &str) -> BTreeMap<String, GivenValue> {
    serde_json::from_str(json).expect("values")
}

fn car() -> Offer {
    let text = ListingText::parse("Octavia", String::new()).expect("a text");
    let said = Said {
        category: category("cars"),
        attributes: values(r#"{"make": "Skoda", "year": 2012}"#),
        ..Said::default()
    };
    Offer { said, ..Offer::plain(text, price(500_000)) }
}

fn refused<T: std::fmt::Debug>(result: Result<T, ListingError>) -> InvalidListing {
    match result {
        Err(ListingError::Invalid(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_thing_is_what_its_category_says_of_it() {
    let world = world();
    let listing = world.offer(car()).await.expect("a listing");
    assert_eq!(listing.details.attributes.len(), 2);
    let missing = Said { attributes: values("{}"), ..car().said };
    let missing = refused(world.offer(Offer { said: missing, ..car() }).await);
    assert_eq!(missing.to_string(), "make is missing");
    let none = Said { category: None, ..car().said };
    let none = refused(world.offer(Offer { said: none, ..car() }).await);
    assert_eq!(none, InvalidListing::NoCategory);
    // What is left in another category has to go with it.
    let move_to = |to| Edit { category: Some(to), ..Edit::default() };
    let other = refused(world.edit(&listing, move_to(category("books"))).await);
    assert_eq!(other.to_string(), "the category has no attribute make");
    refused(world.edit(&listing, move_to(category("boats"))).await);
    assert_eq!(world.read(&listing).await, listing, "nothing changed");
    let bare = world.edit(&listing, move_to(None)).await.expect("an edit");
    assert_eq!(bare.details, Details::default(), "what is of no kind has no attributes");
    let both = Edit { attributes: Some(values("{}")), ..move_to(category("books")) };
    let moved = world.edit(&listing, both).await.expect("an edit");
    assert_eq!(moved.details.category, category("books"));
    assert!(moved.details.attributes.is_empty());
}

#[tokio::test]
async fn what_stands_is_not_held_against_categories_of_later() {
    let world = world();
    let listing = world.offer(car()).await.expect("a listing");
    // The category was taken out of the tree.
    let tree = r#"{"categories": [{"id": "books", "names": {}}]}"#;
    let catalogue = Arc::new(serde_json::from_str(tree).expect("a tree"));
    let rules = Rules { catalogue, lifetime: None };
    let later = Listings { rules, ..world.listings.clone() };
    let edit = Edit { price: Some(price(1)), ..Edit::default() };
    let edited = later.edit(Bearer::served(SELLER), listing.id, &edit).await.expect("an edit");
    assert_eq!(edited.details, listing.details);
}

#[tokio::test]
async fn a_draft_is_its_sellers_alone_until_it_is_whole() {
    let world = world();
    let unfinished = Said { attributes: values("{}"), ..car().said };
    let draft = Offer { said: unfinished, is_draft: true, ..car() };
    let draft = world.offer(draft).await.expect("a draft");
    assert_eq!((draft.status, draft.expires_at), (ListingStatus::Draft, None));
    for viewer in [None, Some(Bearer::served(STRANGER))] {
        let hidden = world.listings.read(viewer, draft.id).await;
        assert!(matches!(hidden, Err(ListingError::NotFound)), "{hidden:?}");
        let page = world.listings.list_by_seller(viewer, SELLER, None, 10).await;
        assert!(page.expect("a page").expect("a seller").listings.is_empty());
    }
    assert_eq!(world.read(&draft).await, draft);
    let early = refused(world.edit(&draft, status(ListingStatus::Active)).await);
    assert_eq!(early.to_string(), "make is missing");
    refused(world.edit(&draft, status(ListingStatus::Sold)).await);
    world.clock.advance(Duration::from_secs(1));
    let make = Edit { attributes: Some(values(r#"{"make": "Skoda"}"#)), ..Edit::default() };
    let whole = world.edit(&draft, make).await.expect("an edit");
    assert_eq!(whole.history, [], "nobody saw what it was");
    let listing = world.edit(&draft, status(ListingStatus::Active)).await.expect("for sale");
    assert_eq!(listing.expires_at, Some(world.now().plus(LIFETIME)));
    assert_eq!(listing.history.len(), 1);
    world.listings.read(None, draft.id).await.expect("for everybody");
    refused(world.edit(&draft, status(ListingStatus::Draft)).await);
}

#[tokio::test]
async fn drafts_between_pages_are_told_of_to_nobody() {
    let world = world();
    let mut shown = Vec::new();
    for n in 0..12 {
        world.clock.advance(Duration::from_millis(1));
        let listing = world.offer(Offer { is_draft: n % 3 != 0, ..car() }).await;
        let listing = listing.expect("a listing");
        if n % 3 == 0 {
            shown.insert(0, listing.id);
        }
    }
    for limit in 1..=5 {
        let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = world.listings.list_by_seller(None, SELLER, before, limit).await;
            let page = page.expect("a page").expect("a seller");
            assert!(page.listings.len() <= limit);
            seen.extend(page.listings.iter().map(|listing| listing.id));
            before = page.next;
            pages += 1;
            let Some(next) = before else { break };
            let is_shown = shown.contains(&next) || next.as_bytes()[6..] == [0; 10];
            assert!(is_shown && pages < 20, "{next}");
        }
        assert_eq!(seen, shown, "{limit} at a time");
    }
}

#[tokio::test]
async fn what_is_not_renewed_expires() {
    let world = world();
    let listing = world.listing("Bicycle").await;
    let end = world.now().plus(LIFETIME);
    assert_eq!(listing.expires_at, Some(end));
    world.clock.advance(LIFETIME.saturating_sub(Duration::from_millis(1)));
    assert_eq!(listing.status_at(world.now()), ListingStatus::Active);
    let renewed = world.listings.renew(Bearer::served(SELLER), listing.id).await.expect("renewed");
    assert_eq!(renewed.expires_at, Some(world.now().plus(LIFETIME)));
    world.clock.advance(LIFETIME);
    assert_eq!(world.read(&listing).await.status_at(world.now()), ListingStatus::Expired);
    let stranger = world.listings.renew(Bearer::served(STRANGER), listing.id).await;
    assert!(matches!(stranger, Err(ListingError::NotYours)), "{stranger:?}");
    // Back for sale by either way, and sold as well.
    // Whoever sends back what they were told, changes nothing.
    let same = world.edit(&listing, status(ListingStatus::Expired)).await.expect("the same");
    assert_eq!(same, renewed);
    let back = world.edit(&listing, status(ListingStatus::Active)).await.expect("for sale");
    assert_eq!(back.history.len(), 2, "it is for sale again");
    assert_eq!(back.expires_at, Some(world.now().plus(LIFETIME)));
    let held = world.edit(&listing, status(ListingStatus::Reserved)).await.expect("held");
    world.clock.advance(LIFETIME * 2);
    assert_eq!(held.status_at(world.now()), ListingStatus::Reserved, "held as long as it takes");
    let free = world.edit(&listing, status(ListingStatus::Active)).await.expect("for sale");
    assert_eq!(free.status_at(world.now()), ListingStatus::Active, "it begins anew");
    world.edit(&listing, status(ListingStatus::Sold)).await.expect("sold");
    let end = Edit { expires_at: Some(None), ..Edit::default() };
    assert_eq!(refused(world.edit(&listing, end).await), InvalidListing::Renewal);
    refused(world.listings.renew(Bearer::served(SELLER), listing.id).await);
}

#[tokio::test]
async fn a_seller_chooses_an_end_within_what_is_usual() {
    let world = world();
    let soon = world.now().plus(Duration::from_hours(1));
    let listing = Offer { expires_at: Some(soon), ..car() };
    let listing = world.offer(listing).await.expect("a listing");
    assert_eq!(listing.expires_at, Some(soon));
    let edit = |end| Edit { expires_at: Some(Some(end)), ..Edit::default() };
    let latest = world.now().plus(LIFETIME);
    world.edit(&listing, edit(latest)).await.expect("the latest");
    for wrong in [world.now(), Timestamp::default(), latest.plus(Duration::from_millis(1))] {
        let error = refused(world.edit(&listing, edit(wrong)).await);
        assert_eq!(error.to_string(), "a listing ends in the future, in 60 days at most");
    }
}

#[tokio::test]
async fn reasons_go_with_what_is_over_and_changes_are_kept() {
    let world = world();
    let listing = world.listing("Bicycle").await;
    let early = Edit { reason: Some(EndReason::Here), ..Edit::default() };
    refused(world.edit(&listing, early).await);
    let kept = Edit { reason: Some(EndReason::Kept), ..status(ListingStatus::Sold) };
    refused(world.edit(&listing, kept).await);
    for minor in 101..140 {
        let edit = Edit { price: Some(price(minor)), ..Edit::default() };
        world.edit(&listing, edit).await.expect("an edit");
        let title = Edit { title: Some(format!("Bicycle {minor}")), ..Edit::default() };
        world.edit(&listing, title).await.expect("an edit");
    }
    let sold = Edit { reason: Some(EndReason::Here), ..status(ListingStatus::Sold) };
    let sold = world.edit(&listing, sold).await.expect("sold");
    assert_eq!(sold.reason, Some(EndReason::Here));
    assert_eq!(sold.history.len(), HISTORY_MAX, "titles are no changes");
    let Change { version, price, status, .. } = sold.history[HISTORY_MAX - 1];
    assert_eq!((version, price.minor, status), (sold.version, 139, ListingStatus::Sold));
    assert_eq!(sold.history[0].price.minor, 139 - 30);
    let other = world.listing("Boat").await;
    let draft = world.offer(Offer { is_draft: true, ..car() }).await.expect("a draft");
    world.listings.erase_all(SELLER).await.expect("erased");
    let withdrawn = world.read(&other).await;
    let why = (withdrawn.status, withdrawn.reason, withdrawn.expires_at);
    assert_eq!(why, (ListingStatus::Withdrawn, Some(EndReason::Erased), None));
    let draft = world.listings.read(None, draft.id).await;
    assert!(matches!(draft, Err(ListingError::NotFound)), "{draft:?}");
    let erased = world.read(&listing).await;
    assert_eq!((erased.details, erased.reason), (Details::default(), Some(EndReason::Here)));
}

/// Has every photo, and notes what it is asked. A claim takes so long.
struct Album {
    clock: Arc<ManualClock>,
    takes: Duration,
    asked: Mutex<Vec<(&'static str, Vec<MediaId>)>>,
}

#[async_trait]
impl Photos for Album {
    async fn claim(
        &self,
        _: UserId,
        _: ListingId,
        photos: &[MediaId],
        _: Timestamp,
    ) -> Result<Claimed, PhotoError> {
        self.clock.advance(self.takes);
        self.asked.lock().push(("claim", photos.to_vec()));
        let fresh = photos.iter().map(|media| Fresh { media: *media, version: 4 }).collect();
        let shown = photos.iter().map(|media| Photo { media: *media, width: 4, height: 3 });
        Ok(Claimed { photos: shown.collect(), fresh })
    }

    async fn let_go(&self, fresh: &[Fresh]) {
        let all = fresh.iter().map(|one| one.media).collect();
        self.asked.lock().push(("let go", all));
    }

    async fn doubt(&self, photos: &[MediaId], _: Timestamp) -> Result<(), StoreError> {
        self.asked.lock().push(("doubt", photos.to_vec()));
        Ok(())
    }
}

impl World {
    /// The same listings, with photos.
    fn with_photos(self, takes: Duration) -> (Self, Arc<Album>) {
        let clock = Arc::clone(&self.clock);
        let album = Arc::new(Album { clock, takes, asked: Mutex::default() });
        let photos = Arc::clone(&album) as Arc<dyn Photos>;
        let listings = Listings { photos, ..self.listings.clone() };
        (Self { listings, ..self }, album)
    }
}

impl Album {
    fn asked(&self) -> Vec<(&'static str, Vec<MediaId>)> {
        std::mem::take(&mut *self.asked.lock())
    }
}

fn with(photos: &[MediaId]) -> Edit {
    Edit { photos: Some(photos.to_vec()), ..Edit::default() }
}

fn of(listing: &Listing) -> Vec<(MediaId, u32)> {
    listing.details.photos.iter().map(|photo| (photo.media, photo.width)).collect()
}

#[tokio::test]
async fn photos_are_claimed_before_they_are_named_and_doubted_before_they_are_not() {
    let (world, album) = world().with_photos(Duration::ZERO);
    let [a, b, c] = [1, 2, 3].map(|n| MediaId::from_bytes([n; 16]));
    let said = Said { photos: vec![a, b], ..car().said };
    let listing = world.offer(Offer { said, ..car() }).await.expect("a listing");
    assert_eq!((of(&listing), album.asked()), (vec![(a, 4), (b, 4)], vec![("claim", vec![a, b])]));
    let turned = world.edit(&listing, with(&[b, a])).await.expect("an edit");
    assert_eq!((of(&turned), album.asked()), (vec![(b, 4), (a, 4)], vec![]));
    let swapped = world.edit(&listing, with(&[c, a])).await.expect("an edit");
    assert_eq!(of(&swapped), [(c, 4), (a, 4)]);
    assert_eq!(album.asked(), [("claim", vec![c]), ("doubt", vec![b])]);
    let title = Edit { title: Some("Octavia, red".to_owned()), ..Edit::default() };
    let titled = world.edit(&listing, title).await.expect("an edit");
    assert_eq!((titled.details.photos, album.asked()), (swapped.details.photos, vec![]));
    // What is refused anyway takes no photo.
    let stale = Edit { if_version: Some(1), ..with(&[b]) };
    let stale = world.edit(&listing, stale).await;
    assert!(matches!(stale, Err(ListingError::VersionChanged { current: 4 })), "{stale:?}");
    assert_eq!(refused(world.edit(&listing, with(&[b, b])).await), InvalidListing::Photos);
    let stranger = world.listings.edit(Bearer::served(STRANGER), listing.id, &with(&[b])).await;
    assert!(matches!(stranger, Err(ListingError::NotYours)), "{stranger:?}");
    assert!(album.asked().is_empty());
    world.edit(&listing, with(&[])).await.expect("an edit");
    assert_eq!(album.asked(), [("doubt", vec![c, a])]);
}

#[tokio::test]
async fn who_is_slow_to_claim_names_nothing() {
    let (world, album) = world().with_photos(NAMED_WITHIN);
    let listing = world.listing("Bicycle").await;
    let photo = MediaId::from_bytes([1; 16]);
    let late = world.edit(&listing, with(&[photo])).await;
    assert!(matches!(late, Err(ListingError::Store(_))), "{late:?}");
    let said = Said { photos: vec![photo], ..car().said };
    let late = world.offer(Offer { said, ..car() }).await;
    assert!(matches!(late, Err(ListingError::Store(_))), "{late:?}");
    assert_eq!(world.read(&listing).await, listing);
    let (claim, back) = (("claim", vec![photo]), ("let go", vec![photo]));
    assert_eq!(album.asked(), [claim.clone(), back.clone(), claim, back]);
}

#[tokio::test]
async fn what_was_claimed_for_nothing_is_given_back() {
    let [a, b] = [1, 2].map(|n| MediaId::from_bytes([n; 16]));
    let refused = || StoreError::unavailable("write", "it is full");
    let unknown = || StoreError::Unknown { operation: "write" };
    let (world, album) = world().with_photos(Duration::ZERO);
    let said = Said { photos: vec![a, b], ..car().said };
    let both = Offer { said, ..car() };
    let (claim, back) = (("claim", vec![a, b]), ("let go", vec![a, b]));
    *world.store.fails.lock() = Some(refused());
    let full = world.offer(both.clone()).await;
    assert!(matches!(full, Err(ListingError::Store(_))), "{full:?}");
    assert_eq!(album.asked(), [claim.clone(), back.clone()], "it would have another id next time");
    // It may be there for all that.
    *world.store.fails.lock() = Some(unknown());
    let unclear = world.offer(both.clone()).await;
    assert!(matches!(unclear, Err(ListingError::Store(_))), "{unclear:?}");
    assert_eq!(album.asked(), std::slice::from_ref(&claim));

    let listing = world.listing("Bicycle").await;
    let cases = [(refused(), vec![claim.clone(), back]), (unknown(), vec![claim])];
    for (error, asked) in cases {
        *world.store.fails.lock() = Some(error);
        let failed = world.edit(&listing, with(&[a, b])).await;
        assert!(matches!(failed, Err(ListingError::Store(_))), "{failed:?}");
        assert_eq!(album.asked(), asked);
    }
}

#[tokio::test]
async fn an_edit_that_lost_the_race_gives_back_what_it_claimed() {
    let (world, album) = contended(1).with_photos(Duration::ZERO);
    let photo = MediaId::from_bytes([1; 16]);
    let listing = world.listing("Bicycle").await;
    let edit = Edit { if_version: Some(1), ..with(&[photo]) };
    let lost = world.edit(&listing, edit).await;
    assert!(matches!(lost, Err(ListingError::VersionChanged { current: 2 })), "{lost:?}");
    assert_eq!(album.asked(), [("claim", vec![photo]), ("let go", vec![photo])]);
    // Told to have lost, and there for all that: what a listing names stays its own.
    let shown = world.edit(&listing, with(&[photo])).await.expect("an edit");
    album.asked();
    let fresh = vec![Fresh { media: photo, version: 4 }];
    world.listings.give_back(shown.id, fresh).await;
    assert_eq!(album.asked(), [("let go", vec![])]);
}

#[tokio::test]
async fn photos_that_others_took_out_meanwhile_are_claimed_anew() {
    let (world, album) = contended(1).with_photos(Duration::ZERO);
    let photo = MediaId::from_bytes([1; 16]);
    let listing = world.listing("Bicycle").await;
    let edited = world.edit(&listing, with(&[photo])).await.expect("behind another");
    assert_eq!((edited.version, of(&edited)), (3, vec![(photo, 4)]));
    let claim = ("claim", vec![photo]);
    assert_eq!(album.asked(), [claim.clone(), ("let go", vec![photo]), claim]);
    let settled = ListingReader::settled(&world.listings, listing.id).await.expect("a read");
    assert_eq!(settled, Some(edited), "asked for what is settled, nothing changes");
}
