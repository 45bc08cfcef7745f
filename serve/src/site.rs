//! The site: the pipelines that are served, and their shared parts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, put};
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_runtime::Runner;
use oms_sqlite::{KeptSessions, RunRow};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::console::{self, SessionKey, Sessions, Token};
use crate::flow::{Ended, Flow, Opened, ServeError, Worker};
use crate::listen::connections;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::reply::{plain, respond};
use crate::room::Room;
use crate::{intake, metrics, observe, openapi, status};

/// Maximum memory, in KiB, for orders that are being received or wait for a response.
const RECEIVING_MAX_KIB: usize = 256 << 10;

/// Paths that are reserved for the server. A pipeline cannot use them.
const RESERVED: [&str; 5] = ["/console", "/healthz", "/metrics", "/openapi.json", "/readyz"];

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A pipeline has no intake.
    #[error(
        "the pipeline `{0}` has no `intake`, so it cannot accept orders over HTTP; add `intake: {{ path: \"/{0}/{{key}}\" }}`"
    )]
    NoIntake(String),
    /// The path of a pipeline is reserved.
    #[error(
        "the intake path of `{pipeline}` starts with `{path}`, which is reserved for the server; use another path"
    )]
    Reserved {
        /// The pipeline.
        pipeline: String,
        /// The path.
        path: &'static str,
    },
    /// Other machines can connect, and the pipeline has no API key.
    #[error(
        "a server that other machines can reach requires API keys, and the pipeline `{pipeline}` has none; create a key: `oms keys add {file} --state-dir {directory} shop`"
    )]
    NoKeys {
        /// The pipeline.
        pipeline: String,
        /// Its file.
        file: String,
        /// Its state directory.
        directory: String,
    },
    /// The state of a pipeline cannot be used.
    #[error("cannot use the state of `{pipeline}`")]
    State {
        /// The pipeline.
        pipeline: String,
        /// Why.
        source: oms_sqlite::Error,
    },
}

/// Maximum number of console pages that are rendered at the same time; others wait.
const PAGES_MAX: usize = 16;

/// The pipelines that are served, and their shared parts.
pub struct Site {
    pub(crate) flows: Vec<Flow>,
    pub(crate) metrics: Metrics,
    /// Whether only this machine can connect.
    pub(crate) loopback: bool,
    /// The request log, if enabled.
    pub(crate) log: Option<Log>,
    pub(crate) sessions: Sessions,
    /// Permits for rendering pages of the console. Each page needs a thread and a connection to the database.
    pub(crate) pages: Arc<Semaphore>,
    /// The places for connections.
    pub(crate) room: Arc<Room>,
    /// Whether connections use TLS.
    pub(crate) private: bool,
    stopping: AtomicBool,
    /// Bulk retries.
    tasks: Mutex<JoinSet<()>>,
    pub(crate) receiving: Arc<Semaphore>,
}

/// A flow of a site, for the handlers of its requests.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) site: Arc<Site>,
    at: usize,
}

impl Served {
    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.site.flows.get(self.at)
    }
}

impl Site {
    /// Starts every pipeline. `address` is the address that the server will listen on, `logs` says whether it logs each request, and `private` whether
    /// connections use TLS.
    ///
    /// # Errors
    /// When a pipeline cannot be served with these settings.
    pub fn start(
        opened: Vec<Opened>,
        address: SocketAddr,
        logs: bool,
        private: bool,
    ) -> Result<(Arc<Self>, Workers), StartError> {
        let loopback = address.ip().is_loopback();
        for one in &opened {
            check(one, loopback)?;
        }
        let metrics = Metrics::new();
        let (mut flows, mut workers) = (Vec::new(), Workers::default());
        for one in opened {
            let pipeline = one.plan.name().to_string();
            let counted = metrics.of(&pipeline);
            let started = Flow::start(one, counted);
            let (flow, worker) =
                started.map_err(|source| StartError::State { pipeline, source })?;
            flows.push(flow);
            workers.add(worker);
        }
        let id = flows
            .first()
            .and_then(|flow| flow.reading(|reader, _| KeptSessions::state_id(reader)).ok());
        let id = id.unwrap_or_default();
        let site = Arc::new(Self {
            flows,
            metrics,
            loopback,
            log: if logs { Log::start() } else { None },
            sessions: Sessions::of_state(&id),
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
            room: Arc::new(Room::new(connections())),
            private,
            stopping: AtomicBool::new(false),
            tasks: Mutex::default(),
            receiving: Arc::new(Semaphore::new(RECEIVING_MAX_KIB)),
        });
        Ok((site, workers))
    }

