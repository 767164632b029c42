use std::time::Duration;

use barterline_domain::account::DisplayName;
use barterline_domain::clock::{ManualClock, Timestamp};
use barterline_domain::money::Currency;
use barterline_storage::accounts::Account;
use barterline_storage::embedded::engine::Engine;
use barterline_storage::embedded::listings::EmbeddedListings;
use tempfile::TempDir;

use super::*;
use crate::ids::SystemIds;

const SELLER: UserId = UserId::from_bytes([1; 16]);
const STRANGER: UserId = UserId::from_bytes([2; 16]);
const NOBODY: UserId = UserId::from_bytes([9; 16]);

struct World {
    listings: Listings,
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

/// Another edit is faster, this many times.
struct Contended {
    store: Arc<dyn ListingStore>,
    times: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl ListingStore for Contended {
    async fn insert(&self, listing: Listing) -> Result<(), StoreError> {
        self.store.insert(listing).await
    }

    async fn find(&self, listing: ListingId) -> Result<Option<Listing>, StoreError> {
        self.store.find(listing).await
    }

    async fn replace(&self, listing: Listing) -> Result<Replaced, StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
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
}

fn world() -> World {
    contended(0)
}

fn contended(times: usize) -> World {
    let dir = TempDir::new().expect("a directory");
    let engine = Engine::open(&dir.path().join("main.redb")).expect("a file");
    let store = Arc::new(EmbeddedListings(engine));
    let store = Arc::new(Contended { store, times: times.into() });
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let now = Arc::clone(&clock) as Arc<dyn Clock>;
    let listings = Listings::new(store, Arc::new(Directory), now, Arc::new(SystemIds));
    World { listings, clock, _dir: dir }
}

fn price(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("EUR").expect("a currency") }
}

impl World {
    async fn listing(&self, title: &str) -> Listing {
        let text = ListingText::parse(title, "Steel".to_owned()).expect("a text");
        self.listings.create(Bearer::served(SELLER), text, price(100)).await.expect("a listing")
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
    assert_eq!(world.listings.read(listing.id).await.expect("a read"), listing);
    let missing = world.listings.read(ListingId::from_bytes([7; 16])).await;
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
    assert_eq!(world.listings.read(listing.id).await.expect("a read"), edited);
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
    assert_eq!(world.listings.read(listing.id).await.expect("a read"), listing);
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
    assert_eq!(world.listings.read(listing.id).await.expect("a read"), sold);
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
        world.listings.list_by_seller(SELLER, before, limit).await.expect("a page")
    };
    assert_eq!(page(None, 10).await.as_deref(), Some(&created[..]));
    assert_eq!(page(Some(created[0].id), 1).await.as_deref(), Some(&created[1..2]));
    let others = world.listings.list_by_seller(STRANGER, None, 10).await.expect("a page");
    assert_eq!(others.as_deref(), Some(&[][..]), "a seller without listings");
    let nobody = world.listings.list_by_seller(NOBODY, None, 10).await.expect("a page");
    assert_eq!(nobody, None);
}
