//! Who may fetch what: the one who brought a file, and, as long as a message shows it, the other one of
//! the chat.
//!
//! Whether somebody may is decided at each request, from the chat and its log. A stranger gets the answer of a
//! file that does not exist, after the same work (G6).

use std::io;
use std::ops::Range;
use std::time::Duration;

use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Proof, Scopes};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ApiKeyId, ChatId, MediaId, SessionId, UserId};
use barterline_domain::media::{self as files, Content, Picture, Size, State};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::{Media, MediaError, keys};
use crate::adapters::blobs::Blobs;
use crate::auth::sealed::Purpose;
use crate::services::chats::media::Showing;

/// For how long a link is good. It is no more than its maker: who may not see the file any more does not by it.
pub const LINK_FOR: Duration = Duration::from_mins(10);

/// Bytes of a file as they are read.
pub type BytesStream = BoxStream<'static, io::Result<Bytes>>;

/// A link under which somebody's page shows a file.
#[derive(Debug, Clone)]
pub struct Link {
    /// Goes into the address.
    pub token: String,
    /// Until when.
    pub expires: Timestamp,
}

/// Who wants to see a file.
#[derive(Debug, Clone)]
pub enum Viewer {
    /// Somebody with a proof of their own.
    Bearer(Bearer),
    /// Whoever has a link.
    Link(String),
}

/// What a link says.
#[derive(Serialize, Deserialize)]
struct Ticket {
    /// Which file.
    media: MediaId,
    /// Who asked for it.
    user: UserId,
    /// By which log-in.
    session: Option<SessionId>,
    /// Or by which API key.
    key: Option<ApiKeyId>,
    /// Until when.
    until: Timestamp,
}

impl Ticket {
    /// Who asked for it.
    fn maker(&self) -> Bearer {
        let proof = match (self.session, self.key) {
            (Some(session), _) => Proof::Session(session),
            (None, Some(key)) => Proof::ApiKey(key, Scopes::default()),
            (None, None) => Proof::Server,
        };
        Bearer { user: self.user, proof }
    }
}

/// A file, or a size of a picture, that may be fetched.
pub struct Opened {
    /// The file.
    pub media: files::Media,
    /// How many bytes this has.
    pub bytes: u64,
    /// What they are.
    pub media_type: String,
    /// Names these bytes, and no others: a strong entity tag, with its quotes.
    pub etag: String,
    /// Which size, of a picture.
    pub picture: Option<Picture>,
    /// Until when, by a link.
    pub until: Option<Timestamp>,
    /// Who made the link, and by what proof: whoever serves it asks whether that still stands.
    pub linked_by: Option<Bearer>,
    key: String,
    blobs: Blobs,
}

impl Opened {
    /// The bytes from and to an offset, within all of them.
    pub async fn stream(&self, range: Range<u64>) -> Result<BytesStream, MediaError> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        Ok(self.blobs.read(&self.key, range).await?)
    }
}

impl Media {
    /// What is known of a file.
    pub async fn read(&self, caller: Bearer, id: MediaId) -> Result<files::Media, MediaError> {
        self.seen_by(caller.may(Scope::ReadChats)?, id).await
    }

    /// A link to a file that the caller may see.
    pub async fn link(&self, caller: Bearer, id: MediaId) -> Result<Link, MediaError> {
        let user = caller.may(Scope::ReadChats)?;
        let (session, key) = match caller.proof {
            Proof::Session(session) => (Some(session), None),
            Proof::ApiKey(key, _) => (None, Some(key)),
            Proof::Server => (None, None),
        };
        ready(&self.seen_by(user, id).await?)?;
        let now = self.0.clock.now();
        let expires = now.plus(LINK_FOR);
        let ticket = Ticket { media: id, user, session, key, until: expires };
        let token = self.0.links.seal(Purpose::MediaLink, ticket, now, LINK_FOR);
        Ok(Link { token, expires })
    }

    /// Opens a file, or a size of a picture: the next larger one where there is none.
    pub async fn open(
        &self,
        by: Viewer,
        id: MediaId,
        size: Option<Size>,
    ) -> Result<Opened, MediaError> {
        let (user, until, linked_by) = match by {
            Viewer::Bearer(caller) => (caller.may(Scope::ReadChats)?, None, None),
            Viewer::Link(token) => {
                let ticket = self.ticket(&token).filter(|ticket| ticket.media == id);
                let ticket = ticket.ok_or(MediaError::NotFound)?;
                (ticket.user, Some(ticket.until), Some(ticket.maker()))
            }
        };
        let media = self.seen_by(user, id).await?;
        let content = ready(&media)?;
        let picture = content.picture(size.unwrap_or(Size::Full)).copied();
        if picture.is_none() && size.is_some() {
            return Err(MediaError::NotFound);
        }
        let which = picture.map(|picture| picture.size);
        let key = keys::served(id, &content.digest, which);
        // Half of it is enough to tell files apart.
        let (half, _) = content.digest.split_at(16);
        let etag = format!("\"{}-{}\"", HEXLOWER.encode(half), which.map_or("file", Size::name));
        let bytes = picture.map_or(content.bytes, |picture| picture.bytes);
        let media_type = content.media_type.clone();
        let blobs = self.0.blobs.clone();
        Ok(Opened { media, bytes, media_type, etag, picture, until, linked_by, key, blobs })
    }

    fn ticket(&self, token: &str) -> Option<Ticket> {
        self.0.links.open(Purpose::MediaLink, token, self.0.clock.now()).ok()
    }

    /// A file that somebody may see as it stands now.
    async fn seen_by(&self, user: UserId, id: MediaId) -> Result<files::Media, MediaError> {
        let found = self.0.store.find(id).await?.filter(|media| !media.is_ending());
        // Of what is not there some chat is asked for as well.
        let nowhere = ChatId::from_bytes(*id.as_bytes());
        let chat = found.as_ref().map_or(nowhere, |media| media.chat);
        let role = self.0.chats.role_in(user, chat).await?;
        let (Some(media), Some(_)) = (found, role) else { return Err(MediaError::NotFound) };
        let is_owner = media.owner == user;
        let is_seen = match media.shown {
            None => is_owner,
            Some(_) => match self.0.chats.showing(&media).await? {
                Showing::Stands { withheld } => is_owner || !withheld,
                Showing::Gone => false,
                Showing::Absent | Showing::Unclear => is_owner,
            },
        };
        if is_seen { Ok(media) } else { Err(MediaError::NotFound) }
    }
}

/// What a file is, if it can be fetched.
fn ready(media: &files::Media) -> Result<&Content, MediaError> {
    match &media.state {
        State::Ready(content) => Ok(content),
        State::Waiting | State::Received => Err(MediaError::NotReady),
        State::Refused(refusal) => Err(MediaError::Refused(*refusal)),
        State::Ending => Err(MediaError::NotFound),
    }
}
