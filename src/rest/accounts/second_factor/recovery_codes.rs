//! `POST /v1/accounts/me/second-factor/recovery-codes`: other codes for paper.

use axum::extract::State;

use super::RecoveryCodes;
use crate::rest::Rest;
use crate::rest::accounts::Proof;
use crate::rest::extract::{Body, Caller, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::to_the_end;

/// Answers with them; all earlier ones are worth nothing.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/second-factor/recovery-codes",
    tag = "accounts",
    operation_id = "renewRecoveryCodes",
    summary = "Get other recovery codes in the place of all",
    request_body = Proof,
    responses(
        (status = 200, description = "The new ones", body = RecoveryCodes),
    ),
    extensions(("x-codes" = json!([
        "password.wrong", "password.none", "second_factor.code_required", "second_factor.code_wrong",
        "second_factor.off", "account.changed", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    From(from): From,
    Speaks(language): Speaks,
    Body(proof): Body<Proof>,
) -> Result<RecoveryCodes, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let shown = proof.shown();
    let renew =
        async move { rest.accounts.renew_recovery_codes(&caller, shown, from, language).await };
    let recovery_codes = to_the_end(renew).await?;
    Ok(RecoveryCodes { recovery_codes })
}
