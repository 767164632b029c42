//! `POST /accounts`, `PUT /accounts/{id}/roles` and `POST /password-codes`: accounts with roles, and ways in, by
//! the operator.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::account::{DisplayName, Email, Password};
use barterline_domain::ids::UserId;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::rest::accounts::{OwnAccount, Roles, set_roles};
use crate::rest::extract::{Body, Path};
use crate::rest::problem::Problem;
use crate::services::accounts::{Appointed, Appointment};
use crate::services::staff::By;

/// Who is to have an account.
#[derive(Deserialize)]
pub struct Request {
    email: String,
    /// Who has none sets one by a code.
    password: Option<String>,
    name: String,
    roles: Roles,
}

/// The answer.
#[derive(Serialize)]
pub struct Created {
    #[serde(flatten)]
    account: OwnAccount,
    /// Good once and for ten minutes, at `POST /v1/accounts/password-resets/confirm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_code: Option<String>,
}

/// Answers 201 with the account.
pub async fn create(
    State(admin): State<Admin>,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let appointment = Appointment {
        email: Email::choose(&request.email)?,
        password: request.password.map(Password::parse).transpose()?,
        name: DisplayName::choose(&request.name)?,
        roles: request.roles.0,
    };
    let made = admin.staff_tools()?.create_account(appointment).await?;
    let Appointed { account, password_code } = made;
    Ok((StatusCode::CREATED, Json(Created { account: account.into(), password_code })))
}

/// Who is to set a new password.
#[derive(Deserialize)]
pub struct Whose {
    email: String,
}

/// The answer.
#[derive(Serialize)]
pub struct Way {
    /// Good once and for ten minutes, at `POST /v1/accounts/password-resets/confirm`.
    password_code: String,
}

/// Answers 201 with a code, for the owner of an account whom no mail reaches.
pub async fn password_code(
    State(admin): State<Admin>,
    Body(whose): Body<Whose>,
) -> Result<(StatusCode, Json<Way>), Problem> {
    let email = Email::parse(&whose.email)?;
    let password_code = admin.staff_tools()?.password_code(&email).await?;
    Ok((StatusCode::CREATED, Json(Way { password_code })))
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
