//! `GET /v1/sources/{source}/listings/{external}`

use axum::Json;
use axum::extract::State;

use crate::rest::Rest;
use crate::rest::extract::{MaybeCaller, Path};
use crate::rest::listings::ListingView;
use crate::rest::problem::Problem;

/// Answers with the listing.
#[utoipa::path(
    get,
    path = "/v1/sources/{source}/listings/{external}",
    tag = "listings",
    operation_id = "readExternalListing",
    summary = "The listing of a thing that another system keeps",
    description = "That system is asked for what nobody has heard of here, if it can be; for who shows no token, few \
                   times at once. docs/catalogues.md",
    params(
        ("source" = String, Path, description = "The system, by the name that the operator gave it"),
        ("external" = String, Path, description = "What the thing is called there"),
    ),
    responses((status = 200, description = "The listing", body = ListingView)),
    extensions(("x-codes" = json!([
        "source.not_found", "listing.not_found", "source.unavailable", "server.busy",
    ]))),
    security((), ("bearer" = ["listings:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    MaybeCaller(caller): MaybeCaller,
    Path((source, external)): Path<(String, String)>,
) -> Result<Json<ListingView>, Problem> {
    let viewer = caller.map(|caller| caller.bearer());
    let listing = rest.sources.read(viewer, &source, &external).await?;
    Ok(Json(ListingView::at(rest.listings.now(), listing)))
}
