//! A pipeline that is served: its runner, and the queue of orders for it.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use oms_engine::intake::SignatureVerifier;
use oms_engine::pipeline::AcceptSection;
use oms_engine::plan::Plan;
use oms_runtime::{Bundles, Runner, Work, WorkResult};
use oms_sqlite::{Keys, Reader, StoredSessions};
use tokio::sync::{mpsc, watch};

use super::bulk_retry::BulkRetry;
use super::indexing::Indexing;
use super::recent_orders::RecentOrders;
use super::source::Source;
use super::waiting_requests::WaitingRequests;
use crate::telemetry::metrics::PipelineMetrics;

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
    /// Verifies the signatures of webhooks, if `intake.verify` requires them.
    pub verifier: Option<SignatureVerifier>,
}

/// A pipeline that is served.
pub(crate) struct Flow {
    pub(crate) runner: Arc<Runner>,
    pub(crate) keys: Keys,
    pub(crate) stored_sessions: StoredSessions,
    pub(crate) directory: PathBuf,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) queue: mpsc::Sender<Work>,
    pub(crate) metrics: PipelineMetrics,
    pub(crate) recent_orders: Arc<RecentOrders>,
    pub(crate) bulk_retry: BulkRetry,
    pub(crate) waiting_requests: Arc<WaitingRequests>,
    /// Verifies the signatures of webhooks. A retry can replace the plan, but not the verifier,
    /// because only the start of the server reads secrets.
    pub(crate) verifier: Option<SignatureVerifier>,
    /// The header that selects the webhooks with orders.
    pub(crate) accept: Option<AcceptSection>,
}

/// The name of a pipeline, and the error that stopped its runner, if any.
pub(crate) type Ended = (Arc<str>, Result<(), oms_sqlite::Error>);

/// The task of a flow's runner.
pub(crate) struct Worker {
    /// Stops the runner after the work in progress is durable.
    pub(crate) stop: watch::Sender<bool>,
    /// Completes when the runner has stopped.
    pub(crate) task: Pin<Box<dyn Future<Output = Ended> + Send>>,
}

impl Flow {
    /// Starts a runner. It resumes the open runs first.
    pub(crate) fn start(
        opened: Opened,
        metrics: PipelineMetrics,
    ) -> Result<(Self, Worker), oms_sqlite::Error> {
        let Opened { plan, runner, directory, source, verifier } = opened;
        let accept = plan.intake().and_then(|intake| intake.accept.clone());
        let resume = runner.open_runs()?;
        let runner = Arc::new(runner);
        let (queue, work) = mpsc::channel(QUEUE_MAX);
        let (settled, mut outcomes) = mpsc::unbounded_channel::<WorkResult>();
        let (stop, stopped) = watch::channel(false);
        let counted = metrics.clone();
        let waiting_requests = Arc::new(WaitingRequests::default());
        let woken = Arc::clone(&waiting_requests);
        tokio::spawn(async move {
            while let Some(settled) = outcomes.recv().await {
                counted.count_run(&settled);
                if let WorkResult::Run { key, .. } = &settled {
                    woken.wake(key);
                }
            }
        });
        let recent_orders = Arc::new(RecentOrders::default());
        let (working, counting) = (Arc::clone(&runner), Arc::clone(&recent_orders));
        let pipeline = Arc::clone(plan.name());
        let running = async move {
            // Without this thread, each search updates the index.
            let indexing = Indexing::start(Arc::clone(&working), counting).ok();
            let result = working.run(resume, work, &settled, stopped).await;
            if let Some(indexing) = indexing {
                indexing.stop().await;
            }
            (pipeline, result)
        };
        let worker = Worker { stop, task: Box::pin(running) };
        let (keys, stored_sessions) = (Keys::of(&directory), StoredSessions::of(&directory));
        Ok((
            Self {
                runner,
                keys,
                stored_sessions,
                directory,
                source,
                queue,
                metrics,
                recent_orders,
                bulk_retry: BulkRetry::default(),
                waiting_requests,
                verifier,
                accept,
            },
            worker,
        ))
    }

    /// Returns the plan for new orders.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.runner.plan()
    }

    /// Reads committed data without blocking other requests.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Reader, &Bundles) -> Result<T, oms_sqlite::Error>,
    ) -> Result<T, oms_sqlite::Error> {
        tokio::task::block_in_place(|| self.runner.read(read))
    }

    /// Returns the number of queued orders.
    pub(crate) fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity() + self.runner.queued()
    }
}
