//! The runner of a pipeline on a state directory.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use oms_engine::document::{Files, MemoryFiles};
use oms_engine::effects::Services;
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::RunState;
use oms_engine::table::TableDef;
use oms_engine::value::Value;
use oms_sqlite::{
    AuditEntry, Database, Error, Options, Reader, RunRow, SkippedSeed, Store, StoredRun, WriterMode,
};

use crate::admission::Settings;
use crate::bundles::{Bundles, check_settings};
use crate::export::exporter::Exporter;
use crate::run::NextAttempt;
use crate::run::driver::Driver;
use crate::run::run_locks::RunLocks;
use crate::targets::{mail_delivery, remote, seeds};

/// Runs a pipeline on a state directory. Only one process can own the directory.
pub struct Runner {
    pub(crate) driver: Driver,
    pub(crate) run_locks: RunLocks,
    /// The plan for new runs, and the row of its bundle. Without values for all settings, no run
    /// can start, so the plan has no bundle.
    current: RwLock<(Arc<Plan>, Option<i64>)>,
    pub(crate) concurrency: usize,
    pub(crate) accepts_while_stalled: bool,
    /// Number of accepted orders whose runs wait for a permit.
    pub(crate) queued: AtomicUsize,
    /// Number of new orders so far.
    pub(crate) orders: AtomicU64,
    /// Whether the state had runs when it was opened. Only then are orders looked up before their
    /// runs start.
    pub(crate) runs_before: bool,
    /// The seeds with rows that were skipped when the runner was opened.
    skipped: Vec<SkippedSeed>,
}

impl Runner {
    /// Takes ownership of a state directory: creates tables, loads seeds, stores the plan's bundle,
    /// and starts the writer. If a setting of the plan has no value, runs can be cancelled and
    /// deleted, but not started or retried.
    ///
    /// # Errors
    /// Returns an error if another process owns the directory, if it belongs to another pipeline,
    /// or if it cannot be used.
    pub fn open(
        directory: &Path,
        plan: &Arc<Plan>,
        checker: &Arc<Checker>,
        pipeline_file: &str,
        files: &dyn Files,
        settings: Settings,
    ) -> Result<Self, Error> {
        Self::open_with(
            directory,
            (plan, checker, pipeline_file, files),
            settings,
            WriterMode::Thread,
        )
    }

    /// Takes ownership of a state directory like [`open`](Self::open), with the given writer mode.
    ///
    /// # Errors
    /// Returns the same errors as [`open`](Self::open).
    pub fn open_with(
        directory: &Path,
        (plan, checker, pipeline_file, files): (&Arc<Plan>, &Arc<Checker>, &str, &dyn Files),
        settings: Settings,
        writer: WriterMode,
    ) -> Result<Self, Error> {
        let database = Database::own(directory)?;
        let bundles = Arc::new(Bundles::new(Arc::clone(checker)));
        let mut skipped = Vec::new();
        let (mailer, bundle, runs_before) = database.set_up(|setup| {
            setup.claim(plan.name())?;
            remote::claim(setup, settings.remote.as_ref())?;
            if settings.remote.is_none() {
                skipped = setup.load(plan.tables(), seeds::files(plan, files))?;
                setup.restore_last_run(plan.tables())?;
            }
            let mailer = mail_delivery::choose(setup, settings.mail)?;
            let now = settings.clock.now();
            let keep = || bundles.keep(setup, pipeline_file, plan, now);
            let bundle = plan.unset_settings().is_empty().then(keep).transpose()?;
            Ok((mailer, bundle, setup.has_runs()?))
        })?;
        let options = Options { clock: Arc::clone(&settings.clock), writer };
        let store = Store::start(database, options)?;
        let exporter = Exporter::open(settings.export, &store, &bundles)?;
        Ok(Self {
            driver: Driver {
                store,
                clock: settings.clock,
                random: settings.random,
                bundles,
                exporter,
                mailer,
                remote: settings.remote,
                services: RwLock::new(settings.services),
                listener: settings.listener,
                waits_for_disk_space: settings.waits_for_disk_space,
                closed: AtomicBool::new(false),
            },
            run_locks: RunLocks::default(),
            current: RwLock::new((Arc::clone(plan), bundle)),
            concurrency: settings.concurrency.max(1),
            accepts_while_stalled: settings.accepts_while_stalled,
            queued: AtomicUsize::new(0),
            orders: AtomicU64::new(0),
            runs_before,
            skipped,
        })
    }

    /// Stops the writer and releases the directory.
    ///
    /// # Errors
    /// Returns an error if the writer has failed, or if it fails while it stops.
    pub fn close(self) -> Result<(), Error> {
        self.driver.store.close()
    }

