//! Takes back everything that somebody said.

use std::collections::HashSet;

use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::ids::{ClientId, UserId};
use barterline_domain::message::{Content, EventKind, Message};
use barterline_storage::chat_log::Range;
use barterline_storage::inbox::InboxRow;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use super::media::shown_by;
use super::{ChatError, Chats, HISTORY_MAX, Membership, SendError};
use crate::hub::room::{Command, Refusal};

/// Chats of a page.
const ROWS: usize = 50;
/// Messages that are taken back at a time: what a connection may have on its way.
const AT_ONCE: usize = 32;

impl Chats {
    /// Takes back everything that somebody said, in all their chats: no window and no limit is against
    /// it. The other person's numbers stay. `false`: there was no time for all of it. Chats that are
    /// damaged are passed over.
    pub async fn take_back_all(&self, user: UserId, until: Instant) -> Result<bool, SendError> {
        // By their changes, the oldest first: one that changes meanwhile comes once more, and none is
        // passed over.
        let (mut since, mut seen, mut taken) = (0, HashSet::new(), 0);
        loop {
            let page = self.inbox.changed_after(user, since, ROWS).await;
            let page = page.map_err(ChatError::from)?;
            for row in page.rows {
                if !seen.insert(row.chat.id) {
                    continue;
                }
                match self.take_back_in(user, &row, &mut taken, until).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(false),
                    // A row without a chat is no more than that.
                    Err(error) if error.is_damage() || is_missing(&error) => {
                        let chat = row.chat.id;
                        tracing::error!(%error, %chat, "what was said here cannot be taken back");
                    }
                    Err(error) => return Err(error),
                }
            }
            match page.next {
                Some(next) => since = next,
                None => return Ok(true),
            }
        }
    }

    async fn take_back_in(
        &self,
        user: UserId,
        row: &InboxRow,
        taken: &mut usize,
        until: Instant,
    ) -> Result<bool, SendError> {
        let membership = self.look_up(user, row.chat.id).await?;
        let mut after = Seq::ZERO;
        loop {
            // The head first: reading it makes up for what follows from events that stand, such as that
            // a message is gone already.
            let head = self.log.head(row.chat.id).await.map_err(ChatError::from)?;
            let base = head.ok_or(ChatError::NotFound)?.head;
            let read = self.log.read(row.chat.id, Range::After(after), HISTORY_MAX).await;
            let events = read.map_err(ChatError::from)?;
            let Some(last) = events.last() else { return Ok(true) };
            // What is gone already is passed over however long that takes: each call comes further.
            if *taken > 0 && Instant::now() >= until {
                return Ok(false);
            }
            after = last.seq;
            let said: Vec<_> =
                events.into_iter().filter(|event| stands(event, row.role.into())).collect();
            *taken += said.len();
            let taking = said.iter().map(|event| self.take_back(&membership, event, base));
            let taking: Vec<_> = taking.collect();
            stream::iter(taking).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
    }

    async fn take_back(
        &self,
        membership: &Membership,
        event: &Event,
        base: Seq,
    ) -> Result<(), SendError> {
        let Membership { chat, role, withheld, .. } = membership;
        let at = self.clock.now();
        if let Some(media) = shown_by(&event.kind) {
            self.media.doubt(media, at).await.map_err(ChatError::from)?;
        }
        let kind = EventKind::Delete { target: event.seq };
        // Two servers at work on it use the same name, and it is taken back once.
        for name in [0, at.as_millis()] {
            let command = Command {
                author: (*role).into(),
                id: ClientId::of_erasure(chat.id, event.seq.0, name),
                digest: kind.digest(),
                base: Some(base),
                kind: kind.clone(),
                at,
                // As if they took it back themselves: who has blocked them hears of what they were shown.
                withheld: *withheld || event.withheld,
                origin: None,
                refusal: None,
                standing: None,
            };
            match self.hub.send_and_wait(chat, command).await {
                Err(Refusal::IdConflict) if name == 0 => {}
                sent => return sent.map(drop).map_err(SendError::Refused),
            }
        }
        Err(SendError::Refused(Refusal::IdConflict))
    }
}

fn is_missing(error: &SendError) -> bool {
    matches!(error, SendError::Chat(ChatError::NotFound))
}

