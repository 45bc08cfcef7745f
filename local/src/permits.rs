//! Permits to work on orders: a limited number of runs is driven at the same time.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::Clock as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::clock_watch::ClockWatch;
use crate::runner::Work;
use crate::world::SystemClock;

/// How often the clock is looked at while runs wait.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// How long the intake waits for one of the concurrent runs to end before it accepts orders without driving their runs.
const STALLED: Duration = Duration::from_secs(1);
/// Maximum number of accepted orders whose runs wait for a permit. With more, the intake waits.
const BACKLOG_MAX: usize = 100_000;
/// Maximum number of orders that are accepted at the same time without driving their runs.
const ACCEPTING_MAX: usize = 64;

/// A permit to work on an order.
pub(crate) enum Permit {
    /// To accept it and drive its run.
    Drive(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit),
    /// To accept it only.
    Accept(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit),
}

/// The permits of a runner.
pub(crate) struct Permits {
    driving: Arc<Semaphore>,
    accepting: Arc<Semaphore>,
    accepts_while_stalled: bool,
    /// When an order last got a permit to drive its run.
    driven_at: Instant,
}

impl Permits {
    pub(crate) fn new(concurrency: usize, accepts_while_stalled: bool) -> Self {
        Self {
            driving: Arc::new(Semaphore::new(concurrency)),
            accepting: Arc::new(Semaphore::new(ACCEPTING_MAX)),
            accepts_while_stalled,
            driven_at: Instant::now(),
        }
    }

    /// Notes that an order got a permit to drive its run.
    pub(crate) fn drove(&mut self) {
        self.driven_at = Instant::now();
    }

    /// Waits until an instant has come and a run may be driven; nothing if the clock was set back meanwhile.
    pub(crate) async fn at(
        &self,
        due: Option<Timestamp>,
        clock: &mut ClockWatch,
    ) -> Option<OwnedSemaphorePermit> {
        loop {
            if clock.was_set_back() {
                return None;
            }
            let wait = due.map(|due| due.duration_since(SystemClock.now()));
            match wait.map(Duration::try_from) {
                Some(Ok(wait)) if !wait.is_zero() => {
                    tokio::time::sleep(wait.min(CLOCK_INTERVAL)).await;
                }
                _ => return Arc::clone(&self.driving).acquire_owned().await.ok(),
            }
        }
    }

    /// Waits for a permit and for work. If the runs are stalled and fewer than [`BACKLOG_MAX`] wait, a permit to accept an order is enough. If the
    /// future is dropped, it takes no work.
    pub(crate) async fn with_work(
        &self,
        backlog: usize,
        work: &mut mpsc::Receiver<Work>,
    ) -> (Option<Permit>, Option<Work>) {
        let drive = Arc::clone(&self.driving).acquire_owned();
        let permit = match self.accepts_while_stalled && backlog < BACKLOG_MAX {
            false => drive.await.ok().map(Permit::Drive),
            true => match tokio::time::timeout_at(self.driven_at + STALLED, drive).await {
                Ok(permit) => permit.ok().map(Permit::Drive),
                Err(_) => {
                    Arc::clone(&self.accepting).acquire_owned().await.ok().map(Permit::Accept)
                }
            },
        };
        (permit, work.recv().await)
    }
}
