//! `PATCH /v1/accounts/me`: what others see of the caller.

use axum::Json;
use axum::extract::State;
use barterline_domain::account::{Bio, DisplayName, Locale};
use barterline_domain::ids::MediaId;
use barterline_storage::accounts::ProfileChange;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::OwnAccount;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;

/// A field that may be left out, `null`, or given.
type Nullable<T> = Option<Option<T>>;

/// The request: what is left out stays as it is. A field that is misspelt must not look as if it had
/// been changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileChange)]
pub struct Request {
    #[schema(min_length = 1, max_length = 60)]
    name: Option<String>,
    #[schema(max_length = 1_000)]
    bio: Option<String>,
    #[schema(
        value_type = Option<String>,
        max_length = 35,
        pattern = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        examples("pt-BR"),
    )]
    /// `null` takes it away.
    #[serde(default, deserialize_with = "even_null")]
    locale: Nullable<String>,
    /// A file of the caller's for the purpose `avatar`; `null` takes it away.
    #[schema(value_type = Option<MediaId>)]
    #[serde(default, deserialize_with = "even_null")]
    avatar: Nullable<MediaId>,
}

/// A field that is there, be it `null`.
fn even_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Nullable<T>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Answers with the account as it is now.
#[utoipa::path(
    patch,
    path = "/v1/accounts/me",
    tag = "accounts",
    operation_id = "changeProfile",
    summary = "Change what others see of the caller",
    request_body = Request,
    responses(
        (status = 200, description = "The account as it is now", body = OwnAccount),
    ),
    extensions(("x-codes" = json!([
        "account.name_invalid", "account.bio_invalid", "account.locale_invalid",
        "account.not_found", "account.avatar_not_found", "account.avatar_not_ready",
    ]))),
    security(("bearer" = ["profile:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<Json<OwnAccount>, Problem> {
    let locale = |tag: Option<String>| tag.as_deref().map(Locale::parse).transpose();
    let change = ProfileChange {
        name: request.name.as_deref().map(DisplayName::choose).transpose()?,
        bio: request.bio.as_deref().map(Bio::parse).transpose()?,
        locale: request.locale.map(locale).transpose()?,
        avatar: request.avatar,
    };
    let changed = rest.accounts.change_profile(caller.bearer(), change).await?;
    Ok(Json(changed.into()))
}
