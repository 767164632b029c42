//! The embedded store, read whole and filled.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use barterline_domain::chat::{Chat, Role};
use barterline_domain::event::{Event, Seq};
use barterline_domain::ids::{ChatId, ListingId};
use barterline_domain::personal::PersonalChange;
use parking_lot::Mutex;
use uuid::Uuid;

use super::chat_log::{blocking, lost};
use super::engine::Engine;
use super::log::bulk::Appends;
use super::log::{FIRST_EPOCH, Log};
use super::{
    accounts, api_keys, audit, blocks, credentials, favourites, files, identities, listing_views,
    listings, media, reports, saved_searches, sessions, user_state,
};
use crate::blocks::Blocks as _;
use crate::bulk::error::BulkError;
use crate::bulk::standing::{Import, Standing};
use crate::bulk::{ChatItem, Gone, Item, Kind, PAGE_EVENTS, Page, Place, Source, Target};
use crate::chat_log::ChatLog as _;
use crate::error::StoreError;
use crate::favourites::Favourites as _;
use crate::record::sealing::Sealing;
use crate::saved_searches::SavedSearches as _;

/// Says which import a store is of, until a server opens it.
const IMPORT: &str = "import.json";

/// The files of a store, read whole.
#[derive(Clone)]
pub struct EmbeddedSource {
    pub(super) credentials: Engine,
    pub(super) main: Engine,
    pub(super) log: Log,
}

#[async_trait]
impl Source for EmbeddedSource {
    fn backend(&self) -> &'static str {
        "embedded"
    }

    fn sealing(&self) -> Sealing {
        self.log.sealing().clone()
    }

    fn epoch(&self) -> u32 {
        self.log.durable_position().epoch
    }

    async fn page(&self, kind: Kind, after: Option<&Place>) -> Result<Page, StoreError> {
        let (source, after) = (self.clone(), after.cloned());
        blocking("read the store", move || {
            let main = &source.main;
            let after = after.as_ref();
            match kind {
                Kind::Chats => source.log.page(after),
                Kind::Reports => reports::page(main, after),
                Kind::Favourites => favourites::page(main, after),
                Kind::SavedSearches => saved_searches::page(main, after),
                Kind::ListingViews => listing_views::page(main, after),
                Kind::Listings => listings::page(main, after),
                Kind::Media => media::page(main, after),
                Kind::Blocks => blocks::page(main, after),
                Kind::UserStates => user_state::page(main, after),
                Kind::Audit => audit::page(main, after),
                Kind::Sessions => sessions::page(main, after),
                Kind::ApiKeys => api_keys::page(main, after),
                Kind::Identities => identities::page(&source.credentials, after),
                Kind::Credentials => credentials::page(&source.credentials, after),
                Kind::Accounts => accounts::page(main, after),
            }
        })
        .await
    }

    async fn listings(
        &self,
        after: Option<&Place>,
    ) -> Result<(Vec<ListingId>, Option<Place>), StoreError> {
        let (source, after) = (self.clone(), after.cloned());
        blocking("read the store", move || listings::ids(&source.main, after.as_ref())).await
    }

    async fn begin(&self) -> Result<(), StoreError> {
        let log = self.log.clone();
        blocking("read the store", move || log.index_all()).await
    }

    async fn set_read_only(&self, on: bool) -> Result<(), StoreError> {
        let Self { credentials, main, log } = self;
        // All of it before anything is waited for: who asked may go away.
        if on {
            credentials.gate().shut();
            main.gate().shut();
        } else {
            credentials.gate().open();
            main.gate().open();
        }
        let settled = log.hold(on);
        if on {
            tokio::join!(credentials.gate().close(), main.gate().close());
        }
        match settled {
            Some(settled) => settled.await.map_err(lost("make the store read-only")),
            None => Ok(()),
        }
    }

    fn held(&self) -> Option<Uuid> {
        self.main.gate().held()
    }

    async fn events(&self, chat: ChatId, after: Seq) -> Result<Vec<Event>, StoreError> {
        let log = self.log.clone();
        blocking("read the chat log", move || log.raw_events(chat, after, PAGE_EVENTS)).await
    }
}

impl EmbeddedSource {
    /// Opens the store of a directory to read it, and leaves it as it stands: what was imported can
    /// still be added to. Needs a tokio runtime around it.
    pub fn of(dir: &Path, segment_bytes: u64, sealing: Sealing) -> Result<Self, StoreError> {
        standing(dir)?.readable()?;
        Ok(super::open_files(dir, (segment_bytes, FIRST_EPOCH), sealing)?.0)
    }
}

/// How the store of a directory stands.
pub fn standing(dir: &Path) -> Result<Standing, StoreError> {
    let path = dir.join(IMPORT);
    match fs::read(&path) {
        Ok(bytes) => {
            let read = serde_json::from_slice(&bytes).map(Standing::Imported);
            read.map_err(|_| StoreError::corrupt("open the store", path.display()))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&path)(error)),
        // Any of them: whatever was copied without its marker was a store.
        Err(_) if files(dir).iter().any(|file| file.exists()) => Ok(Standing::Served),
        Err(_) => Ok(Standing::Empty),
    }
}

