//! `POST /v1/accounts/me/identities/{provider}`: begins to link an identity to the caller's account.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::accounts::Proof;
use crate::rest::extract::{Body, Caller, From, Path};
use crate::rest::problem::Problem;
use crate::rest::sign_in::{WayIn, WayOut};

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = LinkBegin)]
pub struct Request {
    #[serde(flatten)]
    way: WayOut,
    #[serde(flatten)]
    proof: Proof,
}

/// Answers with where to go.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/identities/{provider}",
    tag = "signing in elsewhere",
    operation_id = "beginLink",
    summary = "Begin to link an identity at a provider to the caller's account",
    params(("provider" = String, Path, description = "Its name")),
    request_body = Request,
    responses(
        (status = 200, description = "Where the person is to go", body = WayIn),
    ),
    extensions(("x-codes" = json!([
        "sign_in.provider_not_found", "sign_in.return_refused", "sign_in.challenge_invalid",
        "sign_in.provider_unavailable", "password.wrong", "password.none",
        "second_factor.code_required", "second_factor.code_wrong", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Path(provider): Path<String>,
    Body(request): Body<Request>,
) -> Result<Json<WayIn>, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let (challenge, return_to) = request.way.parse()?;
    let way = (provider.as_str(), challenge, return_to.as_str());
    let shown = request.proof.shown();
    let begun = rest.accounts.begin_link(&caller, way, shown, from).await?;
    Ok(Json(begun.into()))
}
