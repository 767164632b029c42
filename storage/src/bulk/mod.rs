//! Whole stores, moved: from a store into an archive, and from an archive into an empty store of any
//! backend. The way from a laptop to a cluster and back, and the logical backup.
//!
//! - An **archive** ([`archive`]) is a directory of checked parts and a list of them. A full one has
//!   everything; a *difference* has what changed since a full one.
//! - An **export** ([`export`]) reads a [`Source`], which may be in use: each thing is whole, and what
//!   changes meanwhile is in the next difference.
//! - An **import** ([`import`]) fills a [`Target`] that nobody has served yet, then reads everything
//!   back and compares.
//! - Both go on where they ended when they are run again.

pub mod archive;
pub mod error;
pub mod export;
pub mod import;
pub mod standing;

use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, ListingId, MediaId, SavedSearchId, UserId};
use barterline_domain::listing::Listing;
use barterline_domain::media::Media;
use uuid::Uuid;

use crate::accounts::Account;
use crate::api_keys::KeyRing;
use crate::audit::AuditEntry;
use crate::credentials::Credential;
use crate::error::StoreError;
use crate::favourites::Favourite;
use crate::identities::IdentityRing;
use crate::record::index::Side;
use crate::record::sealing::Sealing;
use crate::reports::Report;
use crate::saved_searches::SavedSearch;
use crate::sessions::Session;
use crate::user_state::UserState;

/// What an archive keeps together, in the order of an export: what refers before what is referred
/// to, so that nothing in it refers to what came later. Files come last, behind all that shows them:
/// one that nothing shows, or whose owner is not there, ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What staff and the system did.
    Audit,
    /// Reports.
    Reports,
    /// Chats with their events, marks and settings.
    Chats,
    /// What people like.
    Favourites,
    /// Searches that people keep.
    SavedSearches,
    /// How often listings were looked at.
    ListingViews,
    /// Things for sale.
    Listings,
    /// Blocks.
    Blocks,
    /// What people chose for all their chats.
    UserStates,
    /// Log-ins.
    Sessions,
    /// Keys of programs and devices.
    ApiKeys,
    /// Who people are at outer providers.
    Identities,
    /// Secrets.
    Credentials,
    /// Profiles.
    Accounts,
    /// What is known of uploaded files, which chats, listings and profiles show.
    Media,
}

impl Kind {
    /// All of them, in the order of an export.
    pub const ALL: [Self; 15] = [
        Self::Audit,
        Self::Reports,
        Self::Chats,
        Self::Favourites,
        Self::SavedSearches,
        Self::ListingViews,
        Self::Listings,
        Self::Blocks,
        Self::UserStates,
        Self::Sessions,
        Self::ApiKeys,
        Self::Identities,
        Self::Credentials,
        Self::Accounts,
        Self::Media,
    ];

    /// Its name in file names and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chats => "chats",
            Self::Reports => "reports",
            Self::Audit => "audit",
            Self::Favourites => "favourites",
            Self::SavedSearches => "saved_searches",
            Self::ListingViews => "listing_views",
            Self::Listings => "listings",
            Self::Media => "media",
            Self::Blocks => "blocks",
            Self::UserStates => "user_states",
            Self::Sessions => "sessions",
            Self::ApiKeys => "api_keys",
            Self::Identities => "identities",
            Self::Credentials => "credentials",
            Self::Accounts => "accounts",
        }
    }

    /// Whether archives of earlier versions have none of it.
    pub(super) const fn is_later(self) -> bool {
        matches!(
            self,
            Self::Identities
                | Self::Favourites
                | Self::SavedSearches
                | Self::ListingViews
                | Self::Media
        )
    }

    /// The kind that keeps an aggregate ([`crate::stores::AGGREGATES`]); `None` for one that no
    /// archive would have.
    pub fn of_aggregate(aggregate: &str) -> Option<Self> {
        let name = match aggregate {
            "chat_log" | "inbox" => "chats",
            "user_state" => "user_states",
            other => other,
        };
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A chat, without its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatItem {
    /// What never changes about it.
    pub chat: Arc<Chat>,
    /// Its newest number.
    pub head: Seq,
    /// The buyer's side. `changed` is where the chat stands among the buyer's chats: comparable
    /// within one store only.
    pub buyer: Side,
    /// The seller's.
    pub seller: Side,
}

impl ChatItem {
    /// The same for every backend: devices in order, as many as are kept, and no positions.
    #[must_use]
    pub fn normal(mut self) -> Self {
        for side in [&mut self.buyer, &mut self.seller] {
            side.normalise();
            side.changed = 0;
            // As far as a database's time goes.
            let until = side.personal.muted_until.map(|until| until.min(LATEST));
            side.personal.muted_until = until;
        }
        self
    }
}

/// The latest time that every backend keeps.
pub const LATEST: Timestamp = Timestamp::from_millis(i64::MAX as u64);

/// One thing of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A chat; its events follow it.
    Chat(Box<ChatItem>),
    /// Something that was done.
    AuditEntry(Box<AuditEntry>),
    /// A report.
    Report(Box<Report>),
    /// What somebody likes.
    Favourite(UserId, Favourite),
    /// A search that somebody keeps.
    SavedSearch(UserId, SavedSearch),
    /// How often a listing was looked at.
    ListingViews(ListingId, u64),
    /// A thing for sale.
    Listing(Box<Listing>),
    /// What is known of a file.
    Media(Box<Media>),
    /// Who blocks whom.
    Block(UserId, UserId),
    /// Somebody's choices.
    UserState(UserId, UserState),
    /// A log-in.
    Session(Session),
    /// Somebody's keys.
    ApiKeys(UserId, KeyRing),
    /// Who somebody is elsewhere.
    Identities(UserId, IdentityRing),
    /// A secret.
    Credential(Box<Credential>),
    /// A profile.
    Account(Box<Account>),
}

