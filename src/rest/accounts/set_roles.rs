//! `PUT /v1/accounts/{id}/roles`: what somebody may do, said by an admin.

use axum::Json;
use axum::extract::State;
use barterline_domain::account::AccountRole;
use barterline_domain::ids::UserId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{OwnAccount, Roles};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
use crate::rest::problem::Problem;
use crate::services::staff::By;
use crate::services::to_the_end;

/// The request.
#[derive(Deserialize, ToSchema)]
#[schema(as = RolesChange)]
pub struct Request {
    /// What the account is to have.
    #[schema(value_type = Vec<AccountRole>, min_items = 1)]
    pub roles: Roles,
}

/// Answers with the account as it is now.
#[utoipa::path(
    put,
    path = "/v1/accounts/{id}/roles",
    tag = "staff",
    operation_id = "setRoles",
    summary = "Say what somebody may do; for admins",
    params(("id" = UserId, Path, description = "The account")),
    request_body = Request,
    responses(
        (status = 200, description = "The account as it is now", body = OwnAccount),
    ),
    extensions(("x-codes" = json!(["permission.denied", "account.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
    Body(request): Body<Request>,
) -> Result<Json<OwnAccount>, Problem> {
    let roles = request.roles.0;
    let set = async move { rest.staff.set_roles(By::Person(&caller), user, roles).await };
    let account = to_the_end(set).await?;
    Ok(Json(account.into()))
}
