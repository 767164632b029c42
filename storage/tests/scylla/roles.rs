//! A keyspace with a role of its own: that role opens it, and a breach of it opens no other.

use std::sync::Arc;

use barterline_domain::ids::{ChatId, ListingId, UserId};
use barterline_storage::conformance::credentials::credential;
use barterline_storage::scylla as cluster;
use barterline_storage::scylla::databases::Databases;
use barterline_storage::scylla::schema::{Area, grants};
use barterline_storage::scylla::session::{Login, Options};
use scylla::client::session::Session;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};

use crate::chats::Wall;
use crate::{PREFIX, RUNTIME, Store, TURN, options, raw_as};

/// A table of each.
const TABLES: [(Area, &str); 5] = [
    (Area::Credentials, "{credentials}.secrets"),
    (Area::Users, "{users}.accounts"),
    (Area::Listings, "{listings}.listings"),
    (Area::Chats, "{chats}.inbox"),
    (Area::Operations, "{operations}.reports"),
];

fn role(name: &str) -> Login {
    Login { user: format!("{PREFIX}{name}"), password: format!("{name} has a password") }
}

/// Says it; `false` when that is not allowed.
async fn may(session: &Session, text: &str) -> bool {
    match session.query_unpaged(text, ()).await {
        Ok(_) => true,
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::Unauthorized,
            _,
        ))) => false,
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn a_breach_of_one_role_opens_no_other_keyspace() {
    RUNTIME.block_on(async {
        let _turn = TURN.lock().await;
        let store = Store::shared().await;
        let keyspaces = store.database.keyspaces();
        let tables = TABLES.map(|(_, table)| table);
        store.empty(&tables).await;

        // What the operator does.
        let own = TABLES.map(|(area, _)| (area, role(&format!("{area:?}").to_lowercase())));
        let common = role("common");
        let named: Vec<_> = own.iter().map(|(area, login)| (*area, login.user.as_str())).collect();
        for statement in grants(keyspaces, &common.user, &named) {
            store.raw.query_unpaged(statement, ()).await.expect("a grant");
        }
        for Login { user, password } in own.iter().map(|(_, login)| login).chain([&common]) {
            let text = format!("ALTER ROLE \"{user}\" WITH PASSWORD = '{password}'");
            store.raw.query_unpaged(text, ()).await.expect("a password");
        }

        // The server works so: every store answers.
        let options = Options { login: Some(common.clone()), ..options(PREFIX) };
        let databases = Databases::connect(&options, &own).await.expect("sessions");
        let opened = cluster::open(&databases, Arc::new(Wall)).await.expect("stores");
        let stores = opened.stores;
        assert!(stores.credentials.insert(credential(1)).await.expect("an insert"));
        let (user, chat) = (UserId::from_bytes([1; 16]), ChatId::from_bytes([1; 16]));
        assert!(stores.accounts.find(user).await.expect("a read").is_none());
        let listing = ListingId::from_bytes([1; 16]);
        assert!(stores.listings.find(listing).await.expect("a read").is_none());
        assert!(stores.inbox.row(user, chat).await.expect("a read").is_none());
        assert!(stores.reports.list(None, 1).await.expect("a read").is_empty());
        assert_eq!(opened.health.failure(), None);

        // A breach of each.
        for (area, login) in own {
            let session = raw_as(login).await;
            for (of, table) in TABLES {
                let table = keyspaces.fill(table);
                let is_own = of == area;
                let reads = may(&session, &format!("SELECT * FROM {table} LIMIT 1")).await;
                assert_eq!(reads, is_own, "{area:?} reads {table}");
                let writes = may(&session, &format!("TRUNCATE {table}")).await;
                assert_eq!(writes, is_own, "{area:?} writes {table}");
                let ends = may(&session, &format!("DROP TABLE {table}")).await;
                assert!(!ends, "{area:?} may end {table}");
            }
        }
        let session = raw_as(common.clone()).await;
        for (_, table) in TABLES {
            let table = keyspaces.fill(table);
            assert!(!may(&session, &format!("SELECT * FROM {table} LIMIT 1")).await, "{table}");
            assert!(!may(&session, &format!("TRUNCATE {table}")).await, "{table}");
        }
        let to_itself = format!("GRANT SELECT ON ALL KEYSPACES TO \"{}\"", common.user);
        assert!(!may(&session, &to_itself).await);
    });
}
