//! `POST /v1/sign-in/{provider}`: begins the way to a provider and back.

use axum::Json;
use axum::extract::State;

use super::{WayIn, WayOut};
use crate::rest::Rest;
use crate::rest::extract::{Body, From, Path};
use crate::rest::problem::Problem;

/// Answers with where to go.
#[utoipa::path(
    post,
    path = "/v1/sign-in/{provider}",
    tag = "signing in elsewhere",
    operation_id = "beginSignIn",
    summary = "Begin to sign in at a provider",
    params(("provider" = String, Path, description = "Its name")),
    request_body = WayOut,
    responses(
        (status = 200, description = "Where the person is to go", body = WayIn),
    ),
    extensions(("x-codes" = json!([
        "sign_in.provider_not_found", "sign_in.return_refused", "sign_in.challenge_invalid",
        "sign_in.provider_unavailable",
    ]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Path(provider): Path<String>,
    Body(way): Body<WayOut>,
) -> Result<Json<WayIn>, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let (challenge, return_to) = way.parse()?;
    let begun = rest.accounts.begin_sign_in(&provider, challenge, &return_to, from).await?;
    Ok(Json(begun.into()))
}
