//! `POST /v1/accounts`: registers somebody.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use barterline_domain::account::{DisplayName, Email, Password};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Asked, OwnAccount};
use crate::rest::Rest;
use crate::rest::extract::{Body, From, Speaks};
use crate::rest::problem::Problem;
use crate::services::accounts::{Registered, Registration};

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = Registration)]
pub struct Request {
    #[schema(format = Email, max_length = 254, examples("ana@example.org"))]
    email: String,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: String,
    #[schema(min_length = 1, max_length = 60, examples("Ana"))]
    name: String,
}

/// Answers 201 with the account or, where addresses are confirmed, 202, whether anybody has this one or
/// not.
#[utoipa::path(
    post,
    path = "/v1/accounts",
    tag = "accounts",
    operation_id = "register",
    summary = "Register somebody",
    request_body = Request,
    responses(
        (
            status = 201,
            description = "The account, where addresses are not confirmed",
            body = OwnAccount,
        ),
        (
            status = 202,
            description = "Mail is under way if it has to be: nobody is told whether anybody has \
                the address",
            body = Asked,
        ),
    ),
    extensions(("x-codes" = json!([
        "account.email_invalid", "account.password_too_short", "account.password_too_long", "account.password_weak",
        "account.password_breached",
        "account.name_invalid", "account.email_taken", "server.busy",
    ]))),
)]
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
    rest.rates.registration(from, rest.clock.now()).await.map_err(Problem::limited)?;
    Ok(match rest.accounts.apply(registration, from, language).await? {
        Registered::Made(account) => {
            (StatusCode::CREATED, Json(OwnAccount::from(account))).into_response()
        }
        Registered::Asked => Asked {}.into_response(),
    })
}
