//! `GET /v1/reports/{id}`: one report with its messages, for staff.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::ReportId;

use super::Report;
use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;
use crate::services::staff::By;

/// Answers with one report.
#[utoipa::path(
    get,
    path = "/v1/reports/{id}",
    tag = "staff",
    operation_id = "readReport",
    summary = "One report with its messages; for moderators",
    params(("id" = ReportId, Path, description = "The report")),
    responses(
        (status = 200, description = "The report", body = Report),
    ),
    extensions(("x-codes" = json!(["permission.denied", "report.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(id): Path<ReportId>,
) -> Result<Json<Report>, Problem> {
    Ok(Json(rest.staff.report(By::Person(&caller), id).await?.into()))
}
