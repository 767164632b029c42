//! The cluster backend on a real server, which `BARTERLINE_TEST_CQL` names (host:port): every law of
//! what it keeps, and what only a cluster can do wrong. `make test-real PART=cql` starts one.
//!
//! All tests share one schema, as making it takes seconds, and tables are emptied before each law:
//! so they run one after another. (Emptying is sound also for conditional writes: a server takes no
//! round of one that is older than the emptying.)

mod addresses;
mod bulk;
mod chats;
mod roles;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use barterline_storage::accounts::Accounts as _;
use barterline_storage::audit::{Audit as _, verify};
use barterline_storage::blocks::Blocks as _;
use barterline_storage::conformance::{
    accounts, api_keys, audit, blocks, codes, credentials, favourites, identities, listing_views,
    listings, media, reports, saved_searches, sessions, user_state,
};
use barterline_storage::credentials::Credentials as _;
use barterline_storage::error::StoreError;
use barterline_storage::gate::Gate;
use barterline_storage::listing_views::ListingViews as _;
use barterline_storage::listings::Listings as _;
use barterline_storage::media::MediaStore as _;
use barterline_storage::record::rows::Row as _;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::reports::Reports as _;
use barterline_storage::scylla::accounts::ScyllaAccounts;
use barterline_storage::scylla::api_keys::ScyllaApiKeys;
use barterline_storage::scylla::audit::ScyllaAudit;
use barterline_storage::scylla::blocks::ScyllaBlocks;
use barterline_storage::scylla::clocks;
use barterline_storage::scylla::codes::ScyllaCodes;
use barterline_storage::scylla::credentials::ScyllaCredentials;
use barterline_storage::scylla::error::ConnectError;
use barterline_storage::scylla::favourites::ScyllaFavourites;
use barterline_storage::scylla::identities::ScyllaIdentities;
use barterline_storage::scylla::listing_views::ScyllaListingViews;
use barterline_storage::scylla::listings::ScyllaListings;
use barterline_storage::scylla::media::ScyllaMedia;
use barterline_storage::scylla::metrics::Metrics;
use barterline_storage::scylla::reports::ScyllaReports;
use barterline_storage::scylla::saved_searches::ScyllaSavedSearches;
use barterline_storage::scylla::schema::{self, KNOWN, Keyspaces, Replication, SchemaError};
use barterline_storage::scylla::session::{Consistency, Database, Login, Options};
use barterline_storage::scylla::sessions::ScyllaSessions;
use barterline_storage::scylla::user_state::ScyllaUserStates;
use barterline_storage::sessions::Sessions as _;
use barterline_storage::user_state::{UserChange, UserStates as _};
use futures_util::future::join_all;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};

use crate::chats::{Skewed, Wall};

/// Connections live on the runtime that made them, so all tests share it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static STORE: OnceCell<Store> = OnceCell::const_new();
static TURN: Mutex<()> = Mutex::const_new(());

const PREFIX: &str = "barterline_test_";

/// The database under test, and a way around it.
struct Store {
    database: Database,
    raw: Session,
}

#[expect(clippy::disallowed_methods, reason = "a test is told its server by the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn options(prefix: &str) -> Options {
    let server = variable("BARTERLINE_TEST_CQL");
    let server = server.expect("BARTERLINE_TEST_CQL=host:port names the server to test with");
    let or_usual = |name| variable(name).unwrap_or_else(|| "cassandra".to_owned());
    Options {
        contact_points: vec![server],
        login: Some(Login {
            user: or_usual("BARTERLINE_TEST_CQL_USER"),
            password: or_usual("BARTERLINE_TEST_CQL_PASSWORD"),
        }),
        tls: None,
        datacenter: variable("BARTERLINE_TEST_CQL_DATACENTER")
            .unwrap_or_else(|| "datacenter1".to_owned()),
        consistency: Consistency::Quorum,
        keyspace_prefix: prefix.to_owned(),
        metrics: Metrics::default(),
        gate: Gate::default(),
        sealing: Sealing::default(),
    }
}

