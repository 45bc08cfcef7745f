//! The site: the pipelines that are served, and their shared parts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_runtime::Runner;
use oms_sqlite::{KeptSessions, RunRow};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::StartError;
use super::flow::{Flow, Opened};
use super::sessions::{SessionKey, Sessions, Token};
use super::workers::Workers;
use crate::http::connection_limit::ConnectionLimit;
use crate::telemetry::log::Log;
use crate::telemetry::metrics::Metrics;

/// Maximum memory, in KiB, for orders that are being received or wait for a response.
const BODIES_MAX_KIB: usize = 256 << 10;

/// Paths that are reserved for the server. A pipeline cannot use them.
const RESERVED: [&str; 5] = ["/console", "/healthz", "/metrics", "/openapi.json", "/readyz"];

/// Maximum number of console pages that are rendered at the same time; others wait.
const PAGES_MAX: usize = 16;

/// The pipelines that are served, and their shared parts.
pub struct Site {
    pub(crate) flows: Vec<Flow>,
    pub(crate) metrics: Metrics,
    /// Whether only this machine can connect.
    pub(crate) loopback: bool,
    /// The access log, if enabled.
    pub(crate) log: Option<Log>,
    pub(crate) sessions: Sessions,
    /// Permits for rendering pages of the console. Each page needs a thread and a connection to the
    /// database.
    pub(crate) page_permits: Arc<Semaphore>,
    pub(crate) connections: Arc<ConnectionLimit>,
    /// Whether connections use TLS.
    pub(crate) uses_tls: bool,
    stopping: AtomicBool,
    /// The bulk retries in progress.
    retries: Mutex<JoinSet<()>>,
    /// Memory, in KiB, for bodies that are being received or wait for a response.
    pub(crate) body_memory: Arc<Semaphore>,
}

/// A flow of a site, for the handlers of its requests.
#[derive(Clone)]
pub(crate) struct FlowRef {
    pub(crate) site: Arc<Site>,
    index: usize,
}

impl FlowRef {
    pub(crate) const fn new(site: Arc<Site>, index: usize) -> Self {
        Self { site, index }
    }

    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.site.flows.get(self.index)
    }
}

impl Site {
    /// Starts every pipeline. `address` is the address that the server will listen on, `logs` says
    /// whether it logs each request, and `uses_tls` whether connections use TLS.
    ///
    /// # Errors
    /// Returns an error if a pipeline cannot be served with these settings.
    pub fn start(
        opened: Vec<Opened>,
        address: SocketAddr,
        logs: bool,
        uses_tls: bool,
    ) -> Result<(Arc<Self>, Workers), StartError> {
        let loopback = address.ip().is_loopback();
        for pipeline in &opened {
            check(pipeline, loopback)?;
        }
        let metrics = Metrics::new();
        let (mut flows, mut workers) = (Vec::new(), Workers::default());
        for opened in opened {
            let pipeline = opened.plan.name().to_string();
            let counted = metrics.of_pipeline(&pipeline);
            let started = Flow::start(opened, counted);
            let (flow, worker) =
                started.map_err(|source| StartError::State { pipeline, source })?;
            flows.push(flow);
            workers.add(worker);
        }
        let id = flows
            .first()
            .and_then(|flow| flow.read(|reader, _| KeptSessions::state_id(reader)).ok());
        let id = id.unwrap_or_default();
        let site = Arc::new(Self {
            flows,
            metrics,
            loopback,
            log: if logs { Log::start() } else { None },
            sessions: Sessions::of_state(&id),
            page_permits: Arc::new(Semaphore::new(PAGES_MAX)),
            connections: Arc::new(ConnectionLimit::of_system()),
            uses_tls,
            stopping: AtomicBool::new(false),
            retries: Mutex::default(),
            body_memory: Arc::new(Semaphore::new(BODIES_MAX_KIB)),
        });
        Ok((site, workers))
    }

    /// Retries runs of a flow in the background. The outcome is added to an entry of the audit log.
    pub(crate) fn retry_in_background(
        self: &Arc<Self>,
        index: usize,
        rows: Vec<RunRow>,
        entry: i64,
    ) {
        let site = Arc::clone(self);
        let mut tasks = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { site.retry_all(index, rows, entry).await });
    }

    /// Waits for the bulk retries. After `stop`, each ends after its current run.
    pub(crate) async fn finish_retries(&self) {
        let mut tasks =
            std::mem::take(&mut *self.retries.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }

    /// Returns whether no API key is required: only this machine can connect, and no pipeline ever
    /// had a key.
    pub(crate) fn needs_no_key(&self) -> bool {
        let never_had_key = |flow: &Flow| flow.keys.current().is_ok_and(|keys| !keys.were_made());
        self.loopback && self.flows.iter().all(never_had_key)
    }

    /// Finds the API key of a stored session and records the session's use.
    pub(crate) fn stored_session(
        &self,
        token: &Token,
    ) -> Result<Option<SessionKey>, oms_sqlite::Error> {
        let (digest, now) = (token.digest(), SystemClock.now());
        for flow in &self.flows {
            let find = |reader: &_| flow.stored_sessions.find(reader, &digest, now);
            if let Some(stored) = flow.read(|reader, _| find(reader))? {
                return Ok(Some(SessionKey { id: stored.key_id, name: stored.key_name }));
            }
        }
        Ok(None)
    }

    /// Ends a session in memory and in the databases.
    pub(crate) fn end_session(&self, token: &Token) -> Result<(), oms_sqlite::Error> {
        let known = self.sessions.with(token, |session| session.key.is_some());
        if known == Some(true) {
            tokio::task::block_in_place(|| {
                self.flows.iter().try_for_each(|flow| flow.stored_sessions.end(&token.digest()))
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
