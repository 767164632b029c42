//! `GET /v1/accounts/me/identities`: the caller's identities.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::OwnIdentity;
use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = IdentityList)]
pub struct Listed {
    #[schema(max_items = 16)]
    identities: Vec<OwnIdentity>,
}

/// Answers with all of them, in the order they were linked.
#[utoipa::path(
    get,
    path = "/v1/accounts/me/identities",
    tag = "signing in elsewhere",
    operation_id = "listIdentities",
    summary = "By which identities the caller signs in",
    responses(
        (status = 200, description = "All of them, in the order they were linked", body = Listed),
    ),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<Listed>, Problem> {
    let identities = rest.accounts.identities(&caller).await?;
    Ok(Json(Listed { identities: identities.into_iter().map(Into::into).collect() }))
}
