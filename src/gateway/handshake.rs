//! Before `hello`: one timeout, one frame, then it becomes a [`Connection`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use barterline_domain::account::Scope;
use barterline_domain::bearer::Proof;
use barterline_domain::clock::Timestamp;
use barterline_domain::ids::{SessionId, UserId};
use barterline_protocol::close_code::CloseCode;
use barterline_protocol::hello::{Hello, VERSION, Welcome};
use barterline_protocol::limits::{FRAME_BYTES_MAX, HAVE_MAX};
use barterline_protocol::{DecodeError, Encoding, Frame, Outgoing, Request};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::connection::{Connection, Resume, close_code_of};
use super::socket::{Socket, SocketIo};
use super::{Gateway, Upgraded};
use crate::auth::principal::Principal;
use crate::auth::token::TokenError;
use crate::fault::{Fault, planted};
use crate::hub::slot::{Identity, Outlet, Slot};
use crate::services::accounts::{AuthError, ShownKey};
use crate::telemetry::refusals::{Kind, Means, Refusal};
use crate::wire::outgoing;

/// Read at once, and kept for as long as the connection lives: the largest part of an idle
/// connection. Larger frames grow the buffer for their time.
const READ_BUFFER_BYTES: usize = 1024;

/// A socket of nobody yet.
pub struct Handshake<S: Socket> {
    gateway: Gateway,
    socket: S,
    upgraded: Upgraded,
}

/// Why there is no connection.
struct Refused {
    code: CloseCode,
    /// Whose the token is, as far as that is proven.
    user: Option<UserId>,
    /// What was shown.
    means: Option<Means>,
}

impl From<CloseCode> for Refused {
    fn from(code: CloseCode) -> Self {
        Self { code, user: None, means: None }
    }
}

/// A socket whose `hello` was heard.
struct Introduced {
    hello: Hello,
    reference: Option<u32>,
    principal: Principal,
}

impl<S: Socket> Handshake<S> {
    /// A socket that was just upgraded.
    pub fn new(gateway: Gateway, socket: S, upgraded: Upgraded) -> Self {
        Self { gateway, socket, upgraded }
    }

    /// Waits for `hello` and answers it. `None`: the client went, or was told why not.
    pub async fn run(self) -> Option<Box<Connection<S>>> {
        let Self { gateway, socket, upgraded: Upgraded { client, early, encoding } } = self;
        let (read, write) = socket.into_halves();
        let io = SocketIo::new(read, write.clone(), &early);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let mut ws = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let hello = hello(&gateway, &mut ws, encoding);
        let introduced = tokio::select! {
            biased;
            () = gateway.0.stop.cancelled() => Err(CloseCode::GoingAway.into()),
            result = tokio::time::timeout(gateway.0.settings.hello_timeout, hello) => {
                result.unwrap_or(Err(CloseCode::HelloTimeout.into()))
            }
        };
        match introduced {
            Ok(Some(introduced)) => {
                Some(connect(gateway, ws, write, (client, encoding), introduced))
            }
            Ok(None) => None,
            Err(Refused { code, user, means }) => {
                if let Some(kind) = Kind::of_hello(code) {
                    let refusal = refusal_on_socket(code.name(), client);
                    gateway.0.refusals.note(kind, &Refusal { user, means, ..refusal });
                }
                let mut goodbye = Vec::new();
                outgoing::put_close(&mut goodbye, encoding, code, None);
                // A client that does not read its goodbye does without it.
                let _ = write.try_write(&goodbye);
                // Taking in what is on its way keeps the kernel from resetting the connection
                // before the goodbye has arrived.
                let drain = async { while let Some(Ok(_)) = ws.next().await {} };
                let _ = tokio::time::timeout(super::connection::CLOSE_TIMEOUT, drain).await;
                None
            }
        }
    }
}

