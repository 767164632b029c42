//! `GET /v1/reports`: what people reported, newest first, for staff.

use axum::Json;
use axum::extract::State;

use super::{List, Page};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Query};
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// Answers with a part of the list.
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(page): Query<Page>,
) -> Result<Json<List>, Problem> {
    Ok(Json(List::read(&rest.staff, By::Person(&caller), page).await?))
}