/// As many copies as there are nodes, three at most.
fn replication(database: &Database) -> Replication {
    let nodes = |(name, nodes): (String, usize)| (name, nodes.min(3) as u32);
    Replication(database.datacenters().into_iter().map(nodes).collect())
}

/// A session without any of our settings.
async fn raw() -> Session {
    raw_as(options(PREFIX).login.expect("a login")).await
}

/// The same, as somebody else.
async fn raw_as(Login { user, password }: Login) -> Session {
    let options = options(PREFIX);
    let builder = SessionBuilder::new().known_nodes(options.contact_points).user(user, password);
    builder.build().await.expect("a session")
}

async fn drop_keyspaces(raw: &Session, prefix: &str) {
    for keyspace in Keyspaces::new(prefix).names() {
        let text = format!("DROP KEYSPACE IF EXISTS {keyspace}");
        raw.query_unpaged(text, ()).await.expect("a keyspace less");
    }
}

impl Store {
    /// The one all tests share, made anew by the first.
    async fn shared() -> &'static Self {
        let make = || async {
            let raw = raw().await;
            drop_keyspaces(&raw, PREFIX).await;
            let database = Database::connect(&options(PREFIX)).await.expect("a database");
            let replication = replication(&database);
            schema::apply(&database, &replication).await.expect("a schema");
            Self { database, raw }
        };
        STORE.get_or_init(make).await
    }

    async fn empty(&self, tables: &[&str]) {
        for table in tables {
            let text = self.database.keyspaces().fill(&format!("TRUNCATE {table}"));
            self.raw.query_unpaged(text, ()).await.expect("an empty table");
        }
    }
}

/// Listings, with a clock for their feed.
struct Timed;

impl Timed {
    async fn open(database: &Database) -> Result<ScyllaListings, StoreError> {
        ScyllaListings::open(database, Arc::new(Wall)).await
    }
}

macro_rules! laws {
    ($($module:ident, $store:ident, $tables:expr => $($law:ident),+;)+) => {$($(
        #[test]
        fn $law() {
            RUNTIME.block_on(async {
                let _turn = TURN.lock().await;
                let store = Store::shared().await;
                store.empty(&$tables).await;
                let opened = $store::open(&store.database).await.expect("a store");
                $module::$law(&opened).await;
            });
        }
    )+)+};
}

/// What the metrics say, in the text that is scraped.
fn scraped(database: &Database) -> String {
    let mut registry = Registry::default();
    database.metrics().register(database.clone().into(), &mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).expect("a text");
    text
}

/// The value behind this name and its labels; none is nothing.
fn value(scraped: &str, name: &str) -> u64 {
    let line = scraped.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}

/// Each kind by itself, a conflict apart from a success, and the nodes there are.
#[test]
fn requests_are_counted_by_their_kind() {
    RUNTIME.block_on(async {
        let _turn = TURN.lock().await;
        let store = Store::shared().await;
        let database = &store.database;
        store.empty(&["{credentials}.secrets", "{credentials}.addresses"]).await;
        let opened = ScyllaCredentials::open(database).await.expect("a store");
        let before = scraped(database);
        let credential = credentials::credential(1);
        assert!(opened.insert(credential.clone()).await.expect("the first"));
        assert!(!opened.insert(credential.clone()).await.expect("an answer"));
        opened.find(credential.email.key).await.expect("an answer").expect("it is there");
        let after = scraped(database);
        let more = |name: &str| value(&after, name) - value(&before, name);
        assert_eq!(more("database_request_seconds_count{kind=\"conditional\"}"), 3, "{after}");
        assert_eq!(more("database_request_seconds_count{kind=\"write\"}"), 0);
        assert_eq!(more("database_request_seconds_count{kind=\"read\"}"), 2);
        assert_eq!(more("database_request_seconds_count{kind=\"serial_read\"}"), 1);
        assert_eq!(more("database_conflicts_total"), 1);
        assert_eq!(more("database_retries_total"), 0);
        let nodes = value(&after, "database_nodes");
        assert!(nodes > 0 && value(&after, "database_nodes_connected") == nodes, "{after}");
    });
}

