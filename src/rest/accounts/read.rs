//! `GET /v1/accounts/{id}`

use axum::Json;
use axum::extract::State;
use barterline_domain::account::DisplayName;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::UserId;
use serde::Serialize;

use crate::rest::Edge;
use crate::rest::extract::Id;
use crate::rest::problem::{Code, Problem};

/// An account as everybody sees it.
#[derive(Debug, Serialize)]
pub struct PublicAccount {
    id: UserId,
    name: DisplayName,
    created_at: Timestamp,
}

/// Shows what everybody may see of an account.
pub async fn handle(
    State(edge): State<Edge>,
    Id(user): Id<UserId>,
) -> Result<Json<PublicAccount>, Problem> {
    let account = edge.services.accounts.profile(user).await?;
    let account = account.ok_or(Code::AccountNotFound)?;
    Ok(Json(PublicAccount {
        id: account.id,
        name: account.name,
        created_at: account.created_at,
    }))
}
