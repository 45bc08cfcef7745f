//! One stretch of a run: it executes until the run has to stop, and then commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::{Clock, Mailer, Random};
use oms_engine::run::{Event, Run, RunState, advance, encode};
use oms_engine::value::Digest;
use oms_sqlite::{
    Error, Outcome, Packet, Reads, RunRef, RunRow, Store, StoredRun, Turn, Write, items,
};
use tokio::sync::oneshot;

use super::journal::{is_order, resume};
use super::refusals::Refusals;
use super::stage::Stage;
use crate::admission::answer::{Answer, Answering};
use crate::bundles::Bundles;
use crate::export::exporter::Exporter;
use crate::target::{Listener, Remote};

/// Delay between two attempts to commit while the disk is full.
const ROOM: Duration = Duration::from_secs(1);

/// Drives runs: it sends packets to the writer and reads what is committed.
pub(crate) struct Driver {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) bundles: Arc<Bundles>,
    /// Writes objects and e-mails as files, if an export was requested.
    pub(crate) exporter: Option<Exporter>,
    /// The mailer; `None` if e-mails stay in the outbox.
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    /// The ports that are outside of this database.
    pub(crate) remote: Option<Remote>,
    pub(crate) listener: Option<Arc<dyn Listener>>,
    /// Whether runs wait while the disk is full.
    pub(crate) waits_for_room: bool,
    /// Whether the process is shutting down.
    pub(crate) closed: AtomicBool,
}

/// The state in which a stretch begins.
pub(crate) struct Begun {
    pub(crate) reference: RunRef,
    pub(crate) bundle: i64,
    pub(crate) row: Option<i64>,
    /// The position of a new order in the input, until its first packet is committed.
    pub(crate) turn: Option<Turn>,
    pub(crate) refusals: Refusals,
    /// Whether any part of the run is durable.
    pub(crate) durable: bool,
    /// Writes that were staged before and are not durable yet.
    pub(crate) writes: Vec<Write>,
    /// Events that happened before and are not durable yet.
    pub(crate) events: Vec<Event>,
    /// The sender who waits for the order to be on disk.
    pub(crate) answering: Answering,
}

impl Begun {
    pub(crate) fn new(reference: RunRef, bundle: i64) -> Self {
        let row = match reference {
            RunRef::Known { id } => Some(id),
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
            answering: Answering::new(None),
        }
    }
}

impl Begun {
    /// Tells the sender that the order is on disk.
    fn accepted(&self, run: &Run, state: RunState) {
        let (key, id) = (&run.info.key, &run.info.id);
        self.answering.tell(|| Answer::Accepted {
            key: Arc::clone(key),
            run: Arc::clone(id),
            state,
        });
    }
}

/// The state in which a stretch ended.
pub(crate) struct End {
    pub(crate) state: RunState,
    pub(crate) until: Option<Timestamp>,
    pub(crate) cause: Option<String>,
    pub(crate) caught: u32,
}

impl End {
    /// Returns the end of a stretch in a state, without failures.
    pub(crate) const fn of(state: RunState) -> Self {
        Self { state, until: None, cause: None, caught: 0 }
    }

    /// Returns how far a run got.
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
    /// Returns the digest of the order with a key, if there is one.
    pub(crate) fn known(&self, key: &str) -> Result<Option<Digest>, Error> {
        self.store.read(|reader| StoredRun::digest_of(reader, key))
    }

    /// Loads a run and replays its journal on its own bundle.
    pub(crate) fn load(&self, id: i64) -> Result<(Run, RunRow), Error> {
        let (stored, run) = self.load_whole(id)?;
        Ok((run, stored.row))
    }

    /// Loads a run with its stored data, replays its journal on its own bundle, and checks that its
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

    /// Ends or parks a run whose journal cannot be replayed.
    pub(crate) async fn settle(&self, row: &RunRow, end: &End) -> Result<(), Error> {
        let mut begun = Begun::new(RunRef::Known { id: row.id }, row.bundle);
        self.commit(&mut begun, end, &[], Arc::from([]), Reads::default()).await?;
        Ok(())
    }

