//! `GET /v1/audit`: what staff did, oldest first, for admins.

use axum::Json;
use axum::extract::State;

use super::{Entries, Page};
use crate::rest::Rest;
use crate::rest::extract::{Caller, Query};
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// Answers with a part of the log.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "staff",
    operation_id = "readAuditLog",
    summary = "What staff did, the oldest first; for admins",
    params(Page),
    responses(
        (status = 200, description = "A part of it", body = Entries),
    ),
    extensions(("x-codes" = json!(["permission.denied"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(page): Query<Page>,
) -> Result<Json<Entries>, Problem> {
    Ok(Json(Entries::read(&rest.staff, By::Person(&caller), page).await?))
}
