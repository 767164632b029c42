//! Is the process alive, and should it get traffic?

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Admin;

/// The process answers.
pub async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Whether messages are taken; 503 with the reason when they are not.
pub async fn ready(State(admin): State<Admin>) -> (StatusCode, Json<Value>) {
    match admin.refusal() {
        Some(reason) => {
            let body = json!({ "status": "unready", "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
        None => (StatusCode::OK, Json(json!({ "status": "ready" }))),
    }
}
