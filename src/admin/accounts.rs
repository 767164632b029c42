//! `POST /accounts` and `PUT /accounts/{id}/roles`: accounts with roles, by the operator.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{DisplayName, Email, Password};
use barterline_domain::ids::UserId;
use serde::Deserialize;

use super::Admin;
use crate::rest::accounts::{OwnAccount, Roles, set_roles};
use crate::rest::extract::{Body, Path};
use crate::rest::problem::Problem;
use crate::services::accounts::Registration;
use crate::services::staff::By;

/// Who is to have an account.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    password: String,
    name: String,
    roles: Roles,
}

/// Answers 201 with the account.
pub async fn create(
    State(admin): State<Admin>,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<OwnAccount>), Problem> {
    let registration = Registration {
        email: Email::choose(&request.email)?,
        password: Password::parse(request.password)?,
        name: DisplayName::choose(&request.name)?,
    };
    let account = admin.staff_tools()?.create_account(registration, request.roles.0).await?;
    Ok((StatusCode::CREATED, Json(account.into())))
}

/// Answers with the account as it is now.
pub async fn set_roles(
    State(admin): State<Admin>,
    Path(user): Path<UserId>,
    Body(request): Body<set_roles::Request>,
) -> Result<Json<OwnAccount>, Problem> {
    let roles = request.roles.0;
    Ok(Json(admin.staff_tools()?.set_roles(By::Operator, user, roles).await?.into()))
}
