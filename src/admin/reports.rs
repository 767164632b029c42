//! `GET /reports` and `GET /reports/{id}`: what people reported.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::ReportId;

use super::Admin;
use crate::rest::extract::{Path, Query};
use crate::rest::problem::Problem;
use crate::rest::reports::{List, Page, Report};
use crate::services::staff::By;

/// Answers with a part of the list.
pub async fn list(
    State(admin): State<Admin>,
    Query(page): Query<Page>,
) -> Result<Json<List>, Problem> {
    Ok(Json(List::read(admin.staff_tools()?, By::Operator, page).await?))
}

/// Answers with one report.
pub async fn read(
    State(admin): State<Admin>,
    Path(id): Path<ReportId>,
) -> Result<Json<Report>, Problem> {
    Ok(Json(admin.staff_tools()?.report(By::Operator, id).await?.into()))
}
