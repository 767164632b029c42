//! The embedded database files: every law, and that what was written outlives the process.

use std::fs;
use std::path::Path;

use barterline_storage::accounts::Accounts as _;
use barterline_storage::conformance::{
    accounts, api_keys, audit, blocks, codes, credentials, favourites, identities, listing_views,
    listings, media, reports, saved_searches, sessions, user_state,
};
use barterline_storage::credentials::Credentials as _;
use barterline_storage::embedded::accounts::EmbeddedAccounts;
use barterline_storage::embedded::api_keys::EmbeddedApiKeys;
use barterline_storage::embedded::audit::EmbeddedAudit;
use barterline_storage::embedded::blocks::EmbeddedBlocks;
use barterline_storage::embedded::codes::EmbeddedCodes;
use barterline_storage::embedded::credentials::EmbeddedCredentials;
use barterline_storage::embedded::engine::Engine;
use barterline_storage::embedded::favourites::EmbeddedFavourites;
use barterline_storage::embedded::identities::EmbeddedIdentities;
use barterline_storage::embedded::listing_views::EmbeddedListingViews;
use barterline_storage::embedded::listings::EmbeddedListings;
use barterline_storage::embedded::media::EmbeddedMedia;
use barterline_storage::embedded::reports::EmbeddedReports;
use barterline_storage::embedded::saved_searches::EmbeddedSavedSearches;
use barterline_storage::embedded::sessions::EmbeddedSessions;
use barterline_storage::embedded::user_state::EmbeddedUserStates;
use barterline_storage::listings::Listings as _;
use barterline_storage::record::sealing::Sealing;
use barterline_storage::sessions::Sessions as _;
use barterline_storage::stores::AGGREGATES;
use tempfile::TempDir;

fn open(dir: &Path) -> Engine {
    Engine::open(&dir.join("store.redb")).expect("a file")
}

macro_rules! laws {
    ($($module:ident, $store:ident: $($law:ident),+;)+) => {$($(
        #[tokio::test]
        async fn $law() {
            let dir = TempDir::new().expect("a directory");
            $module::$law(&$store(open(dir.path()))).await;
        }
    )+)+};
}

