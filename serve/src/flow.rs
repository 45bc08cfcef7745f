//! A pipeline that is served: its runner, and the queue of orders for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::plan::Plan;
use oms_runtime::{Bundles, Runner, Settled, Work};
use oms_sqlite::{KeptSessions, Keys, Reader};
use tokio::sync::{mpsc, watch};

use crate::bulk::Bulk;
use crate::indexing::Indexing;
use crate::metrics::FlowMetrics;
use crate::recent::Recent;
use crate::wait::Waiters;

/// Maximum number of queued orders. Further orders are answered with 429.
const QUEUE_MAX: usize = 1_024;

/// A pipeline whose state directory this process owns.
pub struct Opened {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The runner.
    pub runner: Runner,
    /// The state directory.
    pub directory: PathBuf,
    /// The source from which the pipeline is read again.
    pub source: Arc<dyn Source>,
}

/// A pipeline file that has errors.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is not valid; `oms validate {path}` shows the errors")]
pub struct InvalidPipeline {
    /// The path of the file.
    pub path: String,
}

/// The source of a pipeline, which is read again so that changes apply without a restart.
pub trait Source: Send + Sync {
    /// Reads the current pipeline.
    ///
    /// # Errors
    /// When the pipeline has errors.
    fn read(&self) -> Result<Renewed, InvalidPipeline>;

    /// Returns the name of the file as it is shown to users.
    fn name(&self) -> String;

    /// Draws a plan as an SVG image whose steps are marked with `data-step`.
    fn draw(&self, plan: &Plan) -> String;

    /// Returns the e-mail templates, each with the locales in which it can be previewed.
    fn mails(&self, plan: &Arc<Plan>) -> Vec<(String, Vec<String>)>;

    /// Renders an e-mail for a sample as HTML. Returns `None` if the template or the locale does not exist.
    fn mail(&self, plan: &Arc<Plan>, template: &str, locale: &str) -> Option<String>;

    /// Reports the effect of a changed file to the operator of the server.
    fn say(&self, text: &str);

    /// Returns the current file and its findings, even if it is invalid.
    fn look(&self) -> Looked;
}

/// A pipeline file, with the findings in it and in the files that it names.
pub struct Looked {
    /// The text; empty if it cannot be read.
    pub text: String,
    /// Findings in the pipeline file or without a file.
    pub findings: Vec<Finding>,
    /// Other files with findings.
    pub others: Vec<LookedFile>,
}

/// A file that a pipeline names, such as its schema or a template.
pub struct LookedFile {
    /// Its path as shown to users.
    pub path: String,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// The lines around the findings, by line number from 1. Empty if the file may contain personal data.
    pub lines: BTreeMap<usize, String>,
}

/// A finding in a file.
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The code.
    pub code: String,
    /// The message.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// The current pipeline.
pub struct Renewed {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The name of the file in the plan's bundle.
    pub file: String,
    /// The contents of the seed files, by path.
    pub seeds: MemoryFiles,
}

/// Why a running server stops with an error.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database of a pipeline failed.
    #[error("the pipeline `{pipeline}` stopped")]
    Runner {
        /// The pipeline.
        pipeline: String,
        /// Why.
        source: oms_sqlite::Error,
    },
    /// The socket for the command line cannot be created.
    #[error("cannot create the socket `{path}` for the command line")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The listener failed.
    #[error("cannot accept connections")]
    Listen(#[from] std::io::Error),
    /// A task of the server panicked.
    #[error("a task of the server failed")]
    Task(#[from] tokio::task::JoinError),
}

/// A pipeline that is served.
pub(crate) struct Flow {
    pub(crate) runner: Arc<Runner>,
    pub(crate) keys: Keys,
    pub(crate) kept: KeptSessions,
    pub(crate) directory: PathBuf,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) work: mpsc::Sender<Work>,
    pub(crate) metrics: FlowMetrics,
    pub(crate) recent: Arc<Recent>,
    pub(crate) bulk: Bulk,
    pub(crate) waiters: Arc<Waiters>,
}

/// The name of a pipeline, and the error that stopped its runner, if any.
pub(crate) type Ended = (Arc<str>, Result<(), oms_sqlite::Error>);

/// The task of a flow's runner.
pub(crate) struct Worker {
    /// Stops the runner after the work in progress is durable.
    pub(crate) stop: watch::Sender<bool>,
    /// Completes when the runner has stopped.
    pub(crate) work: Pin<Box<dyn Future<Output = Ended> + Send>>,
}

impl Flow {
    /// Starts a runner. It resumes the open runs first.
    pub(crate) fn start(
        opened: Opened,
        metrics: FlowMetrics,
    ) -> Result<(Self, Worker), oms_sqlite::Error> {
        let Opened { plan, runner, directory, source } = opened;
        let resume = runner.open_runs()?;
        let runner = Arc::new(runner);
        let (work, queue) = mpsc::channel(QUEUE_MAX);
        let (settled, mut outcomes) = mpsc::unbounded_channel::<Settled>();
        let (stop, stopped) = watch::channel(false);
        let counted = metrics.clone();
        let waiters = Arc::new(Waiters::default());
        let woken = Arc::clone(&waiters);
        tokio::spawn(async move {
            while let Some(settled) = outcomes.recv().await {
                counted.settled(&settled);
                if let Settled::Run { key, .. } = &settled {
                    woken.wake(key);
                }
            }
        });
        let recent = Arc::new(Recent::default());
        let (working, counting) = (Arc::clone(&runner), Arc::clone(&recent));
        let pipeline = Arc::clone(plan.name());
        let running = async move {
            // Without this thread, each search updates the index.
            let indexing = Indexing::start(Arc::clone(&working), counting).ok();
            let result = working.run(resume, queue, &settled, stopped).await;
            if let Some(indexing) = indexing {
                indexing.end().await;
            }
            (pipeline, result)
        };
        let worker = Worker { stop, work: Box::pin(running) };
        let (keys, kept) = (Keys::of(&directory), KeptSessions::of(&directory));
        Ok((
            Self {
                runner,
                keys,
                kept,
                directory,
                source,
                work,
                metrics,
                recent,
                bulk: Bulk::default(),
                waiters,
            },
            worker,
        ))
    }

    /// Returns the plan for new orders.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.runner.plan()
    }

    /// Reads committed data without blocking other requests.
    pub(crate) fn reading<T>(
        &self,
        read: impl FnOnce(&Reader, &Bundles) -> Result<T, oms_sqlite::Error>,
    ) -> Result<T, oms_sqlite::Error> {
        tokio::task::block_in_place(|| self.runner.read(read))
    }

    /// Returns the number of orders that wait to run.
    pub(crate) fn waiting(&self) -> usize {
        self.work.max_capacity() - self.work.capacity() + self.runner.queued()
    }
}
