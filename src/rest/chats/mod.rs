//! Chats: opening, the inbox, history. Rows and events have the shape they have on the socket.

mod history;
mod list;
mod open;
mod read;

use axum::Router;
use axum::routing::get;

use super::Edge;

/// Routes under /v1/chats.
pub fn routes() -> Router<Edge> {
    Router::new()
        .route("/", get(list::handle).post(open::handle))
        .route("/{id}", get(read::handle))
        .route("/{id}/events", get(history::handle))
}
