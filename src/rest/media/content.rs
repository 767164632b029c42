//! `GET /v1/media/{id}/content`: the bytes of a file, or a part of them (RFC 9110, section 14).
//!
//! What strangers made is served from here. So its type is what is in it and no browser looks for another
//! (`nosniff`, on every answer), nothing in it runs or is loaded, and no page of others embeds it.

use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_RANGE, RANGE, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use barterline_domain::bearer::Bearer;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::MediaId;
use barterline_media::range::{self, Unsatisfiable};
use barterline_protocol::error_code::ErrorCode;
use futures_util::StreamExt as _;
use serde::Deserialize;
use utoipa::IntoParams;

use super::SizeView;
use super::disposition::disposition;
use crate::rest::Rest;
use crate::rest::extract::{IfNoneMatch, MaybeCaller, Path, Query, has_tag};
use crate::rest::layers::Uncompressed;
use crate::rest::problem::{Code, Problem};
use crate::services::accounts::AuthError;
use crate::services::media::{Opened, Viewer};

/// How long a browser keeps a file without asking whether it may still be seen. It never changes.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// How long any cache keeps what anybody sees. Then it asks, and a reload asks at once: what was taken out is to
/// be gone soon for everybody.
const PUBLIC_FOR: Duration = Duration::from_mins(5);

/// Whoever opens a file as a page sees it, and it does nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// What is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Which size of a picture, or the next larger one that there is; the largest, unless said. What is no
    /// picture has none: it is not found.
    #[param(inline)]
    size: Option<SizeView>,
    /// Of `linkMedia`, in the place of a token.
    link: Option<String>,
}

/// Answers with the bytes, or with 304 when the caller has them.
#[utoipa::path(
    get,
    path = "/v1/media/{id}/content",
    tag = "media",
    operation_id = "readMediaContent",
    summary = "The bytes of a file",
    description = "A photo of something that is or was for sale, and the picture that somebody shows, are for \
                   anybody, without a token. All else is for its owner, and for both people of the chat while a \
                   message shows it, by a token or by a link. `HEAD` is answered as well.",
    params(
        ("id" = MediaId, Path, description = "The file"),
        Asked,
        IfNoneMatch,
        ("Range" = Option<String>, Header, description = "Which part: one range of bytes. Several are all of it"),
        ("If-Range" = Option<String>, Header, description = "The tag of what the caller has a part of"),
    ),
    responses(
        (
            status = 200,
            description = "All of it",
            body = String,
            content_type = "*/*",
            headers(
                ("ETag" = String, description = "For `If-None-Match` and `If-Range`"),
                ("Content-Disposition" = String, description = "Its name"),
                ("Accept-Ranges" = String, description = "`bytes`"),
            ),
        ),
        (
            status = 206,
            description = "The part that was asked for",
            body = String,
            content_type = "*/*",
            headers(
                ("ETag" = String, description = "For `If-None-Match` and `If-Range`"),
                ("Content-Disposition" = String, description = "Its name"),
                ("Content-Range" = String, description = "Which part of how much"),
            ),
        ),
        (
            status = 304,
            description = "The caller has it",
            headers(("ETag" = String, description = "For `If-None-Match` and `If-Range`")),
        ),
    ),
    extensions(("x-codes" = json!([
        "media.not_found", "media.not_ready", "media.refused", "media.range", "key.out_of_scope",
    ]))),
    security(
        (),
        ("bearer" = ["chats:read"]),
        ("bearer" = ["listings:read"]),
        ("bearer" = ["profile:read"]),
    ),
)]
pub async fn handle(
    State(rest): State<Rest>,
    MaybeCaller(caller): MaybeCaller,
    method: Method,
    Path(media): Path<MediaId>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let by = match (asked.link, caller) {
        (Some(link), _) => Viewer::Link(link),
        (None, Some(caller)) => Viewer::Bearer(caller.bearer()),
        (None, None) => Viewer::Anybody,
    };
    let opened = rest.media.open(by, media, asked.size.map(Into::into)).await?;
    if let Some(maker) = opened.linked_by {
        still_stands(&rest, maker).await?;
    }
    let file = File::new(opened, rest.clock.now())?;
    if has_tag(&headers, &file.tag) {
        return Ok(file.unchanged());
    }
    if method == Method::HEAD {
        // Of which there are no ranges.
        return Ok(file.answer(StatusCode::OK, 0..file.opened.bytes, Body::empty()));
    }
    match part(&headers, &file.tag, file.opened.bytes) {
        Ok(None) => file.send(StatusCode::OK, 0..file.opened.bytes).await,
        Ok(Some(part)) => file.send(StatusCode::PARTIAL_CONTENT, part).await,
        Err(Unsatisfiable) => Ok(file.out_of_range()),
    }
}

/// A link is good as long as what its maker showed for it: after that there is nothing under it.
async fn still_stands(rest: &Rest, maker: Bearer) -> Result<(), Problem> {
    match rest.accounts.admits(maker).await {
        Ok(_) => Ok(()),
        Err(AuthError::Store(error)) => Err(error.into()),
        Err(_) => Err(ErrorCode::MediaNotFound.into()),
    }
}

