//! The accept loop: HTTP/1.1 connections with bounds and timeouts.
//!
//! Our own, because the framework's has no timeout for headers: a client that sends them a byte at
//! a time would hold a task for ever.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

/// For all headers of a request to come.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection (no file descriptors left, most likely).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest head of a request; hyper asks for 8 KiB at least.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 4_096;

/// Binds an address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `routes` until `stop` is cancelled; requests under way are finished, counted by `tasks`.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                // Small frames must not wait for others.
                let _ = socket.set_nodelay(true);
                tasks.spawn(connection(socket, peer, routes.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr, routes: Router, stop: CancellationToken) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut routes = routes.clone();
        async move { Service::call(&mut routes, request).await }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    builder.max_buf_size(HEAD_BYTES_MAX);
    let served = builder.serve_connection(TokioIo::new(socket), service).with_upgrades();
    let mut served = std::pin::pin!(served);
    let result: Result<(), hyper::Error> = tokio::select! {
        result = served.as_mut() => result,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, %peer, "a connection ended badly");
    }
}
