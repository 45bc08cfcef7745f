//! Processes work as it arrives, and resumes waiting runs when they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use oms_sqlite::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::accept::TaskEnd;
use crate::admission::clock_watch::ClockWatch;
use crate::admission::permits::{Permit, Permits};
use crate::admission::{Acceptance, Order, Work, WorkResult};
use crate::runner::Runner;

/// A waiting run: when it continues, its row, whether an earlier process accepted it, and whether
/// it was reported as waiting.
type Waiting = Reverse<(Timestamp, i64, bool, bool)>;

impl Runner {
    /// Continues the runs in `resume`, and processes work as it arrives. Ends when no run can
    /// continue and no more work can arrive, or when `stop` becomes true. Sends each result to
    /// `results`.
    ///
    /// # Errors
    /// Returns an error if the database fails. Results that were already reported are durable.
    pub async fn run(
        self: &Arc<Self>,
        resume: Vec<i64>,
        mut work: mpsc::Receiver<Work>,
        results: &mpsc::UnboundedSender<WorkResult>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let mut permits = Permits::new(
            self.concurrency,
            self.accepts_while_stalled,
            Arc::clone(&self.driver.clock),
        );
        let mut tasks: JoinSet<Result<TaskEnd, Error>> = JoinSet::new();
        let queue = |id| Reverse((self.now(), id, true, false));
        let mut waiting: BinaryHeap<Waiting> = resume.into_iter().map(queue).collect();
        let mut clock = ClockWatch::new(Arc::clone(&self.driver.clock));
        let mut acceptance = Acceptance::default();
        let mut pending: Option<Order> = None;
        let mut intake = true;
        let mut failed = Ok(());
        let mut begin =
            |tasks: &mut JoinSet<_>, permits: &mut Permits, permit: Option<Permit>, order| {
                let runner = Arc::clone(self);
                let turn = self.orders.fetch_add(1, Ordering::Relaxed);
                let now = acceptance.at(self.now());
                let drive = permits.admitted(permit.as_ref());
                tasks.spawn(async move {
                    let _permit = permit;
                    runner.accept(order, turn, now, drive).await
                });
            };
        while failed.is_ok() {
            let next_wait = waiting.peek().map(|Reverse((until, id, ..))| (*until, *id));
            let due = next_wait.map(|(until, _)| until);
            match next_wait {
                None if !intake && pending.is_none() && tasks.is_empty() => return Ok(()),
                Some((until, id)) if !intake && pending.is_none() && tasks.is_empty() => {
                    report(results, WorkResult::OnlyWaiting { id, until });
                }
                _ => {}
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if matches!(ended, Ok(Ok(TaskEnd::Queued { .. }))) {
                        self.queued.fetch_add(1, Ordering::Relaxed);
                    }
                    failed = take(ended, &mut waiting, results);
                }
                permit = permits.at(due, &mut clock), if due.is_some() => {
                    let Some(permit) = permit else {
                        // The clock was set back. Resuming all runs lets the scheduler determine
                        // the waiting times again.
                        let now = self.now();
                        let again = |Reverse((_, id, resumed, reported))| Reverse((now, id, resumed, reported));
                        waiting = waiting.into_iter().map(again).collect();
                        continue;
                    };
                    if let Some(Reverse((_, id, resumed, reported))) = waiting.pop() {
                        permits.started();
                        match (resumed, reported) {
                            (_, true) => report(results, WorkResult::Resumed { resumed }),
                            (false, false) => _ = self.queued.fetch_sub(1, Ordering::Relaxed),
                            (true, false) => {}
                        }
                        let runner = Arc::clone(self);
                        tasks.spawn(async move {
                            let _permit = permit;
                            runner.resume(id, resumed).await
                        });
                    }
                }
                received = work.recv(), if intake && pending.is_none() => match received {
                    Some(Work::Resume { id, at }) => waiting.push(Reverse((at, id, true, true))),
                    Some(Work::Order(order)) => match permits.try_drive() {
                        Some(permit) => begin(&mut tasks, &mut permits, Some(permit), order),
                        None => pending = Some(order),
                    },
                    None => intake = false,
                },
                permit = permits.for_order(self.queued()), if pending.is_some() => {
                    if let Some(order) = pending.take() {
                        begin(&mut tasks, &mut permits, permit, order);
                    }
                }
            }
        }
        // Runs in progress become durable. Waiting runs continue after the next start.
        self.driver.close();
        while let Some(ended) = tasks.join_next().await {
            failed = failed.and(take(ended, &mut waiting, results));
        }
        failed
    }
}

fn take(
    ended: Result<Result<TaskEnd, Error>, tokio::task::JoinError>,
    waiting: &mut BinaryHeap<Waiting>,
    results: &mpsc::UnboundedSender<WorkResult>,
) -> Result<(), Error> {
    let ended = match ended {
        Ok(ended) => ended?,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return Ok(()),
        },
    };
    let result = match ended {
        TaskEnd::Done(result) => result,
        TaskEnd::Gone => return Ok(()),
        TaskEnd::Queued { id, at } => {
            waiting.push(Reverse((at, id, false, false)));
            return Ok(());
        }
        TaskEnd::Waiting { id, until, resumed } => {
            waiting.push(Reverse((until, id, resumed, true)));
            WorkResult::Waiting { resumed }
        }
    };
    report(results, result);
    Ok(())
}

fn report(results: &mpsc::UnboundedSender<WorkResult>, result: WorkResult) {
    // The channel is closed only if the caller no longer needs the results.
    let _ignored = results.send(result);
}
