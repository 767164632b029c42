//! `GET /v1/saved-searches`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::SavedSearchView;
use crate::rest::Rest;
use crate::rest::extract::Caller;
use crate::rest::problem::Problem;

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedSearches)]
pub struct Searches {
    #[schema(max_items = 100)]
    saved_searches: Vec<SavedSearchView>,
}

/// Answers with all of them.
#[utoipa::path(
    get,
    path = "/v1/saved-searches",
    tag = "listings",
    operation_id = "listSavedSearches",
    summary = "Searches that the caller keeps, the newest first",
    responses((status = 200, description = "All of them", body = Searches)),
    security(("bearer" = ["listings:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
) -> Result<Json<Searches>, Problem> {
    let searches = rest.saved_searches.list(caller.bearer()).await?;
    Ok(Json(Searches { saved_searches: searches.into_iter().map(Into::into).collect() }))
}
