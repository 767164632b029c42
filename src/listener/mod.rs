//! The accept loop: HTTP/1.1 connections, plain or under TLS, with bounds and timeouts.
//!
//! Our own, because the framework's has no timeout for headers: a client that sends them a byte at
//! a time would hold a task for ever. A connection that is upgraded leaves the loop:
//! `TokioIo<Stream<TcpStream>>` or `TokioIo<Stream<TlsStream>>` is inside, and a [`Place`] goes with
//! it, so that it still counts. Each request bears a [`ClientAddress`].

pub mod certificate;
pub mod client;
pub mod proxy;

mod places;
mod stream;
mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::OptionFuture;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use self::client::{ClientAddress, Proxies};
pub use self::places::Place;
use self::places::Places;
pub use self::stream::Stream;
pub use self::tls::TlsStream;
use crate::telemetry::refusals::{Kind, Refusal, Refusals};

/// Pause after the system refused a connection (no file descriptors left, most likely): trying at
/// once only burns the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest head of a request; hyper asks for 8 KiB at least.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections that the kernel keeps until they are accepted: a storm of reconnecting clients of
/// this size is not refused.
const BACKLOG: u32 = 4_096;
/// Between two lines of the log about addresses with too many connections.
const CROWDED_INTERVAL: Duration = Duration::from_mins(1);

/// What a listener allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time, upgraded ones included; those beyond wait in the kernel.
    pub connections_max: usize,
    /// Of these, so many of one address (with IPv6, one network of 64 bits); those beyond are closed
    /// at once. Those of trusted proxies count only when they say whose they are.
    pub connections_of_one_max: usize,
    /// For a TLS handshake, for all headers of a request to come, and between two requests.
    pub header_timeout: Duration,
    /// For a client to take any part of an answer.
    pub write_timeout: Duration,
    /// Who may say whose connections and requests they are.
    pub proxies: Proxies,
    /// Where it is told that a head is no sound HTTP.
    pub refusals: Refusals,
}

/// Binds an address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restarted server gets its port back at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Where connections come from: one door at least. They are the same behind it, and counted together.
pub struct Doors {
    /// Takes connections as they are.
    pub plain: Option<TcpListener>,
    /// Takes connections under TLS.
    pub tls: Option<TlsDoor>,
}

/// Takes connections under TLS.
pub struct TlsDoor {
    /// Where they come in.
    pub listener: TcpListener,
    /// What they are shown.
    pub config: Arc<ServerConfig>,
}

