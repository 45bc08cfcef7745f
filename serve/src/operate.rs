//! Operations on a running server: retry, cancel, import, prune and forget. The command line requests them at the socket of the state directory. The
//! console also offers retry and cancel.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::plan::read_rows;
use oms_engine::run::RunState;
use oms_runtime::control::{Done, Request, Response, at_socket, socket};
use oms_runtime::{Held, Work};
use oms_sqlite::RunRow;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::audit;
use crate::flow::{Flow, InvalidPipeline, Renewed};
use crate::site::Site;

/// Maximum size of a request in bytes. It allows for two million runs.
const REQUEST_MAX: u64 = 32 << 20;
/// Time limit for reading a request, and for writing the response.
const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum number of concurrent clients. Others wait in the socket's backlog.
const CONVERSATIONS_MAX: usize = 64;
/// Delay after a failed `accept`, such as without free file descriptors.
const REST: Duration = Duration::from_millis(50);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] oms_sqlite::Error),
    /// The pipeline file has errors.
    #[error(transparent)]
    Pipeline(#[from] InvalidPipeline),
    /// The pipeline has no table with this name.
    #[error("the served pipeline has no such table")]
    NoTable,
    /// A row to import is invalid.
    #[error("{0}")]
    Row(String),
    /// The time is out of range.
    #[error(transparent)]
    Time(#[from] jiff::Error),
    /// The pipeline file could not be read to the end.
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// Returns an error with its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl Flow {
    /// Retries a run.
    pub(crate) async fn retry(
        &self,
        row: &RunRow,
        held: Option<Held>,
    ) -> Result<Done, oms_sqlite::Error> {
        let retried = self.runner.retry(row, held).await;
        if let Ok(settled) = &retried {
            self.metrics.settled(settled);
        }
        let done = Done::of(row, retried)?;
        if done.refused.is_none() && done.state == RunState::Waiting {
            let until = self.runner.row(row.id)?.and_then(|row| row.wait_until);
            let at = until.unwrap_or_else(|| SystemClock.now());
            // If the runner has stopped, the run continues after the next start.
            let _unheard = self.work.send(Work::GoOn { id: row.id, at }).await;
        }
        Ok(done)
    }

    /// Cancels a run that waits or is parked.
    pub(crate) async fn cancel(&self, row: &RunRow) -> Result<Done, oms_sqlite::Error> {
        let cancelled = self.runner.cancel(row).await;
        if let Ok(settled) = &cancelled {
            self.metrics.settled(settled);
        }
        Done::of(row, cancelled)
    }

    /// Executes a request of the command line and records it in the audit log.
    async fn operate(&self, request: Request) -> Response {
        let entry = match self.note_request(&request).await {
            Ok(entry) => entry,
            Err(error) => return Response::Failed(with_causes(&error)),
        };
        let response = self.answer(request).await;
        let response = response.unwrap_or_else(|error| Response::Failed(with_causes(&error)));
        self.noted(entry, &audit::outcome(&response)).await;
        response
    }

    async fn answer(&self, request: Request) -> Result<Response, RequestError> {
        let (runs, held) = match request {
            Request::Retry { runs, held } => {
                self.renew().await?;
                (runs, Some(held))
            }
            Request::Cancel { runs } => (runs, None),
            Request::Import { table, rows } => {
                self.renew().await?;
                self.import(&table, &rows).await?;
                return Ok(Response::Done(Vec::new()));
            }
            Request::Forget { who, dry_run } => {
                self.renew().await?;
                let forgetting = match dry_run {
                    true => self.runner.would_forget(&who).await?,
                    false => self.runner.forget(&who).await?,
                };
                return Ok(Response::Forgotten(forgetting));
            }
            Request::Prune { before } => {
                let before = Timestamp::from_millisecond(before)?;
                return Ok(Response::Pruned(self.runner.prune(before, false).await?));
            }
        };
        let mut done = Vec::with_capacity(runs.len());
        for id in runs {
            // The run may have been deleted.
            let Some(row) = self.runner.row(id)? else { continue };
            let result = match held {
                Some(held) => self.retry(&row, held).await,
                None => self.cancel(&row).await,
            };
            match result {
                Ok(one) => done.push(one),
                Err(_) if self.runner.row(id)?.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Response::Done(done))
    }

    async fn import(&self, table: &str, rows: &str) -> Result<(), RequestError> {
        let plan = self.runner.plan();
        let table = plan.tables().iter().find(|known| *known.name == *table);
        let table = table.ok_or(RequestError::NoTable)?;
        let rows = read_rows(table, rows).map_err(|error| RequestError::Row(error.message))?;
        Ok(self.runner.import(table, rows).await?)
    }

    /// Reads the pipeline file again, so that its changes apply to new runs and to retries.
    pub(crate) async fn renew(&self) -> Result<(), RequestError> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.read()).await?;
        let Renewed { plan, file, seeds } = read?;
        for skipped in self.runner.replace(&plan, &file, seeds).await? {
            self.source.say(&skipped.to_string());
        }
        Ok(())
    }
}

/// Listens on the socket of a state directory.
///
/// # Errors
/// When the socket cannot be created.
pub(crate) fn open(directory: &Path) -> io::Result<UnixListener> {
    let path = socket(directory);
    // The umask sets the mode of a new socket. It therefore gets its own mode in a private directory, before others can reach it.
    let folder = directory.join(".new");
    let _left_by_a_crash = std::fs::remove_dir_all(&folder);
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
    let place = socket(&folder);
    let listener = at_socket(&folder, |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&place, &path)?;
    std::fs::remove_dir(&folder)?;
    Ok(listener)
}

/// Serves the clients at the socket of a flow until the future is dropped.
pub(crate) async fn attend(site: Arc<Site>, at: usize, listener: UnixListener) {
    let Some(flow) = site.flows.get(at) else { return };
    let turn = Mutex::new(());
    let mut conversations = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(_broken) = conversations.next(), if !conversations.is_empty() => {}
            taken = listener.accept(), if conversations.len() < CONVERSATIONS_MAX => match taken {
                Ok((stream, _)) => conversations.push(converse(flow, stream, &turn)),
                Err(_) => tokio::time::sleep(REST).await,
            },
        }
    }
}

/// Serves one client. Requests of several clients are read concurrently, because a client may be silent, and executed one after the other.
async fn converse(flow: &Flow, stream: UnixStream, turn: &Mutex<()>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(REQUEST_MAX));
    let said = timeout(PATIENCE, read.read_line(&mut line)).await;
    let response = match said.map(|said| said.map(|_| serde_json::from_str::<Request>(&line))) {
        Ok(Ok(Ok(request))) => {
            let _mine = turn.lock().await;
            flow.operate(request).await
        }
        Ok(Ok(Err(error))) => Response::Failed(format!("invalid request: {error}")),
        Ok(Err(error)) => return Err(error),
        Err(_) => Response::Failed("no request within the time limit".to_owned()),
    };
    let mut answer = serde_json::to_vec(&response)?;
    answer.push(b'\n');
    timeout(PATIENCE, write.write_all(&answer)).await?
}
