//! `PUT /v1/saved-searches/{id}`

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::SavedSearchId;

use super::{Request, SavedSearchView};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller, Path};
use crate::rest::problem::Problem;

/// Answers with the search as it is kept now.
#[utoipa::path(
    put,
    path = "/v1/saved-searches/{id}",
    tag = "listings",
    operation_id = "changeSavedSearch",
    summary = "Put another search, or another name, in the place of one that the caller keeps",
    params(("id" = SavedSearchId, Path, description = "The search")),
    request_body = Request,
    responses((status = 200, description = "The search as it is kept now", body = SavedSearchView)),
    extensions(("x-codes" = json!([
        "saved_search.not_found", "saved_search.invalid", "search.invalid", "listing.category_unknown",
        "listing.attributes_invalid",
    ]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(search): Path<SavedSearchId>,
    Body(request): Body<Request>,
) -> Result<Json<SavedSearchView>, Problem> {
    let changed = rest.saved_searches.change(caller.bearer(), search, request.try_into()?).await?;
    Ok(Json(changed.into()))
}
