//! `POST /v1/accounts/me/archive`: all that is kept of the caller, a line of JSON each.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::Seq;
use barterline_domain::ids::{ChatId, ListingId, UserId};
use barterline_protocol::error_code::ErrorCode;
use barterline_protocol::limits::{PAGE_EVENTS_MAX, ROWS_MAX};
use barterline_protocol::push::{Event, Row, Settings};
use barterline_storage::chat_log::Range;
use barterline_storage::error::StoreError;
use barterline_storage::favourites::Favourite;
use barterline_storage::inbox::InboxRow;
use bytes::Bytes;
use dashmap::DashSet;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{FreshProof, OwnAccount};
use crate::auth::principal::Principal;
use crate::rest::Rest;
use crate::rest::accounts::identities::OwnIdentity;
use crate::rest::api_keys::OwnKey;
use crate::rest::extract::{Body, Caller, From};
use crate::rest::listings::ListingView;
use crate::rest::listings::history::ChangeView;
use crate::rest::media::MediaView;
use crate::rest::problem::Problem;
use crate::rest::saved_searches::SavedSearchView;
use crate::rest::sessions::OwnSession;
use crate::services::accounts::LogInMeans;
use crate::services::chats::ChatError;
use crate::wire;

/// The form of the lines.
const FORMAT: u32 = 1;
/// Lines that wait for who reads slowly.
const LINES_MAX: usize = 64;
/// How long one waits.
const LINE_TIMEOUT: Duration = Duration::from_secs(30);
/// Archives that are made at a time.
const AT_ONCE: usize = 16;
/// Listings, files, and people, of a page.
const PAGE: usize = 100;

/// Whose archives are being made.
#[derive(Clone, Default)]
pub struct Archives(Arc<DashSet<UserId>>);

/// One that is being made.
struct Making {
    archives: Archives,
    user: UserId,
}

impl Archives {
    /// One at a time for each person, and not too many.
    fn begin(&self, user: UserId) -> Option<Making> {
        if self.0.len() >= AT_ONCE || !self.0.insert(user) {
            return None;
        }
        Some(Making { archives: self.clone(), user })
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.archives.0.remove(&self.user);
    }
}

/// One line.
#[derive(Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    /// The first.
    Archive {
        format: u32,
        made_at: Timestamp,
    },
    Account(OwnAccount),
    LogIn {
        email: String,
        email_verified_at: Option<Timestamp>,
        password_changed_at: Timestamp,
    },
    SecondFactor {
        on: bool,
        recovery_codes: usize,
    },
    Session(OwnSession),
    ApiKey(OwnKey),
    Identity(OwnIdentity),
    Settings(Settings),
    Block {
        user: UserId,
    },
    Listing {
        #[serde(flatten)]
        listing: Box<ListingView>,
        history: Vec<ChangeView>,
    },
    Favourite {
        listing: ListingId,
        since: Timestamp,
    },
    SavedSearch(SavedSearchView),
    LastSeen {
        at: Timestamp,
    },
    /// What is known of a file, whose bytes are fetched as ever.
    Media(Box<MediaView>),
    /// With the events of a chat behind it.
    Chat(Box<Row>),
    Event(Box<Event>),
    /// Something of a chat cannot be read.
    Damaged {
        chat: ChatId,
    },
    /// The last: an archive without it was cut off.
    End {
        lines: u64,
    },
}

