//! What chats hear of their listing: a change of price or status is told in each of them, by whoever comes by.
//!
//! Nobody walks through the chats of a listing, of which there may be thousands: where somebody is, a room is
//! told at once, and any other chat when it is looked at next. A listing that cannot be read keeps nobody
//! from talking (G10): it is told later.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use barterline_domain::chat::{Chat, Participants, Role};
use barterline_domain::ids::{ChatId, ListingId, UserId};
use barterline_domain::listing::change::Standing;
use barterline_domain::marks::Visibility;
use barterline_storage::error::StoreError;
use barterline_storage::inbox::InboxRow;
use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{Chats, Membership};
use crate::services::listings::standings::News;

/// How long a listing is read for somebody who speaks.
const LOOK_TIMEOUT: Duration = Duration::from_millis(250);
/// How long it is asked whether somebody who looks may be noticed.
const ASK_TIMEOUT: Duration = Duration::from_millis(750);
/// How long anything is asked for what is told while nobody waits.
const NEWS_TIMEOUT: Duration = Duration::from_secs(5);
/// Chats that are told at a time, and the pause behind each: 3,200 a second at most, a part of what the store
/// takes.
const TOLD_AT_ONCE: usize = 32;
const TOLD_PAUSE: Duration = Duration::from_millis(10);

impl Chats {
    /// Whether it is at hand how the chat's listing stands. If not, it has to be looked at first.
    pub fn has_standing(&self, membership: &Membership) -> bool {
        self.standings.is_fresh(membership.chat.listing, self.clock.now())
    }

