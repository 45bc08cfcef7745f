//! Permits to accept orders and drive their runs. They limit the number of concurrent runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::clock_watch::ClockWatch;

/// How often the clock is checked while runs wait.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// If no run gets a permit for this long, the intake accepts orders without driving their runs.
const STALLED: Duration = Duration::from_secs(1);
/// Number of queued runs that are started before another order is accepted without driving its run.
/// It is greater than 1, so that the queue shrinks.
const RUNS_PER_ORDER: u32 = 2;
/// Maximum value of `Permits::started`.
const STARTED_MAX: u32 = 128;
/// Maximum number of queued orders: accepted orders whose runs wait for a permit. At the maximum,
/// the intake waits.
const BACKLOG_MAX: usize = 100_000;
/// Maximum number of orders that are accepted concurrently without driving their runs.
const ACCEPTING_MAX: usize = 64;

/// A permit to process an order.
pub(crate) enum Permit {
    /// A permit to accept the order and drive its run.
    Drive(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit),
    /// A permit to only accept the order.
    Accept(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit),
}

/// The permits of a runner.
pub(crate) struct Permits {
    driving: Arc<Semaphore>,
    accepting: Arc<Semaphore>,
    accepts_while_stalled: bool,
    clock: Arc<dyn Clock>,
    /// When a run last got a permit.
    driven_at: Instant,
    /// Number of runs that were started from the queue and not yet offset by accepted orders.
    started: u32,
}

impl Permits {
    pub(crate) fn new(
        concurrency: usize,
        accepts_while_stalled: bool,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            driving: Arc::new(Semaphore::new(concurrency)),
            accepting: Arc::new(Semaphore::new(ACCEPTING_MAX)),
            accepts_while_stalled,
            clock,
            driven_at: Instant::now(),
            started: 0,
        }
    }

    /// Records that a run from the database was started.
    pub(crate) fn started(&mut self) {
        self.driven_at = Instant::now();
        self.started = (self.started + 1).min(STARTED_MAX);
    }

    /// Records the permit of an order, and returns whether its run is driven.
    pub(crate) fn admitted(&mut self, permit: Option<&Permit>) -> bool {
        let drives = !matches!(permit, Some(Permit::Accept(_)));
        match drives {
            true => self.driven_at = Instant::now(),
            false => self.started = self.started.saturating_sub(RUNS_PER_ORDER),
        }
        drives
    }

    /// Waits until `due`, and then for a permit to drive a run. Returns `None` if the clock was set
    /// back in the meantime.
    pub(crate) async fn at(
        &self,
        due: Option<Timestamp>,
        watch: &mut ClockWatch,
    ) -> Option<OwnedSemaphorePermit> {
        loop {
            if watch.was_set_back() {
                return None;
            }
            let wait = due.map(|due| due.duration_since(self.clock.now()));
            match wait.map(Duration::try_from) {
                Some(Ok(wait)) if !wait.is_zero() => {
                    tokio::time::sleep(wait.min(CLOCK_INTERVAL)).await;
                }
                _ => return Arc::clone(&self.driving).acquire_owned().await.ok(),
            }
        }
    }

    /// Returns a permit to drive a run if one is free.
    pub(crate) fn try_drive(&self) -> Option<Permit> {
        Arc::clone(&self.driving).try_acquire_owned().ok().map(Permit::Drive)
    }

    /// Waits for a permit to process an order. With `accepts_while_stalled`, and while fewer than
    /// [`BACKLOG_MAX`] orders are queued, also grants permits to only accept an order. It does so
    /// when the runs are stalled, and once for every [`RUNS_PER_ORDER`] runs that were started from
    /// the queue.
    pub(crate) async fn for_order(&self, queued: usize) -> Option<Permit> {
        let drive = Arc::clone(&self.driving).acquire_owned();
        if !self.accepts_while_stalled || queued >= BACKLOG_MAX {
            return drive.await.ok().map(Permit::Drive);
        }
        let stalled_at = match self.started >= RUNS_PER_ORDER {
            true => Instant::now(),
            false => self.driven_at + STALLED,
        };
        match tokio::time::timeout_at(stalled_at, drive).await {
            Ok(permit) => permit.ok().map(Permit::Drive),
            Err(_) => Arc::clone(&self.accepting).acquire_owned().await.ok().map(Permit::Accept),
        }
    }
}
