//! `POST /v1/accounts/password-resets`: has a code mailed to who forgot their password.

use axum::extract::State;
use barterline_domain::account::Email;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Asked;
use crate::rest::Rest;
use crate::rest::extract::{Body, From, Speaks};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordResetRequest)]
pub struct Request {
    #[schema(format = Email, max_length = 254, examples("ana@example.org"))]
    email: String,
}

/// Answers 202, whether anybody has the address or not.
#[utoipa::path(
    post,
    path = "/v1/accounts/password-resets",
    tag = "accounts",
    operation_id = "askForPasswordReset",
    summary = "Have a code mailed to who forgot their password",
    request_body = Request,
    responses(
        (status = 202, description = "Mail is under way if anybody has the address", body = Asked),
    ),
    extensions(("x-codes" = json!(["account.email_invalid", "mail.off", "server.busy"]))),
)]
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<Asked, Problem> {
    let email = Email::parse(&request.email)?;
    rest.accounts.ask_for_reset(email, from, language).await?;
    Ok(Asked {})
}
