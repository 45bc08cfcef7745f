//! One pipeline that is served: its runner at work, and the way to give it orders.

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

/// Orders that wait to be worked on at the most; who comes then is asked to come again.
const QUEUE_MAX: usize = 1_024;

/// A pipeline whose state directory this process owns.
pub struct Opened {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What runs it.
    pub runner: Runner,
    /// The state directory.
    pub directory: PathBuf,
    /// Where the pipeline is read again.
    pub source: Arc<dyn Source>,
}

/// Where a pipeline comes from, to be read again when somebody mended something.
pub trait Source: Send + Sync {
    /// Reads it as it is now.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read(&self) -> Result<Renewed, String>;

    /// Returns how people name the file.
    fn name(&self) -> String;

    /// Draws a plan, as an SVG picture whose steps are marked with `data-step`.
    fn draw(&self, plan: &Plan) -> String;

    /// Returns the templates of the mails, each with the locales that it can be shown in.
    fn mails(&self, plan: &Arc<Plan>) -> Vec<(String, Vec<String>)>;

    /// Renders a mail for a sample, as HTML; nothing if there is no such mail.
    fn mail(&self, plan: &Arc<Plan>, template: &str, locale: &str) -> Option<String>;

    /// Tells the person who runs the server what a change of the file led to.
    fn say(&self, text: &str);

    /// Looks at the file as it is now, right or not.
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
    /// What it is.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

/// A pipeline as it is now.
pub struct Renewed {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The file's name, as the plan's bundle has it.
    pub file: String,
    /// The bytes of the seed files by their paths.
    pub seeds: MemoryFiles,
}

/// What ends a server that should go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database of a pipeline failed.
    #[error("the pipeline `{pipeline}` cannot go on")]
    Runner {
        /// The pipeline.
        pipeline: String,
        /// Why.
        source: oms_sqlite::Error,
    },
    /// The command line could not reach this process.
    #[error("`{path}` cannot be made, at which the command line would reach this process")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address cannot be used.
    #[error("connections cannot be taken")]
    Listen(#[from] std::io::Error),
    /// A task of ours ended by a bug.
    #[error("a part of the server failed")]
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

/// The pipeline whose runner ended, and why if that was not wanted.
pub(crate) type Ended = (Arc<str>, Result<(), oms_sqlite::Error>);

/// The work of a flow's runner.
pub(crate) struct Worker {
    /// Lets what is under way become durable, and ends.
    pub(crate) stop: watch::Sender<bool>,
    /// Ends with the pipeline's name, and why if that was not wanted.
    pub(crate) work: Pin<Box<dyn Future<Output = Ended> + Send>>,
}

impl Flow {
    /// Sets a runner to work, first on what was left.
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
            // Without the thread, searches take in what they need.
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

    /// Returns the plan on which orders that come now are run.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.runner.plan()
    }

    /// Reads what is committed; other requests go on meanwhile.
    pub(crate) fn reading<T>(
        &self,
        read: impl FnOnce(&Reader, &Bundles) -> Result<T, oms_sqlite::Error>,
    ) -> Result<T, oms_sqlite::Error> {
        tokio::task::block_in_place(|| self.runner.read(read))
    }

    /// Returns how many orders wait to be worked on.
    pub(crate) fn waiting(&self) -> usize {
        self.work.max_capacity() - self.work.capacity() + self.runner.queued()
    }
}
