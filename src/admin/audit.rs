//! `GET /audit` and `GET /audit/verification`: what staff did, and whether that is as it was written.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Admin;
use crate::rest::audit::{Entries, Page, hex};
use crate::rest::extract::Query;
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// A log that is as it was written.
#[derive(Serialize)]
pub struct Verified {
    entries: u64,
    /// Of the last, in hex.
    hash: Option<String>,
}

/// Answers with a part of the log.
pub async fn list(
    State(admin): State<Admin>,
    Query(page): Query<Page>,
) -> Result<Json<Entries>, Problem> {
    Ok(Json(Entries::read(admin.staff_tools()?, By::Operator, page).await?))
}

/// Answers once all of the log was read.
pub async fn verify(State(admin): State<Admin>) -> Result<Json<Verified>, Problem> {
    let found = admin.staff_tools()?.verify_audit().await?;
    Ok(Json(Verified { entries: found.entries, hash: found.hash.map(|hash| hex(&hash)) }))
}