impl Item {
    /// Of which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Chat(_) => Kind::Chats,
            Self::Report(_) => Kind::Reports,
            Self::AuditEntry(_) => Kind::Audit,
            Self::Favourite(..) => Kind::Favourites,
            Self::SavedSearch(..) => Kind::SavedSearches,
            Self::ListingViews(..) => Kind::ListingViews,
            Self::Listing(_) => Kind::Listings,
            Self::Media(_) => Kind::Media,
            Self::Block(..) => Kind::Blocks,
            Self::UserState(..) => Kind::UserStates,
            Self::Session(_) => Kind::Sessions,
            Self::ApiKeys(..) => Kind::ApiKeys,
            Self::Identities(..) => Kind::Identities,
            Self::Credential(_) => Kind::Credentials,
            Self::Account(_) => Kind::Accounts,
        }
    }

    /// What it is called by, for errors.
    pub fn name(&self) -> String {
        match self {
            Self::Chat(item) => format!("chat {}", item.chat.id),
            Self::AuditEntry(entry) => format!("entry {} of the audit", entry.number),
            Self::Report(report) => format!("report {}", report.id),
            Self::Favourite(user, it) => favourite_name(*user, it.listing),
            Self::SavedSearch(user, it) => saved_search_name(*user, it.id),
            Self::ListingViews(listing, _) => format!("views of listing {listing}"),
            Self::Listing(listing) => format!("listing {}", listing.id),
            Self::Media(media) => media_name(media.id),
            Self::Block(blocker, blocked) => format!("block of {blocked} by {blocker}"),
            Self::UserState(user, _) => format!("choices of {user}"),
            Self::Session(session) => format!("session {}", session.id),
            Self::ApiKeys(user, _) => format!("keys of {user}"),
            Self::Identities(user, _) => format!("identities of {user}"),
            Self::Credential(credential) => format!("credential of {}", credential.user),
            Self::Account(account) => format!("account {}", account.id),
        }
    }
}

/// What an archive does not have of a store: codes end within days, and people ask for new ones.
pub const LEFT_BEHIND: &[&str] = &["codes"];

/// One thing that was in a full archive and is no more in the store. Nothing else ever goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Who blocked whom.
    Block(UserId, UserId),
    /// What somebody liked.
    Favourite(UserId, ListingId),
    /// A search that somebody kept.
    SavedSearch(UserId, SavedSearchId),
    /// Which file.
    Media(MediaId),
    /// Whose secret.
    Credential(UserId),
}

impl Gone {
    /// An item as one that is no more; `None` for what never goes.
    pub fn of(item: &Item) -> Option<Self> {
        match item {
            Item::Block(blocker, blocked) => Some(Self::Block(*blocker, *blocked)),
            Item::Favourite(user, it) => Some(Self::Favourite(*user, it.listing)),
            Item::SavedSearch(user, it) => Some(Self::SavedSearch(*user, it.id)),
            Item::Media(media) => Some(Self::Media(media.id)),
            Item::Credential(credential) => Some(Self::Credential(credential.user)),
            Item::Chat(_)
            | Item::AuditEntry(_)
            | Item::Report(_)
            | Item::ListingViews(..)
            | Item::Listing(_)
            | Item::UserState(..)
            | Item::Session(_)
            | Item::ApiKeys(..)
            | Item::Identities(..)
            | Item::Account(_) => None,
        }
    }

