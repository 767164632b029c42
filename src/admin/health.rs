//! Is the process alive, and should it get traffic?

use std::sync::atomic::Ordering;

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
    if admin.0.draining.load(Ordering::Relaxed) {
        return unready("draining");
    }
    match admin.0.log.failure() {
        Some(reason) => unready(&reason),
        None => (StatusCode::OK, Json(json!({ "status": "ready" }))),
    }
}

fn unready(reason: &str) -> (StatusCode, Json<Value>) {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unready", "reason": reason })))
}
