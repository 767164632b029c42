//! Who may fetch what: the one who brought a file; as long as a message shows it, the other one of the chat; and,
//! as long as something shows it that anybody sees, anybody.
//!
//! Whether somebody may is decided at each request, from what shows the file. A stranger gets the answer of a
//! file that does not exist, after the same work (G6).

use std::io;
use std::ops::Range;
use std::time::Duration;

use barterline_domain::account::Scope;
use barterline_domain::bearer::{Bearer, Proof, Scopes};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ApiKeyId, ChatId, ListingId, MediaId, SessionId, UserId};
use barterline_domain::media::{self as files, Content, Picture, Purpose, Size, State};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::holders::{Audience, Holding};
use super::{Media, MediaError, keys};
use crate::adapters::blobs::Blobs;
use crate::auth::sealed;

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
    /// Whoever comes by.
    Anybody,
}

/// A file that somebody may see.
struct Seen {
    media: files::Media,
    /// So may anybody.
    is_public: bool,
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
    /// Anybody may fetch it.
    pub is_public: bool,
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
        self.seen_by(Some(caller), id).await.map(|seen| seen.media)
    }

    /// A link to a file that the caller may see.
    pub async fn link(&self, caller: Bearer, id: MediaId) -> Result<Link, MediaError> {
        let user = caller.user;
        let (session, key) = match caller.proof {
            Proof::Session(session) => (Some(session), None),
            Proof::ApiKey(key, _) => (None, Some(key)),
            Proof::Server => (None, None),
        };
        ready(&self.seen_by(Some(caller), id).await?.media)?;
        let now = self.0.clock.now();
        let expires = now.plus(LINK_FOR);
        let ticket = Ticket { media: id, user, session, key, until: expires };
        let token = self.0.links.seal(sealed::Purpose::MediaLink, ticket, now, LINK_FOR);
        Ok(Link { token, expires })
    }

    /// Opens a file, or a size of a picture: the next larger one where there is none.
    pub async fn open(
        &self,
        by: Viewer,
        id: MediaId,
        size: Option<Size>,
    ) -> Result<Opened, MediaError> {
        let (viewer, until, linked_by) = match by {
            Viewer::Anybody => (None, None, None),
            Viewer::Bearer(caller) => (Some(caller), None, None),
            Viewer::Link(token) => {
                let ticket = self.ticket(&token).filter(|ticket| ticket.media == id);
                let ticket = ticket.ok_or(MediaError::NotFound)?;
                let maker = Bearer::served(ticket.user);
                (Some(maker), Some(ticket.until), Some(ticket.maker()))
            }
        };
        let Seen { media, is_public } = self.seen_by(viewer, id).await?;
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
        Ok(Opened {
            media,
            bytes,
            media_type,
            etag,
            picture,
            is_public,
            until,
            linked_by,
            key,
            blobs,
        })
    }

    fn ticket(&self, token: &str) -> Option<Ticket> {
        self.0.links.open(sealed::Purpose::MediaLink, token, self.0.clock.now()).ok()
    }

    /// A file that somebody, or anybody, may see as it stands now.
    async fn seen_by(&self, viewer: Option<Bearer>, id: MediaId) -> Result<Seen, MediaError> {
        let found = self.0.store.find(id).await?.filter(|media| !media.is_ending());
        let Some(media) = found else {
            // Of what is not there something is asked for as well.
            self.look_nowhere(viewer, id).await?;
            return Err(MediaError::NotFound);
        };
        let audience = self.audience(viewer, &media).await?;
        let is_public = audience == Some(Audience::Anybody);
        if is_public || audience == Some(Audience::Chat) {
            return Ok(Seen { media, is_public });
        }
        let owner = viewer.filter(|by| audience.is_some() && by.user == media.owner);
        // Nobody but its owner learns by this that it is there.
        owner.ok_or(MediaError::NotFound)?.may(reading(media.purpose))?;
        Ok(Seen { media, is_public })
    }

    /// To whom a file is shown, as far as the viewer is to know; `None`: to nobody.
    async fn audience(
        &self,
        viewer: Option<Bearer>,
        media: &files::Media,
    ) -> Result<Option<Audience>, MediaError> {
        if let Purpose::Chat(chat) = media.purpose {
            let user = viewer.and_then(|by| by.may(Scope::ReadChats).ok());
            let Some(user) = user else {
                self.look_nowhere(None, media.id).await?;
                return Ok(Some(Audience::Owner));
            };
            if self.0.chats.role_in(user, chat).await?.is_none() {
                return Ok(None);
            }
        } else if media.shown.is_none() {
            self.look_nowhere(None, media.id).await?;
        }
        if media.shown.is_none() {
            return Ok(Some(Audience::Owner));
        }
        Ok(match self.holding(media).await? {
            Holding::Stands(audience) => Some(audience),
            // Who takes a message back takes it back from themselves as well; a photo is the seller's until it ends.
            Holding::Gone if media.chat().is_some() => None,
            Holding::Gone | Holding::Absent { .. } | Holding::Unclear => Some(Audience::Owner),
        })
    }

    /// Asks for something that is not there, so that what is hidden takes as long as what is not there.
    async fn look_nowhere(&self, viewer: Option<Bearer>, id: MediaId) -> Result<(), MediaError> {
        if let Some(user) = viewer.and_then(|by| by.may(Scope::ReadChats).ok()) {
            self.0.chats.role_in(user, ChatId::from_bytes(*id.as_bytes())).await?;
        } else {
            self.0.listings.find(ListingId::from_bytes(*id.as_bytes())).await?;
        }
        Ok(())
    }
}

/// What lets somebody see files of a purpose that not everybody sees.
fn reading(purpose: Purpose) -> Scope {
    match purpose {
        Purpose::Chat(_) => Scope::ReadChats,
        Purpose::Listing => Scope::ReadListings,
        Purpose::Avatar => Scope::ReadProfile,
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
