//! The table of routes.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, patch, post, put};

use super::layers::{self, Observer};
use super::problem::{Code, Problem};
use super::{Rest, accounts, audit, chats, listings, reports, sessions, sync};

/// All routes of the public port. `socket` has limits and an origin check of its own; pages of
/// `origins` may read everything else.
pub fn routes(rest: Rest, socket: Router, origins: &[String], observer: Observer) -> Router {
    let routes = Router::new()
        .route("/v1/accounts", post(accounts::register::handle))
        .route("/v1/accounts/confirm", post(accounts::confirm::handle))
        .route("/v1/accounts/password-resets", post(accounts::password_reset::request::handle))
        .route(
            "/v1/accounts/password-resets/confirm",
            post(accounts::password_reset::confirm::handle),
        )
        .route("/v1/accounts/me", get(accounts::read::me).patch(accounts::change::handle))
        .route("/v1/accounts/me/password", put(accounts::change_password::handle))
        .route("/v1/accounts/me/email", put(accounts::email::request::handle))
        .route("/v1/accounts/me/email/confirm", post(accounts::email::confirm::handle))
        .route("/v1/accounts/{id}", get(accounts::read::handle))
        .route("/v1/accounts/{id}/roles", put(accounts::set_roles::handle))
        .route(
            "/v1/accounts/{id}/suspension",
            put(accounts::suspend::handle).delete(accounts::suspend::lift),
        )
        .route("/v1/accounts/{id}/listings", get(listings::list_by_seller::handle))
        .route(
            "/v1/sessions",
            post(sessions::log_in::handle).get(sessions::list::handle).delete(sessions::end::all),
        )
        .route("/v1/sessions/refresh", post(sessions::refresh::handle))
        .route("/v1/sessions/current", delete(sessions::log_out::handle))
        .route("/v1/sessions/{id}", patch(sessions::rename::handle).delete(sessions::end::one))
        .route("/v1/listings", post(listings::create::handle))
        .route("/v1/listings/{id}", get(listings::read::handle).patch(listings::edit::handle))
        .route("/v1/chats", get(chats::list::handle).post(chats::open::handle))
        .route("/v1/chats/{id}", get(chats::read::handle))
        .route("/v1/chats/{id}/events", get(chats::events::handle).post(chats::send::handle))
        .route("/v1/chats/{id}/marks", put(chats::mark::handle))
        .route("/v1/chats/{id}/reports", post(chats::report::handle))
        .route("/v1/reports", get(reports::list::handle))
        .route("/v1/reports/{id}", get(reports::read::handle))
        .route("/v1/audit", get(audit::list::handle))
        .route("/v1/unread", get(chats::unread::handle))
        .route("/v1/sync", get(sync::poll::handle))
        .fallback(async || Problem::from(Code::RouteNotFound))
        .method_not_allowed_fallback(async || Problem::from(Code::RouteMethod))
        .layer(from_fn_with_state(rest.limits.timeout, layers::limit_time))
        .layer(from_fn_with_state(rest.clone(), layers::limit_rate))
        .with_state(rest);
    let routes = match layers::cors(origins) {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    dress(routes.merge(socket), observer)
}

/// Puts around routes what every request and every answer has, whatever becomes of it.
pub fn dress(routes: Router, observer: Observer) -> Router {
    routes
        .layer(from_fn(layers::harden))
        .layer(from_fn_with_state(observer, layers::observe))
        .layer(layers::compression())
}