/// Every node is looked at, with whatever clock the server has.
#[test]
fn a_clock_that_is_off_is_noticed() {
    RUNTIME.block_on(async {
        let database = &Store::shared().await.database;
        let nodes: usize = database.datacenters().iter().map(|(_, nodes)| nodes).sum();
        let sound = clocks::read(database, &Skewed(0)).await;
        assert_eq!(sound.len(), nodes);
        assert_eq!(clocks::too_far(&sound), None, "{sound:?}");
        for off_ms in [-600_000, 600_000] {
            let readings = clocks::read(database, &Skewed(off_ms)).await;
            assert_eq!(readings.len(), nodes);
            // A busy machine answers late, and its own clock is a little off.
            let near = |ahead_ms: i64| (ahead_ms + off_ms).abs() < 60_000;
            assert!(readings.iter().all(|reading| near(reading.ahead_ms)), "{readings:?}");
            assert!(clocks::too_far(&readings).is_some_and(near), "{readings:?}");
        }
    });
}

laws! {
    accounts, ScyllaAccounts, ["{users}.accounts", "{users}.insertions"] =>
        an_account_is_found_as_it_was_inserted,
        accounts_are_inserted_all_or_none,
        an_account_is_suspended_until_that_is_taken_back,
        a_profile_changes_as_far_as_it_is_given,
        roles_are_replaced,
        an_erased_account_stays_so,
        changes_of_an_account_at_once_are_all_kept;
    api_keys, ScyllaApiKeys, ["{users}.api_keys", "{users}.api_key_owners"] =>
        a_key_is_found_as_it_was_inserted,
        the_id_of_a_key_is_new,
        keys_of_a_person_are_counted,
        a_key_is_revoked_by_its_owner,
        keys_made_at_once_are_all_kept;
    audit, ScyllaAudit, ["{operations}.audit"] =>
        entries_follow_each_other,
        entries_at_once_are_numbered,
        entries_are_listed_oldest_first,
        a_long_entry_is_refused;
    blocks, ScyllaBlocks, ["{users}.blocks"] =>
        a_block_holds_in_one_direction,
        blocks_are_listed_in_pages;
    favourites, ScyllaFavourites,
        ["{listings}.favourites", "{listings}.favourites_by_listing"] =>
        a_favourite_stays_until_it_is_removed,
        favourites_are_listed_the_last_first,
        who_likes_a_listing_is_counted;
    saved_searches, ScyllaSavedSearches, ["{listings}.saved_searches"] =>
        a_search_stays_until_it_is_forgotten,
        a_search_takes_the_place_of_one_of_the_same_id,
        every_field_of_a_search_is_kept,
        searches_are_listed_the_newest_first;
    listing_views, ScyllaListingViews, ["{listings}.listing_views"] =>
        views_add_up,
        views_of_a_listing_are_its_own,
        views_added_at_once_are_all_counted;
    reports, ScyllaReports,
        ["{operations}.reports", "{operations}.reports_by_day", "{operations}.report_days"] =>
        the_first_report_of_an_id_stays,
        reports_are_listed_newest_first,
        a_text_that_is_sealed_stays_so;
    user_state, ScyllaUserStates, ["{users}.user_states"] =>
        choices_are_kept_by_person,
        choices_made_at_once_are_all_kept;
    credentials, ScyllaCredentials, ["{credentials}.secrets", "{credentials}.addresses"] =>
        a_credential_is_found_by_address_and_user,
        an_address_is_taken_once,
        one_of_several_at_once_takes_the_address,
        a_credential_is_replaced_where_it_is_as_expected,
        an_address_is_left_for_another,
        one_change_of_several_at_once_is_made,
        a_removed_credential_leaves_its_address;
    codes, ScyllaCodes, ["{credentials}.codes"] =>
        a_code_is_given_once,
        one_of_several_at_once_is_given_the_code,
        a_code_ends,
        a_code_of_another_purpose_stays,
        the_hash_of_a_code_is_new;
    identities, ScyllaIdentities, ["{credentials}.identities", "{credentials}.identity_claims"] =>
        an_identity_is_found_as_it_was_linked,
        an_identity_is_linked_once,
        identities_of_a_person_are_counted,
        an_identity_is_removed_by_its_owner,
        all_identities_of_a_person_are_removed,
        one_of_several_at_once_links,
        identities_linked_at_once_are_all_kept;
    listings, Timed,
        [
            "{listings}.listings",
            "{listings}.listings_by_seller",
            "{listings}.seller_weeks",
            "{listings}.listing_changes",
        ] =>
        a_listing_is_found_as_it_was_inserted,
        every_field_is_kept,
        a_replacement_follows_the_stored_version,
        one_of_several_at_once_replaces,
        a_sellers_listings_come_newest_first,
        changes_are_told_behind_a_place,
        a_long_feed_comes_in_pages,
        a_place_that_no_feed_has_is_none;
    media, ScyllaMedia,
        [
            "{listings}.media",
            "{listings}.media_by_owner",
            "{listings}.media_years",
            "{listings}.media_looks",
            "{listings}.media_look_slots",
        ] =>
        a_file_is_found_as_it_was_inserted,
        every_field_of_a_file_is_kept,
        the_id_of_a_file_is_new,
        an_inserted_file_is_looked_at_again,
        a_file_is_replaced_on_the_version_before,
        one_of_several_at_once_replaces_a_file,
        a_file_is_removed_at_its_version,
        a_persons_files_come_newest_first,
        removed_files_are_not_listed,
        files_are_due_the_longest_first,
        a_file_may_be_due_at_several_times,
        a_file_that_is_gone_is_looked_at,
        what_was_looked_at_is_due_no_more,
        a_look_that_is_none_changes_nothing,
        a_late_look_is_due_all_the_same;
    sessions, ScyllaSessions,
        ["{users}.sessions", "{users}.sessions_by_user", "{users}.insertions"] =>
        sessions_are_inserted_all_or_none,
        the_good_hash_rotates,
        a_used_hash_revokes_the_session,
        a_rotation_whose_answer_was_lost_is_repeated,
        the_last_used_hashes_are_known,
        one_of_several_at_once_rotates,
        what_is_over_does_not_rotate,
        revoking_twice_is_revoking_once,
        a_session_is_named_until_it_is_revoked,
        good_sessions_are_listed_newest_first,
        the_newest_of_many_sessions_are_listed,
        all_sessions_are_revoked_but_one;
}