/// Lets a server have the store: no import into it from here on.
pub(super) fn begin_to_serve(dir: &Path) -> Result<(), StoreError> {
    if matches!(standing(dir)?, Standing::Imported(_)) {
        let path = dir.join(IMPORT);
        fs::remove_file(&path).and_then(|()| sync(dir)).map_err(failed(&path))?;
    }
    Ok(())
}

fn note(dir: &Path, import: &Import) -> Result<(), StoreError> {
    let path = dir.join(IMPORT);
    let unfinished = path.with_extension("unfinished");
    let text = serde_json::to_vec(import).map_err(std::io::Error::from);
    let written = text.and_then(|text| {
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600);
        let mut file = file.open(&unfinished)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        sync(dir)
    });
    written.map_err(failed(&path))
}

fn sync(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    move |error| StoreError::unavailable("note the import", format!("{}: {error}", path.display()))
}

/// A store that is being filled.
pub struct EmbeddedTarget {
    source: EmbeddedSource,
    dir: PathBuf,
    import: Import,
    appends: Appends,
    /// Where each side stood among its person's chats: what `flush` brings back.
    order: Mutex<Vec<Stood>>,
}

/// Where a side stood, and what is said again to bring it there: that it is put away, or is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stood {
    changed: u64,
    chat: [u8; 16],
    is_seller: bool,
    archived: bool,
}

/// Sides that are said again in one go.
const RESTATED_AT_ONCE: usize = 1_024;

impl EmbeddedTarget {
    /// Opens the store of a directory to fill it, if nobody has served it. Needs a tokio runtime
    /// around it.
    pub fn open(
        dir: &Path,
        segment_bytes: u64,
        sealing: Sealing,
        wanted: Import,
    ) -> Result<Self, BulkError> {
        let import = wanted.admitted(standing(dir)?)?;
        note(dir, &Import { complete: false, ..import })?;
        let (source, outcomes) = super::open_files(dir, (segment_bytes, import.epoch), sealing)?;
        let appends = Appends::of(source.log.clone(), outcomes);
        Ok(Self { source, dir: dir.to_owned(), import, appends, order: Mutex::default() })
    }
}

#[async_trait]
impl Target for EmbeddedTarget {
    fn source(&self) -> &dyn Source {
        &self.source
    }

    async fn find(&self, like: &Item) -> Result<Option<Item>, StoreError> {
        let EmbeddedSource { credentials, main, log } = &self.source;
        match like {
            Item::Chat(item) => log.item(item.chat.id),
            Item::Report(report) => main.read(|read| reports::item(read, report.id)),
            Item::Media(it) => main.read(|read| media::item(read, it.id)),
            Item::ListingViews(listing, _) => main.read(|read| listing_views::item(read, *listing)),
            Item::Listing(listing) => main.read(|read| listings::item(read, listing.id)),
            Item::Favourite(user, it) => {
                let favourites = favourites::EmbeddedFavourites(main.clone());
                let found = favourites.find(*user, it.listing).await?;
                Ok(found.map(|found| Item::Favourite(*user, found)))
            }
            Item::SavedSearch(user, it) => {
                main.read(|read| saved_searches::item(read, *user, it.id))
            }
            Item::Block(blocker, blocked) => {
                let blocks = blocks::EmbeddedBlocks(main.clone());
                Ok(blocks.contains(*blocker, *blocked).await?.then(|| like.clone()))
            }
            Item::UserState(user, _) => main.read(|read| user_state::item(read, *user)),
            Item::AuditEntry(entry) => main.read(|read| audit::item(read, entry.number)),
            Item::Session(session) => main.read(|read| sessions::item(read, session.id)),
            Item::ApiKeys(user, _) => main.read(|read| api_keys::item(read, *user)),
            Item::Identities(user, _) => credentials.read(|read| identities::item(read, *user)),
            Item::Credential(it) => credentials.read(|read| credentials::item(read, it.user)),
            Item::Account(account) => main.read(|read| accounts::item(read, account.id)),
        }
    }

