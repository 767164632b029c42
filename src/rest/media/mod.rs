//! `/v1/media` and `/v1/uploads`: files of chats, photos of listings, pictures of people. What is known of them is
//! JSON, their bytes are bytes.

pub mod complete;
pub mod content;
pub mod create;
pub mod direct;
pub mod link;
pub mod read;
pub mod receive;
pub mod remove;
pub mod uploads;

mod disposition;

use std::io;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{ChatId, MediaId, UserId};
use barterline_domain::media::{Media, Picture, Purpose, Size, State};
use barterline_protocol::error_code::ErrorCode;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::uploads::UPLOAD;
use super::problem::Problem;
use crate::services::media::MediaError;

/// Where the bytes of a file are.
pub const CONTENT: &str = "/v1/media/{id}/content";

/// Bytes of an upload in a second, taken together, once [`PACE_GRACE`] is over. A phone at the edge of
/// everything has more; who has less holds a place that others need.
const PACE_MIN: u64 = 4_096;
/// How long nobody looks at the pace. That something comes at all is looked at from the first byte on.
const PACE_GRACE: Duration = Duration::from_mins(1);

/// What a file is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MediaPurpose)]
pub enum PurposeView {
    /// A message in a chat.
    #[default]
    Chat,
    /// A photo of a listing of the caller's.
    Listing,
    /// The picture of the caller.
    Avatar,
}

/// How far a file has come.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MediaState)]
pub enum StateView {
    /// Its bytes are to come.
    Waiting,
    /// Its bytes are looked at.
    Processing,
    /// It can be sent and fetched.
    Ready,
    /// It cannot be used.
    Refused,
}

/// Sizes of a picture.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PictureSize)]
pub enum SizeView {
    /// As large as it is kept: 4,096 pixels at the longer side at most.
    Full,
    /// To fill a screen: 1,280 pixels.
    Medium,
    /// For lists: 320 pixels.
    Thumb,
}

/// A picture in one of its sizes.
#[derive(Serialize, ToSchema)]
#[schema(as = Picture)]
pub struct PictureView {
    size: SizeView,
    width: u32,
    height: u32,
    bytes: u64,
}

/// A file, as those see it who may.
#[derive(Serialize, ToSchema)]
#[schema(as = Media)]
pub struct MediaView {
    id: MediaId,
    owner: UserId,
    purpose: PurposeView,
    /// The chat it is for, if it is for one.
    #[schema(required)]
    chat: Option<ChatId>,
    /// What its owner calls it: one line, and no path.
    name: String,
    /// How many bytes were announced.
    size: u64,
    state: StateView,
    /// Why it is refused.
    #[schema(
        required,
        value_type = Option<String>,
        pattern = "^(unsupported|damaged|too_large|too_many_pixels|infected)$"
    )]
    reason: Option<&'static str>,
    /// What it is, by what is in it, once it is ready.
    #[schema(required, examples("image/jpeg"))]
    r#type: Option<String>,
    /// How many bytes are served, once it is ready; of a picture, in its largest size.
    #[schema(required)]
    bytes: Option<u64>,
    /// The sizes of a picture, the largest first. Small ones have fewer.
    pictures: Vec<PictureView>,
    /// Whether a message was sent with it, or a listing or profile came to show it. It may have been taken back
    /// since.
    sent: bool,
    created_at: Timestamp,
}

impl PurposeView {
    /// What a file is to be for, and in which chat, as far as the two go together.
    fn of(self, chat: Option<ChatId>) -> Result<Purpose, Problem> {
        match (self, chat) {
            (Self::Chat, Some(chat)) => Ok(Purpose::Chat(chat)),
            (Self::Chat, None) => Err(Problem::invalid("chat: say for which the file is")),
            (Self::Listing, None) => Ok(Purpose::Listing),
            (Self::Avatar, None) => Ok(Purpose::Avatar),
            (Self::Listing | Self::Avatar, Some(_)) => {
                Err(Problem::invalid("chat: goes with the purpose `chat` alone"))
            }
        }
    }

    /// The name clients know it by.
    const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Listing => "listing",
            Self::Avatar => "avatar",
        }
    }

    /// The one of this name.
    fn named(name: &str) -> Option<Self> {
        [Self::Chat, Self::Listing, Self::Avatar].into_iter().find(|it| it.name() == name)
    }
}

impl From<Purpose> for PurposeView {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Chat(_) => Self::Chat,
            Purpose::Listing => Self::Listing,
            Purpose::Avatar => Self::Avatar,
        }
    }
}

impl From<Size> for SizeView {
    fn from(size: Size) -> Self {
        match size {
            Size::Full => Self::Full,
            Size::Medium => Self::Medium,
            Size::Thumb => Self::Thumb,
        }
    }
}

impl From<SizeView> for Size {
    fn from(size: SizeView) -> Self {
        match size {
            SizeView::Full => Self::Full,
            SizeView::Medium => Self::Medium,
            SizeView::Thumb => Self::Thumb,
        }
    }
}

impl From<&Picture> for PictureView {
    fn from(picture: &Picture) -> Self {
        let Picture { size, width, height, bytes } = *picture;
        Self { size: size.into(), width, height, bytes }
    }
}

impl TryFrom<Media> for MediaView {
    type Error = Problem;

