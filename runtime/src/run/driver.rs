//! Drives runs, one stretch after another: a stretch executes until the run has to stop, and then
//! commits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::{Clock, Mailer, Random, Services};
use oms_engine::run::{Event, Run, RunState, advance, encode};
use oms_engine::value::Digest;
use oms_sqlite::{
    Error, Outcome, Packet, Reads, RunRef, RunRow, Store, StoredRun, Turn, Write, items,
};
use tokio::sync::oneshot;

use super::journal::{is_order, resume};
use super::refusals::Refusals;
use super::stage::Stage;
use crate::admission::reply::{OrderReply, ReplySender};
use crate::bundles::Bundles;
use crate::export::exporter::Exporter;
use crate::targets::{Listener, Remote};

/// Delay between two attempts to commit while the disk is full.
const DISK_FULL_DELAY: Duration = Duration::from_secs(1);

/// Drives runs: sends packets to the writer, and reads committed data.
pub(crate) struct Driver {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) bundles: Arc<Bundles>,
    /// Writes objects and e-mails as files, if an export was requested.
    pub(crate) exporter: Option<Exporter>,
    /// The mailer; `None` if e-mails stay in the outbox.
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    /// The ports that do not use this database.
    pub(crate) remote: Option<Remote>,
    /// The HTTP services that steps call.
    pub(crate) services: RwLock<Arc<dyn Services>>,
    pub(crate) listener: Option<Arc<dyn Listener>>,
    /// Whether runs wait while the disk is full.
    pub(crate) waits_for_disk_space: bool,
    /// Whether the process is shutting down.
    pub(crate) closed: AtomicBool,
}

/// The state in which a stretch begins.
pub(crate) struct StretchStart {
    pub(crate) reference: RunRef,
    pub(crate) bundle: i64,
    pub(crate) row: Option<i64>,
    /// The position of a new order in the input. `None` after its first packet is committed.
    pub(crate) turn: Option<Turn>,
    pub(crate) refusals: Refusals,
    /// Whether a packet was committed since the start, so that a refused stretch continues from it.
    pub(crate) durable: bool,
    /// Writes that were staged before the stretch and are not durable yet.
    pub(crate) writes: Vec<Write>,
    /// Events that happened before the stretch and are not durable yet.
    pub(crate) events: Vec<Event>,
    /// The channel to the sender, who waits until the order is on disk.
    pub(crate) reply_sender: ReplySender,
}

impl StretchStart {
    pub(crate) fn new(reference: RunRef, bundle: i64) -> Self {
        let row = match reference {
            RunRef::Existing { id } => Some(id),
            RunRef::New { .. } => None,
        };
        let (writes, events) = (Vec::new(), Vec::new());
        Self {
            reference,
            bundle,
            row,
            turn: None,
            refusals: Refusals::default(),
            durable: false,
            writes,
            events,
            reply_sender: ReplySender::new(None),
        }
    }
}

impl StretchStart {
    /// Tells the sender that the order is on disk.
    fn accepted(&self, run: &Run, state: RunState) {
        let (key, id) = (&run.info.key, &run.info.id);
        self.reply_sender.send(|| OrderReply::Accepted {
            key: Arc::clone(key),
            run: Arc::clone(id),
            state,
        });
    }
}

/// The state in which a stretch ended.
pub(crate) struct StretchEnd {
    pub(crate) state: RunState,
    pub(crate) until: Option<Timestamp>,
    pub(crate) cause: Option<String>,
    pub(crate) caught: u32,
}

impl StretchEnd {
    /// Returns the end of a stretch in a state, without failures.
    pub(crate) const fn of(state: RunState) -> Self {
        Self { state, until: None, cause: None, caught: 0 }
    }

    /// Returns the end of a stretch of a run that reached a state.
    fn reached(run: &Run, state: RunState, until: Option<Timestamp>) -> Self {
        let caught = u32::try_from(run.scheduler.caught().count()).unwrap_or(u32::MAX);
        let cause = match state {
            RunState::Parked => Some(run.scheduler.causes()),
            RunState::Completed if caught > 0 => Some(run.scheduler.caught_causes()),
            _ => None,
        };
        Self { state, until, cause, caught }
    }
}