/// Answers with the lines as they are read.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/archive",
    tag = "accounts",
    operation_id = "readArchive",
    summary = "All that is kept of the caller, a line of JSON each",
    description = "The last line has `\"line\": \"end\"` and counts those before it: without it the \
                   archive was cut off.",
    request_body = FreshProof,
    responses(
        (status = 200, description = "The lines", body = String, content_type = "application/x-ndjson"),
    ),
    extensions(("x-codes" = json!([
        "password.required", "password.wrong", "password.none", "second_factor.code_required",
        "second_factor.code_wrong", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Body(proof): Body<FreshProof>,
) -> Result<Response, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    rest.accounts.begin_archive(&caller, proof.shown(), from).await?;
    let making = rest.archives.begin(caller.user).ok_or_else(|| {
        Problem::new(
            ErrorCode::Busy,
            "archives are being made; come back when yours, or another, is whole",
        )
    })?;
    let (lines, taken) = mpsc::channel(LINES_MAX);
    tokio::spawn(async move {
        let mut archive = Archive { lines, count: 0 };
        if let Err(error) = archive.make(&rest, &caller).await {
            tracing::warn!(user = %caller.user, %error, "an archive was cut off");
            // An answer that simply ended would look whole to who does not know the last line.
            let _ = archive.lines.send_timeout(Err(error), LINE_TIMEOUT).await;
        }
        drop(making);
    });
    let lines = stream::unfold(taken, async |mut taken| Some((taken.recv().await?, taken)));
    // Whoever compresses asks once more behind the end.
    let lines = lines.fuse();
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"account.jsonl\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, axum::body::Body::from_stream(lines)).into_response())
}

struct Archive {
    lines: mpsc::Sender<io::Result<Bytes>>,
    count: u64,
}

impl Archive {
    async fn put(&mut self, line: Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        self.count += 1;
        let put = self.lines.send_timeout(Ok(bytes.into()), LINE_TIMEOUT).await;
        put.map_err(|_| io::Error::other("nobody reads it"))
    }

    async fn make(&mut self, rest: &Rest, caller: &Principal) -> io::Result<()> {
        self.put(Line::Archive { format: FORMAT, made_at: rest.clock.now() }).await?;
        self.put_account(rest, caller).await?;
        self.put_listings(rest, caller).await?;
        for liked in rest.favourites.all(caller.user).await.map_err(io::Error::other)? {
            let Favourite { listing, since } = liked;
            self.put(Line::Favourite { listing, since }).await?;
        }
        for search in rest.saved_searches.all(caller.user).await.map_err(io::Error::other)? {
            self.put(Line::SavedSearch(search.into())).await?;
        }
        self.put_media(rest, caller).await?;
        self.put_chats(rest, caller).await?;
        let lines = self.count;
        self.put(Line::End { lines }).await
    }

    async fn put_account(&mut self, rest: &Rest, caller: &Principal) -> io::Result<()> {
        let (accounts, people) = (&rest.accounts, &rest.people);
        let account = accounts.own_profile(caller.bearer()).await.map_err(io::Error::other)?;
        self.put(Line::Account(account.into())).await?;
        if let Some(own) = accounts.log_in_means(caller).await.map_err(io::Error::other)? {
            let LogInMeans { email, email_verified_at, password_changed_at } = own;
            let email = email.as_str().to_owned();
            self.put(Line::LogIn { email, email_verified_at, password_changed_at }).await?;
        }
        let factor = accounts.second_factor(caller).await.map_err(io::Error::other)?;
        let (on, recovery_codes) = (factor.on, factor.recovery_codes);
        self.put(Line::SecondFactor { on, recovery_codes }).await?;
        for session in accounts.sessions(caller).await.map_err(io::Error::other)? {
            self.put(Line::Session(OwnSession::new(session, caller))).await?;
        }
        for key in accounts.keys(caller).await.map_err(io::Error::other)? {
            self.put(Line::ApiKey(key.into())).await?;
        }
        for identity in accounts.identities(caller).await.map_err(io::Error::other)? {
            self.put(Line::Identity(identity.into())).await?;
        }
        let settings = people.settings(caller.user).await.map_err(io::Error::other)?;
        self.put(Line::Settings(wire::settings(&settings))).await?;
        if let Some(at) = settings.last_seen {
            self.put(Line::LastSeen { at }).await?;
        }
        let mut after = None;
        loop {
            let blocked = people.blocked_by(caller.user, after, PAGE).await;
            let blocked = blocked.map_err(io::Error::other)?;
            let Some(last) = blocked.last() else { return Ok(()) };
            after = Some(*last);
            for user in blocked {
                self.put(Line::Block { user }).await?;
            }
        }
    }

    async fn put_listings(&mut self, rest: &Rest, caller: &Principal) -> io::Result<()> {
        let (seller, viewer) = (caller.user, Some(caller.bearer()));
        let (mut before, now) = (None, rest.listings.now());
        loop {
            let page = rest.listings.list_by_seller(viewer, seller, before, PAGE).await;
            let Some(page) = page.map_err(io::Error::other)? else { return Ok(()) };
            for listing in page.listings {
                let history = ChangeView::of(&listing);
                let listing = Box::new(ListingView::at(now, listing));
                self.put(Line::Listing { listing, history }).await?;
            }
            let Some(next) = page.next else { return Ok(()) };
            before = Some(next);
        }
    }

    async fn put_media(&mut self, rest: &Rest, caller: &Principal) -> io::Result<()> {
        let mut before = None;
        loop {
            let owned = rest.media.owned(caller.user, before, PAGE).await;
            let owned = owned.map_err(io::Error::other)?;
            let Some(last) = owned.last() else { return Ok(()) };
            before = Some(last.id);
            // What is on its way out is not there.
            for media in owned.into_iter().filter_map(|media| MediaView::try_from(media).ok()) {
                self.put(Line::Media(Box::new(media))).await?;
            }
        }
    }

    async fn put_chats(&mut self, rest: &Rest, caller: &Principal) -> io::Result<()> {
        // By their changes, the oldest first: a chat that changes meanwhile comes once more, and none is
        // passed over.
        let (mut since, mut put) = (0, HashSet::new());
        loop {
            let page = rest.chats.changed_after(caller.bearer(), since, ROWS_MAX).await;
            let page = page.map_err(io::Error::other)?;
            for row in page.rows {
                if !put.insert(row.chat.id) {
                    continue;
                }
                self.put(Line::Chat(Box::new(wire::row(&row)))).await?;
                self.put_events(rest, caller, &row).await?;
            }
            match page.next {
                Some(next) => since = next,
                None => return Ok(()),
            }
        }
    }

    /// All that the caller may see of a chat, what they hid from themselves as well.
    async fn put_events(
        &mut self,
        rest: &Rest,
        caller: &Principal,
        row: &InboxRow,
    ) -> io::Result<()> {
        let (chat, mut after) = (row.chat.id, Seq::ZERO);
        while after < row.head {
            // Whoever was let out meanwhile gets no more.
            let admitted = rest.accounts.still_admits(caller.bearer()).await;
            if !admitted.map_err(io::Error::other)? {
                return Err(io::Error::other("its log-in has ended"));
            }
            let range = Some(Range::After(after));
            let history = rest.chats.history(caller.bearer(), chat, range, PAGE_EVENTS_MAX).await;
            let events = match history {
                Ok(history) => history.events,
                Err(ChatError::Store(error @ StoreError::Corrupt { .. })) => {
                    tracing::error!(%error, %chat, "an archive lacks what is damaged");
                    return self.put(Line::Damaged { chat }).await;
                }
                Err(error) => return Err(io::Error::other(error)),
            };
            let Some(last) = events.last() else { return Ok(()) };
            after = last.seq;
            for event in &events {
                self.put(Line::Event(Box::new(wire::event_for(row.role, chat, event)))).await?;
            }
        }
        Ok(())
    }
}
