//! `POST /v1/accounts/me/erasure`: erases the caller's account.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::FreshProof;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Erased)]
pub struct Erased {
    /// Nothing is left. If not: there was much, and the same request goes on with it.
    done: bool,
}

/// Answers when it is done, or when there was no time for more.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/erasure",
    tag = "accounts",
    operation_id = "eraseAccount",
    summary = "Erase one's account, with all that was said and offered",
    request_body = FreshProof,
    responses(
        (status = 200, description = "It is erased, or a part of it", body = Erased),
    ),
    extensions(("x-codes" = json!([
        "password.required", "password.wrong", "password.none", "second_factor.code_required",
        "second_factor.code_wrong", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(proof): Body<FreshProof>,
) -> Result<Json<Erased>, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let shown = proof.shown();
    let erase = async move { rest.erasure.erase(&caller, shown, from, language).await };
    Ok(Json(Erased { done: to_the_end(erase).await? }))
}
