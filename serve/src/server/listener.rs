//! Connections: their number and duration are limited, they use TLS if there is a certificate, and
//! shutdown completes open requests.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::notify;
use super::router::routes;
use crate::admin::control;
use crate::http::connection_limit::{ConnectionLimit, ConnectionPermit, IdleTime};
use crate::http::hyper_errors::ReplaceErrors;
use crate::http::peer::{Peer, share};
use crate::http::tls::Tls;
use crate::http::write_timeout::WriteTimeout;
use crate::state::error::ServeError;
use crate::state::site::Site;
use crate::state::workers::Workers;

/// Maximum number of connections in the backlog of the system.
const BACKLOG: u32 = 4_096;
/// Timeout for receiving the request line and headers, and for an idle connection.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(15);
/// Timeout of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of the request line and headers in bytes.
const HEADERS_MAX: usize = 32 << 10;
/// Maximum number of headers.
const HEADER_COUNT_MAX: usize = 64;
/// Timeout for a client that does not read a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Timeout for open requests during shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);
/// Delay after a failed `accept`, for example because no file descriptor is free.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// Listens on an address. Connections that are not accepted at once wait in the system's backlog.
///
/// # Errors
/// Returns an error if the address cannot be used.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Allows a restart directly after a shutdown.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until `stop` is ready, then completes open requests. Open runs continue
/// after the next start.
///
/// # Errors
/// Returns an error if the socket for the command line cannot be created, or if the database of a
/// pipeline fails.
pub async fn listen(
    site: &Arc<Site>,
    mut workers: Workers,
    listener: TcpListener,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let router = routes(site);
    let limit = Arc::clone(&site.connections);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let opened = open_control_sockets(site, &mut connections);
    if opened.is_ok() {
        notify::ready();
    }
    let mut stop = std::pin::pin!(stop);
    let result = loop {
        if opened.is_err() {
            break opened;
        }
        // Frees the tasks that have ended.
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = &mut stop => break Ok(()),
            failure = workers.failed() => break Err(failure),
            accepted = accept(&limit, &listener) => {
                let Ok((stream, permit)) = accepted else {
                    tokio::time::sleep(ACCEPT_DELAY).await;
                    continue;
                };
                let (router, watcher, tls) = (router.clone(), graceful.watcher(), tls.clone());
                let (idle, id) = (permit.idle(), permit.id());
                let task = connections.spawn(async move {
                    let _permit = permit;
                    // A response is one small packet, so Nagle's algorithm would only delay it.
                    let _works_without = stream.set_nodelay(true);
                    let (stream, peer) = share(stream);
                    let peer = Some(peer);
                    match tls {
                        None => serve_connection(stream, peer, idle, router, watcher).await,
                        Some(Tls(acceptor)) => {
                            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
                            // A client that fails the handshake gets no response.
                            if let Ok(Ok(stream)) = handshake.await {
                                serve_connection(stream, peer, idle, router, watcher).await;
                            }
                        }
                    }
                });
                limit.set_task(id, task);
            }
        }
    };
    notify::stopping();
    drop(listener);
    site.stop();
    // Idle connections are closed at once, others after their response.
    let _late = tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await;
    site.finish_retries().await;
    let stopped = workers.stop().await;
    connections.shutdown().await;
    result.and(stopped)
}

/// Opens the sockets of all flows for the command line.
fn open_control_sockets(site: &Arc<Site>, tasks: &mut JoinSet<()>) -> Result<(), ServeError> {
    for (index, flow) in site.flows.iter().enumerate() {
        let socket = control::open(&flow.directory).map_err(|source| ServeError::Socket {
            path: oms_runtime::control::socket(&flow.directory),
            source,
        })?;
        tasks.spawn(control::serve_socket(Arc::clone(site), index, socket));
    }
    Ok(())
}

/// Accepts the next connection and waits for a permit for it. If the future is dropped, at most
/// this connection is lost, before any response.
async fn accept(
    limit: &Arc<ConnectionLimit>,
    listener: &TcpListener,
) -> io::Result<(TcpStream, ConnectionPermit)> {
    let (stream, _) = listener.accept().await?;
    Ok((stream, limit.acquire().await))
}

/// The routes of a site, for connections that no listener has accepted.
pub struct Routes(Router);

impl Routes {
    /// Returns the routes of a site.
    pub fn of(site: &Arc<Site>) -> Self {
        Self(routes(site))
    }

    /// Serves a connection on any stream, such as one in memory, and returns when it is closed. The
    /// connection has no TLS, does not count as an open one, and does not end at a shutdown.
    pub async fn serve_stream(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (idle, graceful) = (Arc::new(IdleTime::start()), GracefulShutdown::new());
        serve_connection(stream, None, idle, self.0.clone(), graceful.watcher()).await;
    }
}

/// Serves the requests of a connection.
async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Option<Peer>,
    idle: Arc<IdleTime>,
    router: Router,
    watcher: Watcher,
) {
    let mut http = http1::Builder::new();
    // A client that has closed its side may still read the response.
    http.half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_buf_size(HEADERS_MAX)
        .max_headers(HEADER_COUNT_MAX);
    let stream = ReplaceErrors::new(WriteTimeout::new(stream, WRITE_TIMEOUT, idle));
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        routes.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    // The client notices a broken connection itself.
    let _broken = watcher.watch(connection).await;
}
