//! `PUT /v1/accounts/{id}/roles`: what somebody may do, said by an admin.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::UserId;
use serde::Deserialize;

use super::{OwnAccount, Roles};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// The request.
#[derive(Deserialize)]
pub struct Request {
    /// What the account is to have.
    pub roles: Roles,
}

/// Answers with the account as it is now.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
    Body(request): Body<Request>,
) -> Result<Json<OwnAccount>, Problem> {
    let account = rest.staff.set_roles(By::Person(&caller), user, request.roles.0).await?;
    Ok(Json(account.into()))
}
