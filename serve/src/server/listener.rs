//! Connections: their number and duration are limited, they use TLS if there is a certificate, and shutdown completes open requests.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::admin::control;
use crate::http::connection_limit::{Place, Room, Wait};
use crate::http::hyper_errors::Explained;
use crate::http::peer::{Peer, shared};
use crate::http::write_timeout::Patient;
use crate::state::flow::ServeError;
use crate::state::site::{Site, Workers};

/// Maximum number of concurrent connections. At the limit, the connection that has waited longest for its peer is closed.
const CONNECTIONS_MAX: usize = 4_096;
/// Maximum number of connections in the backlog of the system.
const BACKLOG: u32 = 4_096;
/// Timeout for receiving the request line and headers, and for an idle connection.
const HEADERS: Duration = Duration::from_secs(15);
/// Timeout of a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Maximum size of the request line and headers in bytes.
const HEADERS_MAX: usize = 32 << 10;
/// Maximum number of headers.
const HEADER_COUNT_MAX: usize = 64;
/// Timeout for a client that does not read a response.
const ANSWERS: Duration = Duration::from_secs(20);
/// Number of open files that are reserved for databases, keys and the log.
const FILES: usize = 256;
/// Timeout for open requests during shutdown.
const GRACE: Duration = Duration::from_secs(20);
/// Delay after a failed `accept`, such as without free file descriptors.
const REST: Duration = Duration::from_millis(50);

/// The TLS settings of a server.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{path}` has no valid certificate or key in PEM format")]
    Pem {
        /// The file.
        path: String,
        /// Why.
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// The certificate and the key do not match.
    #[error("cannot use the certificate with the key")]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

impl Tls {
    /// Reads a certificate chain and its key, both in PEM format.
    ///
    /// # Errors
    /// When they cannot be read or do not match.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let pem = |path: &Path| {
            let path = path.display().to_string();
            move |source| TlsError::Pem { path, source }
        };
        let chain = CertificateDer::pem_file_iter(certificates).map_err(pem(certificates))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(pem(certificates))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
        let config =
            ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret)?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Listens on an address. Connections that are not accepted at once wait in the system's backlog.
///
/// # Errors
/// When the address cannot be used.
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

/// Accepts connections until `stop` is ready, then completes open requests. Open runs continue after the next start.
///
/// # Errors
/// When the socket for the command line cannot be created, or when the database of a pipeline fails.
pub async fn listen(
    site: &Arc<Site>,
    mut workers: Workers,
    listener: TcpListener,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let router = site.routes();
    let room = Arc::clone(&site.room);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let reachable = operable(site, &mut connections);
    let mut stop = std::pin::pin!(stop);
    let ended = loop {
        if reachable.is_err() {
            break reachable;
        }
        // Frees the tasks that have ended.
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = &mut stop => break Ok(()),
            failure = workers.failed() => break Err(failure),
            taken = take(&room, &listener) => {
                let Ok((stream, place)) = taken else {
                    tokio::time::sleep(REST).await;
                    continue;
                };
                let (router, watcher, tls) = (router.clone(), graceful.watcher(), tls.clone());
                let wait = place.wait();
                let number = place.number();
                let conversation = connections.spawn(async move {
                    let _place = place;
                    // A response is one small packet, so Nagle's algorithm would only delay it.
                    let _as_it_is = stream.set_nodelay(true);
                    let (stream, peer) = shared(stream);
                    match tls {
                        None => converse(stream, peer, wait, router, watcher).await,
                        Some(Tls(acceptor)) => {
                            let handshake = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream));
                            // A client that fails the handshake gets no response.
                            if let Ok(Ok(stream)) = handshake.await {
                                converse(stream, peer, wait, router, watcher).await;
                            }
                        }
                    }
                });
                room.may_end(number, conversation);
            }
        }
    };
    drop(listener);
    site.stop();
    // Idle connections are closed at once, others after their response.
    let _late = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    site.finish().await;
    let finished = workers.end().await;
    connections.shutdown().await;
    ended.and(finished)
}

/// Opens the sockets of all flows for the command line.
fn operable(site: &Arc<Site>, tasks: &mut JoinSet<()>) -> Result<(), ServeError> {
    for (at, flow) in site.flows.iter().enumerate() {
        let socket = control::open(&flow.directory).map_err(|source| ServeError::Socket {
            path: oms_runtime::control::socket(&flow.directory),
            source,
        })?;
        tasks.spawn(control::attend(Arc::clone(site), at, socket));
    }
    Ok(())
}

/// Raises the limit on open files to its maximum, and returns the number of connections that it allows.
pub(crate) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // `None` means that there is no limit.
    let files = current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    CONNECTIONS_MAX.min(files.saturating_sub(FILES).max(files / 2)).max(1)
}

/// Accepts the next connection and waits for a place for it. If the future is dropped, at most this connection is lost, before any response.
async fn take(room: &Arc<Room>, listener: &TcpListener) -> io::Result<(TcpStream, Place)> {
    let (stream, _) = listener.accept().await?;
    Ok((stream, room.enter().await))
}

/// Serves the requests of a connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    wait: Arc<Wait>,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let mut http = http1::Builder::new();
    // A client that has closed its side may still read the response.
    http.half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADERS_MAX)
        .max_headers(HEADER_COUNT_MAX);
    let stream = Explained::new(Patient::new(stream, ANSWERS, wait));
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        routes.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    // The client notices a broken connection itself.
    let _broken = watcher.watch(connection).await;
}