/// Serves `routes` until `stop` is cancelled; requests under way are finished, counted by `tasks`.
pub async fn serve(
    doors: Doors,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let places = Places::new(limits.connections_max, limits.connections_of_one_max);
    let hall = Arc::new(Hall { routes, places, limits, stop, crowded: Mutex::default() });
    loop {
        let accepted = tokio::select! {
            // Stop first: a storm of connections must not delay the end.
            biased;
            () = hall.stop.cancelled() => return,
            accepted = accept(&doors, &hall.places) => accepted,
        };
        match accepted {
            Ok((stream, peer, tls, place)) => {
                // Small frames must not wait for others.
                let _ = stream.set_nodelay(true);
                let client = ClientAddress { ip: peer.ip().to_canonical(), https: tls.is_some() };
                let connection = Connection { hall: Arc::clone(&hall), client, place };
                tasks.spawn(connection.begin(stream, tls));
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Waits for a place, then for a connection. Cancel safe: what is dropped was not accepted.
async fn accept(doors: &Doors, places: &Places) -> io::Result<Accepted> {
    let place = places.take().await?;
    let plain = OptionFuture::from(doors.plain.as_ref().map(TcpListener::accept));
    let under_tls = OptionFuture::from(doors.tls.as_ref().map(|door| door.listener.accept()));
    // In no order: neither door waits for the other.
    let (accepted, config) = tokio::select! {
        Some(accepted) = plain => (accepted, None),
        Some(accepted) = under_tls => {
            (accepted, doors.tls.as_ref().map(|door| Arc::clone(&door.config)))
        }
    };
    let (stream, peer) = accepted?;
    Ok((stream, peer, config, place))
}

type Accepted = (TcpStream, SocketAddr, Option<Arc<ServerConfig>>, Place);

/// Whether only this one connection failed, before it was ours.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What all connections of a listener share.
struct Hall {
    routes: Router,
    places: Places,
    limits: Limits,
    stop: CancellationToken,
    /// When an address with too many connections was last told of.
    crowded: Mutex<Option<Instant>>,
}

impl Hall {
    /// Tells the operator, but not for every connection that is refused.
    fn is_crowded(&self, ip: IpAddr) {
        let mut told = self.crowded.lock();
        if told.is_none_or(|at| at.elapsed() >= CROWDED_INTERVAL) {
            *told = Some(Instant::now());
            let max = self.limits.connections_of_one_max;
            tracing::warn!(
                %ip,
                max,
                "an address has as many connections as it may (server.connections_per_address_max); \
                 a proxy belongs into server.trusted_proxies"
            );
        }
    }
}

struct Connection {
    hall: Arc<Hall>,
    client: ClientAddress,
    place: Place,
}

impl Connection {
    async fn begin(mut self, mut stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
        // Boxed, and gone before a request comes.
        if !Box::pin(self.is_let_in(&mut stream)).await {
            return;
        }
        match tls {
            Some(config) => self.shake_hands(stream, config).await,
            None => self.run(stream).await,
        }
    }

    /// Learns whose the connection is, and whether it has a place for them.
    async fn is_let_in(&mut self, stream: &mut TcpStream) -> bool {
        let hall = Arc::clone(&self.hall);
        let proxies = &hall.limits.proxies;
        if proxies.proxy_protocol && !self.is_introduced(stream).await {
            return false;
        }
        let ip = self.client.ip;
        // A proxy that does not say whose its connections are has those of many.
        if proxies.trusts(ip) {
            return true;
        }
        let share = hall.places.share(self.place.clone(), ip);
        let Some(place) = share else {
            hall.is_crowded(ip);
            return false;
        };
        self.place = place;
        true
    }

    /// Reads what a proxy says of the connection; nobody else's word is read.
    async fn is_introduced(&mut self, stream: &mut TcpStream) -> bool {
        let (hall, peer) = (&self.hall, self.client.ip);
        if !hall.limits.proxies.trusts(peer) {
            tracing::debug!(%peer, "no trusted proxy");
            return false;
        }
        let reading = tokio::time::timeout(hall.limits.header_timeout, proxy::read(stream));
        let read = tokio::select! {
            () = hall.stop.cancelled() => return false,
            read = reading => read,
        };
        match read {
            Ok(Ok(proxied)) => {
                // Whom it does not name is nobody that is trusted.
                self.client.ip = proxied.client.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
                self.client.https |= proxied.https;
                true
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(%error, %peer, "a trusted proxy does not introduce its connection");
                false
            }
            // Proxies that look whether somebody listens come and go without a word.
            Ok(Err(_)) | Err(_) => {
                tracing::debug!(%peer, "a proxy's introduction did not come");
                false
            }
        }
    }

    async fn shake_hands(self, stream: TcpStream, config: Arc<ServerConfig>) {
        // Boxed, and gone before a request comes.
        let shaking = Box::pin(TlsStream::accept(stream, config));
        let client = self.client.ip;
        let shaken = tokio::select! {
            () = self.hall.stop.cancelled() => return,
            shaken = tokio::time::timeout(self.hall.limits.header_timeout, shaking) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.run(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, %client, "no TLS handshake"),
            Err(_) => tracing::debug!(%client, "no TLS handshake in time"),
        }
    }

    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { hall, client, place } = self;
        let (stop, limits) = (hall.stop.clone(), hall.limits.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let client = hall.limits.proxies.client(client, request.headers());
            request.extensions_mut().insert(client);
            request.extensions_mut().insert(place.clone());
            let mut routes = hall.routes.clone();
            async move { Service::call(&mut routes, request).await }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
        builder.max_buf_size(HEAD_BYTES_MAX);
        let stream = TokioIo::new(Stream::new(stream, limits.write_timeout));
        let served = builder.serve_connection(stream, service).with_upgrades();
        let mut served = std::pin::pin!(served);
        let ended: Result<(), hyper::Error> = tokio::select! {
            ended = served.as_mut() => ended,
            () = stop.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = ended {
            // Answered below all that has a request's name: whoever breaks a head has no line elsewhere.
            if error.is_parse() {
                limits.refusals.note(Kind::Input, &head_refused(client.ip));
            }
            tracing::debug!(%error, client = %client.ip, "a connection ended badly");
        }
    }
}

/// No sound head of a request, from somebody of whom nothing else is known.
fn head_refused(client: IpAddr) -> Refusal<'static> {
    let (code, route) = ("http.head_unsound", "none");
    Refusal { code, scope: None, user: None, means: None, client, route, request: None }
}
