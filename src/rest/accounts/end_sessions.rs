//! `DELETE /v1/accounts/{id}/sessions`: staff end somebody's log-ins.

use axum::Json;
use axum::extract::State;
use barterline_domain::ids::UserId;

use crate::rest::Rest;
use crate::rest::extract::{Caller, Path};
use crate::rest::problem::Problem;
use crate::rest::sessions::end::Ended;
use crate::services::staff::By;
use crate::services::to_the_end;

/// Answers with how many there were.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{id}/sessions",
    tag = "staff",
    operation_id = "endSessionsOf",
    summary = "End all of somebody's sessions; for moderators",
    params(("id" = UserId, Path, description = "The account")),
    responses(
        (status = 200, description = "They have ended", body = Ended),
    ),
    extensions(("x-codes" = json!(["permission.denied", "account.not_found"]))),
    security(("bearer" = [])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
) -> Result<Json<Ended>, Problem> {
    let end = async move { rest.staff.end_sessions(By::Person(&caller), user).await };
    Ok(Json(Ended { ended: to_the_end(end).await? }))
}
