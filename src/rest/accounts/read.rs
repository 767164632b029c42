//! `GET /v1/accounts/me` and `GET /v1/accounts/{id}`.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::UserId;

use super::{OwnAccount, PublicAccount};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::{Code, Problem};

/// The caller's own account.
#[utoipa::path(
    get,
    path = "/v1/accounts/me",
    tag = "accounts",
    operation_id = "readOwnAccount",
    summary = "The caller's account",
    responses(
        (status = 200, description = "The account", body = OwnAccount),
    ),
    extensions(("x-codes" = json!(["account.not_found"]))),
    security(("bearer" = ["profile:read"])),
)]
pub async fn me(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<OwnAccount>, Problem> {
    Ok(Json(rest.accounts.own_profile(caller.bearer()).await?.into()))
}

/// What anybody may see of an account.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}",
    tag = "accounts",
    operation_id = "readAccount",
    summary = "An account, as anybody sees it",
    params(("id" = UserId, Path, description = "The account")),
    responses(
        (status = 200, description = "The account", body = PublicAccount),
    ),
    extensions(("x-codes" = json!(["account.not_found"]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Path(user): Path<UserId>,
) -> Result<Json<PublicAccount>, Problem> {
    let account = rest.accounts.profile(user).await?.ok_or(Code::AccountNotFound)?;
    Ok(Json(PublicAccount {
        id: account.id,
        name: account.name.as_str().to_owned(),
        bio: account.bio.as_str().to_owned(),
        avatar: account.avatar,
        created_at: account.created_at,
    }))
}
