//! The writer: a thread that applies all queued packets in one transaction, and replies when the
//! transaction is on disk.
//!
//! It never waits for more packets: a single packet is committed at once. While a transaction is
//! written to disk, the next packets queue.
//!
//! The writer also serializes concurrent runs. A packet contains the reads of its stretch. If a
//! later commit has changed one of the items that were read, the packet is refused, and the stretch
//! is executed again. The first packets of new orders are committed in the order of the input.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use oms_core::table::TableDef;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::failpoint;
use crate::runs::exports::{self, ExportedRuns};
use crate::runs::run_row::last_run;
use crate::state::database::{Database, empty_log};
use crate::state::marker::{Marker, MarkerUpdater};
use crate::tables::definition::Statements;
use crate::writer::item::{CommitNumber, Item};
use crate::writer::locks::{self, LockId, Locks, ReleasedLocks};
use crate::writer::packet::{Outcome, Packet};
use crate::writer::recent::Recent;
use crate::writer::turns::{Turn, Turns};

/// Maximum number of packets in one transaction, which limits how long the first of them waits.
const BATCH_MAX: usize = 1_024;
/// Maximum number of queued packets.
const QUEUE_MAX: usize = 2_048;

/// Where the writer runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriterMode {
    /// In a thread, which commits all packets that were queued during the previous commit.
    #[default]
    Thread,
    /// In the caller, one packet at a time, so that tests and simulations control the order of
    /// commits.
    Inline,
}

/// A request to the writer.
#[expect(clippy::large_enum_variant, reason = "nearly all requests are packets")]
enum Request {
    /// Commit the packet of a run, together with others.
    Packet(Packet),
    /// End a turn without a packet.
    Pass(Turn),
    /// Lock rows and objects for a run.
    Lock(locks::Request),
    /// Check for released locks.
    CheckReleased,
    /// Make a separate change to rows or objects that belongs to no run.
    Change(Job),
    /// Do other separate work.
    Job(Job),
}

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// A handle to the writer. When the last handle is dropped, the writer thread ends.
#[derive(Clone)]
pub(crate) struct Writer {
    route: Route,
    /// The number of the last commit.
    committed: Arc<AtomicU64>,
    locks: Arc<AtomicU64>,
    released: ReleasedLocks,
}

/// Where requests are handled.
#[derive(Clone)]
enum Route {
    /// In the writer thread.
    Thread(mpsc::Sender<Request>),
    /// In the caller. `None` after a failure.
    Inline(Arc<Mutex<Option<Thread>>>),
}

impl Route {
    async fn send(&self, request: Request) -> Result<(), Error> {
        match self {
            Self::Thread(requests) => requests.send(request).await.map_err(|_| stopped()),
            Self::Inline(thread) => {
                let mut thread = thread.lock().unwrap_or_else(PoisonError::into_inner);
                let open = thread.as_mut().ok_or_else(stopped)?;
                let handled = open.handle([request]);
                if handled.is_err() {
                    *thread = None;
                }
                handled
            }
        }
    }

    /// Makes the writer check for released locks.
    fn wake(&self) {
        match self {
            // If the queue is full, the writer is busy and checks for released locks anyway.
            Self::Thread(requests) => drop(requests.try_send(Request::CheckReleased)),
            Self::Inline(thread) => {
                let mut thread = thread.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(open) = thread.as_mut()
                    && open.handle([Request::CheckReleased]).is_err()
                {
                    *thread = None;
                }
            }
        }
    }
}

/// Stops a writer.
pub(crate) enum WriterHandle {
    Thread(JoinHandle<Result<(), Error>>),
    Inline(Arc<Mutex<Option<Thread>>>),
}

impl WriterHandle {
    /// Stops the writer. Drop every [`Writer`] before you call this.
    pub(crate) fn close(self) -> Result<(), Error> {
        match self {
            Self::Thread(thread) => {
                thread.join().map_err(|_| Error::WriterStopped("it panicked".to_owned()))?
            }
            Self::Inline(thread) => {
                match thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    Some(mut thread) => thread.end(),
                    None => Err(stopped()),
                }
            }
        }
    }
}

/// Locks that a run holds until this value is dropped.
pub struct Locked {
    id: LockId,
    writer: Writer,
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.writer.released.add(self.id);
        self.writer.route.wake();
    }
}