laws! {
    accounts, EmbeddedAccounts:
        an_account_is_found_as_it_was_inserted,
        accounts_are_inserted_all_or_none,
        an_account_is_suspended_until_that_is_taken_back,
        a_profile_changes_as_far_as_it_is_given,
        roles_are_replaced,
        an_erased_account_stays_so,
        changes_of_an_account_at_once_are_all_kept;
    api_keys, EmbeddedApiKeys:
        a_key_is_found_as_it_was_inserted,
        the_id_of_a_key_is_new,
        keys_of_a_person_are_counted,
        a_key_is_revoked_by_its_owner,
        keys_made_at_once_are_all_kept;
    audit, EmbeddedAudit:
        entries_follow_each_other,
        entries_at_once_are_numbered,
        entries_are_listed_oldest_first,
        a_long_entry_is_refused;
    blocks, EmbeddedBlocks:
        a_block_holds_in_one_direction,
        blocks_are_listed_in_pages;
    favourites, EmbeddedFavourites:
        a_favourite_stays_until_it_is_removed,
        favourites_are_listed_the_last_first,
        who_likes_a_listing_is_counted;
    saved_searches, EmbeddedSavedSearches:
        a_search_stays_until_it_is_forgotten,
        a_search_takes_the_place_of_one_of_the_same_id,
        every_field_of_a_search_is_kept,
        searches_are_listed_the_newest_first;
    listing_views, EmbeddedListingViews:
        views_add_up,
        views_added_at_once_are_all_counted,
        views_of_a_listing_are_its_own;
    reports, EmbeddedReports:
        the_first_report_of_an_id_stays,
        reports_are_listed_newest_first,
        a_text_that_is_sealed_stays_so;
    user_state, EmbeddedUserStates:
        choices_are_kept_by_person,
        choices_made_at_once_are_all_kept;
    credentials, EmbeddedCredentials:
        a_credential_is_found_by_address_and_user,
        an_address_is_taken_once,
        one_of_several_at_once_takes_the_address,
        a_credential_is_replaced_where_it_is_as_expected,
        an_address_is_left_for_another,
        one_change_of_several_at_once_is_made,
        a_removed_credential_leaves_its_address;
    codes, EmbeddedCodes:
        a_code_is_given_once,
        one_of_several_at_once_is_given_the_code,
        a_code_ends,
        a_code_of_another_purpose_stays,
        the_hash_of_a_code_is_new;
    identities, EmbeddedIdentities:
        an_identity_is_found_as_it_was_linked,
        an_identity_is_linked_once,
        identities_of_a_person_are_counted,
        an_identity_is_removed_by_its_owner,
        all_identities_of_a_person_are_removed,
        one_of_several_at_once_links,
        identities_linked_at_once_are_all_kept;
    listings, EmbeddedListings:
        a_listing_is_found_as_it_was_inserted,
        every_field_is_kept,
        a_replacement_follows_the_stored_version,
        one_of_several_at_once_replaces,
        a_sellers_listings_come_newest_first,
        changes_are_told_behind_a_place,
        a_long_feed_comes_in_pages,
        a_place_that_no_feed_has_is_none;
    media, EmbeddedMedia:
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
    sessions, EmbeddedSessions:
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

#[tokio::test]
async fn everything_is_there_when_the_file_is_opened_again() {
    let dir = TempDir::new().expect("a directory");
    let engine = open(dir.path());
    let (account, credential) = (accounts::account(1), credentials::credential(1));
    let (listing, session) = (listings::listing(1, 50), sessions::session(1));
    EmbeddedAccounts(engine.clone()).insert(vec![account.clone()]).await.expect("an insert");
    EmbeddedCredentials(engine.clone()).insert(credential.clone()).await.expect("an insert");
    EmbeddedListings(engine.clone()).insert(listing.clone()).await.expect("an insert");
    EmbeddedSessions(engine).insert(vec![session.clone()]).await.expect("an insert");

    let engine = open(dir.path());
    let found = EmbeddedAccounts(engine.clone()).find(account.id).await;
    assert_eq!(found.expect("a read"), Some(account));
    let found = EmbeddedCredentials(engine.clone()).find(credential.email.key).await;
    assert_eq!(found.expect("a read"), Some(credential));
    let listings = EmbeddedListings(engine.clone());
    let found = listings.list_by_seller(listing.seller, None, 10).await;
    assert_eq!(found.expect("a page"), [listing]);
    let found = EmbeddedSessions(engine).find(session.id).await;
    assert_eq!(found.expect("a read"), Some(session));
}

/// Every aggregate has its trait, its stores and its laws under one name, and every law is run by a
/// test, on each backend.
#[test]
fn every_aggregate_is_at_home_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a test file");
    let embedded = read("tests/embedded.rs") + &read("tests/embedded_log.rs");
    let scylla = read("tests/scylla/main.rs") + &read("tests/scylla/chats.rs");
    for aggregate in AGGREGATES {
        let file = format!("{aggregate}.rs");
        let storeys =
            ["src", "src/embedded", "src/scylla", "src/conformance", "src/conformance/mutants"];
        for storey in storeys {
            let path = root.join(storey).join(&file);
            assert!(path.is_file(), "{} is missing", path.display());
        }
        let laws = fs::read_to_string(root.join("src/conformance").join(&file)).expect("laws");
        let laws = laws.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        for law in laws.filter_map(|line| line.split('(').next()) {
            let listed = |runners: &str| {
                runners.contains(&format!(" {law},"))
                    || runners.contains(&format!(" {law};"))
                    || runners.contains(&format!("::{law}("))
            };
            assert!(listed(&embedded), "{aggregate}: no test runs the law {law}");
            assert!(listed(&scylla), "{aggregate}: no cluster keeps the law {law}");
        }
    }
}

#[tokio::test]
async fn a_store_from_which_a_file_is_missing_is_refused() {
    let dir = TempDir::new().expect("a directory");
    drop(
        barterline_storage::embedded::open(dir.path(), 1 << 20, Sealing::default())
            .expect("a store"),
    );
    for file in ["credentials.redb", "main.redb"] {
        let aside = dir.path().join("aside");
        fs::rename(dir.path().join(file), &aside).expect("a rename");
        let refused = barterline_storage::embedded::open(dir.path(), 1 << 20, Sealing::default());
        let error = refused.err().expect("a refusal").to_string();
        assert!(error.contains(file) && error.contains("missing"), "{error}");
        fs::rename(&aside, dir.path().join(file)).expect("a rename");
    }
    // This one is made anew from the log.
    fs::remove_file(dir.path().join("messages/index.redb")).expect("a removal");
    barterline_storage::embedded::open(dir.path(), 1 << 20, Sealing::default()).expect("a store");
}

#[test]
fn a_damaged_database_is_named_and_not_a_crash() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("store.redb");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let engine = open(dir.path());
        EmbeddedAccounts(engine).insert(vec![accounts::account(1)]).await.expect("an insert");
    });
    let sound = fs::read(&path).expect("a file");
    for page in 0..sound.len() / 4096 {
        let mut damaged = sound.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0);
        fs::write(&path, &damaged).expect("a write");
        // Some pages are free, some are only read later: what is refused is refused by name.
        if let Err(error) = Engine::open(&path) {
            assert!(error.to_string().contains("store.redb"), "page {page}: {error}");
        }
    }
}
