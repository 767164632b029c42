//! The cluster, read whole and filled.
//!
//! Reading goes by token, which is the order in which the database keeps partitions: a place is a
//! token, and the key for where two have the same. Each thing is then read as anybody reads it.
//!
//! Filling is done with plain writes, into partitions that are else written conditionally only. That is
//! sound while nobody serves the store: they are stamped with the time at which the archive was taken,
//! and every conditional write of a server that opens the store later has a later ballot. Counters take no
//! stamp: what they lack is added to them.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::Chat;
use barterline_domain::clock::Clock;
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, ListingId, MediaId, ReportId, SessionId, UserId};
use barterline_domain::message::EventKind;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use uuid::Uuid;

use super::accounts::ScyllaAccounts;
use super::api_keys::ScyllaApiKeys;
use super::audit::ScyllaAudit;
use super::blocks::ScyllaBlocks;
use super::chats::{self, ScyllaChats};
use super::columns::Id as _;
use super::credentials::ScyllaCredentials;
use super::databases::Databases;
use super::favourites::ScyllaFavourites;
use super::identities::ScyllaIdentities;
use super::listing_views::ScyllaListingViews;
use super::listings::ScyllaListings;
use super::media::ScyllaMedia;
use super::reports::ScyllaReports;
use super::saved_searches::ScyllaSavedSearches;
use super::schema::Area;
use super::sessions::ScyllaSessions;
use super::statements::{Columns, Read};
use super::user_state::ScyllaUserStates;
use crate::accounts::Accounts as _;
use crate::audit::Audit as _;
use crate::blocks::Blocks as _;
use crate::bulk::error::BulkError;
use crate::bulk::standing::Import;
use crate::bulk::{
    ChatItem, Gone, Item, Kind, PAGE_EVENTS, PAGE_ITEMS, Page, Place, Source, Target,
};
use crate::credentials::Credentials as _;
use crate::error::StoreError;
use crate::favourites::Favourites as _;
use crate::listings::Listings as _;
use crate::media::MediaStore as _;
use crate::record::sealing::Sealing;
use crate::reports::Reports as _;
use crate::saved_searches::SavedSearches as _;
use crate::sessions::Sessions as _;
use crate::stores::Stores;
use crate::user_state::UserStates as _;

const OPERATION: &str = "read the store";
/// Things that are read or written at once.
const AT_ONCE: usize = 32;
/// Blocks of one person that are read at once.
const BLOCKS: usize = 1_000;

/// The tables of a cluster, read whole.
#[derive(Clone)]
pub struct ScyllaSource {
    stores: Stores,
    credentials: Arc<ScyllaCredentials>,
    api_keys: Arc<ScyllaApiKeys>,
    identities: Arc<ScyllaIdentities>,
    audit: Arc<ScyllaAudit>,
    chats: ScyllaChats,
    walks: Arc<Walks>,
}

/// Statements that list the partitions of a table by token.
struct Walks {
    accounts: Read,
    sessions: Read,
    api_keys: Read,
    identities: Read,
    credentials: Read,
    favourites: Read,
    saved_searches: Read,
    blockers: Read,
    user_states: Read,
    listings: Read,
    listing_views: Read,
    media: Read,
    reports: Read,
    chats: Read,
}

impl Walks {
    async fn prepare(databases: &Databases) -> Result<Self, StoreError> {
        let walk = |area, table: &'static str, key: &'static str| async move {
            let text = format!(
                "SELECT DISTINCT token({key}), {key} FROM {table} WHERE token({key}) >= ? LIMIT ?"
            );
            Read::prepare(databases.of(area), &text).await
        };
        Ok(Self {
            accounts: walk(Area::Users, "{users}.accounts", "id").await?,
            sessions: walk(Area::Users, "{users}.sessions", "id").await?,
            api_keys: walk(Area::Users, "{users}.api_keys", "user_id").await?,
            identities: walk(Area::Credentials, "{credentials}.identities", "user_id").await?,
            credentials: walk(Area::Credentials, "{credentials}.secrets", "user_id").await?,
            favourites: walk(Area::Listings, "{listings}.favourites", "user_id").await?,
            saved_searches: walk(Area::Listings, "{listings}.saved_searches", "user_id").await?,
            blockers: walk(Area::Users, "{users}.blocks", "blocker").await?,
            user_states: walk(Area::Users, "{users}.user_states", "user_id").await?,
            listings: walk(Area::Listings, "{listings}.listings", "id").await?,
            listing_views: walk(Area::Listings, "{listings}.listing_views", "listing").await?,
            media: walk(Area::Listings, "{listings}.media", "id").await?,
            reports: walk(Area::Operations, "{operations}.reports", "id").await?,
            chats: walk(Area::Chats, "{chats}.chat_log", "chat, bucket").await?,
        })
    }
}

