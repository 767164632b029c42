//! `GET /status`: what runs here.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Admin;
use crate::telemetry::process::Usage;

/// The answer.
#[derive(Serialize)]
pub struct Status {
    version: &'static str,
    pid: u32,
    ready: bool,
    reason: Option<String>,
    usage: Option<Usage>,
}

/// Answers with the state of the process.
pub async fn handle(State(admin): State<Admin>) -> Json<Status> {
    let reason = admin.refusal();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        ready: reason.is_none(),
        reason,
        usage: Usage::now(),
    })
}
