//! `POST /v1/accounts`: registers somebody.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use barterline_domain::account::{DisplayName, Email, Password};
use serde::Deserialize;

use super::{Asked, OwnAccount};
use crate::rest::Rest;
use crate::rest::extract::{Body, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::accounts::{Registered, Registration};

/// The request.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: String,
    name: String,
}

/// Answers 201 with the account or, where addresses are confirmed, 202, whether anybody has this one or
/// not.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<Response, Problem> {
    let registration = Registration {
        email: Email::choose(&request.email)?,
        password: Password::parse(request.password)?,
        name: DisplayName::choose(&request.name)?,
    };
    rest.rates.registration(from, rest.clock.now()).map_err(Problem::limited)?;
    Ok(match rest.accounts.apply(registration, from, language).await? {
        Registered::Made(account) => {
            (StatusCode::CREATED, Json(OwnAccount::from(account))).into_response()
        }
        Registered::Asked => Asked {}.into_response(),
    })
}
