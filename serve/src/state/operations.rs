//! Operations on the runs of a pipeline, for the console and the command line.

use std::sync::Arc;

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::run::RunState;
use oms_runtime::control::Done;
use oms_runtime::{HeldDecision, Work};
use oms_sqlite::RunRow;

use super::error::RequestError;
use super::flow::Flow;
use super::source::Reloaded;

impl Flow {
    /// Retries a run.
    pub(crate) async fn retry(
        &self,
        row: &RunRow,
        held: Option<HeldDecision>,
    ) -> Result<Done, oms_sqlite::Error> {
        let retried = self.runner.retry(row, held).await;
        if let Ok(result) = &retried {
            self.metrics.count_run(result);
        }
        let done = Done::of(row, retried)?;
        if done.refused.is_none() && done.state == RunState::Waiting {
            let until = self.runner.row(row.id)?.and_then(|row| row.wait_until);
            let at = until.unwrap_or_else(|| SystemClock.now());
            // If the runner has stopped, the run continues after the next start.
            let _stopped = self.queue.send(Work::Resume { id: row.id, at }).await;
        }
        Ok(done)
    }

    /// Cancels a run that waits or is parked.
    pub(crate) async fn cancel(&self, row: &RunRow) -> Result<Done, oms_sqlite::Error> {
        let cancelled = self.runner.cancel(row).await;
        if let Ok(result) = &cancelled {
            self.metrics.count_run(result);
        }
        Done::of(row, cancelled)
    }

    /// Reads the pipeline file again, so that its changes apply to new runs and to retries.
    pub(crate) async fn reload(&self) -> Result<(), RequestError> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.reload()).await?;
        let Reloaded { plan, file, seeds, services } = read?;
        for skipped in self.runner.replace(&plan, &file, seeds, services).await? {
            self.source.report(&skipped.to_string());
        }
        Ok(())
    }
}
