//! The composition root: the only file that names concrete backends.

mod media;
mod post;
mod search;
mod sign_in;
mod sources;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use barterline_domain::clock::Clock;
use barterline_storage::bulk::archive::Archive;
use barterline_storage::bulk::standing::Import;
use barterline_storage::bulk::{Item, Kind, Source, Target};
use barterline_storage::chat_log::Outcomes;
use barterline_storage::embedded::bulk::{EmbeddedSource, EmbeddedTarget};
use barterline_storage::error::StoreError;
use barterline_storage::inbox::Position;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::scylla::bulk::{ScyllaSource, ScyllaTarget};
use barterline_storage::stores::Opened;
use barterline_storage::{embedded, scylla};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::adapters::breached_passwords::{BreachedFile, ListError};
use crate::admin::{Admin, load_test};
use crate::auth::data_keys::{self, DataKeys, Masters, Words};
use crate::auth::keyring::{self, Keyring, KeyringError};
use crate::auth::token::Tokens;
use crate::clock::SystemClock;
use crate::cluster::{self, Cluster};
use crate::config::{self, Settings};
use crate::data_dir::DataDir;
use crate::gateway::{self, Gateway};
use crate::hub::Hub;
use crate::ids::{Ids, SystemIds};
use crate::limits::{self, Rate, Rates};
use crate::rest::accounts::archive::Archives;
use crate::rest::layers::{Observer, Transport};
use crate::rest::listings::catalogue::CatalogueFile;
use crate::rest::openapi::Document;
use crate::rest::origins::Origins;
use crate::rest::{Limits, Rest, router};
use crate::schema;
use crate::services::accounts::{
    Accounts, AddressKeysError, Avatars, FactorRule, Lifetimes, Parts, PasswordHashing,
    PasswordRules, is_kept_by,
};
use crate::services::audit::AuditLog;
use crate::services::chats::{self, Chats, Rules};
use crate::services::erasure::Erasure;
use crate::services::favourites::Favourites;
use crate::services::listings::catalogue::{self, CatalogueError};
use crate::services::listings::photos::Photos;
use crate::services::listings::standings::Standings;
use crate::services::listings::{self, Listings};
use crate::services::media::claims::Claims;
use crate::services::people::People;
use crate::services::reports::{self, Reports};
use crate::services::saved_searches::SavedSearches;
use crate::services::search::follower::Follower;
use crate::services::staff::Staff;
use crate::services::views::Views;
use crate::telemetry::addresses::Addresses;
use crate::telemetry::metrics::{HttpMetrics, HubMetrics, RedisMetrics, RefusalMetrics};
use crate::telemetry::refusals::Refusals;
pub use post::Post;

