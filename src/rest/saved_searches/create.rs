//! `POST /v1/saved-searches`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::{Request, SavedSearchView};
use crate::rest::Rest;
use crate::rest::extract::{Body, Caller};
use crate::rest::problem::Problem;

/// Answers 201 with the search as it is kept.
#[utoipa::path(
    post,
    path = "/v1/saved-searches",
    tag = "listings",
    operation_id = "saveSearch",
    summary = "Keep a search",
    description = "Nothing is searched now. docs/search.md",
    request_body = Request,
    responses((status = 201, description = "The search as it is kept", body = SavedSearchView)),
    extensions(("x-codes" = json!([
        "saved_search.invalid", "saved_search.full", "search.invalid", "listing.category_unknown",
        "listing.attributes_invalid",
    ]))),
    security(("bearer" = ["listings:write"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<SavedSearchView>), Problem> {
    let kept = rest.saved_searches.keep(caller.bearer(), request.try_into()?).await?;
    Ok((StatusCode::CREATED, Json(kept.into())))
}