    /// How a listing stands, or stood when it could last be read. `None`: nobody could say.
    pub(super) async fn standing(&self, listing: ListingId) -> Option<Arc<Standing>> {
        let now = self.clock.now();
        if self.standings.begin_look(listing, now) {
            match tokio::time::timeout(LOOK_TIMEOUT, self.listings.find(listing)).await {
                Ok(Ok(found)) => {
                    if let Some(found) = found {
                        self.standings.looked(&found, now);
                    }
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, %listing, "its chats hear of a listing later");
                }
                Err(_) => {
                    tracing::debug!(%listing, "its chats hear of a listing later: no answer in time");
                }
            }
        }
        self.standings.last(listing)
    }

    /// Has a chat that somebody looks at told what is new about its listing.
    pub(super) async fn catch_up(&self, row: &InboxRow) {
        let InboxRow { chat, role, state, .. } = row;
        let Some(standing) = self.standing(chat.listing).await else { return };
        if standing.change_since(&chat.snapshot, *state).is_some()
            && self.may_be_noticed(chat, *role).await
        {
            self.hub.hear(chat, standing);
        }
    }

    /// The same for somebody who has the chat on screen.
    pub async fn look(&self, membership: &Membership) {
        let Membership { chat, .. } = membership;
        let Some(standing) = self.standing(chat.listing).await else { return };
        if !standing.is_behind(&chat.snapshot) {
            return;
        }
        let row = tokio::time::timeout(LOOK_TIMEOUT, self.inbox.row(membership.user(), chat.id));
        if let Ok(Ok(Some(row))) = row.await {
            self.catch_up(&row).await;
        }
    }

    /// Whether the other person may know that this one looks. What a look has told, with the time that it has,
    /// tells that much: whoever hides it, or is blocked or blocks, has nothing told by looking.
    async fn may_be_noticed(&self, chat: &Chat, role: Role) -> bool {
        let (user, other) = (chat.participants.user(role), chat.participants.user(role.other()));
        let asked = async {
            Ok::<_, StoreError>(
                self.people.shows_presence(user, other).await?
                    && self.people.marks_shown(user, other).await? == Visibility::Both,
            )
        };
        matches!(tokio::time::timeout(ASK_TIMEOUT, asked).await, Ok(Ok(true)))
    }

    /// Tells chats where somebody is what changed about their listings, until `stop`.
    pub async fn run_news(self, stop: CancellationToken) {
        // What is not told is told to whoever comes by.
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.tell_news() => {}
        }
    }

    async fn tell_news(&self) {
        loop {
            let news = self.standings.news().await;
            let spoken_in = self.hub.chats_about(&news.keys().copied().collect());
            let told: HashSet<_> = spoken_in.iter().map(|chat| chat.id).collect();
            let telling = spoken_in.into_iter().map(|chat| self.tell(chat, &news));
            stream::iter(telling).for_each_concurrent(TOLD_AT_ONCE, |telling| telling).await;
            let mut watched = self.watched(&news);
            watched.retain(|chat, _| !told.contains(chat));
            let telling = watched.into_iter().map(|(chat, buyer)| self.show(chat, buyer, &news));
            stream::iter(telling).for_each_concurrent(TOLD_AT_ONCE, |telling| telling).await;
            // Also where nobody is to be told: one look at all rooms is not at once followed by another.
            tokio::time::sleep(TOLD_PAUSE).await;
        }
    }

    /// Tells a chat in which somebody spoke not long ago. Not one whose buyer has blocked the seller: an edit
    /// would be a way to be heard.
    async fn tell(&self, chat: Arc<Chat>, news: &News) {
        let Participants { buyer, seller } = chat.participants;
        let blocked = tokio::time::timeout(NEWS_TIMEOUT, self.people.blocks(buyer, seller)).await;
        if let (Some(standing), Ok(Ok(false))) = (news.get(&chat.listing), blocked) {
            self.hub.hear(&chat, Arc::clone(standing));
        }
        tokio::time::sleep(TOLD_PAUSE).await;
    }

    /// Tells a chat that its buyer has on screen.
    async fn show(&self, chat: ChatId, buyer: UserId, news: &News) {
        let row = tokio::time::timeout(NEWS_TIMEOUT, self.inbox.row(buyer, chat)).await;
        if let Ok(Ok(Some(row))) = row
            && news.contains_key(&row.chat.listing)
        {
            self.catch_up(&row).await;
        }
        tokio::time::sleep(TOLD_PAUSE).await;
    }

    /// The chats that buyers have on screen, also those in which nothing happened for a while; with the buyer.
    fn watched(&self, news: &News) -> BTreeMap<ChatId, UserId> {
        let now = self.clock.now();
        let watching = news.values().flat_map(|standing| {
            let watching = self.hub.watches().of(standing.seller, now).into_iter();
            watching.filter(|(chat, slot)| *chat == ChatId::of(standing.listing, slot.user))
        });
        watching.map(|(chat, slot)| (chat, slot.user)).collect()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use barterline_domain::account::DisplayName;
    use barterline_domain::bearer::Bearer;
    use barterline_domain::clock::Timestamp;
    use barterline_domain::event::Seq;
    use barterline_domain::ids::ClientId;
    use barterline_domain::listing::{Listing, ListingStatus, ListingText};
    use barterline_domain::message::EventKind;
    use barterline_domain::money::{Currency, Money};
    use barterline_storage::accounts::Account;
    use barterline_storage::embedded;
    use barterline_storage::record::sealing::Sealing;
    use barterline_storage::user_state::UserChange;
    use parking_lot::Mutex;
    use tempfile::TempDir;

    use super::*;
    use crate::clock::SystemClock;
    use crate::hub::Hub;
    use crate::limits::Limits;
    use crate::services::accounts::UserDirectory;
    use crate::services::chats::media::NoMedia;
    use crate::services::chats::{Parts, Rules, Send};
    use crate::services::listings::ListingReader;
    use crate::services::listings::standings::Standings;
    use crate::services::people::People;
    use crate::telemetry::metrics::HubMetrics;

    const BUYER: UserId = UserId::from_bytes([1; 16]);
    const SELLER: UserId = UserId::from_bytes([2; 16]);
    const LISTING: ListingId = ListingId::from_bytes([3; 16]);

    /// What becomes of a look at the only listing there is.
    #[derive(Clone)]
    enum Look {
        Finds(Box<Listing>),
        Fails,
        NeverEnds,
    }

    struct Market(Mutex<Look>);

    #[async_trait]
    impl ListingReader for Market {
        async fn find(&self, _: ListingId) -> Result<Option<Listing>, StoreError> {
            let look = self.0.lock().clone();
            match look {
                Look::Finds(listing) => Ok(Some(*listing)),
                Look::Fails => Err(StoreError::unavailable("find", "it is out")),
                Look::NeverEnds => std::future::pending().await,
            }
        }
    }

    #[async_trait]
    impl UserDirectory for Market {
        async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
            let name = DisplayName::parse("somebody").expect("a name");
            Ok(Some(Account::new(user, name, Timestamp::from_millis(1))))
        }
    }

    fn bicycle() -> Listing {
        let price = Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") };
        let text = ListingText::parse("A bicycle", String::new()).expect("a title");
        Listing::offered(LISTING, SELLER, text, price, Timestamp::from_millis(1))
    }

    fn edited(listing: &Listing, status: ListingStatus) -> Listing {
        Listing { status, ..listing.clone() }.after(listing, Timestamp::from_millis(2))
    }

    /// Two people, their chat, and the market; nothing that was read stays fresh.
    async fn talk(dir: &TempDir) -> (Chats, Arc<Market>, ChatId) {
        let opened = embedded::open(dir.path(), 1 << 20, Sealing::default()).expect("a store");
        let (stores, clock) = (opened.stores, Arc::new(SystemClock));
        let market = Arc::new(Market(Mutex::new(Look::Finds(Box::new(bicycle())))));
        let log = Arc::clone(&stores.chat_log);
        let hub = Hub::new(log, Arc::clone(&clock) as _, 0, true, HubMetrics::default());
        tokio::spawn(hub.clone().run_delivery(opened.outcomes));
        let users = Arc::clone(&market);
        let chats = Chats::new(Parts {
            log: stores.chat_log,
            inbox: stores.inbox,
            listings: Arc::clone(&market) as _,
            standings: Arc::new(Standings::new(Duration::ZERO)),
            media: Arc::new(NoMedia),
            people: People::new(users, stores.user_states, stores.blocks),
            limits: Arc::new(Limits::none()),
            hub,
            clock,
            rules: Rules {
                edit_window: Duration::ZERO,
                delete_window: Duration::ZERO,
                reactions: Vec::new(),
                chats_max: 100,
            },
        });
        let row = chats.open(Bearer::served(BUYER), LISTING).await.expect("a chat").row;
        (chats, market, row.chat.id)
    }

    async fn say(chats: &Chats, chat: ChatId, n: u64) -> Seq {
        let said = Send {
            id: ClientId::of_erasure(chat, n, 0),
            base: None,
            kind: "text".to_owned(),
            text: Some(format!("word {n}")),
            reply: None,
            target: None,
            reaction: None,
            media: None,
            data: None,
        };
        chats.send_and_wait(Bearer::served(BUYER), chat, said).await.expect("an answer").seq
    }

    #[tokio::test]
    async fn g10_a_listing_that_cannot_be_read_keeps_nobody_from_talking() {
        let dir = TempDir::new().expect("a directory");
        let (chats, market, chat) = talk(&dir).await;
        assert_eq!(say(&chats, chat, 1).await, Seq(1));
        for (look, n) in [(Look::Fails, 2), (Look::NeverEnds, 3)] {
            *market.0.lock() = look;
            assert_eq!(say(&chats, chat, n).await, Seq(n));
        }
        let reserved = edited(&bicycle(), ListingStatus::Reserved);
        *market.0.lock() = Look::Finds(Box::new(reserved));
        assert_eq!(say(&chats, chat, 4).await, Seq(5), "what is new comes first");
    }

    async fn until_head(chats: &Chats, chat: ChatId, wanted: Seq) {
        let reached = async {
            while chats.log.head(chat).await.expect("a read").expect("a chat").head < wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reached).await.expect("a head");
    }

    #[tokio::test]
    async fn who_hides_that_they_are_there_has_nothing_told_by_looking() {
        let dir = TempDir::new().expect("a directory");
        let (chats, market, chat) = talk(&dir).await;
        say(&chats, chat, 1).await;
        let buyer = || Bearer::served(BUYER);
        let look = || chats.history(buyer(), chat, None, 10);
        let reserved = edited(&bicycle(), ListingStatus::Reserved);
        *market.0.lock() = Look::Finds(Box::new(reserved.clone()));
        let shows = |shows| vec![UserChange::ShowPresence(shows)];
        chats.people.change_settings(buyer(), shows(false)).await.expect("a change");
        look().await.expect("a page");
        chats.people.block(Bearer::served(SELLER), BUYER, true).await.expect("a block");
        chats.people.change_settings(buyer(), shows(true)).await.expect("a change");
        look().await.expect("a page");
        chats.people.block(Bearer::served(SELLER), BUYER, false).await.expect("no block");
        let sold = edited(&reserved, ListingStatus::Sold);
        *market.0.lock() = Look::Finds(Box::new(sold));
        let told = async { while look().await.expect("a page").events.len() < 2 {} };
        tokio::time::timeout(Duration::from_secs(10), told).await.expect("an event");
        let told = look().await.expect("a page").events.pop().expect("an event");
        let EventKind::Listing(change) = told.kind else { panic!("{told:?}") };
        assert_eq!((change.since(), change.version()), (0, 3), "the first that was told");
    }

    #[tokio::test]
    async fn who_is_blocked_is_not_heard_by_an_edit() {
        let dir = TempDir::new().expect("a directory");
        let (chats, _, chat) = talk(&dir).await;
        say(&chats, chat, 1).await;
        let reserved = Arc::new(Standing::of(&edited(&bicycle(), ListingStatus::Reserved)));
        let news = News::from([(LISTING, Arc::clone(&reserved))]);
        let [about] = &chats.hub.chats_about(&HashSet::from([LISTING]))[..] else {
            panic!("a room")
        };
        chats.people.block(Bearer::served(BUYER), SELLER, true).await.expect("a block");
        chats.tell(Arc::clone(about), &news).await;
        assert_eq!(say(&chats, chat, 2).await, Seq(2));
        chats.people.block(Bearer::served(BUYER), SELLER, false).await.expect("no block");
        chats.tell(Arc::clone(about), &news).await;
        assert_eq!(say(&chats, chat, 3).await, Seq(4));
    }

    #[tokio::test]
    async fn rooms_are_told_of_news_by_themselves_and_once() {
        let dir = TempDir::new().expect("a directory");
        let (chats, market, chat) = talk(&dir).await;
        say(&chats, chat, 1).await;
        let stop = CancellationToken::new();
        let telling = tokio::spawn(chats.clone().run_news(stop.clone()));
        let mut listing = bicycle();
        for status in [ListingStatus::Reserved, ListingStatus::Active] {
            listing = edited(&listing, status);
            *market.0.lock() = Look::Finds(Box::new(listing.clone()));
            chats.standings.changed(&listing, Timestamp::from_millis(3));
            let wanted = Seq(listing.version);
            until_head(&chats, chat, wanted).await;
        }
        assert_eq!(say(&chats, chat, 2).await, Seq(4), "nothing is told twice");
        stop.cancel();
        telling.await.expect("an end");
    }
}