/// Whether any cache may keep an answer for everybody: what anybody sees, but by an address that is one person's.
fn is_for_all(opened: &Opened) -> bool {
    opened.is_public && opened.until.is_none()
}

/// Which part is asked for; `None`: all of it, also where the caller has a part of something else, and
/// where several ranges are asked for at once, of which each would cost a read.
fn part(
    headers: &HeaderMap,
    tag: &HeaderValue,
    bytes: u64,
) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let mut asked = headers.get_all(RANGE).iter();
    let (Some(wanted), None) = (asked.next(), asked.next()) else { return Ok(None) };
    // Compared as it stands: a weak tag or a date is never the same (RFC 9110, section 13.1.5).
    if headers.get(IF_RANGE).is_some_and(|theirs| theirs != tag) {
        return Ok(None);
    }
    wanted.to_str().map_or(Ok(None), |wanted| range::parse(wanted, bytes))
}

/// A file that is about to be answered with.
struct File {
    opened: Opened,
    tag: HeaderValue,
    media_type: HeaderValue,
    kept: HeaderValue,
}

impl File {
    fn new(opened: Opened, now: Timestamp) -> Result<Self, Problem> {
        // What cannot stand in a header was never written by us.
        let header =
            |text: &str| HeaderValue::from_str(text).map_err(|_| Problem::from(ErrorCode::Damaged));
        let kept = if is_for_all(&opened) {
            format!("public, max-age={}", PUBLIC_FOR.as_secs())
        } else {
            // By a link no longer than that is good.
            let left = opened.until.map_or(KEPT_FOR, |until| until.since(now).min(KEPT_FOR));
            format!("private, max-age={}, immutable", left.as_secs())
        };
        Ok(Self {
            tag: header(&opened.etag)?,
            media_type: header(&opened.media_type)?,
            kept: header(&kept)?,
            opened,
        })
    }

    async fn send(&self, status: StatusCode, part: Range<u64>) -> Result<Response, Problem> {
        let bytes = self.opened.stream(part.clone()).await?;
        Ok(self.answer(status, part, Body::from_stream(bytes.fuse())))
    }

    fn answer(&self, status: StatusCode, part: Range<u64>, body: Body) -> Response {
        let mut response = self.dress((status, body).into_response());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.media_type.clone());
        headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let name = disposition(&self.opened.media.name, &self.opened.media_type);
        headers.insert(CONTENT_DISPOSITION, name);
        if status == StatusCode::PARTIAL_CONTENT {
            let Range { start, end } = part;
            let place = format!("bytes {start}-{}/{}", end.saturating_sub(1), self.opened.bytes);
            headers.extend(HeaderValue::try_from(place).ok().map(|place| (CONTENT_RANGE, place)));
        }
        response
    }

    fn unchanged(&self) -> Response {
        self.dress(StatusCode::NOT_MODIFIED.into_response())
    }

    fn out_of_range(&self) -> Response {
        let mut response = Problem::from(Code::MediaRange).into_response();
        let whole = HeaderValue::try_from(format!("bytes */{}", self.opened.bytes)).ok();
        response.headers_mut().extend(whole.map(|whole| (CONTENT_RANGE, whole)));
        response
    }

    /// What an answer bears whether or not the bytes are in it.
    fn dress(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        headers.insert(CACHE_CONTROL, self.kept.clone());
        if !is_for_all(&self.opened) {
            // Whoever logs in next at the same browser asks anew.
            headers.insert(VARY, HeaderValue::from_static("authorization"));
        }
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        // Small already; and what is compressed has other ranges.
        response.extensions_mut().insert(Uncompressed);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_of_what_the_caller_has() {
        let tag = HeaderValue::from_static("\"ab-full\"");
        let check = |lines: &[(&'static str, &'static str)],
                     expected: Result<Option<Range<u64>>, Unsatisfiable>| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(part(&headers, &tag, 100), expected, "{lines:?}");
        };
        check(&[], Ok(None));
        check(&[("range", "bytes=10-19")], Ok(Some(10..20)));
        check(&[("range", "bytes=90-")], Ok(Some(90..100)));
        check(&[("range", "bytes=100-")], Err(Unsatisfiable));
        check(&[("range", "bytes=0-1,5-6")], Ok(None));
        check(&[("range", "bytes=0-1"), ("range", "bytes=5-6")], Ok(None));
        check(&[("range", "bytes=0-1"), ("if-range", "\"ab-full\"")], Ok(Some(0..2)));
        check(&[("range", "bytes=0-1"), ("if-range", "W/\"ab-full\"")], Ok(None));
        check(&[("range", "bytes=0-1"), ("if-range", "\"ab-thumb\"")], Ok(None));
        let date = ("if-range", "Wed, 21 Oct 2015 07:28:00 GMT");
        check(&[("range", "bytes=0-1"), date], Ok(None));
    }
}
