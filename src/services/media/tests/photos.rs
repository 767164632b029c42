use barterline_domain::bearer::Proof;
use barterline_domain::ids::ApiKeyId;
use barterline_domain::listing::{InvalidListing, ListingStatus};

use super::*;
use crate::services::accounts::Avatars;
use crate::services::listings::photos::PhotoError;
use crate::services::listings::{Edit, ListingError, Offer, Said};
use crate::services::media::claims::GRACE;

const SECOND: Duration = Duration::from_secs(1);
/// When the first look at what is in doubt is due.
const SOON: Duration = Duration::from_secs(11);

impl World {
    async fn brought_for(
        &self,
        user: UserId,
        purpose: Purpose,
        bytes: &[u8],
    ) -> Result<files::Media, MediaError> {
        let new = NewMedia { purpose, name: String::new(), size: bytes.len() as u64 };
        let id = self.media.create(Bearer::served(user), new).await?.id;
        self.media.receive(Bearer::served(user), id, of(bytes)).await
    }

    async fn photo(&self) -> MediaId {
        self.brought_for(SELLER, Purpose::Listing, PIXEL).await.expect("a photo").id
    }

    async fn avatar(&self) -> MediaId {
        let avatar = self.brought_for(BUYER, Purpose::Avatar, PIXEL).await.expect("a picture").id;
        let claimed = Avatars::claim(&*self.claims, BUYER, avatar, self.clock.now()).await;
        claimed.expect("a claim");
        avatar
    }

    async fn offer(&self, photos: &[MediaId], is_draft: bool) -> Result<Listing, ListingError> {
        let price = Money { minor: 1, currency: Currency::parse("EUR").expect("a currency") };
        let text = ListingText::parse("A bicycle", String::new()).expect("a title");
        let said = Said { photos: photos.to_vec(), ..Said::default() };
        let offer = Offer { said, is_draft, ..Offer::plain(text, price) };
        self.shelf.listings.create(Bearer::served(SELLER), offer).await
    }

    async fn show(&self, listing: &Listing, photos: &[MediaId]) -> Result<Listing, ListingError> {
        let edit = Edit { photos: Some(photos.to_vec()), ..Edit::default() };
        self.shelf.listings.edit(Bearer::served(SELLER), listing.id, &edit).await
    }

    async fn claim(&self, listing: ListingId, photo: MediaId) -> Result<(), PhotoError> {
        let now = self.clock.now();
        Photos::claim(&*self.claims, SELLER, listing, &[photo], now).await.map(drop)
    }

