//! `POST /v1/accounts/me/identities/{id}/end`: unlinks an identity.

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::IdentityId;

use crate::rest::Rest;
use crate::rest::accounts::Proof;
use crate::rest::extract::{Body, Caller, From, Path, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// Answers once nobody signs in by it any more.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/identities/{id}/end",
    tag = "signing in elsewhere",
    operation_id = "unlinkIdentity",
    summary = "Unlink an identity, and end all other log-ins",
    params(("id" = IdentityId, Path, description = "The identity")),
    request_body = Proof,
    responses(
        (status = 204, description = "Nobody signs in by it any more"),
    ),
    extensions(("x-codes" = json!([
        "identity.not_found", "password.wrong", "password.none", "second_factor.code_required",
        "second_factor.code_wrong", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Path(id): Path<IdentityId>,
    Body(proof): Body<Proof>,
) -> Result<StatusCode, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let shown = proof.shown();
    let unlink = async move { rest.accounts.unlink(&caller, id, shown, from, language).await };
    to_the_end(unlink).await?;
    Ok(StatusCode::NO_CONTENT)
}
