//! Runs orders on the embedded world: accepts them, drives their runs concurrently, retries waiting runs when they are due, and resumes the
//! runs of an earlier process.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::document::{Files, MemoryFiles};
use oms_engine::effects::Clock as _;
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::{RunState, accept, accept_as};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::answer::{Answer, Answering};
use crate::audit::AuditEntry;
use crate::bundles::Bundles;
use crate::clock_watch::ClockWatch;
use crate::database::Database;
use crate::drive::{Begun, Driver, End, Refusals};
use crate::error::Error;
use crate::export::{Export, Exporter, Written};
use crate::index::Index;
use crate::listener::Listener;
use crate::mailing::{self, Mailing};
use crate::next_attempt::NextAttempt;
use crate::packet::{Outcome, RunRef};
use crate::permits::{Permit, Permits};
use crate::prune::recall_last;
use crate::readers::Readers;
use crate::remote::{self, Remote};
use crate::runs::{RunRow, StoredRun};
use crate::seeds::{self, SkippedSeed};
use crate::settled::Settled;
use crate::tables;
use crate::turns::{Acceptance, Turn};
use crate::under_way::UnderWay;
use crate::world::SystemClock;
use crate::writer::Writer;

/// How long a run waits if it is already being worked on.
const AGAIN: Duration = Duration::from_millis(50);

/// The settings of a runner.
#[derive(Clone)]
pub struct Settings {
    /// Maximum number of concurrent runs.
    pub concurrency: usize,
    /// Where to also write objects and e-mails as files.
    pub export: Option<Export>,
    /// How e-mails are delivered; `None` keeps the stored choice.
    pub mail: Option<Mailing>,
    /// Where the steps' effects are stored, if not in this database.
    pub remote: Option<Remote>,
    /// Receives the committed events of runs.
    pub listener: Option<Arc<dyn Listener>>,
    /// Whether runs wait while the disk is full. New orders then get no answer. Otherwise a full disk is an error.
    pub waits_for_room: bool,
    /// Whether orders are accepted while all concurrent runs are stalled, such as by a mail server that does not answer. Their runs start later.
    pub accepts_while_stalled: bool,
}

/// A unit of work for a runner.
#[derive(Debug)]
pub enum Work {
    /// A new order.
    Order(Order),
    /// A run to continue.
    GoOn {
        /// The run's row.
        id: i64,
        /// The time to continue.
        at: Timestamp,
    },
}

/// A new order.
#[derive(Debug)]
pub struct Order {
    /// The name of the order in the input: a file's stem, or the last part of a path.
    pub name: String,
    /// The bytes.
    pub body: Vec<u8>,
    /// Whether the name must be equal to the order's key.
    pub named: bool,
    /// The channel to the sender. If it is closed without an answer, the result is unknown.
    pub answer: Option<oneshot::Sender<Answer>>,
}

/// Runs a pipeline on a state directory. Only one process can own the directory.
pub struct Runner {
    pub(crate) driver: Driver,
    pub(crate) under_way: UnderWay,
    pub(crate) index: Index,
    current: RwLock<(Arc<Plan>, i64)>,
    concurrency: usize,
    accepts_while_stalled: bool,
    /// Accepted orders whose runs wait for a permit.
    queued: AtomicUsize,
    /// Number of new orders so far.
    orders: AtomicU64,
    /// Whether this process found earlier runs. Only then are orders looked up before they run.
    runs_before: bool,
    /// The seed rows that were skipped when the runner was opened.
    skipped: Vec<SkippedSeed>,
    thread: JoinHandle<Result<(), Error>>,
    _database: Database,
}

/// How a task ended.
enum Ended {
    Settled(Settled),
    Waits {
        id: i64,
        until: Timestamp,
        resumed: bool,
    },
    /// The order was accepted; its run starts when another one ends.
    Queued {
        id: i64,
        at: Timestamp,
    },
    /// The run was cancelled or resumed elsewhere after it was scheduled here.
    Gone,
}

