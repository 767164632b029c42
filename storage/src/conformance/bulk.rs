//! That everything moves: a store is filled, exported while it is used, changed, exported again, and
//! what was imported is asked for by every trait.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use barterline_domain::chat::Role;
use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{DeviceId, UserId};
use barterline_domain::listing::ListingStatus;
use barterline_domain::marks::{Marks, Visibility};
use barterline_domain::media::{Holder, Media, ORPHAN_LIFETIME, Purpose, Refusal, Shown, State};
use barterline_domain::personal::PersonalChange;

use super::chat_log::{self, Subject};
use super::{
    accounts, api_keys, audit, credentials, favourites, identities, listings, media, reports,
    samples, saved_searches, sessions,
};
use crate::accounts::ProfileChange;
use crate::bulk::archive::{Archive, Manifest};
use crate::bulk::export::{Export, export};
use crate::bulk::import::{checked, import, wanted};
use crate::bulk::standing::{Import, next_epoch};
use crate::bulk::{Source, Target};
use crate::chat_log::Range;
use crate::credentials::{Credential, Replaced};
use crate::identities::{Identity, IdentityRing, Linked};
use crate::record::rows::Row as _;
use crate::saved_searches::SavedSearch;
use crate::stores::Stores;
use crate::user_state::UserChange;

/// More than a bucket of the cluster holds.
const MANY: u64 = 4_200;
const CHATS: u8 = 6;

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

/// One of everything, in every state that it can be in.
pub async fn fill(stores: &Stores, subject: &mut Subject) {
    let several: Vec<_> = (1..=40).map(accounts::account).collect();
    stores.accounts.insert(several).await.expect("accounts");
    stores.accounts.suspend(user(2), Some(Timestamp::from_millis(9))).await.expect("a suspension");
    for n in 1..=3 {
        assert!(stores.credentials.insert(credentials::credential(n)).await.expect("a secret"));
        stores.sessions.insert(vec![sessions::session(n)]).await.expect("a session");
        stores.audit.append(audit::record(n)).await.expect("an entry");
        assert!(stores.api_keys.insert(api_keys::key(n)).await.expect("a key"));
        let linked = stores.identities.insert(identities::identity(n)).await;
        assert_eq!(linked.expect("an identity"), Linked::Done);
        stores.listings.insert(listings::listing(n, 50)).await.expect("a listing");
        stores.reports.insert(reports::report(n)).await.expect("a report");
        let at = Timestamp::from_millis(n.into());
        let changes = vec![UserChange::ShowRead(n == 1), UserChange::Seen(at)];
        stores.user_states.change(user(n), changes).await.expect("choices");
    }
    stores.sessions.revoke(sessions::session(3).id).await.expect("a revocation");
    for (who, n, since) in [(1, 1, 5), (1, 2, 6), (2, 1, 7)] {
        let added = stores.favourites.add(user(who), favourites::favourite(n, since)).await;
        assert!(added.expect("a favourite"));
    }
    for (who, n) in [(1, 1), (1, 2), (2, 1)] {
        let kept = stores.saved_searches.put(user(who), saved_searches::search(n)).await;
        kept.expect("a saved search");
    }
    let views = [(1, 5), (2, 1)].map(|(n, views)| (listings::listing(n, 50).id, views));
    stores.listing_views.add(&views).await.expect("views");
    fill_media(stores).await;
    for (blocker, blocked, on) in [(1, 2, true), (1, 3, true), (2, 1, true), (2, 1, false)] {
        stores.blocks.set(user(blocker), user(blocked), on).await.expect("a block");
    }
    // Of one buyer, so that their order shows.
    let empty = chat(1);
    subject.log.create(empty).await.expect("a chat");
    for n in 2..CHATS {
        let chat = subject.log.create(chat(n)).await.expect("a chat");
        subject.grow(&chat, 0, n.into()).await;
    }
    let long = subject.log.create(chat(CHATS)).await.expect("a chat");
    let mut head = 0;
    while head < MANY {
        let last = (head + 100).min(MANY);
        let events = (head + 1..=last).map(samples::event).collect();
        subject.append(&long, head, events).await.expect("an append");
        head = last;
    }
    let amended = subject.log.create(samples::chat(9)).await.expect("a chat");
    chat_log::amend(subject, &amended).await;
    mark(stores, 2, 1, (2, 1), Visibility::Both).await;
    mark(stores, 3, 1, (3, 3), Visibility::Delivered).await;
    mark(stores, 3, 2, (1, 1), Visibility::Both).await;
    for change in [
        PersonalChange::Mute(Some(Timestamp::from_millis(77))),
        PersonalChange::Pin(true),
        PersonalChange::Hide(Seq(3)),
        PersonalChange::HideThrough(Seq(1)),
        PersonalChange::Unread(true),
    ] {
        let chat = chat(4).id;
        stores.inbox.change(user(77), chat, change).await.expect("a change").expect("a chat");
    }
    let archive = PersonalChange::Archive(true);
    stores.inbox.change(user(77), chat(2).id, archive).await.expect("a change").expect("a chat");
}