    async fn anybody_sees(&self, id: MediaId) -> bool {
        match self.media.open(Viewer::Anybody, id, None).await {
            Ok(opened) => {
                assert!(opened.is_public);
                true
            }
            Err(MediaError::NotFound) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn is_ready(&self, id: MediaId) -> bool {
        matches!(self.state(id).await, Some(State::Ready(_)))
    }

    async fn is_ending(&self, id: MediaId) -> bool {
        matches!(self.state(id).await, Some(State::Ending))
    }
}

fn shown_by(listing: &Listing) -> Vec<MediaId> {
    listing.details.photos.iter().map(|photo| photo.media).collect()
}

#[tokio::test]
async fn a_photo_is_for_everybody_once_what_it_shows_is_for_sale() {
    let world = world().await;
    let photo = world.photo().await;
    let hidden = async |why: &str| {
        assert!(world.sees(SELLER, photo).await, "{why}");
        assert!(!world.sees(STRANGER, photo).await && !world.anybody_sees(photo).await, "{why}");
    };
    hidden("no listing shows it").await;
    let draft = world.offer(&[photo], true).await.expect("a draft");
    let sizes: Vec<_> = draft.details.photos.iter().map(|it| (it.width, it.height)).collect();
    assert_eq!(sizes, [(1, 1)]);
    hidden("of a draft").await;
    let edit = Edit { status: Some(ListingStatus::Active), ..Edit::default() };
    let edited = world.shelf.listings.edit(Bearer::served(SELLER), draft.id, &edit).await;
    assert_eq!(edited.expect("for sale").details, draft.details);
    assert!(world.anybody_sees(photo).await && world.sees(STRANGER, photo).await);
    world.after(2 * DAY).await;
    assert!(world.anybody_sees(photo).await, "it is there as long as its listing shows it");
    let removed = world.media.remove(Bearer::served(SELLER), photo).await;
    assert!(matches!(removed, Err(MediaError::Used)), "{removed:?}");
    let link = world.media.link(Bearer::served(STRANGER), photo).await.expect("a link");
    world.media.open(Viewer::Link(link.token), photo, None).await.expect("by a link as well");
}

#[tokio::test]
async fn a_photo_that_is_taken_out_ends_when_its_claim_is_old() {
    let world = world().await;
    let (first, second) = (world.photo().await, world.photo().await);
    let listing = world.offer(&[first, second], false).await.expect("a listing");
    assert_eq!(shown_by(&listing), [first, second]);
    world.show(&listing, &[second]).await.expect("an edit");
    assert!(!world.anybody_sees(first).await && world.sees(SELLER, first).await);
    world.after(GRACE.saturating_sub(SECOND)).await;
    assert!(world.is_ready(first).await, "it may be put back");
    world.after(SECOND).await;
    assert!(world.is_ending(first).await && world.anybody_sees(second).await);
    world.after(DAY).await;
    assert!(world.anybody_sees(second).await);

    let third = world.photo().await;
    let swapped = world.show(&listing, &[third]).await.expect("an edit");
    assert_eq!(shown_by(&swapped), [third]);
    let back = world.show(&listing, &[second, third]).await.expect("put back at once");
    assert_eq!(shown_by(&back), [second, third]);
    world.after(DAY).await;
    assert!(world.anybody_sees(second).await && world.anybody_sees(third).await);
    world.show(&listing, &[third]).await.expect("an edit");
    world.after(SOON).await;
    assert!(world.is_ending(second).await, "its claim was old");
    let gone = world.show(&listing, &[second]).await;
    assert!(matches!(gone, Err(ListingError::PhotoNotFound(id)) if id == second), "{gone:?}");
    world.shelf.listings.erase_all(SELLER).await.expect("an end");
    world.after(SOON).await;
    assert!(world.is_ending(third).await);
}

#[tokio::test]
async fn a_photo_that_was_claimed_and_never_named_ends() {
    let world = world().await;
    let listing = world.offer(&[], false).await.expect("a listing");
    // As it is when a server ends before the listing changes, or somebody else is faster.
    let (lost, kept) = (world.photo().await, world.photo().await);
    world.claim(listing.id, lost).await.expect("a claim");
    world.claim(listing.id, kept).await.expect("a claim");
    let nowhere = world.photo().await;
    world.claim(ListingId::from_bytes([9; 16]), nowhere).await.expect("a claim");
    world.after(GRACE.saturating_sub(SECOND)).await;
    assert!(world.is_ready(lost).await && !world.anybody_sees(lost).await);
    let removed = world.media.remove(Bearer::served(SELLER), lost).await;
    assert!(matches!(removed, Err(MediaError::Used)), "{removed:?}");
    // Just before the look: it is claimed anew, and so stays.
    world.show(&listing, &[kept]).await.expect("an edit");
    world.after(SECOND).await;
    assert!(world.is_ending(lost).await && world.anybody_sees(kept).await);
    assert!(world.is_ready(nowhere).await, "its listing may come to be there");
    world.after(DAY).await;
    assert!(world.is_ending(nowhere).await && world.anybody_sees(kept).await);
}

#[tokio::test]
async fn what_is_on_its_way_to_a_listing_is_waited_for() {
    let world = world().await;
    let first = world.photo().await;
    let listing = world.offer(&[first], false).await.expect("a listing");
    world.after(DAY).await;
    let second = world.photo().await;
    world.show(&listing, &[second]).await.expect("an edit, of which nobody knows so far");
    *world.shelf.earlier.lock() = Some(listing);
    world.after(GRACE).await;
    assert!(world.shelf.earlier.lock().is_none(), "it was asked for what is settled");
    assert!(world.is_ready(second).await && world.anybody_sees(second).await);
}

#[tokio::test]
async fn one_listing_shows_a_photo_and_a_refused_one_claims_none() {
    let world = world().await;
    let (photo, other) = (world.photo().await, world.photo().await);
    let new = NewMedia { purpose: Purpose::Listing, name: String::new(), size: 9 };
    let waiting = world.media.create(Bearer::served(SELLER), new).await.expect("a file").id;
    let theirs = world.brought_for(STRANGER, Purpose::Listing, PIXEL).await.expect("a photo").id;
    let avatar = world.brought_for(SELLER, Purpose::Avatar, PIXEL).await.expect("a picture").id;
    let early = world.offer(&[photo, waiting], false).await;
    assert!(matches!(early, Err(ListingError::PhotoNotReady(id)) if id == waiting), "{early:?}");
    for wrong in [theirs, avatar, MediaId::from_bytes([9; 16])] {
        let refused = world.offer(&[photo, wrong], false).await;
        let is_missing = matches!(refused, Err(ListingError::PhotoNotFound(id)) if id == wrong);
        assert!(is_missing, "{refused:?}");
    }
    let twice = world.offer(&[photo, photo], false).await;
    assert!(matches!(twice, Err(ListingError::Invalid(InvalidListing::Photos))), "{twice:?}");
    let first = world.offer(&[photo], false).await.expect("a listing");
    let second = world.offer(&[other], false).await.expect("a listing");
    for refused in [world.offer(&[photo], false).await, world.show(&second, &[other, photo]).await]
    {
        assert!(matches!(refused, Err(ListingError::PhotoUsed(id)) if id == photo), "{refused:?}");
    }
    let stale = Edit { photos: Some(vec![]), if_version: Some(7), ..Edit::default() };
    let stale = world.shelf.listings.edit(Bearer::served(SELLER), first.id, &stale).await;
    assert!(matches!(stale, Err(ListingError::VersionChanged { .. })), "{stale:?}");
    world.after(2 * DAY).await;
    assert!(world.anybody_sees(photo).await && world.anybody_sees(other).await);
}

/// Somebody else is always faster to change this file.
struct Contended {
    store: Arc<dyn MediaStore>,
    media: MediaId,
}

#[async_trait]
impl MediaStore for Contended {
    async fn insert(&self, media: files::Media, look: Timestamp) -> Result<(), StoreError> {
        self.store.insert(media, look).await
    }

    async fn find(&self, media: MediaId) -> Result<Option<files::Media>, StoreError> {
        self.store.find(media).await
    }

    async fn replace(&self, media: files::Media) -> Result<bool, StoreError> {
        if media.id == self.media { Ok(false) } else { self.store.replace(media).await }
    }

    async fn remove(&self, media: MediaId, version: u64) -> Result<bool, StoreError> {
        self.store.remove(media, version).await
    }

    async fn list_by_owner(
        &self,
        owner: UserId,
        before: Option<MediaId>,
        limit: usize,
    ) -> Result<Vec<files::Media>, StoreError> {
        self.store.list_by_owner(owner, before, limit).await
    }

    async fn look_again(&self, look: Look) -> Result<(), StoreError> {
        self.store.look_again(look).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Look>, StoreError> {
        self.store.due(now, limit).await
    }

    async fn looked(&self, look: Look) -> Result<(), StoreError> {
        self.store.looked(look).await
    }
}

#[tokio::test]
async fn a_claim_that_fails_half_way_lets_go() {
    let world = world().await;
    let photo = world.photo().await;
    let [one, other] = [8, 9].map(|n| ListingId::from_bytes([n; 16]));
    let found = world.media.0.store.find(photo).await.expect("a read").expect("a file");
    let now = world.clock.now();
    let missing = MediaId::from_bytes([9; 16]);
    let refused = Photos::claim(&*world.claims, SELLER, one, &[photo, missing], now).await;
    assert!(matches!(refused, Err(PhotoError::NotFound(id)) if id == missing), "{refused:?}");
    let after = world.media.0.store.find(photo).await.expect("a read");
    assert_eq!(after, Some(found), "not even touched");
    // Claimed, and not all of them: so none.
    let (held, busy) = (world.photo().await, world.photo().await);
    world.claim(one, held).await.expect("a claim");
    let store = Arc::clone(&world.media.0.store);
    let claims = Claims::new(Arc::new(Contended { store, media: busy }));
    let refused = Photos::claim(&claims, SELLER, one, &[photo, busy, held], now).await;
    assert!(matches!(refused, Err(PhotoError::Store(_))), "{refused:?}");
    let used = world.claim(other, held).await;
    assert!(matches!(used, Err(PhotoError::Used(id)) if id == held), "it was claimed before");
    world.claim(other, photo).await.expect("a claim");
    let used = world.claim(one, photo).await;
    assert!(matches!(used, Err(PhotoError::Used(id)) if id == photo), "{used:?}");
}

#[tokio::test]
async fn what_is_given_back_is_free_as_before() {
    let world = world().await;
    let [one, other] = [8, 9].map(|n| ListingId::from_bytes([n; 16]));
    let (photo, unused) = (world.photo().await, world.photo().await);
    let claim = async |listing, photos: &[MediaId]| {
        let now = world.clock.now();
        Photos::claim(&*world.claims, SELLER, listing, photos, now).await.expect("a claim")
    };
    let claimed = claim(one, &[photo, unused]).await;
    assert_eq!(claimed.fresh.len(), 2);
    world.claims.let_go(&claimed.fresh).await;
    world.media.remove(Bearer::served(SELLER), unused).await.expect("an end");
    world.after(GRACE).await;
    assert!(world.is_ready(photo).await, "it is kept for a day again");
    let again = claim(other, &[photo]).await;
    assert_eq!((again.photos, again.fresh.len()), (vec![claimed.photos[0]], 1));
    // Whoever claims it once more for the same keeps it, whoever was first.
    assert!(claim(other, &[photo]).await.fresh.is_empty());
    for late in [claimed.fresh, again.fresh] {
        world.claims.let_go(&late).await;
    }
    let used = world.claim(one, photo).await;
    assert!(matches!(used, Err(PhotoError::Used(id)) if id == photo), "{used:?}");

    let free = world.photo().await;
    let claimed = claim(one, &[free]).await;
    world.after(DAY.saturating_sub(GRACE)).await;
    assert!(world.is_ready(free).await, "it is claimed");
    world.claims.let_go(&claimed.fresh).await;
    world.after(GRACE).await;
    assert!(world.is_ending(free).await, "and goes as what nothing shows");
}

#[tokio::test]
async fn a_picture_of_somebody_is_for_everybody_until_they_show_another() {
    let world = world().await;
    let first = world.avatar().await;
    assert!(world.sees(BUYER, first).await && !world.anybody_sees(first).await);
    *world.town.avatar.lock() = Some(first);
    assert!(world.anybody_sees(first).await);
    world.after(DAY).await;
    let second = world.avatar().await;
    Avatars::doubt(&*world.claims, first, world.clock.now()).await.expect("looks");
    *world.town.avatar.lock() = Some(second);
    assert!(!world.anybody_sees(first).await && world.anybody_sees(second).await);
    world.after(SOON).await;
    assert!(world.is_ending(first).await);
    // One that another server put in its place at the same time.
    let third = world.avatar().await;
    world.after(GRACE).await;
    assert!(world.is_ending(third).await);
    world.after(2 * DAY).await;
    assert!(world.anybody_sees(second).await);
}

#[tokio::test]
async fn photos_and_pictures_of_people_are_pictures() {
    let world = world().await;
    for purpose in [Purpose::Listing, Purpose::Avatar] {
        let refused = world.brought_for(SELLER, purpose, PAGES).await;
        let is_refused = matches!(refused, Err(MediaError::Refused(Refusal::Unsupported)));
        assert!(is_refused, "{refused:?}");
        let size = world.media.0.rules.bounds.picture_bytes + 1;
        let new = NewMedia { purpose, name: String::new(), size };
        let large = world.media.create(Bearer::served(SELLER), new).await;
        assert!(matches!(large, Err(MediaError::TooLarge { .. })), "{large:?}");
    }
}

#[tokio::test]
async fn a_key_reaches_files_of_its_scopes_and_what_is_for_everybody() {
    let world = world().await;
    let (photo, shown) = (world.photo().await, world.photo().await);
    world.offer(&[shown], false).await.expect("a listing");
    let key = |user, scope: Scope| {
        let proof = Proof::ApiKey(ApiKeyId::from_bytes([5; 16]), [&scope].into_iter().collect());
        Bearer { user, proof }
    };
    let talks = key(SELLER, Scope::ReadChats);
    let refused = world.media.read(talks, photo).await;
    assert!(matches!(refused, Err(MediaError::Unpermitted(_))), "{refused:?}");
    world.media.read(talks, shown).await.expect("for everybody");
    world.media.read(key(SELLER, Scope::ReadListings), photo).await.expect("its owner's");
    let stranger = world.media.read(key(STRANGER, Scope::ReadChats), photo).await;
    assert!(matches!(stranger, Err(MediaError::NotFound)), "{stranger:?}");
    let removed = world.media.remove(key(SELLER, Scope::WriteChats), photo).await;
    assert!(matches!(removed, Err(MediaError::Unpermitted(_))), "{removed:?}");
    world.media.remove(key(SELLER, Scope::WriteListings), photo).await.expect("an end");
}
