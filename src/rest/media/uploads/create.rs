//! `POST /v1/uploads`: announces a file that comes in parts.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use barterline_domain::ids::ChatId;
use barterline_domain::media::Purpose;
use data_encoding::BASE64;

use super::{Resumable, UPLOAD_LENGTH, UPLOAD_METADATA, number};
use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::media::PurposeView;
use crate::rest::problem::Problem;
use crate::services::media::NewMedia;

/// Answers 201 with where its parts go.
#[utoipa::path(
    post,
    path = "/v1/uploads",
    tag = "media",
    operation_id = "createUpload",
    summary = "Announce a file that comes in parts (tus 1.0)",
    description = "As `createMedia` does: the file is `/v1/media/{id}` by the same id.",
    params(
        Resumable,
        ("Upload-Length" = u64, Header, description = "How many bytes it has", minimum = 1),
        (
            "Upload-Metadata" = String,
            Header,
            description = "`purpose` (`chat`, unless said), `chat` and `filename`, each with its value in Base64 \
                           behind a space, with a comma between them. Other names are not looked at",
        ),
    ),
    responses(
        (
            status = 201,
            description = "It is announced",
            headers(("Location" = String, description = "Where its parts go")),
        ),
    ),
    extensions(("x-codes" = json!([
        "chat.not_found", "media.too_large", "media.too_many", "upload.version_unsupported",
    ]))),
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
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let size = number(&headers, &UPLOAD_LENGTH)?;
    let said = headers.get(UPLOAD_METADATA).and_then(|value| value.to_str().ok());
    let Metadata { purpose, name } = Metadata::parse(said.unwrap_or_default())?;
    let media = rest.media.create(caller.bearer(), NewMedia { purpose, name, size }).await?;
    let place = [(LOCATION, format!("/v1/uploads/{}", media.id))];
    Ok((StatusCode::CREATED, place).into_response())
}

/// What a client says of a file.
#[derive(Debug, PartialEq, Eq)]
struct Metadata {
    purpose: Purpose,
    name: String,
}

impl Metadata {
    fn parse(header: &str) -> Result<Self, Problem> {
        let (mut purpose, mut chat, mut name) = (None, None, None);
        for pair in header.split(',').map(str::trim) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let place = match key {
                "purpose" => &mut purpose,
                "chat" => &mut chat,
                "filename" => &mut name,
                _ => continue,
            };
            let value = BASE64.decode(value.trim().as_bytes()).ok();
            let value = value.and_then(|value| String::from_utf8(value).ok());
            let value = value.ok_or_else(|| refuse("a value is no text in Base64"))?;
            if place.replace(value).is_some() {
                return Err(refuse("a name comes twice"));
            }
        }
        let purpose = purpose.map_or(Some(PurposeView::default()), |it| PurposeView::named(&it));
        let purpose = purpose.ok_or_else(|| refuse("`purpose` is none of those that there are"))?;
        let chat = chat.map(|chat| chat.parse::<ChatId>()).transpose();
        let chat = chat.map_err(|_| refuse("`chat` is no UUID"))?;
        Ok(Self { purpose: purpose.of(chat)?, name: name.unwrap_or_default() })
    }
}

fn refuse(why: &str) -> Problem {
    Problem::invalid(format!("`Upload-Metadata`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "019ac1b3-1f58-7c02-9a6d-4b70e1f3c802";

    #[test]
    fn metadata_are_names_with_values_in_base64() {
        let coded = |text: &str| BASE64.encode(text.as_bytes());
        let chat = CHAT.parse().expect("an id");
        let check = |header: String, expected: Option<&str>| {
            let purpose = Purpose::Chat(chat);
            let expected = expected.map(|name| Metadata { purpose, name: name.to_owned() });
            assert_eq!(Metadata::parse(&header).ok(), expected, "{header}");
        };
        let id = coded(CHAT);
        check(format!("chat {id},filename {}", coded("Fahrrad ä.jpg")), Some("Fahrrad ä.jpg"));
        check(format!("filename {}, filetype x , chat {id}", coded("a")), Some("a"));
        check(format!("chat {id}"), Some(""));
        check(format!("chat {id},filename"), Some(""));
        check(format!("chat {id},chat {id}"), None);
        check(format!("chat {}", coded("nonsense")), None);
        check(format!("chat {CHAT}"), None);
        check(format!("filename {}", coded("a")), None);
        check(String::new(), None);
        let purpose = coded("chat");
        check(format!("purpose {purpose},chat {id}"), Some(""));
        check(format!("purpose {},chat {id}", coded("gift")), None);
    }

    #[test]
    fn photos_and_pictures_are_for_no_chat() {
        for (name, purpose) in [("listing", Purpose::Listing), ("avatar", Purpose::Avatar)] {
            let header = format!("purpose {}", BASE64.encode(name.as_bytes()));
            let expected = Metadata { purpose, name: String::new() };
            assert_eq!(Metadata::parse(&header).ok(), Some(expected));
            let with_chat = format!("{header},chat {}", BASE64.encode(CHAT.as_bytes()));
            assert_eq!(Metadata::parse(&with_chat).ok(), None);
        }
    }
}