/// Inserts a file, to be looked at when nothing may show it any more.
async fn upload(stores: &Stores, file: Media) {
    let look = file.created.plus(ORPHAN_LIFETIME);
    stores.media.insert(file, look).await.expect("a file");
}

async fn fill_media(stores: &Stores) {
    for (n, owner) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
        upload(stores, media::file(n, owner)).await;
    }
    let ready = media::file(2, 1).with(State::Ready(media::picture()));
    let ready = Media { shown: Some(media::shown()), ..ready };
    assert!(stores.media.replace(ready).await.expect("a file more"));
    let photo = listings::listing(1, 50).id;
    for (n, purpose, by) in
        [(6, Purpose::Listing, Holder::Listing(photo)), (7, Purpose::Avatar, Holder::Profile)]
    {
        let shown = Some(Shown { by, ..media::shown() });
        upload(stores, Media { purpose, shown, ..media::file(n, 1) }).await;
    }
}

/// One is looked at, one is gone, and one comes.
async fn go_on_with_media(stores: &Stores) {
    let refused = media::file(1, 1).with(State::Refused(Refusal::Infected));
    assert!(stores.media.replace(refused).await.expect("a change"));
    assert!(stores.media.remove(media::file(3, 2).id, 1).await.expect("a file less"));
    upload(stores, media::file(5, 2)).await;
}

/// One is forgotten, one takes the place of another, and one comes.
async fn go_on_with_searches(stores: &Stores) {
    let (first, second) = (saved_searches::search(1), saved_searches::search(2));
    let removed = stores.saved_searches.remove(user(1), first.id).await;
    assert!(removed.expect("a saved search less"));
    let other = SavedSearch { name: "another".to_owned(), ..second };
    for (who, search) in [(1, other), (3, saved_searches::search(3))] {
        stores.saved_searches.put(user(who), search).await.expect("a saved search");
    }
}

/// Files by id, and when those that are there are to be looked at again.
async fn seen_media(stores: &Stores, all: &mut String) {
    for n in 1..=7 {
        let file = stores.media.find(media::file(n, 0).id).await.expect("a read");
        let _ = writeln!(all, "{file:?}");
    }
    let far = Timestamp::from_millis(0).plus(ORPHAN_LIFETIME * 100);
    for look in stores.media.due(far, 100).await.expect("a list") {
        if stores.media.find(look.media).await.expect("a read").is_some() {
            let _ = writeln!(all, "{look:?}");
        }
    }
}

