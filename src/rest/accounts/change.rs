//! `PATCH /v1/accounts/me`: what others see of the caller.

use axum::Json;
use axum::extract::State;
use barterline_domain::account::{Bio, DisplayName, Locale};
use barterline_storage::accounts::ProfileChange;
use serde::{Deserialize, Deserializer};

use super::OwnAccount;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::{Code, Problem};

/// A field that may be left out, `null`, or given.
type Nullable<T> = Option<Option<T>>;

/// The request: what is left out stays as it is. A field that is misspelt must not look as if it had
/// been changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    name: Option<String>,
    bio: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "even_null")]
    locale: Nullable<String>,
}

/// A field that is there, be it `null`.
fn even_null<'de, D: Deserializer<'de>>(from: D) -> Result<Nullable<String>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Answers with the account as it is now.
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
        avatar: None,
    };
    let changed = rest.accounts.change_profile(caller.user, change).await?;
    Ok(Json(changed.ok_or(Code::AccountNotFound)?.into()))
}
