//! `HEAD /v1/uploads/{id}`: how far a file has come.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use barterline_domain::ids::MediaId;
use barterline_domain::media::{Media, Purpose};
use data_encoding::BASE64;

use super::{Resumable, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::media::PurposeView;
use crate::rest::problem::Problem;

/// Answers with where to go on.
#[utoipa::path(
    head,
    path = "/v1/uploads/{id}",
    tag = "media",
    operation_id = "readUpload",
    summary = "How far a file of the caller's has come",
    params(("id" = MediaId, Path, description = "The file"), Resumable),
    responses(
        (
            status = 200,
            description = "It stands in the headers",
            headers(
                ("Upload-Offset" = u64, description = "Where its next byte goes"),
                ("Upload-Length" = u64, description = "How many bytes it has"),
                ("Upload-Metadata" = String, description = "What it is for, and what it is called"),
            ),
        ),
    ),
    extensions(("x-codes" = json!(["media.not_found", "upload.version_unsupported"]))),
    security(
        ("bearer" = ["chats:write"]),
        ("bearer" = ["listings:write"]),
        ("bearer" = ["profile:write"]),
    ),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    _: Resumable,
    Path(media): Path<MediaId>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 4]), Problem> {
    let progress = rest.media.offset(caller.bearer(), media).await?;
    let headers = [
        (UPLOAD_OFFSET, progress.offset.into()),
        (UPLOAD_LENGTH, progress.size.into()),
        (UPLOAD_METADATA, metadata(&progress.media)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::OK, headers))
}

/// What a file was announced with, as it is kept.
fn metadata(media: &Media) -> HeaderValue {
    let coded = |text: &str| BASE64.encode(text.as_bytes());
    let what = match media.purpose {
        Purpose::Chat(chat) => format!("chat {}", coded(&chat.to_string())),
        Purpose::Listing | Purpose::Avatar => {
            format!("purpose {}", coded(PurposeView::from(media.purpose).name()))
        }
    };
    let said = format!("{what},filename {}", coded(media.name.as_str()));
    HeaderValue::try_from(said).expect("letters of Base64 stand in any header")
}
