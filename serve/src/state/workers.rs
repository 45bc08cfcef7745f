//! The tasks of the runners.

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::error::ServeError;
use super::flow::{Ended, Worker};

/// The tasks of a site's runners.
#[derive(Default)]
pub struct Workers {
    stops: Vec<watch::Sender<bool>>,
    tasks: JoinSet<Ended>,
}

impl Workers {
    pub(super) fn add(&mut self, worker: Worker) {
        self.stops.push(worker.stop);
        self.tasks.spawn(worker.task);
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
    /// Returns an error if a runner failed.
    pub(crate) async fn stop(mut self) -> Result<(), ServeError> {
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