/// Runs a test that makes and drops keyspaces of its own.
fn with_own_keyspaces<F: Future<Output = ()>>(
    prefix: &'static str,
    test: impl FnOnce(Session) -> F,
) {
    RUNTIME.block_on(async {
        let _turn = TURN.lock().await;
        let raw = raw().await;
        drop_keyspaces(&raw, prefix).await;
        test(raw).await;
        drop_keyspaces(&self::raw().await, prefix).await;
    });
}

async fn connect(prefix: &str) -> Database {
    Database::connect(&options(prefix)).await.expect("a database")
}

#[test]
fn several_processes_make_the_schema_at_once_and_again() {
    with_own_keyspaces("at_once_", async |_| {
        let mut databases = Vec::new();
        for _ in 0..4 {
            databases.push(connect("at_once_").await);
        }
        let replication = replication(&databases[0]);
        let missing = schema::check(&databases[0], &replication).await;
        assert!(matches!(missing, Err(SchemaError::Missing { .. })), "{missing:?}");
        let plan = schema::plan(&databases[0], &replication).await.expect("a plan");
        assert!(plan.version == 0 && plan.statements.len() > 12, "{plan:?}");

        let made = join_all(databases.iter().map(|each| schema::apply(each, &replication))).await;
        let mut found: Vec<u32> = made.into_iter().map(|found| found.expect("a schema")).collect();
        found.sort_unstable();
        assert_eq!(found, [0, KNOWN, KNOWN, KNOWN], "one made it, the others found it made");

        // It is one schema: what one writes the others read.
        let credential = credentials::credential(1);
        let store = ScyllaCredentials::open(&databases[0]).await.expect("a store");
        assert!(store.insert(credential.clone()).await.expect("an insert"));
        for database in &databases {
            schema::check(database, &replication).await.expect("the schema");
            let store = ScyllaCredentials::open(database).await.expect("a store");
            let found = store.find(credential.email.key).await.expect("a read");
            assert_eq!(found, Some(credential.clone()));
        }
        let plan = schema::plan(&databases[0], &replication).await.expect("a plan");
        assert_eq!((plan.version, plan.statements), (KNOWN, Vec::new()));
    });
}