    /// Accepts a new run without driving it.
    pub(crate) async fn keep(&self, run: &Run, begun: &mut Begun) -> Result<(Outcome, End), Error> {
        let end = End::of(RunState::InProgress);
        let outcome = self.commit(begun, &end, &[], Arc::from([]), Reads::default()).await?;
        if let Outcome::Committed { id } = outcome {
            (begun.reference, begun.row) = (RunRef::Known { id }, Some(id));
            begun.accepted(run, end.state);
        }
        Ok((outcome, end))
    }

    /// Drives a run until it ends or has to wait, and commits its progress: once at the end, and
    /// also before and after each step with effects outside of this process. Returns the outcome of
    /// the last commit. If a commit is refused before any part of the run is durable, the refusal
    /// is recorded and the caller starts again.
    pub(crate) async fn advance(
        &self,
        run: &mut Run,
        begun: &mut Begun,
    ) -> Result<(Outcome, End), Error> {
        if self.remote.is_some() && begun.row.is_none() {
            // An order must be accepted here before it has effects outside.
            let kept = self.keep(run, begun).await?;
            if !matches!(kept.0, Outcome::Committed { .. }) {
                return Ok(kept);
            }
        }
        loop {
            let (outcome, end) = self.stretch(run, begun).await?;
            match outcome {
                // During shutdown, only claimed attempts are executed. The rest follows after the
                // next start.
                Outcome::Committed { .. } if self.is_closed() && !run.has_unstarted_claims() => {
                    return Ok((outcome, end));
                }
                Outcome::Committed { id } if end.state == RunState::InProgress => {
                    (begun.reference, begun.row) = (RunRef::Known { id }, Some(id));
                }
                Outcome::Refused => {
                    begun.refusals.note(&self.store, begun.turn.is_some()).await?;
                    // Committed work is not repeated: the run continues from there.
                    let RunRef::Known { id } = begun.reference else { return Ok((outcome, end)) };
                    if !begun.durable {
                        return Ok((outcome, end));
                    }
                    let (again, row) = self.load(id)?;
                    (*run, begun.bundle) = (again, row.bundle);
                }
                _ => return Ok((outcome, end)),
            }
        }
    }

    /// Prevents any further effects outside of this process.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(mailer) = &self.mailer {
            mailer.close();
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Drives a run until it has to commit, and commits.
    async fn stretch(&self, run: &mut Run, begun: &mut Begun) -> Result<(Outcome, End), Error> {
        // Effects outside of this process cannot be repeated, even if the data that they were based
        // on has changed since.
        let rests_on_facts = run.has_unstarted_claims();
        let stage = Stage::new(self, begun);
        let progress = advance(run, &stage).await;
        let mut writes = std::mem::take(&mut begun.writes);
        let (staged, mut reads) = stage.take();
        writes.extend(staged);
        if rests_on_facts {
            reads.clear();
        }
        let writes: Arc<[Write]> = writes.into();
        let mut events = std::mem::take(&mut begun.events);
        events.extend(progress.events);
        let end = End::reached(run, progress.state, progress.until);
        if progress.conflicted {
            begun.refusals.items.extend(items(&reads, &writes));
            return Ok((Outcome::Refused, end));
        }
        let outcome = self.commit(begun, &end, &events, Arc::clone(&writes), reads).await?;
        if let Outcome::Committed { id } = outcome {
            begun.accepted(run, end.state);
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
        begun: &mut Begun,
        end: &End,
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
                run: begun.reference.clone(),
                bundle: begun.bundle,
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
                turn: begun.turn,
                is_exported: self.exporter.is_some(),
                lock: begun.refusals.lock(),
                reply,
            };
            self.store.submit(packet).await?;
            let outcome = outcome.await;
            match outcome.map_err(|_| Error::WriterStopped("it sent no reply".to_owned()))? {
                Some(outcome) => break outcome,
                None if begun.row.is_some() && self.waits_for_room && !self.is_closed() => {
                    self.clock.sleep(ROOM).await.ok();
                }
                None => return Err(Error::FullDisk),
            }
        };
        if outcome == Outcome::Refused {
            begun.refusals.items.extend(items(&reads, &writes));
        } else {
            begun.refusals = Refusals::default();
            begun.turn = None;
            begun.durable |= matches!(outcome, Outcome::Committed { .. });
        }
        Ok(outcome)
    }
}