impl Locked {
    /// Returns the id of the locks, for the packets of the run.
    pub const fn id(&self) -> LockId {
        self.id
    }
}

impl Writer {
    /// Starts the writer.
    ///
    /// # Errors
    /// Returns an error if the database cannot be opened.
    pub(crate) fn start(
        database: &Database,
        exported: ExportedRuns,
        mode: WriterMode,
    ) -> Result<(Self, WriterHandle), Error> {
        let connection = database.connect()?;
        let (committed, released) = (Arc::new(AtomicU64::new(0)), ReleasedLocks::default());
        let (number, seen) = (Arc::clone(&committed), released.clone());
        let directory = database.directory().to_owned();
        let open = move || Thread::new(connection, number, seen, exported, &directory);
        let (route, handle) = match mode {
            WriterMode::Inline => {
                let thread = Arc::new(Mutex::new(Some(open()?)));
                (Route::Inline(Arc::clone(&thread)), WriterHandle::Inline(thread))
            }
            WriterMode::Thread => {
                let (requests, queue) = mpsc::channel(QUEUE_MAX);
                let thread = std::thread::Builder::new()
                    .name("oms-writer".to_owned())
                    .spawn(move || open()?.run(queue))
                    .map_err(Error::directory(database.directory()))?;
                (Route::Thread(requests), WriterHandle::Thread(thread))
            }
        };
        Ok((Self { route, committed, locks: Arc::default(), released }, handle))
    }

    /// Returns the number of the last commit. Call this before you read committed data.
    pub(crate) fn committed(&self) -> CommitNumber {
        self.committed.load(Ordering::Acquire)
    }

    /// Submits a packet. Waits while the queue is full.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped.
    pub(crate) async fn submit(&self, packet: Packet) -> Result<(), Error> {
        self.route.send(Request::Packet(packet)).await
    }

    /// Ends a turn without a packet, so that the packets of later turns can be committed.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped.
    pub(crate) async fn pass(&self, turn: Turn) -> Result<(), Error> {
        self.route.send(Request::Pass(turn)).await
    }

    /// Waits for locks on rows and objects. Until they are released, no packet of another run that
    /// reads or writes one of these items is committed.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped.
    pub(crate) async fn lock(&self, mut items: Vec<Item>) -> Result<Locked, Error> {
        items.sort_unstable();
        items.dedup();
        let id = self.locks.fetch_add(1, Ordering::Relaxed);
        let (sender, granted) = oneshot::channel();
        let locked = Locked { id, writer: self.clone() };
        let request = locks::Request { id, items: items.into(), granted: Some(sender) };
        self.route.send(Request::Lock(request)).await?;
        granted.await.map_err(|_| stopped())?;
        Ok(locked)
    }

    /// Changes rows or objects between two transactions of runs, and returns the result. `change`
    /// has to commit its own writes.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped, or if the change failed.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.perform(Request::Change, change).await
    }

    /// Does other work between two transactions of runs, and returns the result. `work` has to
    /// commit its own writes, and must not change a row or object that a run reads.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped, or if the work failed.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.perform(Request::Job, work).await
    }

    async fn perform<T: Send + 'static>(
        &self,
        request: impl FnOnce(Job) -> Request,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may no longer wait for the result.
            let _ignored = reply.send(work(connection));
        });
        self.route.send(request(job)).await?;
        result.await.map_err(|_| stopped())?
    }
}

fn stopped() -> Error {
    Error::WriterStopped("it accepts no more packets".to_owned())
}

pub(crate) struct Thread {
    pub(super) connection: Connection,
    pub(super) next_run: i64,
    /// Keyed by the address of the table's declaration, because two plans may declare a table
    /// differently. The entry keeps the declaration alive.
    pub(super) statements: HashMap<usize, (Arc<TableDef>, Statements)>,
    committed: Arc<AtomicU64>,
    recent: Recent,
    /// The first packets of new orders.
    turns: Turns<Packet>,
    /// Other packets that can be committed now.
    ready: Vec<Packet>,
    /// Other packets that wait for a locked item.
    held: Vec<Packet>,
    locks: Locks,
    released: ReleasedLocks,
    /// The runs whose files were exported.
    exported: ExportedRuns,
    marking: MarkerUpdater,
    /// The next marker to write to the marker file.
    next_marker: Option<Marker>,
}

