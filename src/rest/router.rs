//! The table of routes, of which the document of the interface is made.

use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::layers::{self, Observer, Transport};
use super::openapi::{self, Document};
use super::problem::{Code, Problem};
use super::{
    Rest, accounts, api_keys, audit, chats, docs, favourites, listings, media, reports,
    saved_searches, sessions, sign_in, sources, sync,
};

/// The table. Paths and methods stand with the handlers, beside what else is to be said of them.
fn table() -> OpenApiRouter<Rest> {
    OpenApiRouter::with_openapi(openapi::empty())
        .routes(routes!(accounts::register::handle))
        .routes(routes!(accounts::confirm::handle))
        .routes(routes!(accounts::password_reset::request::handle))
        .routes(routes!(accounts::password_reset::confirm::handle))
        .routes(routes!(accounts::read::me, accounts::change::handle))
        .routes(routes!(accounts::change_password::handle))
        .routes(routes!(accounts::archive::handle))
        .routes(routes!(accounts::erase::handle))
        .routes(routes!(accounts::email::request::handle))
        .routes(routes!(accounts::email::confirm::handle))
        .routes(routes!(
            accounts::second_factor::read::handle,
            accounts::second_factor::begin::handle
        ))
        .routes(routes!(accounts::second_factor::confirm::handle))
        .routes(routes!(accounts::second_factor::recovery_codes::handle))
        .routes(routes!(accounts::second_factor::end::own))
        .routes(routes!(accounts::second_factor::end::by_staff))
        .routes(routes!(accounts::identities::list::handle, accounts::identities::link::handle))
        .routes(routes!(accounts::identities::begin::handle))
        .routes(routes!(accounts::identities::unlink::handle))
        .routes(routes!(accounts::read::handle))
        .routes(routes!(accounts::set_roles::handle))
        .routes(routes!(accounts::suspend::handle, accounts::suspend::lift))
        .routes(routes!(accounts::end_sessions::handle))
        .routes(routes!(listings::list_by_seller::handle))
        .routes(routes!(sessions::log_in::handle, sessions::list::handle))
        .routes(routes!(sessions::end::all))
        .routes(routes!(sessions::refresh::handle))
        .routes(routes!(sessions::exchange::handle))
        .routes(routes!(sessions::log_out::handle))
        .routes(routes!(sessions::rename::handle))
        .routes(routes!(sessions::end::one))
        .routes(routes!(sign_in::list::handle))
        .routes(routes!(sign_in::redeem::handle))
        .routes(routes!(sign_in::begin::handle))
        .routes(routes!(sign_in::callback::handle))
        .routes(routes!(api_keys::list::handle, api_keys::create::handle))
        .routes(routes!(api_keys::revoke::handle))
        .routes(routes!(listings::catalogue::handle))
        .routes(routes!(listings::search::handle, listings::create::handle))
        .routes(routes!(listings::suggest::handle))
        .routes(routes!(listings::read::handle, listings::edit::handle))
        .routes(routes!(listings::history::handle))
        .routes(routes!(listings::renew::handle))
        .routes(routes!(listings::stats::handle))
        .routes(routes!(favourites::list::handle))
        .routes(routes!(favourites::set::handle, favourites::set::remove))
        .routes(routes!(saved_searches::list::handle, saved_searches::create::handle))
        .routes(routes!(saved_searches::change::handle, saved_searches::remove::handle))
        .routes(routes!(sources::receive::handle))
        .routes(routes!(sources::read::handle))
        .routes(routes!(chats::list::handle, chats::open::handle))
        .routes(routes!(chats::read::handle))
        .routes(routes!(chats::events::handle, chats::send::handle))
        .routes(routes!(chats::mark::handle))
        .routes(routes!(chats::report::handle))
        .routes(routes!(media::create::handle))
        .routes(routes!(media::read::handle, media::remove::handle))
        .routes(routes!(media::content::handle, media::receive::handle))
        .routes(routes!(media::direct::handle))
        .routes(routes!(media::complete::handle))
        .routes(routes!(media::link::handle))
        .routes(routes!(media::uploads::describe::handle, media::uploads::create::handle))
        .routes(routes!(
            media::uploads::read::handle,
            media::uploads::append::handle,
            media::uploads::remove::handle
        ))
        .routes(routes!(reports::list::handle))
        .routes(routes!(reports::read::handle))
        .routes(routes!(audit::list::handle))
        .routes(routes!(chats::unread::handle))
        .routes(routes!(sync::poll::handle))
        .routes(routes!(openapi::read::handle))
}

/// The document of all routes of the public port.
pub fn document(socket: OpenApi) -> Document {
    let mut described = table().into_openapi();
    described.merge(socket);
    Document::of(described)
}

/// All routes of the public port. `socket` has limits and an origin check of its own; pages of listed
/// origins may read everything else.
pub fn routes(
    rest: Rest,
    socket: OpenApiRouter,
    observer: Observer,
    transport: Transport,
) -> Router {
    let (routes, mut described) = table().split_for_parts();
    let (socket, of_socket) = socket.split_for_parts();
    described.merge(of_socket);
    let cors = layers::cors(&rest.origins);
    let size_max = rest.media.size_max();
    // For people: not part of the interface.
    let mut for_people = Router::new();
    if rest.has_docs {
        for_people = for_people
            .route("/docs", get(docs::enter))
            .route("/docs/", get(docs::page))
            .route("/docs/{file}", get(docs::file));
    }
    let routes = routes
        .merge(for_people)
        .fallback(async || Problem::from(Code::RouteNotFound))
        .method_not_allowed_fallback(async || Problem::from(Code::RouteMethod))
        .layer(Extension(Document::of(described)))
        .layer(from_fn_with_state(rest.limits.timeout, layers::limit_time))
        .layer(from_fn_with_state(rest.clone(), layers::limit_rate))
        .with_state(rest);
    let routes = match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    let routes = routes.layer(from_fn_with_state(size_max, media::uploads::speak));
    let socket = socket.method_not_allowed_fallback(async || Problem::from(Code::RouteMethod));
    dress(routes.merge(socket), observer, transport)
}

/// Puts around routes what every request and every answer has, whatever becomes of it.
pub fn dress(routes: Router, observer: Observer, transport: Transport) -> Router {
    routes
        .layer(from_fn_with_state(transport, layers::harden))
        .layer(from_fn_with_state(observer, layers::observe))
        .layer(layers::compression())
}
