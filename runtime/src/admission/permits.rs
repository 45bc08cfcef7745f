//! Permits to accept orders and drive their runs. They limit the number of concurrent runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::clock_watch::ClockWatch;

/// How often the clock is looked at while runs wait.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// How long no run gets a permit before the intake accepts orders without driving their runs.
const STALLED: Duration = Duration::from_secs(1);
/// Runs that are started from the queue for each order that is accepted meanwhile, so that the queue shrinks.
const RUNS_PER_ORDER: u32 = 2;
/// Maximum number of such runs that count.
const STARTED_MAX: u32 = 128;
/// Maximum number of queued orders: accepted ones whose runs wait for a permit. With more, the intake waits.
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
    clock: Arc<dyn Clock>,
    /// When a run last got a permit.
    driven_at: Instant,
    /// Runs that were started from the queue and for which no order was accepted yet.
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

    /// Notes that a run that was in the database is driven.
    pub(crate) fn started(&mut self) {
        self.driven_at = Instant::now();
        self.started = (self.started + 1).min(STARTED_MAX);
    }

    /// Notes how an order got its permit, and returns whether its run is driven.
    pub(crate) fn admitted(&mut self, permit: Option<&Permit>) -> bool {
        let drives = !matches!(permit, Some(Permit::Accept(_)));
        match drives {
            true => self.driven_at = Instant::now(),
            false => self.started = self.started.saturating_sub(RUNS_PER_ORDER),
        }
        drives
    }

    /// Waits until `due` and for a permit to drive a run. Returns `None` if the clock was set back in the meantime.
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

    /// Waits for a permit to work on an order. With fewer than [`BACKLOG_MAX`] orders queued, a permit to accept it is enough while the runs are
    /// stalled, and once for every [`RUNS_PER_ORDER`] runs that were started from the queue.
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