/// A waiting run: when it continues, its row, whether an earlier process accepted it, and whether it was reported as waiting.
type Waiting = Reverse<(Timestamp, i64, bool, bool)>;

impl Runner {
    /// Takes ownership of a state directory, prepares its database, and starts the writer.
    ///
    /// # Errors
    /// When another process owns the directory, or it is unusable or of another pipeline.
    pub fn open(
        directory: &Path,
        plan: &Arc<Plan>,
        checker: &Arc<Checker>,
        pipeline_file: &str,
        files: &dyn Files,
        settings: Settings,
    ) -> Result<Self, Error> {
        let database = Database::own(directory)?;
        let bundles = Arc::new(Bundles::new(Arc::clone(checker)));
        let connection = database.connect()?;
        seeds::claim(&connection, plan.name())?;
        remote::settle(&connection, settings.remote.as_ref())?;
        let mut skipped = Vec::new();
        if settings.remote.is_none() {
            for table in plan.tables() {
                tables::ensure(&connection, table)?;
            }
            skipped = seeds::load(&connection, plan, files)?;
            recall_last(&connection, plan.tables())?;
        }
        let mailer = mailing::settle(&connection, settings.mail)?;
        let bundle = bundles.keep(&connection, pipeline_file, plan)?;
        let runs_before =
            connection.query_row("select exists (select 1 from oms_runs)", [], |row| row.get(0))?;
        drop(connection);
        let written = Written::default();
        let exporter = Exporter::open(settings.export, &database, &bundles, &written)?;
        let (writer, thread) = Writer::start(&database, written)?;
        let readers = Arc::new(Readers::new(directory));
        Ok(Self {
            driver: Driver {
                writer,
                readers,
                bundles,
                exporter,
                mailer,
                remote: settings.remote,
                listener: settings.listener,
                waits_for_room: settings.waits_for_room,
                closed: AtomicBool::new(false),
            },
            under_way: UnderWay::default(),
            index: Index::of(directory),
            current: RwLock::new((Arc::clone(plan), bundle)),
            concurrency: settings.concurrency.max(1),
            accepts_while_stalled: settings.accepts_while_stalled,
            queued: AtomicUsize::new(0),
            orders: AtomicU64::new(0),
            runs_before,
            skipped,
            thread,
            _database: database,
        })
    }

    /// Stops the writer and releases the directory.
    ///
    /// # Errors
    /// When the writer stopped with an error.
    pub fn close(self) -> Result<(), Error> {
        let Self { driver, thread, .. } = self;
        drop(driver);
        thread.join().map_err(|_| Error::WriterStopped("it panicked".to_owned()))?
    }

    /// Returns the seeds with rows that were skipped when the runner was opened.
    pub fn skipped_seeds(&self) -> &[SkippedSeed] {
        &self.skipped
    }