    /// What it was called by, for errors.
    pub fn name(&self) -> String {
        match self {
            Self::Block(blocker, blocked) => Item::Block(*blocker, *blocked).name(),
            Self::Favourite(user, listing) => favourite_name(*user, *listing),
            Self::SavedSearch(user, search) => saved_search_name(*user, *search),
            Self::Media(media) => media_name(*media),
            Self::Credential(user) => format!("credential of {user}"),
        }
    }
}

fn favourite_name(user: UserId, listing: ListingId) -> String {
    format!("listing {listing}, which {user} likes")
}

fn saved_search_name(user: UserId, search: SavedSearchId) -> String {
    format!("search {search}, which {user} keeps")
}

fn media_name(media: MediaId) -> String {
    format!("file {media}")
}

/// Where an item stands in its store's own order: places of one store compare as bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub Vec<u8>);

/// Some items in order, and where the next begin.
#[derive(Debug, Default)]
pub struct Page {
    /// The items; there may be none in a page that is not the last.
    pub items: Vec<(Place, Item)>,
    /// Ask again after this place; `None` at the end.
    pub next: Option<Place>,
}

impl Page {
    /// Ends a page that may be the last: where the next begins follows from its last item.
    pub fn end(&mut self) {
        if self.items.len() >= PAGE_ITEMS {
            self.next = self.items.last().map(|(place, _)| place.clone());
        }
    }
}

/// Most items of a page.
pub const PAGE_ITEMS: usize = 256;
/// Most events that are read at once.
pub const PAGE_EVENTS: usize = 512;

/// A store that can be read whole.
#[async_trait]
pub trait Source: Send + Sync {
    /// The backend's name, as the settings have it.
    fn backend(&self) -> &'static str;

    /// The store's epoch.
    fn epoch(&self) -> u32;

    /// How the words of events are kept there, and so in archives.
    fn sealing(&self) -> Sealing;

    /// Some items of a kind behind a place, [`PAGE_ITEMS`] as a rule, each as it is now. What was there
    /// before the first page was asked for, and is still there, is in one of the pages.
    async fn page(&self, kind: Kind, after: Option<&Place>) -> Result<Page, StoreError>;

    /// The ids of some listings behind a place, [`PAGE_ITEMS`] as a rule, also of those that are damaged, and behind which
    /// there are more.
    async fn listings(
        &self,
        after: Option<&Place>,
    ) -> Result<(Vec<ListingId>, Option<Place>), StoreError>;

    /// Prepares to be read from here on: what there is now is in the pages that follow.
    async fn begin(&self) -> Result<(), StoreError>;

    /// Takes no writes from here on, or takes them again. What was under way before has ended when
    /// this returns: an export that begins then is the last.
    async fn set_read_only(&self, on: bool) -> Result<(), StoreError>;

    /// Which time of being read-only this is; `None` when anybody may write.
    fn held(&self) -> Option<Uuid>;

    /// At most [`PAGE_EVENTS`] events of a chat above a number, ascending, as they were appended, but for words
    /// that were taken back.
    async fn events(&self, chat: ChatId, after: Seq) -> Result<Vec<Event>, StoreError>;
}

/// A store that can be filled. Nobody serves it meanwhile. Everything may be put twice.
#[async_trait]
pub trait Target: Send + Sync {
    /// The same store, to be read.
    fn source(&self) -> &dyn Source;

    /// The item of the same name as it stands there.
    async fn find(&self, like: &Item) -> Result<Option<Item>, StoreError>;

    /// Puts items that are no chats in the place of what was there.
    async fn put(&self, items: Vec<Item>) -> Result<(), StoreError>;

    /// Removes what is no more, if it is there.
    async fn remove(&self, gone: Gone) -> Result<(), StoreError>;

    /// Whether something that should be no more is there.
    async fn has(&self, gone: Gone) -> Result<bool, StoreError>;

    /// Puts events of a chat, which is made if there is none, behind those that are there; those that
    /// are there already are passed over. Called by one at a time for each chat.
    async fn append(&self, chat: &Arc<Chat>, events: Vec<Event>) -> Result<(), StoreError>;

    /// Puts a chat with its sides; all its events are there.
    async fn settle(&self, item: ChatItem) -> Result<(), StoreError>;

    /// Makes durable what is not yet, once everything was put: the order of chats above all.
    async fn flush(&self) -> Result<(), StoreError>;

    /// Notes that the import is whole: the store may be served.
    async fn complete(&self) -> Result<(), StoreError>;
}
