//! `PUT /v1/accounts/{id}/roles`: what somebody may do, said by an admin.

use axum::Json;
use axum::extract::State;
use barterline_domain::account::AccountRole;
use barterline_domain::ids::UserId;
use serde::Deserialize;

use super::OwnAccount;
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// The request: all that the account is to have.
#[derive(Deserialize)]
pub struct Request {
    roles: Vec<AccountRole>,
}

impl Request {
    /// The roles, each once.
    pub fn roles(self) -> Result<Vec<AccountRole>, Problem> {
        let named = |role: &AccountRole| self.roles.contains(role);
        let roles: Vec<_> = AccountRole::ALL.into_iter().filter(named).collect();
        if roles.is_empty() {
            return Err(Problem::invalid("an account has a role: `user` at least"));
        }
        Ok(roles)
    }
}

/// Answers with the account as it is now.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
    Body(request): Body<Request>,
) -> Result<Json<OwnAccount>, Problem> {
    let account = rest.staff.set_roles(By::Person(&caller), user, request.roles()?).await?;
    Ok(Json(account.into()))
}
