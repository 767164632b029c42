//! `GET /v1/sign-in/{provider}/callback`: where a provider sends people back to.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::rest::Rest;
use crate::rest::extract::{From, Path, Query};
use crate::rest::problem::{Code, Problem};
use crate::services::accounts::CameBack;

/// What a provider says (RFC 6749, section 4.1.2; RFC 9207). What else it says is not looked at.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Said {
    /// What the person was sent off with.
    state: Option<String>,
    /// The provider's code.
    code: Option<String>,
    /// Why there is none.
    error: Option<String>,
    /// Who says so.
    iss: Option<String>,
}

/// Sends the person on to where the program waits for them.
#[utoipa::path(
    get,
    path = "/v1/sign-in/{provider}/callback",
    tag = "signing in elsewhere",
    operation_id = "comeBack",
    summary = "Where a provider sends people back to, and they are sent on to the program",
    params(("provider" = String, Path, description = "Its name"), Said),
    responses(
        (
            status = 303,
            description = "On to `return_to`, with a `code` that is good once and for two minutes; or \
                           with an `error`: `denied` (the person does not want to), \
                           `provider_refused`, `provider_unavailable`",
            headers(("Location" = String, description = "`return_to` with `code` or `error`")),
        ),
    ),
    extensions(("x-codes" = json!(["sign_in.provider_not_found", "sign_in.state_invalid"]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Path(provider): Path<String>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    let Said { state, code, error, iss } = said;
    let state = state.unwrap_or_default();
    let came = CameBack { state, code, error, issuer: iss };
    let address = rest.accounts.come_back(&provider, came, from).await?;
    let address = HeaderValue::try_from(address).map_err(|_| Code::SignInState)?;
    // What came with the person is nobody else's business.
    let no_store = HeaderValue::from_static("no-store");
    let headers = [(LOCATION, address), (CACHE_CONTROL, no_store)];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
