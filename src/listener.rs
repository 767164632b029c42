//! Connections in: an accept loop over HTTP/1.1 with a time for everything.
//!
//! Each connection is one tracked task that ends by the stop token, by the peer, or by its
//! timeout. A connection that is upgraded leaves the loop: the gateway finds
//! `TokioIo<TcpStream>` inside, and takes the [`Slot`] along, so that it still counts.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;
use tracing::{debug, warn};

/// Connections that the kernel keeps for us while we are busy: a reconnect storm of this size is
/// answered without a refused handshake.
const BACKLOG: u32 = 4_096;
/// What a connection may buffer: the longest header that is read. hyper allows nothing below 8 KiB.
const BUFFER_BYTES_MAX: usize = 16 * 1024;
/// Rest after a failed accept (no descriptors, no memory): trying at once only burns the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time, upgraded ones included; those beyond wait in the kernel.
    pub connections_max: usize,
    /// Time for a header, and for rest between two requests.
    pub header_timeout: Duration,
}

/// One connection's place under [`Limits::connections_max`]: an extension of each request. Who
/// takes a connection over keeps it for as long as the connection lives.
#[derive(Debug, Clone)]
pub struct Slot(#[expect(dead_code, reason = "given back when dropped")] Arc<OwnedSemaphorePermit>);

/// Binds an address without serving it yet.
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

/// Serves `routes` until `stop`; returns when no connection of the loop's own is left. Running
/// requests are finished; whoever waits decides for how long.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            // Stop first: a storm of connections must not delay the end.
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, slot)) = accepted else {
            continue;
        };
        let connection = Connection {
            routes: routes.clone(),
            peer,
            slot,
            header_timeout: limits.header_timeout,
            stop: stop.clone(),
        };
        connections.spawn(connection.run(stream));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Waits for a slot, then for a connection. Cancel safe: what is dropped was not accepted.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, Slot)> {
    // The semaphore is never closed.
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, Slot(Arc::new(slot)))),
        Err(error) => {
            if !is_the_peers(&error) {
                warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

/// Whether only this one connection failed, before it was ours.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

struct Connection {
    routes: Router,
    peer: SocketAddr,
    slot: Slot,
    header_timeout: Duration,
    stop: CancellationToken,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Small frames must not wait for each other; a socket without the option works as well.
        let _ = stream.set_nodelay(true);
        let Self {
            routes,
            peer,
            slot,
            header_timeout,
            stop,
        } = self;
        let service = service_fn(move |request| {
            answer(routes.clone(), with_origin(request, peer, slot.clone()))
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut serving = std::pin::pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            debug!(%peer, %error, "connection ended");
        }
    }
}

fn with_origin(request: Request<Incoming>, peer: SocketAddr, slot: Slot) -> Request<Body> {
    let mut request = request.map(Body::new);
    let extensions = request.extensions_mut();
    extensions.insert(ConnectInfo(peer));
    extensions.insert(slot);
    request
}

async fn answer(mut routes: Router, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    // A router is always ready.
    routes.call(request).await
}
