//! The upgrade (RFC 6455, section 4.2): an HTTP request becomes a socket of ours.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use barterline_protocol::Encoding;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Gateway, Upgraded};
use crate::listener::client::ClientAddress;
use crate::listener::{Place, Stream, TlsStream};
use crate::rest::origins::Page;
use crate::rest::problem::{Code, Problem};

/// The route to a socket.
pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(upgrade))
}

/// Answers `GET /v1/socket`.
#[utoipa::path(
    get,
    path = "/v1/socket",
    tag = "socket",
    operation_id = "connect",
    summary = "Open a WebSocket (RFC 6455)",
    description = "For WebSocket clients. What is said over it stands in docs/protocol.md; its first \
        frame shows the access token.",
    params(
        ("Upgrade" = String, Header, description = "`websocket`"),
        ("Connection" = String, Header, description = "`Upgrade`"),
        ("Sec-WebSocket-Version" = String, Header, description = "`13`"),
        ("Sec-WebSocket-Key" = String, Header, description = "Sixteen random bytes in base64"),
        (
            "Sec-WebSocket-Protocol" = String,
            Header,
            description = "`barterline.v1` (MessagePack) or `barterline.v1.json`",
        ),
    ),
    responses(
        (
            status = 101,
            description = "The connection is a socket",
            headers(
                ("Sec-WebSocket-Protocol" = String, description = "The encoding that is spoken"),
            ),
        ),
    ),
    extensions(("x-codes" = json!([
        "socket.upgrade_required",
        "socket.version_unsupported",
        "socket.subprotocol_required",
        "socket.origin_refused",
    ]))),
)]
pub async fn upgrade(State(gateway): State<Gateway>, request: Request) -> Response {
    match check(&request) {
        Ok((key, encoding)) => {
            let client = ClientAddress::of(request.extensions());
            // RFC 6455, section 10.2: a browser opens sockets for whatever page asks.
            let page = gateway.0.origins.page(request.headers(), client.https);
            if page == Page::Stranger {
                return Problem::from(Code::Origin).into_response();
            }
            let taken = gateway.0.limits.connection(client.ip, gateway.0.clock.now());
            if let Err(exceeded) = taken {
                return Problem::limited(exceeded).into_response();
            }
            // Counted as a connection for as long as it lives.
            let place = request.extensions().get::<Place>().cloned();
            let on_upgrade = hyper::upgrade::on(request);
            let spoken = (client.ip, encoding);
            gateway.0.tasks.spawn(run(gateway.clone(), on_upgrade, spoken, place));
            let accept = derive_accept_key(key.as_bytes());
            let headers = [
                (CONNECTION, "Upgrade".to_owned()),
                (UPGRADE, "websocket".to_owned()),
                (SEC_WEBSOCKET_ACCEPT, accept),
                (SEC_WEBSOCKET_PROTOCOL, encoding.subprotocol().to_owned()),
            ];
            (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Why a request is no upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoUpgrade {
    NotWebSocket,
    Version,
    Subprotocol,
}

impl IntoResponse for NoUpgrade {
    fn into_response(self) -> Response {
        let version = [(SEC_WEBSOCKET_VERSION, "13"), (UPGRADE, "websocket")];
        let code = match self {
            Self::NotWebSocket => Code::UpgradeRequired,
            Self::Version => Code::SocketVersion,
            Self::Subprotocol => Code::Subprotocol,
        };
        (version, Problem::from(code)).into_response()
    }
}

fn check(request: &Request) -> Result<(String, Encoding), NoUpgrade> {
    let headers = request.headers();
    let is_websocket = request.method() == Method::GET
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket");
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    let Some(key) = key.filter(|_| is_websocket) else {
        return Err(NoUpgrade::NotWebSocket);
    };
    if !has_token(headers, &SEC_WEBSOCKET_VERSION, "13") {
        return Err(NoUpgrade::Version);
    }
    let offered =
        |encoding: &&Encoding| has_token(headers, &SEC_WEBSOCKET_PROTOCOL, encoding.subprotocol());
    let encoding = Encoding::ALL.iter().find(offered).ok_or(NoUpgrade::Subprotocol)?;
    Ok((key.to_owned(), *encoding))
}

/// Whether a comma-separated header holds `token`, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

async fn run(
    gateway: Gateway,
    on_upgrade: OnUpgrade,
    (client, encoding): (IpAddr, Encoding),
    _place: Option<Place>,
) {
    // The peer may be gone before the answer is out; there is nobody to tell.
    let Ok(upgraded) = on_upgrade.await else {
        return;
    };
    let upgraded = match upgraded.downcast::<TokioIo<Stream<TcpStream>>>() {
        Ok(Parts { io, read_buf, .. }) => {
            let upgraded = Upgraded { client, early: read_buf, encoding };
            return gateway.serve(io.into_inner().into_inner(), upgraded).await;
        }
        Err(upgraded) => upgraded,
    };
    let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<Stream<TlsStream>>>() else {
        tracing::error!("a socket did not come from our listener");
        return;
    };
    let upgraded = Upgraded { client, early: read_buf, encoding };
    gateway.serve(io.into_inner().into_inner(), upgraded).await;
}
