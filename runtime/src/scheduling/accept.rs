//! Accepts orders and drives their runs, and resumes stored runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::run::{RunState, accept, accept_as};
use oms_sqlite::{Error, Outcome, RunRef, Turn};

use crate::admission::answer::{Answer, Answering};
use crate::admission::{Order, Settled};
use crate::run::driver::{StretchEnd, StretchStart};
use crate::run::refusals::Refusals;
use crate::runner::Runner;

/// Delay before another attempt to resume a run on which another task is working.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// How a task ended.
pub(super) enum Ended {
    Settled(Settled),
    Waits {
        id: i64,
        until: Timestamp,
        resumed: bool,
    },
    /// The order was accepted. Its run starts when it gets a permit.
    Queued {
        id: i64,
        at: Timestamp,
    },
    /// The run was cancelled or resumed elsewhere after it was scheduled here.
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
    ) -> Result<Ended, Error> {
        let mut turn = Some(turn);
        let ended = self.accept_in_turn(order, &mut turn, now, drive).await;
        if let Some(turn) = turn {
            self.driver.store.pass(turn).await?;
        }
        match ended {
            // The sender gets no answer, and sends the order again.
            Err(error) if error.is_full_disk() && self.driver.waits_for_room => Ok(Ended::Gone),
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
    ) -> Result<Ended, Error> {
        let Order { name, body, named, answer } = order;
        let accept = if named { accept_as } else { accept };
        let (plan, bundle) = self.current();
        let answering = Answering::new(answer);
        let mut refusals = Refusals::default();
        loop {
            let mut run = match accept(&plan, &body, &name, now) {
                Ok(run) => run,
                Err(rejection) => {
                    answering.tell(|| Answer::Rejected { rejection, body });
                    return Ok(Ended::Settled(Settled::Rejected));
                }
            };
            let key = Arc::clone(&run.info.key);
            if self.runs_before
                && let Some(digest) = self.driver.known(&key)?
            {
                let same = digest == run.info.digest;
                return Ok(Ended::Settled(self.known(same, &plan, &run, &answering)?));
            }
            let reference = RunRef::New {
                key: Arc::clone(&key),
                digest: run.info.digest,
                accepted_at: run.info.accepted_at.as_millisecond(),
                body: Arc::clone(&run.info.body),
            };
            let mut start = StretchStart {
                turn: *turn,
                refusals,
                answering: answering.clone(),
                ..StretchStart::new(reference, bundle)
            };
            let driven = match drive {
                true => self.driver.advance(&mut run, &mut start).await,
                false => self.driver.keep(&run, &mut start).await,
            };
            *turn = start.turn;
            let (outcome, end) = driven?;
            return Ok(match outcome {
                Outcome::Duplicate | Outcome::Conflict => {
                    let same = outcome == Outcome::Duplicate;
                    Ended::Settled(self.known(same, &plan, &run, &answering)?)
                }
                Outcome::Committed { id } if !drive => Ended::Queued { id, at: now },
                Outcome::Committed { id } => end.into(id, key, false),
                Outcome::Refused => {
                    refusals = start.refusals;
                    continue;
                }
            });
        }
    }

    /// Continues a run that is in the database.
    pub(super) async fn resume(&self, id: i64, resumed: bool) -> Result<Ended, Error> {
        let Some(_lock) = self.run_locks.try_lock(id) else {
            let until = self.now() + RETRY_DELAY;
            return Ok(Ended::Waits { id, until, resumed });
        };
        let mut refusals = Refusals::default();
        loop {
            let (mut run, row) = match self.driver.load(id) {
                Ok(loaded) => loaded,
                Err(error) => {
                    // The run may have been cancelled and pruned while it waited.
                    let Some(row) = self.row(id)? else { return Ok(Ended::Gone) };
                    let cause = error.parks().ok_or(error)?.to_owned();
                    // Only this run is parked. Other runs continue.
                    let state = RunState::Parked;
                    let end = StretchEnd { cause: Some(cause.clone()), ..StretchEnd::of(state) };
                    self.driver.settle(&row, &end).await?;
                    let (key, cause) = (Arc::from(row.key), Some(cause));
                    let settled = Settled::Run { key, resumed, state, cause, caught: 0 };
                    return Ok(Ended::Settled(settled));
                }
            };
            let key = Arc::clone(&run.info.key);
            if !matches!(row.state, RunState::InProgress | RunState::Waiting) {
                return Ok(Ended::Gone);
            }
            let mut start =
                StretchStart { refusals, ..StretchStart::new(RunRef::Known { id }, row.bundle) };
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
    fn into(self, id: i64, key: Arc<str>, resumed: bool) -> Ended {
        match (self.state, self.until) {
            (RunState::Waiting, Some(until)) => Ended::Waits { id, until, resumed },
            (state, _) => {
                let (cause, caught) = (self.cause, self.caught);
                Ended::Settled(Settled::Run { key, resumed, state, cause, caught })
            }
        }
    }
}