impl Driver {
    /// Returns the digest of the accepted order with a key, or `None` if there is no such order.
    pub(crate) fn accepted_digest(&self, key: &str) -> Result<Option<Digest>, Error> {
        self.store.read(|reader| StoredRun::digest_of(reader, key))
    }

    /// Loads a run and replays its journal on its own bundle.
    pub(crate) fn load(&self, id: i64) -> Result<(Run, RunRow), Error> {
        let (stored, run) = self.load_whole(id)?;
        Ok((run, stored.row))
    }

    /// Loads a run with its stored data, and replays its journal on its own bundle. Checks that the
    /// order was not changed.
    pub(crate) fn load_whole(&self, id: i64) -> Result<(StoredRun, Run), Error> {
        self.store.read(|reader| {
            let stored = StoredRun::load(reader, id)?;
            let plan = self.bundles.plan(reader, stored.row.bundle)?;
            let run = resume(&stored, &plan)?;
            if stored.digest != Some(run.info.digest) && !is_order(reader, &self.bundles, &stored)?
            {
                let (key, why) = (stored.row.key, "its order was changed after it was accepted");
                return Err(Error::Damaged { key, why: why.to_owned() });
            }
            Ok((stored, run))
        })
    }

    /// Cancels or parks a run whose journal cannot be replayed.
    pub(crate) async fn end_damaged(&self, row: &RunRow, end: &StretchEnd) -> Result<(), Error> {
        let mut start = StretchStart::new(RunRef::Existing { id: row.id }, row.bundle);
        self.commit(&mut start, end, &[], Arc::from([]), Reads::default()).await?;
        Ok(())
    }

    /// Accepts a new run without driving it.
    pub(crate) async fn accept_only(
        &self,
        run: &Run,
        start: &mut StretchStart,
    ) -> Result<(Outcome, StretchEnd), Error> {
        let end = StretchEnd::of(RunState::InProgress);
        let outcome = self.commit(start, &end, &[], Arc::from([]), Reads::default()).await?;
        if let Outcome::Committed { id } = outcome {
            (start.reference, start.row) = (RunRef::Existing { id }, Some(id));
            start.accepted(run, end.state);
        }
        Ok((outcome, end))
    }

    /// Drives a run until it ends or has to wait, and commits its progress: once at the end, and
    /// also before and after each step with external effects. Returns the outcome of the last
    /// commit. If the first commit is refused, the refusal is recorded, and the caller has to start
    /// again.
    pub(crate) async fn advance(
        &self,
        run: &mut Run,
        start: &mut StretchStart,
    ) -> Result<(Outcome, StretchEnd), Error> {
        if self.remote.is_some() && start.row.is_none() {
            // An order must be durable here before its run has external effects.
            let accepted = self.accept_only(run, start).await?;
            if !matches!(accepted.0, Outcome::Committed { .. }) {
                return Ok(accepted);
            }
        }
        loop {
            let (outcome, end) = self.stretch(run, start).await?;
            match outcome {
                // During shutdown, only claimed attempts are executed. The run continues after the
                // next start.
                Outcome::Committed { .. } if self.is_closed() && !run.has_unstarted_claims() => {
                    return Ok((outcome, end));
                }
                Outcome::Committed { id } if end.state == RunState::InProgress => {
                    (start.reference, start.row) = (RunRef::Existing { id }, Some(id));
                }
                Outcome::Refused => {
                    start.refusals.note(&self.store, start.turn.is_some()).await?;
                    // Committed work is not repeated. The run continues from its last commit.
                    let RunRef::Existing { id } = start.reference else {
                        return Ok((outcome, end));
                    };
                    if !start.durable {
                        return Ok((outcome, end));
                    }
                    let (reloaded, row) = self.load(id)?;
                    (*run, start.bundle) = (reloaded, row.bundle);
                }
                _ => return Ok((outcome, end)),
            }
        }
    }