/// What goes on while and after everything is exported.
pub async fn go_on(stores: &Stores, subject: &mut Subject) {
    stores.accounts.suspend(user(2), None).await.expect("the end of a suspension");
    let change = ProfileChange { avatar: Some(None), ..ProfileChange::default() };
    stores.accounts.change(user(4), change).await.expect("a change").expect("an account");
    stores.accounts.erase(user(5), Timestamp::from_millis(9)).await.expect("an erasure");
    stores.accounts.insert(vec![accounts::account(90)]).await.expect("an account");
    let session = sessions::session(1);
    let (now, end) = (Timestamp::from_millis(5), session.expires_at);
    let rotated = stores.sessions.rotate(session.id, session.refresh_hash, [9; 32], now, end);
    rotated.await.expect("a rotation");
    // One takes the address that another leaves, and one is gone.
    let left = Credential { email: credentials::email(5), ..credentials::credential(1) };
    let moved = stores.credentials.replace(&credentials::credential(1), left).await;
    assert_eq!(moved.expect("a change"), Replaced::Done);
    let taken = Credential { email: credentials::email(1), ..credentials::credential(2) };
    let moved = stores.credentials.replace(&credentials::credential(2), taken).await;
    assert_eq!(moved.expect("a change"), Replaced::Done);
    assert!(stores.credentials.remove(user(3)).await.expect("a removal"));
    stores.audit.append(audit::record(9)).await.expect("an entry");
    let (owner, key) = (api_keys::key(2).user, api_keys::key(2).id);
    assert!(stores.api_keys.revoke(owner, key).await.expect("a revocation"));
    // One moves from a person to another, and one is unlinked.
    for n in [1, 2] {
        let Identity { user, key, .. } = identities::identity(n);
        let removed = stores.identities.remove(user, key).await;
        assert!(removed.expect("a removal"));
    }
    let moved = Identity { user: user(2), ..identities::identity(1) };
    assert_eq!(stores.identities.insert(moved).await.expect("an identity"), Linked::Done);
    let mut listing = listings::listing(2, 50);
    (listing.version, listing.status) = (2, ListingStatus::Sold);
    stores.listings.replace(listing).await.expect("an edit");
    let listing = favourites::favourite(1, 0).listing;
    assert!(stores.favourites.remove(user(1), listing).await.expect("a favourite less"));
    let again = stores.favourites.add(user(3), favourites::favourite(2, 8)).await;
    assert!(again.expect("a favourite"));
    go_on_with_searches(stores).await;
    let views = [(2, 4), (3, 9)].map(|(n, views)| (listings::listing(n, 50).id, views));
    stores.listing_views.add(&views).await.expect("views");
    go_on_with_media(stores).await;
    stores.blocks.set(user(1), user(3), false).await.expect("a block less");
    stores.blocks.set(user(4), user(3), true).await.expect("a block");
    let seen = UserChange::Seen(Timestamp::from_millis(99));
    stores.user_states.change(user(2), vec![seen]).await.expect("choices");
    let old = subject.log.create(chat(2)).await.expect("a chat");
    subject.grow(&old, 2, 3).await;
    let new = subject.log.create(chat(CHATS + 1)).await.expect("a chat");
    subject.grow(&new, 0, 2).await;
    mark(stores, 5, 1, (5, 4), Visibility::Both).await;
    let change = PersonalChange::Mute(None);
    stores.inbox.change(user(77), chat(4).id, change).await.expect("a change").expect("a chat");
}

/// A chat of buyer 77.
fn chat(n: u8) -> barterline_domain::chat::Chat {
    let mut chat = samples::chat(n);
    chat.participants.buyer = user(77);
    chat.id = barterline_domain::ids::ChatId::of(chat.listing, user(77));
    chat
}

async fn mark(stores: &Stores, n: u8, device: u8, (delivered, read): (u64, u64), to: Visibility) {
    let marks = Marks::new(Seq(delivered), Seq(read));
    let device = DeviceId::from_bytes([device; 16]);
    let moved = stores.inbox.mark(user(77), chat(n).id, device, marks, to).await;
    moved.expect("a mark").expect("a chat");
}