#[test]
fn a_schema_of_another_age_is_refused() {
    with_own_keyspaces("of_age_", async |raw| {
        let database = connect("of_age_").await;
        let replication = replication(&database);
        schema::apply(&database, &replication).await.expect("a schema");
        let set = async |version: u32| {
            let text = format!(
                "UPDATE of_age_operations.schema_steps SET version = {version} \
                 WHERE part = 'schema' IF holder = null"
            );
            raw.query_unpaged(text, ()).await.expect("a version");
        };
        set(KNOWN + 1).await;
        for refused in [
            schema::check(&database, &replication).await,
            schema::apply(&database, &replication).await.map(|_| ()),
        ] {
            assert!(matches!(refused, Err(SchemaError::Newer { found }) if found == KNOWN + 1));
        }
        set(KNOWN - 1).await;
        let refused = schema::check(&database, &replication).await;
        assert!(matches!(refused, Err(SchemaError::Older { found }) if found == KNOWN - 1));
        // Every statement can be repeated: a step that was cut short is made again.
        assert_eq!(schema::apply(&database, &replication).await.expect("a schema"), KNOWN - 1);
        schema::check(&database, &replication).await.expect("the schema");

        let (name, copies) = replication.0[0].clone();
        for (other, expected) in [
            (vec![(name.clone(), copies + 7)], "more than"),
            (vec![("nowhere".to_owned(), 1)], "no datacenter nowhere"),
        ] {
            let refused = schema::apply(&database, &Replication(other)).await.expect_err("none");
            assert!(refused.to_string().contains(expected), "{refused}");
        }
        let other = Replication(vec![(name, copies + 1)]);
        let refused = schema::check(&database, &other).await;
        assert!(matches!(refused, Err(SchemaError::OtherReplication { .. })), "{refused:?}");
    });
}

#[test]
fn whoever_dies_at_the_schema_holds_up_nobody_for_long() {
    with_own_keyspaces("dead_", async |raw| {
        let database = connect("dead_").await;
        let replication = replication(&database);
        schema::apply(&database, &replication).await.expect("a schema");
        let text = "UPDATE dead_operations.schema_steps USING TTL 3 \
                    SET version = 0, holder = 00000000-0000-8000-8000-000000000001 \
                    WHERE part = 'schema' IF holder = null";
        raw.query_unpaged(text, ()).await.expect("a lease");
        // The version of this row goes with the lease, as both were written with an end.
        let begun = Instant::now();
        assert_eq!(schema::apply(&database, &replication).await.expect("a schema"), 0);
        assert!(begun.elapsed() > Duration::from_secs(1), "it waited for the lease to end");
        schema::check(&database, &replication).await.expect("the schema");
    });
}