    async fn put(&self, items: Vec<Item>) -> Result<(), StoreError> {
        let (secrets, others): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| match item.kind() {
                Kind::Credentials | Kind::Identities => true,
                Kind::Audit
                | Kind::Reports
                | Kind::Chats
                | Kind::Favourites
                | Kind::SavedSearches
                | Kind::ListingViews
                | Kind::Listings
                | Kind::Media
                | Kind::Blocks
                | Kind::UserStates
                | Kind::Sessions
                | Kind::ApiKeys
                | Kind::Accounts => false,
            });
        for (engine, items) in [(&self.source.credentials, secrets), (&self.source.main, others)] {
            if items.is_empty() {
                continue;
            }
            let put = move |write: &redb::WriteTransaction| {
                items.iter().try_for_each(|item| match item {
                    Item::Chat(_) => Ok(()),
                    Item::Report(report) => reports::put_report(write, report),
                    Item::Media(it) => media::put_media(write, it),
                    Item::ListingViews(listing, count) => {
                        listing_views::put_views(write, *listing, *count)
                    }
                    Item::Listing(listing) => listings::put_listing(write, listing),
                    Item::Favourite(user, it) => {
                        favourites::put_favourite(write, *user, *it).map(|_| ())
                    }
                    Item::SavedSearch(user, it) => saved_searches::put_search(write, *user, it),
                    Item::Block(blocker, blocked) => {
                        blocks::put_block(write, *blocker, *blocked, true).map(|_| ())
                    }
                    Item::UserState(user, state) => user_state::put_state(write, *user, state),
                    Item::AuditEntry(entry) => audit::put_entry(write, entry),
                    Item::Session(session) => sessions::put_session(write, session),
                    Item::ApiKeys(user, ring) => api_keys::put_ring(write, *user, ring),
                    Item::Identities(user, ring) => identities::put_ring(write, *user, ring),
                    Item::Credential(credential) => credentials::put_credential(write, credential),
                    Item::Account(account) => accounts::put_account(write, account),
                })
            };
            engine.write(put).await?;
        }
        Ok(())
    }

    async fn remove(&self, gone: Gone) -> Result<(), StoreError> {
        let EmbeddedSource { credentials, main, .. } = &self.source;
        match gone {
            Gone::Block(blocker, blocked) => {
                let blocks = blocks::EmbeddedBlocks(main.clone());
                blocks.set(blocker, blocked, false).await.map(|_| ())
            }
            Gone::Favourite(user, listing) => {
                let favourites = favourites::EmbeddedFavourites(main.clone());
                favourites.remove(user, listing).await.map(|_| ())
            }
            Gone::SavedSearch(user, search) => {
                let searches = saved_searches::EmbeddedSavedSearches(main.clone());
                searches.remove(user, search).await.map(|_| ())
            }
            Gone::Media(it) => {
                let remove = move |write: &redb::WriteTransaction| media::remove_media(write, it);
                main.write(remove).await
            }
            Gone::Credential(user) => {
                let remove = move |write: &redb::WriteTransaction| {
                    credentials::remove_credential(write, user).map(|_| ())
                };
                credentials.write(remove).await
            }
        }
    }

    async fn has(&self, gone: Gone) -> Result<bool, StoreError> {
        let EmbeddedSource { credentials, main, .. } = &self.source;
        match gone {
            Gone::Block(blocker, blocked) => {
                blocks::EmbeddedBlocks(main.clone()).contains(blocker, blocked).await
            }
            Gone::Favourite(user, listing) => {
                let favourites = favourites::EmbeddedFavourites(main.clone());
                Ok(favourites.find(user, listing).await?.is_some())
            }
            Gone::SavedSearch(user, search) => {
                Ok(main.read(|read| saved_searches::item(read, user, search))?.is_some())
            }
            Gone::Media(it) => Ok(main.read(|read| media::item(read, it))?.is_some()),
            Gone::Credential(user) => {
                Ok(credentials.read(|read| credentials::item(read, user))?.is_some())
            }
        }
    }

    async fn append(&self, chat: &Arc<Chat>, events: Vec<Event>) -> Result<(), StoreError> {
        self.appends.append(chat, events).await
    }

    async fn settle(&self, item: ChatItem) -> Result<(), StoreError> {
        let id = item.chat.id;
        let head = self.source.log.head(id).await?.map(|chat| chat.head);
        if head != Some(item.head) {
            return Err(StoreError::corrupt("import", format!("the end of chat {id}")));
        }
        for (role, side) in [(Role::Buyer, item.buyer), (Role::Seller, item.seller)] {
            self.order.lock().push(Stood {
                changed: side.changed,
                chat: *id.as_bytes(),
                is_seller: role == Role::Seller,
                archived: side.personal.archived,
            });
            self.source.log.import_side(id, role, side).await?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        let mut order = std::mem::take(&mut *self.order.lock());
        order.sort_unstable();
        for several in order.chunks(RESTATED_AT_ONCE) {
            let restated = several.iter().map(|stood| {
                let role = if stood.is_seller { Role::Seller } else { Role::Buyer };
                let archived = PersonalChange::Archive(stood.archived);
                self.source.log.begin_change(ChatId::from_bytes(stood.chat), role, archived)
            });
            // All are begun, in order, before the first is waited for.
            for outcome in restated.collect::<Result<Vec<_>, _>>()? {
                outcome.await.map_err(lost("import"))??;
            }
        }
        Ok(())
    }

    async fn complete(&self) -> Result<(), StoreError> {
        note(&self.dir, &Import { complete: true, ..self.import })
    }
}