    /// Returns the time by the runner's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.driver.clock.now()
    }

    /// Returns the seeds with rows that were skipped when the runner was opened.
    pub fn skipped_seeds(&self) -> &[SkippedSeed] {
        &self.skipped
    }

    /// Returns the number of accepted orders whose runs wait for a permit.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Returns the rows of runs that can continue without a user action.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn open_runs(&self) -> Result<Vec<i64>, Error> {
        self.driver.store.read(StoredRun::open)
    }

    /// Reads committed data, with access to the plans of the runs.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Reader, &Bundles) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.driver.store.read(|reader| read(reader, &self.driver.bundles))
    }

    /// Returns whether the tables are in another database.
    pub(crate) const fn is_remote(&self) -> bool {
        self.driver.remote.is_some()
    }

    /// Returns whether a mail server sends the e-mails.
    pub const fn sends(&self) -> bool {
        self.driver.mailer.is_some()
    }

    /// Writes an entry to the audit log before the action, and returns the entry's number.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn audit(&self, entry: AuditEntry) -> Result<i64, Error> {
        self.driver.store.audit(entry).await
    }

    /// Appends the outcome to an entry of the audit log.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn audited(&self, entry: i64, outcome: String) -> Result<(), Error> {
        self.driver.store.add_audit_result(entry, outcome).await
    }

    /// Returns the run of the order with a key.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn find(&self, key: &str) -> Result<Option<RunRow>, Error> {
        self.driver.store.read(|reader| RunRow::find(reader, key))
    }

    /// Returns a run by its row.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn row(&self, id: i64) -> Result<Option<RunRow>, Error> {
        Ok(self.read(|reader, _| RunRow::load_all(reader, &[id]))?.pop())
    }

    /// Returns the next attempt of a run, or `None` if the run does not wait.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, or if the run's journal cannot be replayed.
    pub fn next_attempt(&self, id: i64) -> Result<Option<NextAttempt>, Error> {
        self.read(|reader, bundles| {
            let stored = StoredRun::load(reader, id)?;
            let plan = bundles.plan(reader, stored.row.bundle)?;
            NextAttempt::of(&stored, &plan)
        })
    }

    /// Counts the runs that have not completed, by state.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn count_open(&self) -> Result<Vec<(RunState, i64)>, Error> {
        self.driver.store.read(RunRow::count_open)
    }

    /// Adds rows to a table, and replaces rows with the same key. Writes either all rows or none.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn import(&self, table: &Arc<TableDef>, rows: Vec<Value>) -> Result<(), Error> {
        self.driver.store.import(table, rows).await
    }

    /// Returns the number of objects and e-mails that could not be exported so far.
    pub fn count_not_exported(&self) -> u64 {
        self.driver.exporter.as_ref().map_or(0, Exporter::count_failed)
    }

    /// Returns the plan for new runs.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Returns the plan for new runs, and the row of its bundle.
    ///
    /// # Errors
    /// Returns an error if a setting of the plan has no value.
    pub(crate) fn current(&self) -> Result<(Arc<Plan>, i64), Error> {
        let (plan, bundle) = &*self.current.read().unwrap_or_else(PoisonError::into_inner);
        let Some(bundle) = bundle else {
            check_settings(plan)?;
            return Err(Error::Bundle(plan.name().to_string()));
        };
        Ok((Arc::clone(plan), *bundle))
    }

    /// Starts new runs on another plan of the pipeline from now on. Existing runs keep their plans,
    /// but call the new `services`. The plan was made from the file `pipeline_file`, and `files`
    /// contains its seed files. Returns the seeds with rows that were skipped.
    ///
    /// # Errors
    /// Returns an error if a setting of the plan has no value, if a table in the database differs
    /// from its declaration, or if the database fails.
    pub async fn replace(
        &self,
        plan: &Arc<Plan>,
        pipeline_file: &str,
        files: MemoryFiles,
        services: Arc<dyn Services>,
    ) -> Result<Vec<SkippedSeed>, Error> {
        check_settings(plan)?;
        self.driver.replace_services(services);
        if plan.digest() == self.plan().digest() {
            return Ok(Vec::new());
        }
        let (next, bundles) = (Arc::clone(plan), Arc::clone(&self.driver.bundles));
        let (is_local, file, now) = (!self.is_remote(), pipeline_file.to_owned(), self.now());
        let setting_up = self.driver.store.set_up(move |setup| {
            setup.claim(next.name())?;
            let skipped = match is_local {
                true => setup.load(next.tables(), seeds::files(&next, &files))?,
                false => Vec::new(),
            };
            Ok((bundles.keep(setup, &file, &next, now)?, skipped))
        });
        let (bundle, skipped) = setting_up.await?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (Arc::clone(plan), Some(bundle));
        Ok(skipped)
    }
}
