//! The accept loop: HTTP/1.1 connections, plain or under TLS, with bounds and timeouts.
//!
//! Our own, because the framework's has no timeout for headers: a client that sends them a byte at
//! a time would hold a task for ever. A connection that is upgraded leaves the loop:
//! `TokioIo<Stream<TcpStream>>` or `TokioIo<Stream<TlsStream>>` is inside, and a [`Place`] goes with
//! it, so that it still counts.

pub mod certificate;
mod stream;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use futures_util::future::OptionFuture;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

pub use self::stream::Stream;
pub use self::tls::TlsStream;

/// Pause after the system refused a connection (no file descriptors left, most likely): trying at
/// once only burns the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest head of a request; hyper asks for 8 KiB at least.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections that the kernel keeps until they are accepted: a storm of reconnecting clients of
/// this size is not refused.
const BACKLOG: u32 = 4_096;

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time, upgraded ones included; those beyond wait in the kernel.
    pub connections_max: usize,
    /// For a TLS handshake, for all headers of a request to come, and between two requests.
    pub header_timeout: Duration,
    /// For a client to take any part of an answer.
    pub write_timeout: Duration,
}

/// One connection's place among [`Limits::connections_max`]; an extension of each request. Who
/// takes the connection over keeps it for as long as that lives.
#[derive(Debug, Clone)]
pub struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
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

/// Where connections come from. They are the same behind it, and counted together.
pub struct Doors {
    /// Takes connections as they are.
    pub plain: TcpListener,
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
    let places = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let accepted = tokio::select! {
            // Stop first: a storm of connections must not delay the end.
            biased;
            () = stop.cancelled() => return,
            accepted = accept(&doors, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, tls, place)) => {
                // Small frames must not wait for others.
                let _ = stream.set_nodelay(true);
                let (routes, stop) = (routes.clone(), stop.clone());
                let connection = Connection { routes, peer, place, limits, stop };
                match tls {
                    Some(config) => drop(tasks.spawn(connection.shake_hands(stream, config))),
                    None => drop(tasks.spawn(connection.run(stream))),
                }
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
async fn accept(doors: &Doors, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let permit = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let under_tls = OptionFuture::from(doors.tls.as_ref().map(|door| door.listener.accept()));
    // In no order: neither door waits for the other.
    let (accepted, config) = tokio::select! {
        accepted = doors.plain.accept() => (accepted, None),
        Some(accepted) = under_tls => {
            (accepted, doors.tls.as_ref().map(|door| Arc::clone(&door.config)))
        }
    };
    let (stream, peer) = accepted?;
    Ok((stream, peer, config, Place { _permit: Arc::new(permit) }))
}

type Accepted = (TcpStream, SocketAddr, Option<Arc<ServerConfig>>, Place);

/// Whether only this one connection failed, before it was ours.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    routes: Router,
    peer: SocketAddr,
    place: Place,
    limits: Limits,
    stop: CancellationToken,
}

impl Connection {
    async fn shake_hands(self, stream: TcpStream, config: Arc<ServerConfig>) {
        // Boxed, and gone before a request comes.
        let shaking = Box::pin(TlsStream::accept(stream, config));
        let shaken = tokio::select! {
            () = self.stop.cancelled() => return,
            shaken = tokio::time::timeout(self.limits.header_timeout, shaking) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.run(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, peer = %self.peer, "no TLS handshake"),
            Err(_) => tracing::debug!(peer = %self.peer, "no TLS handshake in time"),
        }
    }

    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { routes, peer, place, limits, stop } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(place.clone());
            let mut routes = routes.clone();
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
            tracing::debug!(%error, %peer, "a connection ended badly");
        }
    }
}
