//! `GET /search` and `POST /search/rebuild`: the index of this server.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;

use super::Admin;
use crate::rest::problem::Problem;
pub use crate::services::search::follower::State;

/// Says how the index is.
pub async fn state(extract::State(admin): extract::State<Admin>) -> Result<Json<State>, Problem> {
    Ok(Json(admin.search_orders()?.state()))
}

/// Has the index made anew, while the one that there is goes on.
pub async fn rebuild(
    extract::State(admin): extract::State<Admin>,
) -> Result<(StatusCode, Json<State>), Problem> {
    let orders = admin.search_orders()?;
    orders.rebuild();
    Ok((StatusCode::ACCEPTED, Json(orders.state())))
}
