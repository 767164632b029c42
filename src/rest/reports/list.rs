//! `GET /v1/reports`: what people reported, newest first, for staff.

use axum::Json;
use axum::extract::State;

use super::{List, Page};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Query};
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// Answers with a part of the list.
#[utoipa::path(
    get,
    path = "/v1/reports",
    tag = "staff",
    operation_id = "listReports",
    summary = "What people reported, the newest first; for moderators",
    params(Page),
    responses(
        (status = 200, description = "A part of it", body = List),
    ),
    extensions(("x-codes" = json!(["permission.denied", "report.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(page): Query<Page>,
) -> Result<Json<List>, Problem> {
    Ok(Json(List::read(&rest.staff, By::Person(&caller), page).await?))
}