/// Why a server cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cluster cannot be used.
    #[error("{0:#}")]
    Cluster(anyhow::Error),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// No threads to hash passwords on.
    #[error("no threads to hash passwords on: {0}")]
    Hashing(io::Error),
    /// The list of passwords that leaked cannot be used.
    #[error("`accounts.breached_passwords`: {0}")]
    Breached(#[from] ListError),
    /// Redis cannot be used.
    #[error("`redis.url`: {0}")]
    Redis(#[from] redis::RedisError),
    /// Nobody could be found.
    #[error(transparent)]
    Addresses(#[from] AddressKeysError),
    /// Mail cannot be sent.
    #[error("mail: {0:#}")]
    Mail(anyhow::Error),
    /// There are no kinds of things.
    #[error(transparent)]
    Catalogue(CatalogueError),
    /// Nothing can be found.
    #[error("search: {0:#}")]
    Search(anyhow::Error),
    /// No files can be kept.
    #[error("media: {0:#}")]
    Media(anyhow::Error),
    /// Nobody can sign in elsewhere.
    #[error("sign-in: {0:#}")]
    SignIn(anyhow::Error),
    /// Catalogues of others cannot be asked.
    #[error("sources: {0:#}")]
    Sources(anyhow::Error),
}

/// The backend that the settings name, open.
async fn open_stores(
    settings: &Settings,
    data: &DataDir,
    sealing: Sealing,
    clock: Arc<dyn Clock>,
) -> Result<Opened, BuildError> {
    if settings.storage.backend == "scylla" {
        let databases = schema::databases(settings, sealing, &*clock).await;
        let databases = databases.map_err(BuildError::Cluster)?;
        let limit = Duration::from_millis(settings.scylla.clock_skew_ms);
        let watched = databases.common().clone();
        // Ends with the process: it only looks.
        tokio::spawn(scylla::clocks::watch(watched, Arc::clone(&clock), limit));
        return Ok(scylla::open(&databases, clock).await?);
    }
    Ok(embedded::open(data.path(), settings.storage.segment_bytes, sealing)?)
}

/// How words are kept, for a command that runs without a server: it makes no keys.
pub fn sealing_beside(settings: &Settings) -> anyhow::Result<Sealing> {
    let seals = settings.keys.seal_messages;
    let Some(keys) = keys_beside(settings)? else {
        let directory = settings.keys_directory();
        let (file, place) = (data_keys::FILE, directory.display());
        anyhow::ensure!(!seals, "`keys.seal_messages` needs keys: there is no {file} in {place}");
        return Ok(Sealing::default());
    };
    Ok(sealing(Arc::new(keys), seals))
}

fn keys_beside(settings: &Settings) -> anyhow::Result<Option<DataKeys>> {
    let path = settings.keys_directory().join(data_keys::FILE);
    Ok(DataKeys::find(&path, Masters::of(settings.keys.masters()))?)
}

/// Whether an archive says that its addresses are kept by other keys than those that there are.
pub fn is_kept_by_others(settings: &Settings, archive: &Archive) -> anyhow::Result<bool> {
    let Some(keys) = keys_beside(settings)? else { return Ok(false) };
    let mut items = archive.frames(Kind::Credentials);
    while let Some(item) = items.next_item()? {
        if let (_, Item::Credential(credential)) = item
            && let Some(is_ours) = is_kept_by(&keys, &credential)
        {
            return Ok(!is_ours);
        }
    }
    Ok(false)
}

fn sealing(keys: Arc<DataKeys>, seals: bool) -> Sealing {
    Sealing::by(Arc::new(Words::of(keys, Arc::new(SystemIds))), seals)
}

/// The backend that the settings name, to be read whole.
pub async fn open_source(settings: &Settings, data: &DataDir) -> anyhow::Result<Arc<dyn Source>> {
    let sealing = sealing_beside(settings)?;
    if settings.storage.backend == "scylla" {
        let databases = schema::databases(settings, sealing, &SystemClock).await?;
        let source = ScyllaSource::of(&databases, Arc::new(SystemClock)).await?;
        return Ok(Arc::new(source));
    }
    let source = EmbeddedSource::of(data.path(), settings.storage.segment_bytes, sealing)?;
    Ok(Arc::new(source))
}

/// The backend that the settings name, to be filled.
pub async fn open_target(
    settings: &Settings,
    data: &DataDir,
    import: Import,
) -> anyhow::Result<Arc<dyn Target>> {
    let sealing = sealing_beside(settings)?;
    if settings.storage.backend == "scylla" {
        let databases = schema::databases(settings, sealing, &SystemClock).await?;
        let target = Box::pin(ScyllaTarget::open(&databases, Arc::new(SystemClock), import));
        let target = target.await?;
        return Ok(Arc::new(target));
    }
    let bytes = settings.storage.segment_bytes;
    let target = EmbeddedTarget::open(data.path(), bytes, sealing, import)?;
    Ok(Arc::new(target))
}

/// A server, put together and not yet running.
pub struct App {
    /// What clients reach.
    pub public: Router,
    /// The edge of sockets.
    pub gateway: Gateway,
    /// What the services offer, for seeding.
    pub rest: Rest,
    /// The core.
    pub hub: Hub,
    /// The store's outcomes, for the hub.
    pub outcomes: Outcomes,
    /// What is mailed, if anything is.
    pub post: Option<Post>,
    /// What keeps the search index up to date, if there is one.
    pub follower: Option<Follower>,
    /// What is shared with other servers beside the store.
    pub cluster: Option<Cluster>,
}

impl App {
    /// Opens the stores and puts everything on top of them. Connections end when `stop` is
    /// cancelled; `tasks` counts them. `admin` learns what there is to see.
    #[expect(clippy::too_many_lines, reason = "each part once, in the order they need each other")]
    pub async fn build(
        settings: &Settings,
        data: &DataDir,
        admin: &Admin,
        for_load_test: bool,
        refusals: Refusals,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Result<Self, BuildError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids: Arc<dyn Ids> = Arc::new(SystemIds);
        let keys = settings.keys_directory();
        let masters = Masters::of(settings.keys.masters());
        let data_keys = DataKeys::open(&keys.join(data_keys::FILE), masters, &*ids)?;
        let data_keys = Arc::new(data_keys);
        let sealing = sealing(Arc::clone(&data_keys), settings.keys.seal_messages);
        let store = open_stores(settings, data, sealing.clone(), Arc::clone(&clock)).await?;
        let stores = store.stores;
        let Position { epoch, position } = stores.inbox.position();
        let cluster = open_cluster(&settings.redis, epoch, admin, &*ids)?;
        let limits = Arc::new(limits_of(settings, cluster.clone(), for_load_test));
        let audit = AuditLog::new(stores.audit, Arc::clone(&clock));
        let (mailing, post) =
            post::open(settings, admin, &clock, &ids).map_err(BuildError::Mail)?;
        let tokens = Tokens::new(Keyring::open(&keys.join(keyring::FILE))?);
        let links = tokens.sealing();
        let claims = Arc::new(Claims::new(Arc::clone(&stores.media)));
        let accounts = Accounts::new(Parts {
            credentials: stores.credentials,
            codes: stores.codes,
            identities: stores.identities,
            accounts: stores.accounts,
            sessions: stores.sessions,
            api_keys: stores.api_keys,
            tokens,
            data_keys,
            site: settings.accounts.site.clone(),
            lifetimes: lifetimes(&settings.accounts),
            factor_rule: factor_rule(&settings.accounts),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            hashing: hashing(settings)?,
            password_rules: password_rules(&settings.accounts)?,
            limits: Arc::clone(&limits),
            audit: audit.clone(),
            addresses: addresses(&settings.log),
            mailing,
            cluster: cluster.clone(),
            sign_ins: sign_in::open(settings).map_err(BuildError::SignIn)?,
            avatars: Arc::clone(&claims) as Arc<dyn Avatars>,
        });
        accounts.witness_keys().await?;
        let users = Arc::new(accounts.clone());
        let rules = listings::Rules {
            catalogue: catalogue::open(settings.listings.catalogue.as_deref())
                .map_err(BuildError::Catalogue)?,
            lifetime: settings.listings.lifetime(),
        };
        let standings = Arc::new(Standings::new(fresh_for(&settings.storage)));
        let search = search::open(
            settings,
            data,
            admin,
            search::Parts {
                store: Arc::clone(&stores.listings),
                source: Arc::clone(&store.source),
                catalogue: Arc::clone(&rules.catalogue),
                clock: Arc::clone(&clock),
                ids: Arc::clone(&ids),
                standings: Arc::clone(&standings),
            },
        );
        let (search, follower) = search.await.map_err(BuildError::Search)?.unzip();
        let listings = Listings::new(
            stores.listings,
            users,
            Arc::clone(&clock),
            Arc::clone(&ids),
            Arc::clone(&standings),
            Arc::clone(&claims) as Arc<dyn Photos>,
            rules,
        );
        let sources = sources::open(settings, &accounts, &listings, Arc::clone(&clock))
            .map_err(BuildError::Sources)?;
        let favourites = Favourites::new(stores.favourites, listings.clone(), Arc::clone(&clock));
        let views = Views::new(
            stores.listing_views,
            listings.clone(),
            Arc::clone(&clock),
            Arc::clone(&ids),
        );
        let saved_searches = SavedSearches::new(
            stores.saved_searches,
            Arc::clone(listings.catalogue()),
            Arc::clone(&clock),
            Arc::clone(&ids),
        );
        let (metrics, http_metrics) = (HubMetrics::default(), HttpMetrics::default());
        admin.register(|registry| {
            metrics.register(registry);
            http_metrics.register(registry);
            (store.metrics)(registry);
        });
        admin.watch(store.health);
        admin.keep(store.source);
        let hub = Hub::new(
            Arc::clone(&stores.chat_log),
            Arc::clone(&clock),
            position,
            settings.chat.closed_listings == "frozen",
            metrics.clone(),
        );
        let users = Arc::new(accounts.clone());
        let people = People::new(users, stores.user_states, stores.blocks);
        let chats = Chats::new(chats::Parts {
            log: stores.chat_log,
            inbox: stores.inbox,
            listings: Arc::new(listings.clone()),
            standings,
            media: claims,
            people: people.clone(),
            limits: Arc::clone(&limits),
            hub: hub.clone(),
            clock: Arc::clone(&clock),
            rules: rules_of(&settings.chat),
        });
        let files = media::Parts {
            store: stores.media,
            chats: chats.clone(),
            listings: Arc::new(listings.clone()),
            users: Arc::new(accounts.clone()),
            limits: Arc::clone(&limits),
            links,
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
        };
        let media = media::open(&settings.media, data, files).map_err(BuildError::Media)?;
        let reports = Reports::new(reports::Parts {
            chats: chats.clone(),
            reports: stores.reports,
            sealing: sealing.clone(),
            limits: Arc::clone(&limits),
            clock: Arc::clone(&clock),
        });
        let staff = Staff::new(accounts.clone(), reports.clone(), audit);
        admin.staff(staff.clone());
        admin.sell(listings.clone());
        let origins = Origins::new(settings.server.origins());
        let gateway = Gateway::new(gateway::Parts {
            chats: chats.clone(),
            accounts: accounts.clone(),
            people: people.clone(),
            limits: Arc::clone(&limits),
            clock: Arc::clone(&clock),
            settings: times_of(&settings.socket),
            origins: origins.clone(),
            refusals: refusals.clone(),
            metrics,
            stop: stop.clone(),
            tasks,
        });
        let (rates, limits) = (limits, bounds_of(&settings.server));
        let observer = Observer {
            metrics: Some(http_metrics),
            refusals: refusals.clone(),
            ..observer(&settings.log, clock, ids)
        };
        let clock = Arc::clone(&observer.clock);
        let erasure = Erasure::new(
            &accounts,
            (&chats, &media),
            (&listings, &favourites, &saved_searches),
            &people,
            limits.timeout,
        );
        let rest = Rest {
            accounts,
            catalogue: CatalogueFile::of(listings.catalogue()),
            listings,
            sources,
            search,
            favourites,
            views,
            saved_searches,
            chats,
            media,
            people,
            archives: Archives::default(),
            erasure,
            reports,
            staff,
            limits,
            origins,
            has_docs: settings.server.docs,
            rates,
            clock,
            stop,
        };
        let socket = gateway::accept::routes().with_state(gateway.clone());
        if for_load_test {
            admin.offer_load_test(load_test::routes(rest.clone()));
        }
        Ok(Self {
            public: router::routes(rest.clone(), socket, observer, transport_of(&settings.server)),
            gateway,
            rest,
            hub,
            outcomes: store.outcomes,
            post,
            follower,
            cluster,
        })
    }
}

/// The document of the HTTP interface.
pub fn document() -> Document {
    router::document(gateway::accept::routes().into_openapi())
}

fn hashing(settings: &Settings) -> Result<PasswordHashing, BuildError> {
    let config::Accounts { hashes_at_once, hashes_waiting, .. } = settings.accounts;
    PasswordHashing::new(hashes_at_once, hashes_waiting).map_err(BuildError::Hashing)
}

fn lifetimes(settings: &config::Accounts) -> Lifetimes {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    Lifetimes {
        idle: days(settings.session_idle_days),
        whole: days(settings.session_days),
        code_steps: u16::from(settings.code_drift),
    }
}

fn factor_rule(settings: &config::Accounts) -> FactorRule {
    match settings.second_factor.as_str() {
        "staff" => FactorRule::Staff,
        "everybody" => FactorRule::Everybody,
        _ => FactorRule::Optional,
    }
}

fn password_rules(settings: &config::Accounts) -> Result<PasswordRules, ListError> {
    let words = [settings.site.as_str()].into_iter().chain(settings.words.split_whitespace());
    let words = words.map(str::to_owned).collect();
    let mut rules = PasswordRules { score_min: settings.password_score_min, words, breached: None };
    if let Some(path) = &settings.breached_passwords {
        rules.breached = Some(Arc::new(BreachedFile::open(path)?));
    }
    Ok(rules)
}

fn times_of(settings: &config::Socket) -> gateway::Settings {
    gateway::Settings {
        hello_timeout: Duration::from_millis(settings.hello_timeout_ms),
        heartbeat: Duration::from_millis(settings.heartbeat_ms),
        token_grace: Duration::from_millis(settings.token_grace_ms),
    }
}

fn bounds_of(settings: &config::Server) -> Limits {
    Limits {
        body_bytes_max: settings.body_bytes_max,
        timeout: Duration::from_millis(settings.request_timeout_ms),
    }
}

fn transport_of(settings: &config::Server) -> Transport {
    if settings.tls_subdomains { Transport::Subdomains } else { Transport::Host }
}

/// For how long it is not looked at again how a listing stands, of which chats are told. On the embedded
/// backend this server hears of every edit, so that a look only mends what was lost; on a cluster others edit.
fn fresh_for(settings: &config::Storage) -> Duration {
    Duration::from_secs(if settings.backend == "scylla" { 5 } else { 60 })
}

fn rules_of(settings: &config::Chat) -> Rules {
    Rules {
        edit_window: Duration::from_millis(settings.edit_window_ms),
        delete_window: Duration::from_millis(settings.delete_window_ms),
        reactions: settings.reactions(),
        chats_max: settings.chats_per_person,
    }
}

/// What is shared with the servers of the same store, as it is since its last restore.
fn open_cluster(
    settings: &config::Redis,
    epoch: u32,
    admin: &Admin,
    ids: &dyn Ids,
) -> Result<Option<Cluster>, BuildError> {
    if settings.url.is_empty() {
        return Ok(None);
    }
    let metrics = RedisMetrics::default();
    admin.register(|registry| metrics.register(registry));
    let shared = cluster::Settings {
        url: settings.url.clone(),
        user: settings.user.clone(),
        password: settings.password.expose().to_owned(),
        prefix: format!("{}:{epoch}", settings.prefix),
        timeout: Duration::from_millis(settings.timeout_ms),
    };
    Ok(Some(Cluster::new(shared, Uuid::from_bytes(ids.random()), metrics)?))
}

fn limits_of(settings: &Settings, cluster: Option<Cluster>, for_load_test: bool) -> limits::Limits {
    let (uploads, mib) = (settings.media.uploads_per_hour, settings.media.uploads_mib_per_day);
    let settings = &settings.limits;
    if for_load_test || !settings.enabled {
        return limits::Limits::none();
    }
    let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
    let rates = Rates {
        connection: Rate::new(settings.connection_per_minute, minute, settings.connection_burst),
        user: Rate::new(settings.user_per_minute, minute, settings.user_burst),
        chat: Rate::new(settings.chat_per_minute, minute, settings.chat_burst),
        new_chats: Rate::new(settings.new_chats_per_hour, hour, settings.new_chats_burst),
        address: Rate::new(settings.address_per_minute, minute, settings.address_burst),
        requests: Rate::new(settings.requests_per_minute, minute, settings.requests_burst),
        downloads: Rate::new(settings.downloads_per_minute, minute, settings.downloads_burst),
        log_ins: Rate::new(settings.log_ins_per_minute, minute, settings.log_ins_burst),
        registrations: Rate::new(
            settings.registrations_per_hour,
            hour,
            settings.registrations_burst,
        ),
        refreshes: Rate::new(settings.refreshes_per_minute, minute, settings.refreshes_burst),
        mail_requests: Rate::new(
            settings.mail_requests_per_hour,
            hour,
            settings.mail_requests_burst,
        ),
        mails: Rate::new(settings.mails_per_hour, hour, settings.mails_burst),
        // As many at once as somebody picks, and not what is meant for an hour.
        uploads: Rate::new(uploads, hour, uploads.div_ceil(3)),
        uploaded_mib: Rate::new(mib, Duration::from_hours(24), mib),
    };
    limits::Limits::new(rates, cluster)
}

/// What sees the operators' requests, which are not counted.
pub fn observer(settings: &config::Log, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Observer {
    let lines = match settings.access.as_str() {
        "always" => true,
        "json" => settings.json,
        _ => false,
    };
    let addresses = addresses(settings);
    let refusals = Refusals::new(addresses, RefusalMetrics::default());
    Observer { metrics: None, lines, addresses, refusals, clock, ids }
}

fn addresses(settings: &config::Log) -> Addresses {
    match settings.addresses.as_str() {
        "full" => Addresses::Full,
        "none" => Addresses::None,
        _ => Addresses::Network,
    }
}