/// Everything that anybody can see, as text, without positions: those are each store's own.
pub async fn seen(stores: &Stores) -> String {
    let mut all = String::new();
    let people: BTreeSet<UserId> = (1..=u8::MAX).map(user).collect();
    for who in people {
        let account = stores.accounts.find(who).await.expect("a read");
        let state = stores.user_states.find(who).await.expect("a read");
        let blocks = stores.blocks.list(who, None, 10).await.expect("a page");
        let favourites = stores.favourites.list(who).await.expect("a list");
        let searches = stores.saved_searches.list(who).await.expect("a list");
        let selling = stores.listings.list_by_seller(who, None, 10).await.expect("a page");
        let files = stores.media.list_by_owner(who, None, 10).await.expect("a page");
        let unread = stores.inbox.unread(who).await.expect("a count");
        let _ = writeln!(
            all,
            "{who}: {account:?} {state:?} {blocks:?} {favourites:?} {searches:?} {selling:?} \
             {files:?} {unread:?}"
        );
        let page = stores.inbox.list(who, None, 100).await.expect("a page");
        for mut row in page.rows {
            row.changed = 0;
            let _ = writeln!(all, "  {row:?}");
            if row.role == Role::Buyer {
                let (log, id) = (&stores.chat_log, row.chat.id);
                let head = log.head(id).await.expect("a read").expect("a chat");
                let events = log.read(id, Range::After(Seq::ZERO), 10_000).await.expect("a read");
                assert_eq!(head.head, row.head);
                let _ = writeln!(all, "    {head:?} {events:?}");
            }
        }
    }
    for n in 1..=5 {
        let views = stores.listing_views.count(listings::listing(n, 50).id).await;
        let _ = writeln!(all, "{} views", views.expect("a count"));
        let session = sessions::session(n);
        let listed = stores.sessions.list(session.user, session.created_at).await.expect("a list");
        let _ = writeln!(all, "{listed:?}");
        let session = stores.sessions.find(sessions::session(n).id).await.expect("a read");
        let _ = writeln!(all, "{session:?}");
        let secret = stores.credentials.find(credentials::email(n).key).await.expect("a read");
        let key = stores.api_keys.find(api_keys::key(n).id).await.expect("a read");
        let keys = stores.api_keys.list(user(n)).await.expect("a list");
        let _ = writeln!(all, "{key:?} {keys:?}");
        let identity = stores.identities.find(identities::identity(n).key).await.expect("a read");
        let identities = stores.identities.list(user(n)).await.expect("a list");
        let identities = IdentityRing(identities.into_iter().chain(identity).collect());
        let _ = writeln!(all, "{:?}", identities.to_bytes());
        let of_user = stores.credentials.find_by_user(user(n)).await.expect("a read");
        for secret in [secret, of_user] {
            let _ = writeln!(all, "{:?}", secret.map(|secret| secret.to_bytes()));
        }
    }
    seen_media(stores, &mut all).await;
    let audited = stores.audit.list(None, 10).await.expect("a page");
    let _ = writeln!(all, "{audited:?}");
    let reports = stores.reports.list(None, 10).await.expect("a page");
    let _ = writeln!(all, "{reports:?}");
    all
}

/// An export into a directory of its own, or of what changed since `base`, in small parts.
pub fn order<'a>(dir: &'a Path, base: Option<&'a Path>) -> Export<'a> {
    // Taken by a clock that is far ahead: no write of who serves the target may be lost behind it.
    let now = Timestamp::from_millis(4_102_444_800_000 + u64::from(base.is_some()));
    Export { dir, base, now, part_bytes: 1 << 10, progress: &|_, _, _| {} }
}

/// Exports so.
pub async fn exported(source: &dyn Source, dir: &Path, base: Option<&Path>) -> Manifest {
    export(source, order(dir, base)).await.expect("an export")
}

/// The import that an archive asks for.
pub fn import_of(dir: &Path) -> (Archive, Import) {
    let archive = checked(dir).expect("a sound archive");
    let epoch = next_epoch(archive.manifest().epoch, Timestamp::from_millis(0));
    let import = wanted(&archive, epoch);
    (archive, import)
}

/// Imports an archive into a target that was opened for it.
pub async fn imported(target: impl Target + 'static, archive: &Archive) {
    import(Arc::new(target), archive, &|_, _, _| {}).await.expect("an import");
}