    /// Returns the number of accepted orders whose runs wait for a permit.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Returns the rows of runs that may continue on their own.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn open_runs(&self) -> Result<Vec<i64>, Error> {
        self.driver.readers.read(StoredRun::open)
    }

    /// Continues the runs in `resume`, then processes the work as it arrives, until no run can continue or `stop` becomes true. Sends each
    /// result to `settled`.
    ///
    /// # Errors
    /// When the database fails. Results that were reported before are durable.
    pub async fn run(
        self: &Arc<Self>,
        resume: Vec<i64>,
        mut work: mpsc::Receiver<Work>,
        settled: &mpsc::UnboundedSender<Settled>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let mut permits = Permits::new(self.concurrency, self.accepts_while_stalled);
        let mut tasks: JoinSet<Result<Ended, Error>> = JoinSet::new();
        let queue = |id| Reverse((SystemClock.now(), id, true, false));
        let mut waiting: BinaryHeap<Waiting> = resume.into_iter().map(queue).collect();
        let mut clock = ClockWatch::new();
        let mut acceptance = Acceptance::default();
        let mut pending: Option<Order> = None;
        let mut intake = true;
        let mut failed = Ok(());
        let mut begin =
            |tasks: &mut JoinSet<_>, permits: &mut Permits, permit: Option<Permit>, order| {
                let runner = Arc::clone(self);
                let turn = self.orders.fetch_add(1, Ordering::Relaxed);
                let now = acceptance.at(SystemClock.now());
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
                    report(settled, Settled::OnlyWaits { id, until });
                }
                _ => {}
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if matches!(ended, Ok(Ok(Ended::Queued { .. }))) {
                        self.queued.fetch_add(1, Ordering::Relaxed);
                    }
                    failed = take(ended, &mut waiting, settled);
                }
                permit = permits.at(due, &mut clock), if due.is_some() => {
                    let Some(permit) = permit else {
                        // The scheduler knows how long each run may wait from now.
                        let now = SystemClock.now();
                        let again = |Reverse((_, id, resumed, reported))| Reverse((now, id, resumed, reported));
                        waiting = waiting.into_iter().map(again).collect();
                        continue;
                    };
                    if let Some(Reverse((_, id, resumed, reported))) = waiting.pop() {
                        permits.started();
                        match (resumed, reported) {
                            (_, true) => report(settled, Settled::GoesOn { resumed }),
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
                    Some(Work::GoOn { id, at }) => waiting.push(Reverse((at, id, true, true))),
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
            failed = failed.and(take(ended, &mut waiting, settled));
        }
        failed
    }

    /// Accepts an order and drives its run. Whatever the result, its turn passes.
    async fn accept(
        &self,
        order: Order,
        turn: Turn,
        now: Timestamp,
        drive: bool,
    ) -> Result<Ended, Error> {
        let mut turn = Some(turn);
        let ended = self.take_in(order, &mut turn, now, drive).await;
        if let Some(turn) = turn {
            self.driver.writer.pass(turn).await?;
        }
        match ended {
            // The caller sends an unanswered order again.
            Err(error) if error.is_full_disk() && self.driver.waits_for_room => Ok(Ended::Gone),
            ended => ended,
        }
    }

    /// Accepts an order and drives its run. `turn` keeps its value if no packet ended it.
    async fn take_in(
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
            let mut begun = Begun {
                turn: *turn,
                refusals,
                answering: answering.clone(),
                ..Begun::new(reference, bundle)
            };
            let driven = match drive {
                true => self.driver.advance(&mut run, &mut begun).await,
                false => self.driver.keep(&run, &mut begun).await,
            };
            *turn = begun.turn;
            let (outcome, end) = driven?;
            return Ok(match outcome {
                Outcome::Duplicate | Outcome::Conflict => {
                    let same = outcome == Outcome::Duplicate;
                    Ended::Settled(self.known(same, &plan, &run, &answering)?)
                }
                Outcome::Committed { id } if !drive => Ended::Queued { id, at: now },
                Outcome::Committed { id } => end.into(id, key, false),
                Outcome::Refused => {
                    refusals = begun.refusals;
                    continue;
                }
            });
        }
    }

    /// Continues a run that is in the database.
    async fn resume(&self, id: i64, resumed: bool) -> Result<Ended, Error> {
        let Some(_working) = self.under_way.begin(id) else {
            let until = SystemClock.now() + AGAIN;
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
                    // Other runs continue.
                    let state = RunState::Parked;
                    let end = End { cause: Some(cause.clone()), ..End::of(state) };
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
            let mut begun = Begun { refusals, ..Begun::new(RunRef::Known { id }, row.bundle) };
            let (outcome, end) = self.driver.advance(&mut run, &mut begun).await?;
            if outcome == Outcome::Refused {
                refusals = begun.refusals;
                continue;
            }
            return Ok(end.into(id, key, resumed));
        }
    }

    /// Reads committed data, with access to the plans of the runs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &Bundles) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.driver.readers.read(|connection| read(connection, &self.driver.bundles))
    }

    /// Returns whether the tables are outside of this database.
    pub(crate) const fn is_remote(&self) -> bool {
        self.driver.remote.is_some()
    }

    /// Returns whether e-mails are sent.
    pub const fn sends(&self) -> bool {
        self.driver.mailer.is_some()
    }

    /// Writes an entry of the audit log before the action, and returns the entry's number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, entry: AuditEntry) -> Result<i64, Error> {
        self.driver.writer.work(move |connection| entry.write(connection)).await
    }

    /// Appends the outcome to an entry of the audit log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audited(&self, entry: i64, outcome: String) -> Result<(), Error> {
        let write = move |connection: &Connection| AuditEntry::ended(connection, entry, &outcome);
        self.driver.writer.work(write).await
    }

    /// Returns the run of the order with a key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn find(&self, key: &str) -> Result<Option<RunRow>, Error> {
        self.driver.readers.read(|connection| RunRow::find(connection, key))
    }

    /// Returns a run by its row.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn row(&self, id: i64) -> Result<Option<RunRow>, Error> {
        Ok(self.read(|connection, _| RunRow::those(connection, &[id]))?.pop())
    }

    /// Returns the next attempt of a run, or `None` if the run does not wait.
    ///
    /// # Errors
    /// When the database cannot be read, or the run's journal cannot be replayed.
    pub fn next_attempt(&self, id: i64) -> Result<Option<NextAttempt>, Error> {
        self.read(|connection, bundles| {
            let stored = StoredRun::load(connection, id)?;
            let plan = bundles.plan(connection, stored.row.bundle)?;
            NextAttempt::of(&stored, &plan)
        })
    }

    /// Counts the runs that have not completed, by state.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count_open(&self) -> Result<Vec<(RunState, i64)>, Error> {
        self.driver.readers.read(RunRow::count_open)
    }

    /// Returns the plan of new runs.
    pub fn plan(&self) -> Arc<Plan> {
        self.current().0
    }

    /// Returns the plan of new runs and the row of its bundle.
    pub(crate) fn current(&self) -> (Arc<Plan>, i64) {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Switches new runs to another plan of the pipeline; existing runs keep their plan. `pipeline_file` is the name of its file, and
    /// `seeds` contains the bytes of the seed files by path.
    ///
    /// # Errors
    /// When a table in the database differs from its declaration, or the database fails.
    pub async fn replace(
        &self,
        plan: &Arc<Plan>,
        pipeline_file: &str,
        seeds: MemoryFiles,
    ) -> Result<Vec<SkippedSeed>, Error> {
        if plan.digest() == self.plan().digest() {
            return Ok(Vec::new());
        }
        let (next, bundles) = (Arc::clone(plan), Arc::clone(&self.driver.bundles));
        let (here, file) = (self.driver.remote.is_none(), pipeline_file.to_owned());
        let settled = self.driver.writer.change(move |connection| {
            seeds::claim(connection, next.name())?;
            let mut skipped = Vec::new();
            if here {
                for table in next.tables() {
                    tables::ensure(connection, table)?;
                }
                skipped = seeds::load(connection, &next, &seeds)?;
            }
            Ok((bundles.keep(connection, &file, &next)?, skipped))
        });
        let (bundle, skipped) = settled.await?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (Arc::clone(plan), bundle);
        Ok(skipped)
    }
}

impl crate::drive::End {
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

fn take(
    ended: Result<Result<Ended, Error>, tokio::task::JoinError>,
    waiting: &mut BinaryHeap<Waiting>,
    settled: &mpsc::UnboundedSender<Settled>,
) -> Result<(), Error> {
    let ended = match ended {
        Ok(ended) => ended?,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return Ok(()),
        },
    };
    let settlement = match ended {
        Ended::Settled(settlement) => settlement,
        Ended::Gone => return Ok(()),
        Ended::Queued { id, at } => {
            waiting.push(Reverse((at, id, false, false)));
            return Ok(());
        }
        Ended::Waits { id, until, resumed } => {
            waiting.push(Reverse((until, id, resumed, true)));
            Settled::Waits { resumed }
        }
    };
    report(settled, settlement);
    Ok(())
}

fn report(settled: &mpsc::UnboundedSender<Settled>, settlement: Settled) {
    // The channel is only closed if the caller has stopped waiting.
    let _unheard = settled.send(settlement);
}
