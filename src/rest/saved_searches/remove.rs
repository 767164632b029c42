//! `DELETE /v1/saved-searches/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use barterline_domain::ids::SavedSearchId;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;

/// Answers once it is forgotten.
#[utoipa::path(
    delete,
    path = "/v1/saved-searches/{id}",
    tag = "listings",
    operation_id = "removeSavedSearch",
    summary = "Forget a search that the caller keeps",
    params(("id" = SavedSearchId, Path, description = "The search")),
    responses((status = 204, description = "It is forgotten")),
    extensions(("x-codes" = json!(["saved_search.not_found"]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(search): Path<SavedSearchId>,
) -> Result<StatusCode, Problem> {
    rest.saved_searches.remove(caller.bearer(), search).await?;
    Ok(StatusCode::NO_CONTENT)
}