#[test]
fn what_is_wrong_with_the_connection_is_named() {
    RUNTIME.block_on(async {
        let refused = async |options: Options| match Database::connect(&options).await {
            Ok(_) => panic!("connected"),
            Err(refused) => refused,
        };
        let sound = options(PREFIX);
        let nobody = vec!["127.0.0.1:1".to_owned()];
        let error = refused(Options { contact_points: nobody, ..sound.clone() }).await;
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
        let nowhere = vec!["nowhere.invalid:9042".to_owned()];
        let error = refused(Options { contact_points: nowhere, ..sound.clone() }).await;
        assert!(matches!(error, ConnectError::NoAddress { .. }), "{error}");
        let login = Login { user: "eve".to_owned(), password: "hunter2".to_owned() };
        let error = refused(Options { login: Some(login), ..sound.clone() }).await;
        assert_eq!(error, ConnectError::LoginRefused { user: "eve".to_owned() });
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let error = refused(Options { login: None, ..sound.clone() }).await;
        assert_eq!(error, ConnectError::LoginMissing);
        let error = refused(Options { datacenter: "nowhere".to_owned(), ..sound }).await;
        assert!(matches!(error, ConnectError::NoSuchDatacenter { .. }), "{error}");
    });
}

/// Runs a test on the shared schema with these tables empty.
fn with_empty<F: Future<Output = ()>>(
    tables: &'static [&'static str],
    test: impl FnOnce(&'static Store) -> F,
) {
    RUNTIME.block_on(async {
        let _turn = TURN.lock().await;
        let store = Store::shared().await;
        store.empty(tables).await;
        test(store).await;
    });
}

/// As a process leaves them that ends between the rows and the insertion they belong to.
#[test]
fn rows_of_an_insertion_that_was_not_completed_are_not_there() {
    with_empty(&["{users}.accounts", "{users}.sessions", "{users}.insertions"], async |store| {
        let accounts = ScyllaAccounts::open(&store.database).await.expect("a store");
        let sessions = ScyllaSessions::open(&store.database).await.expect("a store");
        let both = vec![accounts::account(1), accounts::account(2)];
        accounts.insert(both.clone()).await.expect("an insert");
        sessions.insert(vec![sessions::session(1), sessions::session(2)]).await.expect("an insert");
        store.empty(&["{users}.insertions"]).await;
        assert_eq!(accounts.find(both[0].id).await.expect("a read"), None);
        let at = Some(both[0].created_at);
        assert_eq!(accounts.suspend(both[0].id, at).await.expect("an answer"), None);
        assert_eq!(sessions.find(sessions::session(1).id).await.expect("a read"), None);
        assert!(!sessions.revoke(sessions::session(1).id).await.expect("an answer"));
        // The same again completes it.
        accounts.insert(both.clone()).await.expect("an insert");
        assert_eq!(accounts.find(both[1].id).await.expect("a read"), Some(both[1].clone()));
    });
}

/// A server whose clock is behind writes where others have read already: it is heard once that has settled.
#[test]
fn a_change_by_a_clock_that_is_behind_is_told_later() {
    with_empty(&["{listings}.listings", "{listings}.listing_changes"], async |store| {
        let by = async |ms| {
            let opened = ScyllaListings::open(&store.database, Arc::new(Skewed(ms))).await;
            opened.expect("a store")
        };
        let minute = 60_000;
        let (reader, behind, later) =
            (by(0).await, by(-4 * minute).await, by(10 * minute + minute).await);
        let place = reader.feed_end().await.expect("a place");
        behind.insert(listings::listing(1, 50)).await.expect("an insert");
        let changes = reader.changes(&place, 10).await.expect("a page").expect("a known place");
        assert!(changes.listings.is_empty() && !changes.more, "{changes:?}");
        let changes = later.changes(&changes.next, 10).await.expect("a page");
        let changes = changes.expect("a known place");
        assert_eq!(changes.listings, [listings::listing(1, 50).id]);
        // Two weeks later nobody knows what was there.
        let forgot = by(14 * 24 * 60 * minute).await;
        assert_eq!(forgot.changes(&changes.next, 10).await.expect("an answer"), None);
    });
}