/// A row of a walk.
trait Walked: Columns + Send + Sync {
    fn token(&self) -> i64;
}

impl Walked for (i64, Uuid) {
    fn token(&self) -> i64 {
        self.0
    }
}

impl Walked for (i64, Uuid, i64) {
    fn token(&self) -> i64 {
        self.0
    }
}

/// A place of a token and a key: in the order of tokens, as bytes.
fn place(token: i64, key: &[u8]) -> Place {
    let token = token.cast_unsigned() ^ (1 << 63);
    Place([&token.to_be_bytes()[..], key].concat())
}

/// From which token to read on: that of a place, where there may be more behind its key, or the one
/// after a page's last. `None`: there is none.
fn next_token(after: Option<&Place>) -> Option<i64> {
    let Some(place) = after else { return Some(i64::MIN) };
    let token = place.0.first_chunk::<8>()?;
    let token = (u64::from_be_bytes(*token) ^ (1 << 63)).cast_signed();
    if place.0.len() == 8 { token.checked_add(1) } else { Some(token) }
}

/// The next partitions of a walk, and behind which token there are more.
async fn walk<K: Walked>(
    walk: &Read,
    after: Option<&Place>,
) -> Result<(Vec<K>, Option<Place>), StoreError> {
    let limit = i32::try_from(PAGE_ITEMS).unwrap_or(i32::MAX);
    let Some(token) = next_token(after) else { return Ok((Vec::new(), None)) };
    let mut keys = walk.rows::<K>(OPERATION, (token, limit)).await?;
    if keys.len() < PAGE_ITEMS {
        return Ok((keys, None));
    }
    // Others of the last token may be cut off: they all come with the next page.
    let last = keys.last().map_or(i64::MAX, Walked::token);
    if keys[0].token() < last {
        keys.retain(|key| key.token() < last);
    }
    let next = keys.last().map(|key| place(key.token(), &[]));
    Ok((keys, next))
}

impl ScyllaSource {
    /// Prepares the statements.
    pub(super) async fn open(
        databases: &Databases,
        stores: Stores,
        credentials: Arc<ScyllaCredentials>,
        chats: ScyllaChats,
    ) -> Result<Self, StoreError> {
        let walks = Arc::new(Walks::prepare(databases).await?);
        let api_keys = Arc::new(ScyllaApiKeys::open(databases.of(Area::Users)).await?);
        let identities = ScyllaIdentities::open(databases.of(Area::Credentials)).await?;
        let identities = Arc::new(identities);
        let audit = Arc::new(ScyllaAudit::open(databases.of(Area::Operations)).await?);
        Ok(Self { stores, credentials, api_keys, identities, audit, chats, walks })
    }

    /// Opens a cluster to read it, and leaves it as it stands: what was imported can still be added
    /// to. Needs a tokio runtime around it.
    pub async fn of(databases: &Databases, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let note = chats::bulk::Note::prepare(databases.of(Area::Chats)).await?;
        note.read().await?.readable()?;
        let epoch = note.epoch().await?;
        Ok(Box::pin(super::open_with_epoch(databases, epoch, clock)).await?.1)
    }

