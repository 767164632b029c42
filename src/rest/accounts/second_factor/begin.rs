//! `POST /v1/accounts/me/second-factor`: a secret for a program that makes codes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use barterline_domain::account::Password;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::Rest;
use crate::rest::extract::{Body, CallerWithoutFactor, From};
use crate::rest::layers::Uncompressed;
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = SecondFactorBegin)]
pub struct Request {
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactorBegun)]
pub struct Begun {
    /// In base32, to be typed.
    secret: String,
    /// The same, to be shown as a picture.
    uri: String,
}

/// Answers 201; nothing is asked for before a code was shown.
#[utoipa::path(
    post,
    path = "/v1/accounts/me/second-factor",
    tag = "accounts",
    operation_id = "beginSecondFactor",
    summary = "Get a secret for a program that makes codes",
    request_body = Request,
    responses(
        (status = 201, description = "The secret; nothing is asked for yet", body = Begun),
    ),
    extensions(("x-codes" = json!([
        "password.wrong", "password.none", "account.changed", "second_factor.on", "server.busy",
    ]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    CallerWithoutFactor(caller): CallerWithoutFactor,
    From(from): From,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Extension<Uncompressed>, Json<Begun>), Problem> {
    rest.rates.log_in_from(from, rest.clock.now()).await.map_err(Problem::limited)?;
    // What cannot be a password is not theirs.
    let password = Password::shown(request.password);
    let begun = rest.accounts.begin_second_factor(&caller, password, from).await?;
    let begun = Begun { secret: begun.secret, uri: begun.uri };
    Ok((StatusCode::CREATED, Extension(Uncompressed), Json(begun)))
}