impl Thread {
    fn new(
        connection: Connection,
        committed: Arc<AtomicU64>,
        released: ReleasedLocks,
        exported: ExportedRuns,
        directory: &Path,
    ) -> Result<Self, Error> {
        let next_run = last_run(&connection)? + 1;
        let marking = MarkerUpdater::begin(directory, &connection)?;
        Ok(Self {
            connection,
            next_run,
            statements: HashMap::new(),
            committed,
            recent: Recent::default(),
            turns: Turns::default(),
            ready: Vec::new(),
            held: Vec::new(),
            locks: Locks::default(),
            released,
            exported,
            marking,
            next_marker: None,
        })
    }

    fn run(mut self, mut queue: mpsc::Receiver<Request>) -> Result<(), Error> {
        let mut requests = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut requests, BATCH_MAX) > 0 {
            self.handle(requests.drain(..))?;
        }
        self.end()
    }

    /// Handles requests that arrived together.
    fn handle(&mut self, requests: impl IntoIterator<Item = Request>) -> Result<(), Error> {
        for request in requests {
            match request {
                Request::Packet(packet) => self.enqueue(packet),
                Request::Pass(turn) => self.turns.pass(turn),
                Request::Lock(request) => self.locks.add(request),
                Request::CheckReleased => {}
                Request::Change(job) => {
                    self.commit_ready()?;
                    job(&self.connection);
                    self.publish(Recent::commit_unknown);
                }
                Request::Job(job) => {
                    self.commit_ready()?;
                    job(&self.connection);
                }
            }
        }
        self.release();
        self.commit_ready()?;
        self.locks.grant();
        // The replies do not wait for this write.
        if let Some(marker) = self.next_marker.take() {
            self.marking.write(marker);
        }
        Ok(())
    }

    /// Merges the write-ahead log into the database file. If the log is still being read, or the
    /// disk is full, the next process merges it.
    fn end(&mut self) -> Result<(), Error> {
        match self.finish() {
            Err(Error::LogInUse) => Ok(()),
            Err(error) if error.is_full_disk() => Ok(()),
            done => done,
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.execute("begin immediate")?;
        exports::remove(&self.connection, &self.exported.take())?;
        let marker = self.marking.last(&self.connection)?;
        self.execute("commit")?;
        if let Some(marker) = marker {
            self.marking.write(marker);
        }
        empty_log(&self.connection)
    }

    /// Adds a packet to the queue in which it waits for its commit.
    fn enqueue(&mut self, packet: Packet) {
        if let Some(turn) = packet.turn {
            self.turns.add(turn, packet);
        } else if packet.lock.is_none() && self.is_locked(&packet) {
            self.held.push(packet);
        } else {
            self.ready.push(packet);
        }
    }

    /// Returns whether a packet needs an item that another run has locked or is waiting to lock.
    fn is_locked(&self, packet: &Packet) -> bool {
        !self.locks.is_empty() && self.locks.concern(packet.lock, packet.items().iter())
    }

    /// If locks were released, enqueues the packets in `held` again.
    fn release(&mut self) {
        let released = self.released.take();
        if !released.is_empty() {
            self.locks.release(&released);
            for packet in std::mem::take(&mut self.held) {
                self.enqueue(packet);
            }
        }
    }

    /// Commits all queued packets whose turn it is, and sends the outcomes.
    fn commit_ready(&mut self) -> Result<(), Error> {
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                return Ok(());
            }
            let Some(outcomes) = self.commit_unless_disk_is_full(&batch)? else {
                for packet in batch {
                    let _ignored = packet.reply.send(None);
                }
                self.turns.remove_ended();
                continue;
            };
            for (packet, outcome) in batch.into_iter().zip(outcomes) {
                match (outcome, packet.turn) {
                    // The caller may no longer wait for the reply. The run is durable anyway.
                    (Some(outcome), _) => {
                        let _ignored = packet.reply.send(Some(outcome));
                    }
                    (None, Some(turn)) => self.turns.add(turn, packet),
                    (None, None) => self.ready.push(packet),
                }
            }
            self.turns.remove_ended();
        }
    }

    /// Takes the packets that can be committed now: first the packets without a turn, then those of
    /// new orders in the order of their turns.
    fn batch(&mut self) -> Vec<Packet> {
        let mut batch = std::mem::take(&mut self.ready);
        let Self { turns, locks, .. } = self;
        let is_free = |packet: &Packet| {
            locks.is_empty() || !locks.concern(packet.lock, packet.items().iter())
        };
        while batch.len() < BATCH_MAX
            && let Some(packet) = turns.take(is_free)
        {
            batch.push(packet);
        }
        batch
    }

    /// Commits a batch, or rolls it back and returns `None` if the disk is full.
    fn commit_unless_disk_is_full(
        &mut self,
        batch: &[Packet],
    ) -> Result<Option<Vec<Option<Outcome>>>, Error> {
        let first_run = self.next_run;
        match self.commit(batch) {
            Err(error) if error.is_full_disk() => {
                // SQLite may have rolled back already.
                let _already = self.execute("rollback");
                self.next_run = first_run;
                self.recent.roll_back();
                Ok(None)
            }
            done => done.map(Some),
        }
    }

    /// Commits a batch and returns the outcome of each packet. The outcome is `None` for a packet
    /// whose turn has not come, because an earlier packet was refused.
    fn commit(&mut self, batch: &[Packet]) -> Result<Vec<Option<Outcome>>, Error> {
        failpoint::hit("before_batch");
        let first_run = self.next_run;
        let exported = self.exported.take();
        self.execute("begin immediate")?;
        exports::remove(&self.connection, &exported)?;
        let outcomes = match self.apply_all(batch, false)? {
            Some(outcomes) => outcomes,
            None => {
                self.execute("rollback")?;
                self.next_run = first_run;
                self.recent.roll_back();
                self.execute("begin immediate")?;
                exports::remove(&self.connection, &exported)?;
                self.apply_all(batch, true)?.unwrap_or_default()
            }
        };
        let is_new = |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Committed { .. }));
        let marker = match outcomes.iter().any(is_new) {
            true => self.marking.step(&self.connection)?,
            false => None,
        };
        failpoint::hit("before_commit");
        self.execute("commit")?;
        failpoint::hit("after_commit");
        self.publish(Recent::commit);
        self.next_marker = marker.or(self.next_marker.take());
        let refused = |(packet, outcome): (&Packet, &Option<Outcome>)| {
            packet.turn.filter(|_| *outcome == Some(Outcome::Refused))
        };
        if let Some(turn) = batch.iter().zip(&outcomes).find_map(refused) {
            self.turns.refuse(turn);
        }
        Ok(outcomes)
    }

    /// Publishes the number of a commit to readers.
    fn publish(&mut self, end: impl FnOnce(&mut Recent) -> CommitNumber) {
        let number = end(&mut self.recent);
        self.committed.store(number, Ordering::Release);
    }

    /// Applies the packets of a batch in order. With `savepoints`, a refused packet can be rolled
    /// back alone. Without them, the result is `None` if a packet is refused after a part of it was
    /// written, and the whole batch must be rolled back. Savepoints copy every page that is written
    /// within them, which takes longer than the writes themselves, so the first attempt does not
    /// use them.
    fn apply_all(
        &mut self,
        batch: &[Packet],
        savepoints: bool,
    ) -> Result<Option<Vec<Option<Outcome>>>, Error> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut is_turn = true;
        for packet in batch {
            if packet.turn.is_some() && !is_turn {
                outcomes.push(None);
                continue;
            }
            let outcome = if self.is_stale(packet) {
                Outcome::Refused
            } else {
                if savepoints {
                    self.execute("savepoint packet")?;
                }
                let outcome = self.apply(packet)?;
                match (&outcome, savepoints) {
                    (Outcome::Refused, false) => return Ok(None),
                    (Outcome::Refused, true) => self.execute("rollback to packet")?,
                    (Outcome::Committed { .. }, _) => {
                        for item in packet.writes.iter().filter_map(Item::written) {
                            self.recent.note(item);
                        }
                    }
                    _ => {}
                }
                if savepoints {
                    self.execute("release packet")?;
                }
                outcome
            };
            is_turn &= outcome != Outcome::Refused || packet.turn.is_none();
            outcomes.push(Some(outcome));
        }
        Ok(Some(outcomes))
    }

    /// Returns whether the reads of a packet are outdated. The packet of a run that holds locks is
    /// also refused if it needs an item that another run has locked: the run then requests locks
    /// for all its items.
    fn is_stale(&self, packet: &Packet) -> bool {
        let read = !packet.reads.is_empty()
            && self.recent.changed(&packet.reads, self.locks.items(packet.lock));
        read || packet.lock.is_some() && self.is_locked(packet)
    }

    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