    /// Prevents new claims of external effects. Runs stop at their next commit.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(mailer) = &self.mailer {
            mailer.close();
        }
        self.services().close();
    }

    /// Returns the HTTP services that steps call.
    pub(crate) fn services(&self) -> Arc<dyn Services> {
        Arc::clone(&self.services.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the HTTP services. Requests in progress end on the earlier ones.
    pub(crate) fn replace_services(&self, services: Arc<dyn Services>) {
        if self.is_closed() {
            services.close();
        }
        *self.services.write().unwrap_or_else(PoisonError::into_inner) = services;
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Drives a run until it has to commit, and commits.
    async fn stretch(
        &self,
        run: &mut Run,
        start: &mut StretchStart,
    ) -> Result<(Outcome, StretchEnd), Error> {
        // External effects must not be repeated, even if the data on which they were based has
        // changed since then.
        let has_outside_effects = run.has_unstarted_claims();
        let stage = Stage::new(self, start);
        let progress = advance(run, &stage).await;
        let mut writes = std::mem::take(&mut start.writes);
        let (staged, mut reads) = stage.take();
        writes.extend(staged);
        if has_outside_effects {
            reads.clear();
        }
        let writes: Arc<[Write]> = writes.into();
        let mut events = std::mem::take(&mut start.events);
        events.extend(progress.events);
        let end = StretchEnd::reached(run, progress.state, progress.until);
        if progress.conflicted {
            start.refusals.items.extend(items(&reads, &writes));
            return Ok((Outcome::Refused, end));
        }
        let outcome = self.commit(start, &end, &events, Arc::clone(&writes), reads).await?;
        if let Outcome::Committed { id } = outcome {
            start.accepted(run, end.state);
            if let Some(listener) = &self.listener {
                listener.committed(&run.info, &events, end.state);
            }
            if let Some(exporter) = &self.exporter {
                exporter.export(self.store.exported(), id, run, &writes);
            }
        }
        Ok((outcome, end))
    }

    /// Commits the progress of a run.
    async fn commit(
        &self,
        start: &mut StretchStart,
        end: &StretchEnd,
        events: &[Event],
        writes: Arc<[Write]>,
        reads: Reads,
    ) -> Result<Outcome, Error> {
        let reads = Arc::new(reads);
        let failed = events.iter().filter_map(|event| match event {
            Event::Failed { step, .. } => Some(Arc::clone(step)),
            _ => None,
        });
        let failed_steps: Vec<Arc<str>> = failed.collect();
        let is_retry = events.iter().any(|event| matches!(event, Event::Retried { .. }));
        let events = encode(events);
        let outcome = loop {
            let (reply, outcome) = oneshot::channel();
            let packet = Packet {
                run: start.reference.clone(),
                bundle: start.bundle,
                state: end.state,
                wait_until: end.until.map(Timestamp::as_millisecond),
                cause: end.cause.clone(),
                caught: end.caught,
                failed_steps: failed_steps.clone(),
                is_retry,
                now: self.store.now().as_millisecond(),
                events: events.clone(),
                writes: Arc::clone(&writes),
                reads: Arc::clone(&reads),
                turn: start.turn,
                is_exported: self.exporter.is_some(),
                lock: start.refusals.lock(),
                reply,
            };
            self.store.submit(packet).await?;
            let outcome = outcome.await;
            match outcome.map_err(|_| Error::WriterStopped("it sent no reply".to_owned()))? {
                Some(outcome) => break outcome,
                None if start.row.is_some() && self.waits_for_disk_space && !self.is_closed() => {
                    self.clock.sleep(DISK_FULL_DELAY).await.ok();
                }
                None => return Err(Error::FullDisk),
            }
        };
        if outcome == Outcome::Refused {
            start.refusals.items.extend(items(&reads, &writes));
        } else {
            start.refusals = Refusals::default();
            start.turn = None;
            start.durable |= matches!(outcome, Outcome::Committed { .. });
        }
        Ok(outcome)
    }
}