    /// Retries runs of a flow in the background. The outcome is added to an entry of the audit log.
    pub(crate) fn work(self: &Arc<Self>, at: usize, rows: Vec<RunRow>, entry: i64) {
        let site = Arc::clone(self);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { site.retry_all(at, rows, entry).await });
    }

    /// Waits for the bulk retries. After `stop`, each ends after its current run.
    pub(crate) async fn finish(&self) {
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }

    /// Returns whether no API key is required: only this machine can connect, and no pipeline ever had a key.
    pub(crate) fn is_open(&self) -> bool {
        let never = |flow: &Flow| flow.keys.current().is_ok_and(|keys| !keys.were_made());
        self.loopback && self.flows.iter().all(never)
    }

    /// Finds the API key of a stored session and records the session's use.
    pub(crate) fn kept_session(
        &self,
        token: &Token,
    ) -> Result<Option<SessionKey>, oms_sqlite::Error> {
        let (digest, now) = (token.digest(), SystemClock.now());
        for flow in &self.flows {
            let find = |reader: &_| flow.kept.find(reader, &digest, now);
            if let Some(kept) = flow.reading(|reader, _| find(reader))? {
                return Ok(Some(SessionKey { id: kept.key_id, name: kept.key_name }));
            }
        }
        Ok(None)
    }

    /// Ends a session in memory and in the databases.
    pub(crate) fn end_session(&self, token: &Token) -> Result<(), oms_sqlite::Error> {
        let known = self.sessions.with(token, |session| session.key.is_some());
        if known == Some(true) {
            tokio::task::block_in_place(|| {
                self.flows.iter().try_for_each(|flow| flow.kept.end(&token.digest()))
            })?;
        }
        self.sessions.end(token);
        Ok(())
    }

    /// Stops accepting orders.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Returns the runners so that they can be closed, or `None` if one is still in use.
    pub fn into_runners(self: Arc<Self>) -> Option<Vec<Runner>> {
        let site = Arc::into_inner(self)?;
        let runners = site.flows.into_iter().map(|flow| flow.runner);
        runners.map(Arc::into_inner).collect()
    }

    pub(crate) fn routes(self: &Arc<Self>) -> Router {
        let mut router = Router::new()
            .route("/healthz", get(status::alive))
            .route("/readyz", get(status::ready))
            .route("/metrics", get(metrics::text))
            .route("/openapi.json", get(openapi::document))
            .with_state(Arc::clone(self));
        for (at, flow) in self.flows.iter().enumerate() {
            let plan = flow.plan();
            let Some(section) = plan.intake() else { continue };
            let served = Served { site: Arc::clone(self), at };
            let collection = openapi::collection(&section.path);
            let orders = Router::new()
                .route(&section.path, put(intake::put).get(intake::show))
                .route(collection, axum::routing::post(intake::post))
                .with_state(served);
            router = router.merge(orders);
        }
        let (nowhere, not_so) = (Arc::clone(self), Arc::clone(self));
        let lost = |site: &Arc<Self>, request: &Request, status| match request.uri().path() {
            path if console::is_console(path) => console::lost(site, request, status),
            _ => respond(&plain(status)),
        };
        router
            .merge(console::routes(self))
            .fallback(move |request: Request| async move {
                lost(&nowhere, &request, StatusCode::NOT_FOUND)
            })
            .method_not_allowed_fallback(move |request: Request| async move {
                lost(&not_so, &request, StatusCode::METHOD_NOT_ALLOWED)
            })
            .layer(middleware::from_fn_with_state(Arc::clone(self), observe::observed))
    }
}

/// The tasks of a site's runners.
#[derive(Default)]
pub struct Workers {
    stops: Vec<watch::Sender<bool>>,
    tasks: JoinSet<Ended>,
}

impl Workers {
    fn add(&mut self, worker: Worker) {
        self.stops.push(worker.stop);
        self.tasks.spawn(worker.work);
    }

    /// Waits until a runner fails.
    pub(crate) async fn failed(&mut self) -> ServeError {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((_, Ok(())))) => {}
                Some(Ok((pipeline, Err(source)))) => {
                    return ServeError::Runner { pipeline: pipeline.to_string(), source };
                }
                Some(Err(error)) => return ServeError::Task(error),
                None => std::future::pending().await,
            }
        }
    }

    /// Stops the runners after the work in progress is durable.
    ///
    /// # Errors
    /// When a runner failed.
    pub(crate) async fn end(mut self) -> Result<(), ServeError> {
        for stop in &self.stops {
            stop.send_replace(true);
        }
        let mut ended = Ok(());
        while let Some(result) = self.tasks.join_next().await {
            let result = match result {
                Ok((pipeline, result)) => result.map_err(|source| ServeError::Runner {
                    pipeline: pipeline.to_string(),
                    source,
                }),
                Err(error) => Err(ServeError::Task(error)),
            };
            ended = ended.and(result);
        }
        ended
    }
}

fn check(opened: &Opened, loopback: bool) -> Result<(), StartError> {
    let pipeline = opened.plan.name().to_string();
    let Some(intake) = opened.plan.intake() else { return Err(StartError::NoIntake(pipeline)) };
    let first = intake.path.split('/').nth(1).unwrap_or_default();
    if let Some(path) = RESERVED.into_iter().find(|path| path.trim_start_matches('/') == first) {
        return Err(StartError::Reserved { pipeline, path });
    }
    if !loopback {
        let keys = oms_sqlite::Keys::of(&opened.directory).read();
        let keys =
            keys.map_err(|source| StartError::State { pipeline: pipeline.clone(), source })?;
        if !keys.iter().any(oms_sqlite::Key::is_valid) {
            let directory = opened.directory.display().to_string();
            let file = opened.source.name();
            return Err(StartError::NoKeys { pipeline, file, directory });
        }
    }
    Ok(())
}
