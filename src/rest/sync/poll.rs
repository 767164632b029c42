//! `GET /v1/sync`: what changed since a cursor; waits for it if nothing did.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CACHE_CONTROL;
use barterline_protocol::cursor::Cursor;
use barterline_protocol::push::Row;
use barterline_storage::inbox::Position;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as Unreadable, StrDeserializer};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::rest::Rest;
use crate::rest::extract::{Caller, Query};
use crate::rest::problem::Problem;
use crate::wire;

/// Longest wait, and how long when none is asked for: below what clients and proxies bear.
const WAIT_MS_MAX: u64 = 30_000;
const WAIT_MS_DEFAULT: u64 = 25_000;

/// Since when, and how long to wait.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// Of the last answer, or of a socket; absent at first.
    cursor: Option<String>,
    /// How long the answer may wait, in milliseconds.
    #[param(maximum = 30_000, default = 25_000)]
    wait_ms: Option<u64>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct Changes {
    rows: Vec<Row>,
    /// Of the next request, and of a socket's `hello`.
    cursor: Cursor,
    /// Ask again at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    /// The caller's cursor was worth nothing: the rows are the first of all there are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
}

/// Answers as soon as there is something to say, or when the time is over.
#[utoipa::path(
    get,
    path = "/v1/sync",
    tag = "chats",
    operation_id = "sync",
    summary = "What changed since a cursor; waits for it if nothing did",
    params(Since),
    responses(
        (
            status = 200,
            description = "What changed, or nothing when the time is over",
            body = Changes,
        ),
    ),
    extensions(("x-codes" = json!(["sync.too_many", "server.busy"]))),
    security(("bearer" = ["chats:read"])),
)]
pub async fn handle(
    State(rest): State<Rest>,
    Caller(caller): Caller,
    Query(since): Query<Since>,
) -> Result<([(HeaderName, &'static str); 1], Json<Changes>), Problem> {
    let wait = wait(since.wait_ms)?.min(rest.limits.timeout);
    let enough = async {
        if !wait.is_zero() {
            tokio::select! {
                () = rest.stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    };
    let cursor = since.cursor.as_deref().and_then(position);
    let changes = rest.chats.sync(caller.bearer(), cursor, enough).await?;
    // Whoever was shut out while they waited is told nothing.
    rest.accounts.admits(caller.bearer()).await?;
    let Position { epoch, position } = changes.cursor;
    let answer = Changes {
        rows: changes.rows.iter().map(wire::row).collect(),
        cursor: Cursor::new(epoch, position),
        more: changes.more,
        reset: since.cursor.is_some() && !changes.resumed,
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(answer)))
}

fn wait(asked: Option<u64>) -> Result<Duration, Problem> {
    match asked.unwrap_or(WAIT_MS_DEFAULT) {
        wait @ 0..=WAIT_MS_MAX => Ok(Duration::from_millis(wait)),
        _ => Err(Problem::invalid("wait_ms must be 0 to 30000")),
    }
}

/// What a cursor says; nothing, if it is none of ours.
fn position(cursor: &str) -> Option<Position> {
    let text: StrDeserializer<'_, Unreadable> = cursor.into_deserializer();
    let (epoch, position) = Cursor::deserialize(text).ok()?.parts().ok()?;
    Some(Position { epoch, position })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let written = serde_json::to_value(Cursor::new(3, 41)).expect("JSON");
        let read = position(written.as_str().expect("text"));
        assert_eq!(read, Some(Position { epoch: 3, position: 41 }));
        for nonsense in ["", "?", "AQ", "AgAAAAEAAAAAAAAAKQ", &"A".repeat(1_000)] {
            assert_eq!(position(nonsense), None, "{nonsense}");
        }
    }
}