    /// A page of things that are each found by their key.
    async fn found<K: Walked + 'static, F>(
        &self,
        statement: &Read,
        after: Option<&Place>,
        find: impl Fn(K) -> F + Send,
    ) -> Result<Page, StoreError>
    where
        F: Future<Output = Result<Vec<(Place, Item)>, StoreError>> + Send,
    {
        let (keys, next) = walk::<K>(statement, after).await?;
        let items: Vec<Vec<_>> =
            stream::iter(keys.into_iter().map(find)).buffered(AT_ONCE).try_collect().await?;
        let items = items.into_iter().flatten();
        let behind = items.filter(|(place, _)| after.is_none_or(|after| place > after));
        Ok(Page { items: behind.collect(), next })
    }

    /// A page of things whose key is an id.
    async fn by_id<F>(
        &self,
        statement: &Read,
        after: Option<&Place>,
        find: impl Fn(Uuid) -> F + Send + Sync,
    ) -> Result<Page, StoreError>
    where
        F: Future<Output = Result<Option<Item>, StoreError>> + Send,
    {
        let find = &find;
        let find = |(token, id): (i64, Uuid)| async move {
            let item = find(id).await?;
            Ok(item.map(|item| (place(token, id.as_bytes()), item)).into_iter().collect())
        };
        self.found(statement, after, find).await
    }

    /// A page of the audit: by number, which is an order too.
    async fn entries(&self, after: Option<&Place>) -> Result<Page, StoreError> {
        let after = after.and_then(|place| place.0[..].try_into().ok());
        let entries = self.audit.list(after.map(u64::from_be_bytes), PAGE_ITEMS).await?;
        let items = entries.into_iter().map(|entry| {
            let place = Place(entry.number.to_be_bytes().to_vec());
            (place, Item::AuditEntry(Box::new(entry)))
        });
        let mut page = Page { items: items.collect(), next: None };
        page.end();
        Ok(page)
    }

    async fn views_of(&self, listing: ListingId) -> Result<Option<Item>, StoreError> {
        let views = self.stores.listing_views.count(listing).await?;
        Ok((views > 0).then_some(Item::ListingViews(listing, views)))
    }

    async fn favourites_of(&self, token: i64, id: Uuid) -> Result<Vec<(Place, Item)>, StoreError> {
        let user = UserId::from_column(id);
        let all = self.stores.favourites.list(user).await?.into_iter().map(|favourite| {
            let key = [&id.as_bytes()[..], favourite.listing.as_bytes()].concat();
            (place(token, &key), Item::Favourite(user, favourite))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    async fn searches_of(&self, token: i64, id: Uuid) -> Result<Vec<(Place, Item)>, StoreError> {
        let user = UserId::from_column(id);
        let all = self.stores.saved_searches.list(user).await?.into_iter().map(|search| {
            let key = [&id.as_bytes()[..], search.id.as_bytes()].concat();
            (place(token, &key), Item::SavedSearch(user, search))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    async fn blocks_of(&self, token: i64, blocker: Uuid) -> Result<Vec<(Place, Item)>, StoreError> {
        let user = UserId::from_column(blocker);
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.stores.blocks.list(user, after, BLOCKS).await?;
            after = page.last().copied();
            let full = page.len() == BLOCKS;
            all.extend(page.into_iter().map(|blocked| {
                let key = [&blocker.as_bytes()[..], blocked.as_bytes()].concat();
                (place(token, &key), Item::Block(user, blocked))
            }));
            if !full {
                return Ok(all);
            }
        }
    }
}

#[async_trait]
impl Source for ScyllaSource {
    fn backend(&self) -> &'static str {
        "scylla"
    }

    fn sealing(&self) -> Sealing {
        self.chats.store().sealing().clone()
    }

    fn epoch(&self) -> u32 {
        self.chats.store().now().epoch
    }

    async fn page(&self, kind: Kind, after: Option<&Place>) -> Result<Page, StoreError> {
        let Self { stores, credentials, api_keys, identities, chats, walks, .. } = self;
        match kind {
            Kind::Chats => {
                let find = |(token, chat, bucket): (i64, Uuid, i64)| async move {
                    if bucket != 0 {
                        return Ok(Vec::new());
                    }
                    let item = chats.store().item(ChatId::from_column(chat)).await?;
                    let item = item.map(|item| Item::Chat(Box::new(item)));
                    Ok(item.map(|item| (place(token, chat.as_bytes()), item)).into_iter().collect())
                };
                self.found(&walks.chats, after, find).await
            }
            Kind::Audit => self.entries(after).await,
            Kind::Reports => {
                let find = |id| async move {
                    let found = stores.reports.find(ReportId::from_column(id)).await?;
                    Ok(found.map(|report| Item::Report(Box::new(report))))
                };
                self.by_id(&walks.reports, after, find).await
            }
            Kind::Listings => {
                let find = |id| async move {
                    let found = stores.listings.find(ListingId::from_column(id)).await?;
                    Ok(found.map(|listing| Item::Listing(Box::new(listing))))
                };
                self.by_id(&walks.listings, after, find).await
            }
            Kind::Media => {
                let find = |id| async move {
                    let found = stores.media.find(MediaId::from_column(id)).await?;
                    Ok(found.map(|media| Item::Media(Box::new(media))))
                };
                self.by_id(&walks.media, after, find).await
            }
            Kind::Favourites => {
                let find = |(token, user): (i64, Uuid)| self.favourites_of(token, user);
                self.found(&walks.favourites, after, find).await
            }
            Kind::SavedSearches => {
                let find = |(token, user): (i64, Uuid)| self.searches_of(token, user);
                self.found(&walks.saved_searches, after, find).await
            }
            Kind::ListingViews => {
                let find = |id| self.views_of(ListingId::from_column(id));
                self.by_id(&walks.listing_views, after, find).await
            }
            Kind::Blocks => {
                let find = |(token, blocker): (i64, Uuid)| self.blocks_of(token, blocker);
                self.found(&walks.blockers, after, find).await
            }
            Kind::UserStates => {
                let find = |id| async move {
                    let user = UserId::from_column(id);
                    Ok(Some(Item::UserState(user, stores.user_states.find(user).await?)))
                };
                self.by_id(&walks.user_states, after, find).await
            }
            Kind::Sessions => {
                let find = |id| async move {
                    let found = stores.sessions.find(SessionId::from_column(id)).await?;
                    Ok(found.map(Item::Session))
                };
                self.by_id(&walks.sessions, after, find).await
            }
            Kind::ApiKeys => {
                let find = |id| async move {
                    let user = UserId::from_column(id);
                    Ok(api_keys.ring(user).await?.map(|ring| Item::ApiKeys(user, ring)))
                };
                self.by_id(&walks.api_keys, after, find).await
            }
            Kind::Identities => {
                let find = |id| async move {
                    let user = UserId::from_column(id);
                    Ok(identities.ring(user).await?.map(|ring| Item::Identities(user, ring)))
                };
                self.by_id(&walks.identities, after, find).await
            }
            Kind::Credentials => {
                let find = |id| async move {
                    let found = credentials.whole(UserId::from_column(id)).await?;
                    Ok(found.map(|it| Item::Credential(Box::new(it))))
                };
                self.by_id(&walks.credentials, after, find).await
            }
            Kind::Accounts => {
                let find = |id| async move {
                    let found = stores.accounts.find(UserId::from_column(id)).await?;
                    Ok(found.map(|account| Item::Account(Box::new(account))))
                };
                self.by_id(&walks.accounts, after, find).await
            }
        }
    }

    async fn listings(
        &self,
        after: Option<&Place>,
    ) -> Result<(Vec<ListingId>, Option<Place>), StoreError> {
        let (keys, next) = walk::<(i64, Uuid)>(&self.walks.listings, after).await?;
        Ok((keys.into_iter().map(|(_, id)| ListingId::from_column(id)).collect(), next))
    }

    async fn begin(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn set_read_only(&self, on: bool) -> Result<(), StoreError> {
        self.chats.store().set_read_only(on).await;
        Ok(())
    }

    fn held(&self) -> Option<Uuid> {
        self.chats.store().held()
    }

    async fn events(&self, chat: ChatId, after: Seq) -> Result<Vec<Event>, StoreError> {
        self.chats.store().events_left(chat, after, PAGE_EVENTS).await
    }
}

/// A cluster that is being filled.
pub struct ScyllaTarget {
    source: ScyllaSource,
    import: Import,
    standing: chats::bulk::Note,
    /// What it noted: only that may be replaced when the import is whole.
    noted: String,
    puts: chats::bulk::Puts,
    accounts: ScyllaAccounts,
    sessions: ScyllaSessions,
    credentials: ScyllaCredentials,
    favourites: ScyllaFavourites,
    saved_searches: ScyllaSavedSearches,
    blocks: ScyllaBlocks,
    user_states: ScyllaUserStates,
    listings: ScyllaListings,
    listing_views: ScyllaListingViews,
    media: ScyllaMedia,
    reports: ScyllaReports,
    /// Chats that are being put, from where on words may be taken back.
    takes_back: Mutex<HashMap<ChatId, Seq>>,
}

impl ScyllaTarget {
    /// Opens a cluster to fill it, if nobody has served it. Needs a tokio runtime around it.
    pub async fn open(
        databases: &Databases,
        clock: Arc<dyn Clock>,
        wanted: Import,
    ) -> Result<Self, BulkError> {
        let of = |area| databases.of(area);
        let standing = chats::bulk::Note::prepare(of(Area::Chats)).await?;
        let before = standing.stands().await?;
        let import = wanted.admitted(chats::bulk::Note::standing(before.as_deref())?)?;
        let noted = standing.replace(before, &Import { complete: false, ..import }).await?;
        // The hub's end is not listened to: nothing here is told to anybody.
        let opened = super::open_with_epoch(databases, import.epoch, Arc::clone(&clock));
        let opened = Box::pin(opened).await?;
        Ok(Self {
            source: opened.1,
            import,
            standing,
            noted,
            puts: chats::bulk::Puts::prepare(of(Area::Chats), import.stamp()).await?,
            accounts: ScyllaAccounts::open(of(Area::Users)).await?,
            sessions: ScyllaSessions::open(of(Area::Users)).await?,
            credentials: ScyllaCredentials::open(of(Area::Credentials)).await?,
            favourites: ScyllaFavourites::open(of(Area::Listings)).await?,
            saved_searches: ScyllaSavedSearches::open(of(Area::Listings)).await?,
            blocks: ScyllaBlocks::open(of(Area::Users)).await?,
            user_states: ScyllaUserStates::open(of(Area::Users)).await?,
            listings: ScyllaListings::open(of(Area::Listings), clock).await?,
            listing_views: ScyllaListingViews::open(of(Area::Listings)).await?,
            media: ScyllaMedia::open(of(Area::Listings)).await?,
            reports: ScyllaReports::open(of(Area::Operations)).await?,
            takes_back: Mutex::default(),
        })
    }

    async fn put_one(&self, item: Item) -> Result<(), StoreError> {
        let stamp = self.import.stamp();
        match item {
            Item::Chat(item) => self.settle(*item).await,
            Item::Report(report) => self.reports.import(&report, stamp).await,
            Item::Listing(listing) => self.listings.import(&listing, stamp).await,
            Item::Media(media) => self.media.import(&media, stamp).await,
            Item::Favourite(user, it) => self.favourites.import(user, it, stamp).await,
            Item::SavedSearch(user, it) => self.saved_searches.import(user, &it, stamp).await,
            Item::ListingViews(listing, views) => self.listing_views.import(listing, views).await,
            Item::Block(blocker, blocked) => {
                self.blocks.import((blocker, blocked), true, stamp).await
            }
            Item::UserState(user, state) => self.user_states.import(user, &state, stamp).await,
            Item::AuditEntry(entry) => self.source.audit.import(&entry, stamp).await,
            Item::Session(session) => self.sessions.import(&session, stamp).await,
            Item::ApiKeys(user, ring) => self.source.api_keys.import(user, &ring, stamp).await,
            Item::Identities(user, ring) => self.source.identities.import(user, &ring, stamp).await,
            Item::Credential(credential) => self.credentials.import(&credential, stamp).await,
            Item::Account(account) => self.accounts.import(&account, stamp).await,
        }
    }
}

#[async_trait]
impl Target for ScyllaTarget {
    fn source(&self) -> &dyn Source {
        &self.source
    }

    async fn find(&self, like: &Item) -> Result<Option<Item>, StoreError> {
        Ok(match like {
            Item::Chat(item) => {
                let found = self.source.chats.store().item(item.chat.id).await?;
                found.map(|item| Item::Chat(Box::new(item)))
            }
            Item::Report(report) => {
                self.reports.find(report.id).await?.map(|report| Item::Report(Box::new(report)))
            }
            Item::Listing(listing) => {
                let found = self.listings.find(listing.id).await?;
                found.map(|listing| Item::Listing(Box::new(listing)))
            }
            Item::Media(media) => {
                let found = self.media.find(media.id).await?;
                found.map(|media| Item::Media(Box::new(media)))
            }
            Item::Favourite(user, it) => {
                let found = self.favourites.find(*user, it.listing).await?;
                found.map(|found| Item::Favourite(*user, found))
            }
            Item::SavedSearch(user, it) => {
                let found = self.saved_searches.find(*user, it.id).await?;
                found.map(|found| Item::SavedSearch(*user, found))
            }
            Item::ListingViews(listing, _) => self.source.views_of(*listing).await?,
            Item::Block(blocker, blocked) => {
                self.blocks.contains(*blocker, *blocked).await?.then(|| like.clone())
            }
            Item::UserState(user, _) => {
                Some(Item::UserState(*user, self.user_states.find(*user).await?))
            }
            Item::AuditEntry(entry) => {
                let found = self.source.audit.find(entry.number).await?;
                found.map(|entry| Item::AuditEntry(Box::new(entry)))
            }
            Item::Session(session) => self.sessions.find(session.id).await?.map(Item::Session),
            Item::ApiKeys(user, _) => {
                let found = self.source.api_keys.ring(*user).await?;
                found.map(|ring| Item::ApiKeys(*user, ring))
            }
            Item::Identities(user, _) => {
                let found = self.source.identities.ring(*user).await?;
                found.map(|ring| Item::Identities(*user, ring))
            }
            Item::Credential(it) => {
                let found = self.credentials.whole(it.user).await?;
                found.map(|it| Item::Credential(Box::new(it)))
            }
            Item::Account(account) => {
                let found = self.accounts.find(account.id).await?;
                found.map(|account| Item::Account(Box::new(account)))
            }
        })
    }

    async fn put(&self, items: Vec<Item>) -> Result<(), StoreError> {
        let puts = items.into_iter().map(|item| self.put_one(item));
        stream::iter(puts).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn remove(&self, gone: Gone) -> Result<(), StoreError> {
        let stamp = self.import.stamp();
        match gone {
            Gone::Block(blocker, blocked) => {
                self.blocks.import((blocker, blocked), false, stamp).await
            }
            Gone::Favourite(user, listing) => {
                self.favourites.import_removal(user, listing, stamp).await
            }
            Gone::SavedSearch(user, search) => {
                self.saved_searches.import_removal(user, search, stamp).await
            }
            Gone::Media(media) => self.media.import_removal(media, stamp).await,
            Gone::Credential(user) => self.credentials.import_removal(user, stamp).await,
        }
    }

    async fn has(&self, gone: Gone) -> Result<bool, StoreError> {
        match gone {
            Gone::Block(blocker, blocked) => self.blocks.contains(blocker, blocked).await,
            Gone::Favourite(user, listing) => {
                Ok(self.favourites.find(user, listing).await?.is_some())
            }
            Gone::SavedSearch(user, search) => {
                Ok(self.saved_searches.find(user, search).await?.is_some())
            }
            Gone::Media(media) => Ok(self.media.find(media).await?.is_some()),
            Gone::Credential(user) => Ok(self.credentials.find_by_user(user).await?.is_some()),
        }
    }

    async fn append(&self, chat: &Arc<Chat>, events: Vec<Event>) -> Result<(), StoreError> {
        let changes = |event: &&Event| {
            matches!(event.kind, EventKind::Delete { .. } | EventKind::Edit { .. })
        };
        if let Some(first) = events.iter().find(changes) {
            self.takes_back.lock().entry(chat.id).or_insert(Seq(first.seq.0 - 1));
        }
        self.source.chats.store().import_events(&self.puts, chat, &events).await
    }

    async fn settle(&self, item: ChatItem) -> Result<(), StoreError> {
        let (chat, head, store) = (item.chat.id, item.head, self.source.chats.store());
        store.import_chat(&self.puts, item).await?;
        // Nobody looks at marks here.
        let from = self.takes_back.lock().remove(&chat);
        if let Some(from) = from {
            store.erase_between(chat, from, head).await?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        // Every write was durable when it was answered, and rows say themselves where they stand.
        Ok(())
    }

    async fn complete(&self) -> Result<(), StoreError> {
        let whole = Import { complete: true, ..self.import };
        self.standing.replace(Some(self.noted.clone()), &whole).await.map(|_| ())
    }
}