/// As a process leaves it that ends between the index and the listing, or report.
#[test]
fn an_index_without_its_row_means_nothing() {
    const TABLES: [&str; 4] = [
        "{listings}.listings",
        "{listings}.listings_by_seller",
        "{operations}.reports",
        "{operations}.reports_by_day",
    ];
    with_empty(&TABLES, async |store| {
        let listings = Timed::open(&store.database).await.expect("a store");
        let all: Vec<_> = (1..9).map(|n| listings::listing(n, 50)).collect();
        for listing in &all {
            listings.insert(listing.clone()).await.expect("an insert");
        }
        for gone in [8, 7, 6, 4] {
            let id = listings::listing(gone, 50).id;
            let text = format!("DELETE FROM {{listings}}.listings WHERE id = {id}");
            let text = store.database.keyspaces().fill(&text);
            store.raw.query_unpaged(text, ()).await.expect("a listing less");
        }
        let page = listings.list_by_seller(all[0].seller, None, 3).await.expect("a page");
        assert_eq!(page, [5, 3, 2].map(|n| listings::listing(n, 50)));

        let reports = ScyllaReports::open(&store.database).await.expect("a store");
        let first = reports::report(9);
        assert!(reports.insert(first.clone()).await.expect("an insert"));
        // A retry comes with a time of its own; on another day, too.
        for later in [1, 100_000_000] {
            let at = first.at.plus(Duration::from_millis(later));
            let again = barterline_storage::reports::Report { at, ..first.clone() };
            assert!(!reports.insert(again).await.expect("an insert"));
        }
        assert_eq!(reports.list(None, 10).await.expect("a page"), [first]);
    });
}

/// As a process leaves it that ends between the index and the file. A slot of which everything was looked at
/// leaves the list of slots.
#[test]
fn a_file_that_is_not_there_is_not_listed_and_slots_come_to_an_end() {
    const TABLES: [&str; 4] = [
        "{listings}.media",
        "{listings}.media_by_owner",
        "{listings}.media_looks",
        "{listings}.media_look_slots",
    ];
    with_empty(&TABLES, async |store| {
        let files = ScyllaMedia::open(&store.database).await.expect("a store");
        let all: Vec<_> = (1..6).map(|n| media::file(n, 50)).collect();
        for (n, file) in (0..).zip(&all) {
            let look = Timestamp::from_millis(n * 3_600_000);
            files.insert(file.clone(), look).await.expect("an insert");
        }
        for gone in [5, 4, 2] {
            let id = media::file(gone, 50).id;
            let text = format!("DELETE FROM {{listings}}.media WHERE id = {id}");
            let text = store.database.keyspaces().fill(&text);
            store.raw.query_unpaged(text, ()).await.expect("a file less");
        }
        let page = files.list_by_owner(all[0].owner, None, 2).await.expect("a page");
        assert_eq!(page, [3, 1].map(|n| media::file(n, 50)));

        let slots = async || {
            let text = "SELECT slot FROM {listings}.media_look_slots";
            let text = store.database.keyspaces().fill(text);
            let slots = store.raw.query_unpaged(text, ()).await.expect("slots");
            slots.into_rows_result().expect("rows").rows_num()
        };
        let now = Timestamp::from_millis(100 * 3_600_000);
        let due = files.due(now, 10).await.expect("a list");
        assert_eq!((due.len(), slots().await), (5, 5));
        for look in &due {
            files.looked(*look).await.expect("an answer");
        }
        // A server whose clock is at the fourth hour knows of no end of that.
        let early = Timestamp::from_millis(4 * 3_600_000);
        assert_eq!(files.due(early, 10).await.expect("a list"), []);
        assert_eq!(slots().await, 1);
        assert_eq!(files.due(now, 10).await.expect("a list"), []);
        assert_eq!(slots().await, 0);
        files.look_again(due[0]).await.expect("a look");
        assert_eq!(files.due(now, 10).await.expect("a list"), due[..1]);
    });
}