    /// What is on its way out is not there.
    fn try_from(media: Media) -> Result<Self, Problem> {
        let (state, reason) = match &media.state {
            State::Waiting => (StateView::Waiting, None),
            State::Received => (StateView::Processing, None),
            State::Ready(_) => (StateView::Ready, None),
            State::Refused(refusal) => (StateView::Refused, Some(refusal.name())),
            State::Ending => return Err(ErrorCode::MediaNotFound.into()),
        };
        let content = media.content();
        Ok(Self {
            id: media.id,
            owner: media.owner,
            purpose: media.purpose.into(),
            chat: media.chat(),
            name: media.name.as_str().to_owned(),
            size: media.declared,
            state,
            reason,
            r#type: content.map(|content| content.media_type.clone()),
            bytes: content.map(|content| content.bytes),
            pictures: content
                .map_or_else(Vec::new, |content| content.pictures.iter().map(Into::into).collect()),
            sent: media.shown.is_some(),
            created_at: media.created,
        })
    }
}

/// Whether the bytes of a file are asked for: they have a budget of their own.
pub fn is_download(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && is_at(request, CONTENT)
}

/// Whether a request brings the bytes of a file. They may take as long as they take: whoever reads them ends
/// what stands still.
pub fn is_upload(request: &Request) -> bool {
    let method = request.method();
    method == Method::PUT && is_at(request, CONTENT)
        || method == Method::PATCH && is_at(request, UPLOAD)
}

fn is_at(request: &Request, route: &str) -> bool {
    request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str() == route)
}

/// Answers 200 with a file that was looked at, 202 with one that still is.
fn looked_at(media: Media) -> Result<Response, Problem> {
    let is_done = !matches!(media.state, State::Received);
    let status = if is_done { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(MediaView::try_from(media)?)).into_response())
}

/// The bytes that a request brings, as they come. A declared length above `max` is refused before the first.
fn brought(
    body: Body,
    max: u64,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static, Problem> {
    if body.size_hint().lower() > max {
        return Err(MediaError::TooLarge { max }.into());
    }
    let (began, mut came) = (Instant::now(), 0_u64);
    Ok(body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(io::Error::other)?;
        came += chunk.len() as u64;
        if is_too_slow(came, began.elapsed()) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the body comes too slowly"));
        }
        Ok(chunk)
    }))
}

/// Whether no more than `came` bytes in so much time are too few.
fn is_too_slow(came: u64, elapsed: Duration) -> bool {
    came < elapsed.saturating_sub(PACE_GRACE).as_secs().saturating_mul(PACE_MIN)
}

#[cfg(test)]
mod tests {
    use barterline_domain::media::{Content, FileName, Refusal};
    use serde_json::json;

    use super::*;

    fn media(state: State) -> Media {
        Media {
            id: MediaId::from_bytes([1; 16]),
            owner: UserId::from_bytes([2; 16]),
            purpose: Purpose::Chat(ChatId::from_bytes([3; 16])),
            name: FileName::of("/tmp/bike.png"),
            declared: 90_000,
            created: Timestamp::from_millis(7),
            version: 3,
            state,
            shown: None,
        }
    }

    #[test]
    fn a_file_is_shown_as_far_as_it_has_come() {
        let picture = Picture { size: Size::Full, width: 4, height: 3, bytes: 12 };
        let content = Content {
            media_type: "image/jpeg".to_owned(),
            bytes: 12,
            digest: [0; 32],
            pictures: vec![picture],
        };
        for (state, name, reason, pictures) in [
            (State::Waiting, "waiting", None, 0),
            (State::Received, "processing", None, 0),
            (State::Ready(content), "ready", None, 1),
            (State::Refused(Refusal::Infected), "refused", Some("infected"), 0),
        ] {
            let view = MediaView::try_from(media(state)).expect("a file that is there");
            let view = serde_json::to_value(view).expect("JSON");
            assert_eq!((&view["state"], &view["reason"]), (&json!(name), &json!(reason)));
            assert_eq!(view["pictures"].as_array().map(Vec::len), Some(pictures));
            assert_eq!(view["name"], "bike.png");
        }
        assert!(MediaView::try_from(media(State::Ending)).is_err());
    }

    #[test]
    fn a_chat_is_named_for_files_of_chats_alone() {
        let chat = ChatId::from_bytes([3; 16]);
        for (asked, chat, expected) in [
            (PurposeView::Chat, Some(chat), Some(Purpose::Chat(chat))),
            (PurposeView::Chat, None, None),
            (PurposeView::Listing, None, Some(Purpose::Listing)),
            (PurposeView::Listing, Some(chat), None),
            (PurposeView::Avatar, None, Some(Purpose::Avatar)),
            (PurposeView::Avatar, Some(chat), None),
        ] {
            assert_eq!(asked.of(chat).ok(), expected, "{asked:?}");
            assert_eq!(json!(asked), asked.name(), "one name in JSON and in headers");
            assert_eq!(PurposeView::named(asked.name()), Some(asked));
            assert!(expected.is_none_or(|purpose| PurposeView::from(purpose) == asked));
        }
        assert_eq!(PurposeView::named("Chat"), None);
    }

    #[test]
    fn an_upload_has_a_pace_but_no_haste() {
        let minutes = Duration::from_mins;
        assert!(!is_too_slow(1, minutes(1)));
        assert!(is_too_slow(1, minutes(2)));
        assert!(!is_too_slow(60 * PACE_MIN, minutes(2)));
        // 100 MiB at 64 kB a second.
        assert!(!is_too_slow(1_600 * 64_000, Duration::from_secs(1_600)));
    }
}