/// The first frame. `Ok(None)`: the client went.
async fn hello<S: Socket>(
    gateway: &Gateway,
    ws: &mut WebSocketStream<SocketIo<S>>,
    encoding: Encoding,
) -> Result<Option<Introduced>, Refused> {
    loop {
        let bytes = match (ws.next().await, encoding) {
            (Some(Ok(Message::Binary(bytes))), Encoding::MsgPack) => bytes,
            (Some(Ok(Message::Text(text))), Encoding::Json) => text.into(),
            (Some(Ok(Message::Binary(_) | Message::Text(_))), _) => {
                return Err(CloseCode::WrongFrameType.into());
            }
            (Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))), _) => {
                let _ = ws.flush().await;
                continue;
            }
            (None | Some(Ok(Message::Close(_))), _) => return Ok(None),
            (Some(Err(error)), _) => {
                return close_code_of(&error).map_or(Ok(None), |code| Err(code.into()));
            }
        };
        let (hello, reference) = match encoding.decode::<Request>(&bytes) {
            Ok(Frame { reference, message: Request::Hello(hello) }) => (hello, reference),
            Ok(_) | Err(DecodeError::UnknownKind { .. }) => {
                return Err(CloseCode::HelloExpected.into());
            }
            Err(DecodeError::Malformed(_) | DecodeError::InvalidBody { .. }) => {
                return Err(CloseCode::Malformed.into());
            }
        };
        if !hello.versions.contains(&VERSION) {
            return Err(CloseCode::VersionUnsupported.into());
        }
        if hello.have.len() > HAVE_MAX {
            return Err(CloseCode::Malformed.into());
        }
        let means = ShownKey::parse(&hello.token).map_or(Means::Token, |key| Means::Key(key.id()));
        let refused = |code, user| Refused { code, user, means: Some(means) };
        let principal = match gateway.0.accounts.authenticate(&hello.token).await {
            Ok(principal) => principal,
            Err(error) => {
                // Of a session that has ended, the token says whose it was.
                let bearer = gateway.0.accounts.verify(&hello.token).ok();
                let user = bearer.map(|principal| principal.user);
                return Err(refused(token_close_code(&error), user));
            }
        };
        // A socket tells everything that is said.
        if principal.bearer().may(Scope::ReadChats).is_err() {
            return Err(refused(CloseCode::OutOfScope, Some(principal.user)));
        }
        return Ok(Some(Introduced { hello, reference, principal }));
    }
}

/// A refusal at this door, of nobody yet.
pub fn refusal_on_socket(code: &'static str, client: IpAddr) -> Refusal<'static> {
    let route = "/v1/socket";
    Refusal { code, scope: None, user: None, means: None, client, route, request: None }
}

/// What a refused token means for a connection.
pub fn token_close_code(error: &AuthError) -> CloseCode {
    match error {
        AuthError::Token(TokenError::Expired) => CloseCode::TokenExpired,
        AuthError::Token(TokenError::Invalid) => CloseCode::TokenInvalid,
        AuthError::Revoked => CloseCode::SessionRevoked,
        AuthError::Suspended => CloseCode::Suspended,
        AuthError::FactorRequired => CloseCode::FactorRequired,
        AuthError::Store(error) => {
            tracing::warn!(%error, "cannot check a session");
            CloseCode::Overloaded
        }
    }
}

fn connect<S: Socket>(
    gateway: Gateway,
    mut ws: WebSocketStream<SocketIo<S>>,
    write: S::Write,
    (client, encoding): (IpAddr, Encoding),
    introduced: Introduced,
) -> Box<Connection<S>> {
    let Introduced { hello, reference, principal } = introduced;
    let now = gateway.0.clock.now();
    let identity = Identity {
        user: principal.user,
        proof: principal.proof,
        device: hello.device,
        token_expires_at: principal.expires_at,
        client,
    };
    let id = gateway.0.next_slot.fetch_add(1, Ordering::Relaxed);
    let refusals = gateway.0.refusals.clone();
    let slot = Slot::new(id, identity, encoding, Box::new(write.clone()), refusals, now);
    let slot = Arc::new(slot);
    ws.get_mut().write_through(Arc::clone(&slot));
    slot.answer(reference, &Outgoing::Welcome(welcome(&gateway, &principal, now)));
    // From here on events are noted for this connection: nothing falls between the announcement
    // and the live stream.
    if !planted(Fault::RegisteredLate) && !gateway.0.chats.hub().registry().add(Arc::clone(&slot)) {
        slot.close(CloseCode::TooManyConnections);
    }
    gateway.0.metrics.connections.inc();
    if gateway.0.stop.is_cancelled() {
        // Everybody else was asked to go before this one came.
        slot.close(CloseCode::GoingAway);
    }
    let resume = Resume { cursor: hello.cursor, have: hello.have };
    Box::new(Connection::new(gateway, ws, write, slot, resume))
}

/// What a client is told its session is: a log-in, or the API key.
fn session_of(proof: Proof) -> SessionId {
    match proof {
        Proof::Session(session) => session,
        Proof::ApiKey(key, _) => SessionId::from_bytes(*key.as_bytes()),
        // Nobody connects without a proof.
        Proof::Server => SessionId::from_bytes([0; 16]),
    }
}

fn welcome(gateway: &Gateway, principal: &Principal, now: Timestamp) -> Welcome {
    let heartbeat = gateway.0.settings.heartbeat.as_millis();
    Welcome {
        version: VERSION,
        user: principal.user,
        session: session_of(principal.proof),
        now,
        token_expires_at: principal.expires_at,
        heartbeat_ms: u64::try_from(heartbeat).unwrap_or(u64::MAX),
        limits: gateway.0.told.clone(),
        features: Vec::new(),
    }
}
