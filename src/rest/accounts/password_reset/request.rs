//! `POST /v1/accounts/password-resets`: has a code mailed to who forgot their password.

use axum::extract::State;
use barterline_domain::account::Email;
use serde::Deserialize;

use super::super::Asked;
use crate::rest::Rest;
use crate::rest::extract::{Body, From, Speaks};
use crate::rest::problem::Problem;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    email: String,
}

/// Answers 202, whether anybody has the address or not.
pub async fn handle(
    State(rest): State<Rest>,
    From(from): From,
    Speaks(language): Speaks,
    Body(request): Body<Request>,
) -> Result<Asked, Problem> {
    let email = Email::parse(&request.email)?;
    rest.accounts.ask_for_reset(email, from, language)?;
    Ok(Asked {})
}
