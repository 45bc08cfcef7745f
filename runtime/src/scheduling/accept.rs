//! Accepts orders and drives their runs, and resumes stored runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::run::{RunState, accept, accept_as};
use oms_sqlite::{Error, Outcome, RunRef, Turn};

use crate::admission::reply::{OrderReply, ReplySender};
use crate::admission::{Order, WorkResult};
use crate::run::driver::{StretchEnd, StretchStart};
use crate::run::refusals::Refusals;
use crate::runner::Runner;

/// Delay before another attempt to resume a run on which another task is working.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// How a task ended.
pub(super) enum TaskEnd {
    Done(WorkResult),
    Waiting {
        id: i64,
        until: Timestamp,
        resumed: bool,
    },
    /// The order was accepted. Its run starts when it gets a permit.
    Queued {
        id: i64,
        at: Timestamp,
    },
    /// There is no more work: the run was cancelled or resumed elsewhere after it was scheduled
    /// here, or a full disk prevented the acceptance of the order.
    Gone,
}

impl Runner {
    /// Accepts an order, and drives its run if `drive` is set. In any case, the order's turn ends.
    pub(super) async fn accept(
        &self,
        order: Order,
        turn: Turn,
        now: Timestamp,
        drive: bool,
    ) -> Result<TaskEnd, Error> {
        let mut turn = Some(turn);
        let ended = self.accept_in_turn(order, &mut turn, now, drive).await;
        if let Some(turn) = turn {
            self.driver.store.pass(turn).await?;
        }
        match ended {
            // The sender gets no reply, and sends the order again.
            Err(error) if error.is_full_disk() && self.driver.waits_for_disk_space => {
                Ok(TaskEnd::Gone)
            }
            ended => ended,
        }
    }

    /// Accepts an order, and drives its run if `drive` is set. `turn` becomes `None` when a packet
    /// has ended it.
    async fn accept_in_turn(
        &self,
        order: Order,
        turn: &mut Option<Turn>,
        now: Timestamp,
        drive: bool,
    ) -> Result<TaskEnd, Error> {
        let Order { name, body, name_must_equal_key, reply } = order;
        let accept = if name_must_equal_key { accept_as } else { accept };
        let (plan, bundle) = self.current()?;
        let reply_sender = ReplySender::new(reply);
        let mut refusals = Refusals::default();
        loop {
            let mut run = match accept(&plan, &body, &name, now) {
                Ok(run) => run,
                Err(rejection) => {
                    reply_sender.send(|| OrderReply::Rejected { rejection, body });
                    return Ok(TaskEnd::Done(WorkResult::Rejected));
                }
            };
            let key = Arc::clone(&run.info.key);
            if self.runs_before
                && let Some(digest) = self.driver.accepted_digest(&key)?
            {
                let same = digest == run.info.digest;
                return Ok(TaskEnd::Done(self.existing_run(same, &plan, &run, &reply_sender)?));
            }
            let reference = RunRef::New {
                key: Arc::clone(&key),
                digest: run.info.digest,
                reduced: run.info.reduced,
                accepted_at: run.info.accepted_at.as_millisecond(),
                body: Arc::clone(&run.info.body),
            };
            let mut start = StretchStart {
                turn: *turn,
                refusals,
                reply_sender: reply_sender.clone(),
                ..StretchStart::new(reference, bundle)
            };
            let driven = match drive {
                true => self.driver.advance(&mut run, &mut start).await,
                false => self.driver.accept_only(&run, &mut start).await,
            };
            *turn = start.turn;
            let (outcome, end) = driven?;
            return Ok(match outcome {
                Outcome::Duplicate | Outcome::Conflict => {
                    let same = outcome == Outcome::Duplicate;
                    TaskEnd::Done(self.existing_run(same, &plan, &run, &reply_sender)?)
                }
                Outcome::Committed { id } if !drive => TaskEnd::Queued { id, at: now },
                Outcome::Committed { id } => end.into(id, key, false),
                Outcome::Refused => {
                    refusals = start.refusals;
                    continue;
                }
            });
        }
    }

    /// Continues a run that is in the database.
    pub(super) async fn resume(&self, id: i64, resumed: bool) -> Result<TaskEnd, Error> {
        let Some(_lock) = self.run_locks.try_lock(id) else {
            let until = self.now() + RETRY_DELAY;
            return Ok(TaskEnd::Waiting { id, until, resumed });
        };
        let mut refusals = Refusals::default();
        loop {
            let (mut run, row) = match self.driver.load(id) {
                Ok(loaded) => loaded,
                Err(error) => {
                    // The run may have been cancelled and pruned while it waited.
                    let Some(row) = self.row(id)? else { return Ok(TaskEnd::Gone) };
                    let cause = error.park_cause().ok_or(error)?.to_owned();
                    // Only this run is parked. Other runs continue.
                    let state = RunState::Parked;
                    let end = StretchEnd { cause: Some(cause.clone()), ..StretchEnd::of(state) };
                    self.driver.end_damaged(&row, &end).await?;
                    let (key, cause) = (Arc::from(row.key), Some(cause));
                    let result = WorkResult::Run { key, resumed, state, cause, caught: 0 };
                    return Ok(TaskEnd::Done(result));
                }
            };
            let key = Arc::clone(&run.info.key);
            if !matches!(row.state, RunState::InProgress | RunState::Waiting) {
                return Ok(TaskEnd::Gone);
            }
            let mut start =
                StretchStart { refusals, ..StretchStart::new(RunRef::Existing { id }, row.bundle) };
            let (outcome, end) = self.driver.advance(&mut run, &mut start).await?;
            if outcome == Outcome::Refused {
                refusals = start.refusals;
                continue;
            }
            return Ok(end.into(id, key, resumed));
        }
    }
}

impl StretchEnd {
    fn into(self, id: i64, key: Arc<str>, resumed: bool) -> TaskEnd {
        match (self.state, self.until) {
            (RunState::Waiting, Some(until)) => TaskEnd::Waiting { id, until, resumed },
            (state, _) => {
                let (cause, caught) = (self.cause, self.caught);
                TaskEnd::Done(WorkResult::Run { key, resumed, state, cause, caught })
            }
        }
    }
}