/// Whether it is a message of theirs that is there.
fn stands(event: &Event, author: Author) -> bool {
    let gone = |message: &Message| matches!(message.content, Content::Gone(_));
    event.author == author && matches!(&event.kind, EventKind::Message(message) if !gone(message))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use barterline_domain::account::DisplayName;
    use barterline_domain::bearer::Bearer;
    use barterline_domain::chat::Role;
    use barterline_domain::clock::{Clock as _, Timestamp};
    use barterline_domain::ids::{ChatId, ListingId};
    use barterline_domain::listing::{Listing, ListingText};
    use barterline_domain::money::{Currency, Money};
    use barterline_storage::accounts::Account;
    use barterline_storage::embedded;
    use barterline_storage::error::StoreError;
    use barterline_storage::record::sealing::Sealing;
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

    /// Bicycles, and people who are all called alike.
    struct Town;

    #[async_trait]
    impl ListingReader for Town {
        async fn find(&self, id: ListingId) -> Result<Option<Listing>, StoreError> {
            let price = Money { minor: 1, currency: Currency::parse("EUR").expect("a currency") };
            let text = ListingText::parse("A bicycle", String::new()).expect("a title");
            let now = Timestamp::from_millis(1);
            Ok(Some(Listing::offered(id, SELLER, text, price, now)))
        }
    }

    #[async_trait]
    impl UserDirectory for Town {
        async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
            let name = DisplayName::parse("somebody").expect("a name");
            Ok(Some(Account::new(user, name, Timestamp::from_millis(1))))
        }
    }

    fn chats(dir: &TempDir) -> Chats {
        let opened = embedded::open(dir.path(), 1 << 20, Sealing::default()).expect("a store");
        let (stores, clock) = (opened.stores, Arc::new(SystemClock));
        let log = Arc::clone(&stores.chat_log);
        let hub = Hub::new(log, Arc::clone(&clock) as _, 0, false, HubMetrics::default());
        tokio::spawn(hub.clone().run_delivery(opened.outcomes));
        Chats::new(Parts {
            log: stores.chat_log,
            inbox: stores.inbox,
            listings: Arc::new(Town),
            standings: Arc::new(Standings::new(Duration::from_secs(5))),
            media: Arc::new(NoMedia),
            people: People::new(Arc::new(Town), stores.user_states, stores.blocks),
            limits: Arc::new(Limits::none()),
            hub,
            clock,
            rules: Rules {
                edit_window: Duration::ZERO,
                delete_window: Duration::ZERO,
                reactions: Vec::new(),
                chats_max: 100,
            },
        })
    }

    async fn say(chats: &Chats, who: UserId, chat: ChatId, n: u8) {
        let said = Send {
            id: ClientId::of_erasure(chat, n.into(), SystemClock.now().as_millis()),
            base: None,
            kind: "text".to_owned(),
            text: Some(format!("word {n}")),
            reply: None,
            target: None,
            reaction: None,
            media: None,
            data: None,
        };
        chats.send_and_wait(Bearer::served(who), chat, said).await.expect("an answer");
    }

    #[tokio::test]
    async fn what_somebody_said_goes_by_and_by_and_the_rest_stays() {
        let dir = TempDir::new().expect("a directory");
        let chats = chats(&dir);
        let mut opened = Vec::new();
        for n in [7, 8] {
            let listing = ListingId::from_bytes([n; 16]);
            let row = chats.open(Bearer::served(BUYER), listing).await.expect("a chat").row;
            for n in 0..150 {
                say(&chats, BUYER, row.chat.id, n).await;
                say(&chats, SELLER, row.chat.id, n).await;
            }
            opened.push(row.chat.id);
        }
        let mut calls = 0;
        while !chats.take_back_all(BUYER, Instant::now()).await.expect("an answer") {
            calls += 1;
        }
        assert!(calls >= 2, "each call takes back what it finds first, and {calls} were cut off");
        for chat in opened {
            let head = chats.log.head(chat).await.expect("a read").expect("a chat").head;
            assert_eq!(head, Seq(450), "each word of one side was taken back by an event");
            let mut said = Vec::new();
            for from in [0, 150] {
                let range = Range::After(Seq(from));
                said.extend(chats.log.read(chat, range, 150).await.expect("a read"));
            }
            let there = |role: Role| said.iter().filter(|event| stands(event, role.into())).count();
            assert_eq!((there(Role::Buyer), there(Role::Seller)), (0, 150));
        }
        assert!(chats.take_back_all(BUYER, Instant::now()).await.expect("an answer"));
    }

    #[tokio::test]
    async fn no_chat_is_passed_over_and_what_a_block_withholds_goes_as_well() {
        let dir = TempDir::new().expect("a directory");
        let chats = chats(&dir);
        let mut opened = Vec::new();
        // More than a page of them, each of which moves while it is worked on.
        for n in 0..60 {
            let listing = ListingId::from_bytes([n; 16]);
            let row = chats.open(Bearer::served(BUYER), listing).await.expect("a chat").row;
            opened.push(row.chat.id);
            if n == 30 {
                let blocked = chats.people.block(Bearer::served(SELLER), BUYER, true).await;
                blocked.expect("a block");
            }
            say(&chats, BUYER, row.chat.id, 1).await;
        }
        let until = Instant::now() + Duration::from_mins(1);
        assert!(chats.take_back_all(BUYER, until).await.expect("an answer"));
        for chat in opened {
            let said = chats.log.read(chat, Range::After(Seq::ZERO), 10).await.expect("a read");
            assert_eq!(said.len(), 2);
            assert!(!said.iter().any(|event| stands(event, Role::Buyer.into())), "{said:?}");
        }
    }
}