/// What counts cannot be made twice: each is sent once, under a name of its own.
#[test]
fn additions_to_counters_are_counted_by_themselves() {
    with_empty(&["{listings}.listing_views"], async |store| {
        let views = ScyllaListingViews::open(&store.database).await.expect("a store");
        let all: Vec<_> = (0..40).map(|n| (listings::listing(n, 50).id, 1)).collect();
        let before = scraped(&store.database);
        views.add(&all).await.expect("views");
        let after = scraped(&store.database);
        let name = "database_request_seconds_count{kind=\"addition\"}";
        assert_eq!(value(&after, name) - value(&before, name), 40, "{after}");
    });
}

/// Of two nodes the one with the slower clock saw the person last.
#[test]
fn the_latest_time_stays_whatever_comes_late() {
    with_empty(&["{users}.user_states"], async |store| {
        let states = ScyllaUserStates::open(&store.database).await.expect("a store");
        let user = accounts::account(1).id;
        let seen = |at| vec![UserChange::Seen(Timestamp::from_millis(at))];
        for (at, expected) in [(5, 5), (9, 9), (7, 9), (9, 9), (0, 9)] {
            let state = states.change(user, seen(at)).await.expect("a change");
            assert_eq!(state.last_seen, Some(Timestamp::from_millis(expected)));
        }
    });
}

/// Blocks that were taken back fill whole pages of rows.
#[test]
fn a_page_of_blocks_is_full_though_many_were_taken_back() {
    with_empty(&["{users}.blocks"], async |store| {
        let blocks = ScyllaBlocks::open(&store.database).await.expect("a store");
        let ana = accounts::account(1).id;
        let other = |n: u8| UserId::from_bytes([n; 16]);
        for n in 10..160 {
            assert!(blocks.set(ana, other(n), true).await.expect("a block"));
        }
        for n in 11..159 {
            assert!(blocks.set(ana, other(n), false).await.expect("no block"));
        }
        assert_eq!(blocks.list(ana, None, 2).await.expect("a page"), [other(10), other(159)]);
        assert_eq!(blocks.list(ana, Some(other(10)), 2).await.expect("a page"), [other(159)]);
        assert_eq!(blocks.list(ana, Some(other(159)), 2).await.expect("a page"), []);
    });
}

/// A bucket is begun behind a full one, and found by a process that has seen none.
#[test]
fn the_audit_goes_on_in_the_next_bucket() {
    with_empty(&["{operations}.audit"], async |store| {
        let first = ScyllaAudit::open(&store.database).await.expect("a store");
        // Four full buckets, of which only the ends are looked at, and one that is not full.
        let text = "INSERT INTO {operations}.audit (bucket, number, record) VALUES (?, ?, ?)";
        let text = store.database.keyspaces().fill(text);
        let mut chain = vec![first.append(audit::record(0)).await.expect("an append")];
        for bucket in 0..4_u32 {
            let number = (bucket + 1) * 4_096 - 1;
            let mut entry = chain[chain.len() - 1].clone();
            entry.number = number.into();
            entry.hash = entry.sum();
            let values = (i64::from(bucket), i64::from(number), entry.to_bytes());
            store.raw.query_unpaged(text.as_str(), values).await.expect("an entry");
            chain.push(entry);
        }
        for n in 1..3 {
            // The second time with what it found the first time, and then as a new process.
            for opened in [&first, &ScyllaAudit::open(&store.database).await.expect("a store")] {
                let entry = opened.append(audit::record(n)).await.expect("an append");
                assert_eq!(verify(chain.last(), std::slice::from_ref(&entry)), Ok(()));
                chain.push(entry);
            }
        }
        let listed = first.list(Some(4 * 4_096 - 2), 100).await.expect("a page");
        assert_eq!(listed, chain[4..]);
    });
}
