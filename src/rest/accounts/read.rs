//! `GET /v1/accounts/me` and `GET /v1/accounts/{id}`.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::UserId;

use super::{OwnAccount, PublicAccount};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::{Code, Problem};

/// The caller's own account.
pub async fn me(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<OwnAccount>, Problem> {
    let account = rest.accounts.profile(caller.user).await?.ok_or(Code::AccountNotFound)?;
    Ok(Json(account.into()))
}

/// What anybody may see of an account.
pub async fn handle(
    State(rest): State<Rest>,
    Path(user): Path<UserId>,
) -> Result<Json<PublicAccount>, Problem> {
    let account = rest.accounts.profile(user).await?.ok_or(Code::AccountNotFound)?;
    Ok(Json(PublicAccount {
        id: account.id,
        name: account.name.as_str().to_owned(),
        bio: account.bio.as_str().to_owned(),
        created_at: account.created_at,
    }))
}
