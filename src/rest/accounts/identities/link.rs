//! `POST /v1/accounts/me/identities`: links who came back to the caller's account.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::OwnIdentity;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = Link)]
pub struct Request {
    /// What came back with the person.
    code: String,
    /// What the program has kept to itself.
    #[schema(min_length = 43, max_length = 128)]
    verifier: String,
}

/// Answers 201 with the identity.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/identities",
    tag = "signing in elsewhere",
    operation_id = "linkIdentity",
    summary = "Link who came back to the caller's account, if the caller began it",
    request_body = Request,
    responses(
        (status = 201, description = "The identity", body = OwnIdentity),
    ),
    extensions(("x-codes" = json!(["code.invalid", "identity.taken", "identity.too_many"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<OwnIdentity>), Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let Request { code, verifier } = request;
    let link = async move { rest.accounts.link(&caller, (&code, &verifier), language).await };
    Ok((StatusCode::CREATED, Json(to_the_end(link).await?.into())))
}
