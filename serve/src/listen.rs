//! Connections: taken as long as there is room for them, with time limits, over TLS where there is a certificate, and finished before the end.

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

use crate::bare::Explained;
use crate::flow::ServeError;
use crate::notify;
use crate::operate;
use crate::patient::Patient;
use crate::peer::{Peer, shared};
use crate::room::{Place, Room, Wait};
use crate::site::{Site, Workers};

/// Maximum number of concurrent connections. At the limit, the connection that has waited longest for its peer is closed.
const CONNECTIONS_MAX: usize = 4_096;
/// Connections that wait with the system at the most.
const BACKLOG: u32 = 4_096;
/// How long a request's line and headers may take to come in; an idle connection is closed after it, too.
const HEADERS: Duration = Duration::from_secs(15);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes of a request's line and headers at the most.
const HEADERS_MAX: usize = 32 << 10;
/// Headers of a request at the most.
const HEADER_COUNT_MAX: usize = 64;
/// How long somebody may take nothing of an answer.
const ANSWERS: Duration = Duration::from_secs(20);
/// Files that are needed besides connections: databases, the keys, the log.
const FILES: usize = 256;
/// How long what was begun may take when the server ends.
const GRACE: Duration = Duration::from_secs(20);
/// How long a listener rests that could not take a connection, since the system has none left.
const REST: Duration = Duration::from_millis(50);

/// What makes connections private.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{path}` holds no certificate or key in PEM")]
    Pem {
        /// The file.
        path: String,
        /// Why.
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// They do not fit together.
    #[error("certificate and key cannot be used")]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

impl Tls {
    /// Reads a chain of certificates and its key, both PEM.
    ///
    /// # Errors
    /// When they cannot be read or do not fit together.
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

/// Listens at an address; connections that cannot be taken at once wait with the system.
///
/// # Errors
/// When the address cannot be used.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that was just ended may be started again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes connections until `stop` is ready, then finishes what was begun. What was accepted and is not finished goes on the next time.
///
/// # Errors
/// When a pipeline's database fails, which ends the server.
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
    if reachable.is_ok() {
        notify::ready();
    }
    let mut stop = std::pin::pin!(stop);
    let ended = loop {
        if reachable.is_err() {
            break reachable;
        }
        // Those that ended are let go of.
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
                    // An answer is one small packet, and nothing is gained by waiting for more.
                    let _as_it_is = stream.set_nodelay(true);
                    let (stream, peer) = shared(stream);
                    match tls {
                        None => converse(stream, peer, wait, router, watcher).await,
                        Some(Tls(acceptor)) => {
                            let handshake = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream));
                            // Who does not finish it is not answered.
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
    notify::stopping();
    drop(listener);
    site.stop();
    // Connections that are idle are closed at once, others after their answer.
    let _late = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    site.finish().await;
    let finished = workers.end().await;
    connections.shutdown().await;
    ended.and(finished)
}

/// Lets the command line reach every flow.
fn operable(site: &Arc<Site>, tasks: &mut JoinSet<()>) -> Result<(), ServeError> {
    for (at, flow) in site.flows.iter().enumerate() {
        let socket = operate::open(&flow.directory).map_err(|source| ServeError::Socket {
            path: oms_local::control::socket(&flow.directory),
            source,
        })?;
        tasks.spawn(operate::attend(Arc::clone(site), at, socket));
    }
    Ok(())
}

/// Asks the system for as many open files as it gives, and returns how many connections that is enough for.
pub(crate) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // None is no limit.
    let files = current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    CONNECTIONS_MAX.min(files.saturating_sub(FILES).max(files / 2)).max(1)
}

/// Accepts the next connection and waits for a place for it. If the future is dropped, at most this connection is lost, before any response.
async fn take(room: &Arc<Room>, listener: &TcpListener) -> io::Result<(TcpStream, Place)> {
    let (stream, _) = listener.accept().await?;
    Ok((stream, room.enter().await))
}

/// Answers the requests of a connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    wait: Arc<Wait>,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let mut http = http1::Builder::new();
    // Who has said all may still listen.
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
    // A connection that broke is its caller's to notice.
    let _broken = watcher.watch(connection).await;
}
