//! A run's view of the state directory. Writes are staged until the stretch is committed. Reads see
//! staged writes before committed data.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::{
    Call, Clock, ExternalPorts, InsertResult, Io, Mailer, Message, ObjectStore, PendingPermit,
    Permit, Put, Random, Services, StepError, Tables, Topic, Update, World, cause,
};
use oms_engine::mail::Mail;
use oms_engine::table::TableDef;
use oms_engine::value::Value;
use oms_sqlite::{Error, Item, Reads, Store, Write, pack};

use super::driver::{Driver, StretchStart};

/// The staged writes and the reads of a run.
pub(crate) struct Stage<'a> {
    driver: &'a Driver,
    /// The run's row number, if it has one. A table row that the run itself wrote is not a
    /// conflict.
    run: Option<i64>,
    /// Whether inserts first check the committed rows. The first execution does not: if a row
    /// conflicts, the writer refuses the packet, and the stretch is executed again with this check.
    checks_committed_rows: bool,
    /// The mailer; `None` if e-mails stay in the outbox.
    mailer: Option<&'a dyn Mailer>,
    services: Arc<dyn Services>,
    staged: Mutex<StagedWrites>,
}

#[derive(Default)]
struct StagedWrites {
    /// The reads of committed data.
    reads: Reads,
    /// Writes of completed steps.
    kept: Vec<Write>,
    /// The positions in `kept` of the writes to each row or object. It covers the first `indexed`
    /// writes.
    index: foldhash::HashMap<Item, Vec<usize>>,
    indexed: usize,
    /// Writes of attempts in progress, by idempotency key.
    pending: HashMap<Arc<str>, Vec<Write>>,
}

impl StagedWrites {
    /// Returns the staged writes to a row or an object that the attempt `call` can see, newest
    /// first. The result may contain writes to other items.
    fn seen<'s>(&'s mut self, call: &Call, item: Item) -> impl Iterator<Item = &'s Write> {
        for (position, write) in self.kept.iter().enumerate().skip(self.indexed) {
            if let Some(item) = Item::written(write) {
                self.index.entry(item).or_default().push(position);
            }
        }
        self.indexed = self.kept.len();
        let kept = self.index.get(&item).into_iter().flatten().rev();
        let kept = kept.filter_map(|position| self.kept.get(*position));
        self.pending.get(&call.key).into_iter().flatten().rev().chain(kept)
    }

    /// Takes the writes of completed steps, and the reads of all steps.
    fn take(&mut self) -> (Vec<Write>, Reads) {
        self.index.clear();
        self.indexed = 0;
        (std::mem::take(&mut self.kept), std::mem::take(&mut self.reads))
    }
}

impl<'a> Stage<'a> {
    pub(crate) fn new(driver: &'a Driver, start: &StretchStart) -> Self {
        Self {
            driver,
            run: start.row,
            checks_committed_rows: start.refusals.checks_committed_rows(),
            mailer: driver.mailer.as_deref(),
            services: driver.services(),
            staged: Mutex::default(),
        }
    }

    /// Returns a stage that stores e-mails and sends none.
    pub(crate) fn without_mailer(driver: &'a Driver, start: &StretchStart) -> Self {
        Self { mailer: None, ..Self::new(driver, start) }
    }

    /// Takes the writes of completed steps, in order, and the reads of all steps.
    pub(crate) fn take(&self) -> (Vec<Write>, Reads) {
        self.lock().take()
    }

    fn objects(&self) -> Option<&dyn ObjectStore> {
        self.driver.remote.as_ref()?.objects.as_deref()
    }

    fn lock(&self) -> MutexGuard<'_, StagedWrites> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self, call: &Call, write: Write) {
        self.lock().pending.entry(Arc::clone(&call.key)).or_default().push(write);
    }

    /// Reads a committed row or object, and records the read.
    fn read<T>(
        &self,
        item: Item,
        read: impl FnOnce(&Store) -> Result<T, Error>,
    ) -> Result<T, StepError> {
        let store = &self.driver.store;
        let committed = store.committed();
        self.lock().reads.entry(item).or_insert(committed);
        read(store).map_err(|error| {
            StepError::transient(cause::UNAVAILABLE, "cannot read the local database")
                .caused_by(error)
        })
    }

    /// Finds the committed row with a key, and the run that wrote it.
    fn committed_row(
        &self,
        table: &TableDef,
        key: &[&Value],
    ) -> Result<Option<(Option<i64>, Value)>, StepError> {
        let item = Item::row(table, key.iter().copied());
        self.read(item, |store| store.row(table, key))
    }

    /// Finds the newest staged row with a key.
    fn staged_row(&self, call: &Call, table: &TableDef, key: &[&Value]) -> Option<Value> {
        let item = Item::row(table, key.iter().copied());
        self.lock().seen(call, item).find_map(|write| match write {
            Write::Insert { table: of, row }
            | Write::Upsert { table: of, row }
            | Write::Update { table: of, row, .. }
                if of.name == table.name =>
            {
                table.key_of(row).eq(key.iter().copied()).then(|| row.clone())
            }
            _ => None,
        })
    }
}

fn done<'a, T: Send + 'a>(result: Result<T, StepError>) -> Io<'a, T> {
    Box::pin(std::future::ready(result))
}

impl ObjectStore for Stage<'_> {
    fn put<'a>(&'a self, call: &'a Call, object: Put) -> Io<'a, ()> {
        if let Some(objects) = self.objects() {
            return objects.put(call, object);
        }
        let body = (!Arc::ptr_eq(&object.body, &call.run.body)).then_some(object.body);
        let Put { bucket, key, content_type, .. } = object;
        if self.checks_committed_rows {
            let stored = self.read(Item::object(&bucket, &key), |store| {
                store.object(&bucket, &key).map(|found| {
                    found.filter(|(owner, _)| Some(*owner) != self.run).map(|(_, content)| content)
                })
            });
            let wanted = body.as_deref().unwrap_or(&call.run.body);
            match stored {
                Ok(Some(content)) if content != wanted => {
                    return done(Err(StepError::object_of_another_run(&bucket)));
                }
                Ok(_) => {}
                Err(error) => return done(Err(error)),
            }
        }
        self.stage(call, Write::Object { bucket, key, content_type, body });
        done(Ok(()))
    }

    fn get<'a>(
        &'a self,
        call: &'a Call,
        bucket: &'a str,
        key: &'a str,
    ) -> Io<'a, Option<Arc<[u8]>>> {
        if let Some(objects) = self.objects() {
            return objects.get(call, bucket, key);
        }
        let item = Item::object(bucket, key);
        let staged = self.lock().seen(call, item).find_map(|write| match write {
            Write::Object { bucket: b, key: k, body, .. }
                if b.as_ref() == bucket && k.as_ref() == key =>
            {
                Some(body.clone().unwrap_or_else(|| Arc::clone(&call.run.body)))
            }
            _ => None,
        });
        if staged.is_some() {
            return done(Ok(staged));
        }
        let stored = self.read(item, |store| store.object(bucket, key));
        done(stored.map(|found| found.map(|(_, content)| Arc::from(content))))
    }
}

impl Topic for Stage<'_> {
    /// Publishes a message to a remote topic. Local topics have no subscribers: the branches are in
    /// this process, and the step's event records the announcement.
    fn publish<'a>(&'a self, call: &'a Call, message: Message) -> Io<'a, ()> {
        match self.driver.remote.as_ref().and_then(|remote| remote.topics.as_deref()) {
            Some(topics) => topics.publish(call, message),
            None => done(Ok(())),
        }
    }
}

impl Tables for Stage<'_> {
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, InsertResult> {
        if let Some(remote) = &self.driver.remote {
            return remote.tables.insert(call, table, row);
        }
        let key: Vec<&Value> = table.key_of(&row).collect();
        if let Some(staged) = self.staged_row(call, table, &key) {
            return done(repeated(table, &staged, &row));
        }
        if self.checks_committed_rows {
            match self.committed_row(table, &key) {
                Ok(Some((owner, stored))) if owner.is_some() && owner == self.run => {
                    return done(repeated(table, &stored, &row));
                }
                Ok(Some(_)) => return done(Err(StepError::row_of_another_run(&table.name))),
                Ok(None) => {}
                Err(error) => return done(Err(error)),
            }
        }
        self.stage(call, Write::Insert { table: Arc::clone(table), row });
        done(Ok(InsertResult::New))
    }

    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()> {
        if let Some(remote) = &self.driver.remote {
            return remote.tables.upsert(call, table, row);
        }
        self.stage(call, Write::Upsert { table: Arc::clone(table), row });
        done(Ok(()))
    }

    fn update<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        update: Update,
    ) -> Io<'a, bool> {
        if let Some(remote) = &self.driver.remote {
            return remote.tables.update(call, table, update);
        }
        let key: Vec<&Value> = update.key.iter().collect();
        // No other attempt of this run is polled between the read and the write.
        let current = match self.staged_row(call, table, &key) {
            Some(row) => Ok(Some(row)),
            None => self.committed_row(table, &key).map(|found| found.map(|(_, row)| row)),
        };
        let new = current.and_then(|current| (update.change)(current.as_ref()));
        done(new.map(|new| {
            let changed = new.is_some();
            if let Some(row) = new {
                let (table, columns) = (Arc::clone(table), update.columns);
                self.stage(call, Write::Update { table, row, columns });
            }
            changed
        }))
    }

    fn get<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        if let Some(remote) = &self.driver.remote {
            return remote.tables.get(call, table, key);
        }
        let key: Vec<&Value> = key.iter().collect();
        if let Some(row) = self.staged_row(call, table, &key) {
            return done(Ok(Some(row)));
        }
        done(self.committed_row(table, &key).map(|found| found.map(|(_, row)| row)))
    }
}

/// Returns the result of an insert if this run already wrote a row with this key. The same row is a
/// repetition. A different row is an error, so that it is not lost.
fn repeated(table: &TableDef, existing: &Value, row: &Value) -> Result<InsertResult, StepError> {
    if existing == row {
        return Ok(InsertResult::Repeated);
    }
    Err(StepError::other_row_of_this_run(&table.name))
}

impl Mailer for Stage<'_> {
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()> {
        // An e-mail that cannot be stored is not sent.
        let content = match pack(&mail) {
            Ok(content) => content,
            Err(error) => return done(Err(error)),
        };
        let write = Write::Mail {
            step: Arc::clone(&call.step),
            element: call.element.unwrap_or(0),
            message_id: mail.message_id.clone(),
            content,
        };
        match &self.mailer {
            Some(mailer) => Box::pin(async move {
                mailer.send(call, mail).await?;
                self.stage(call, write);
                Ok(())
            }),
            None => {
                self.stage(call, write);
                done(Ok(()))
            }
        }
    }

    fn acquire_permit(&self, wait: bool) -> PendingPermit<'_> {
        match &self.mailer {
            Some(mailer) => mailer.acquire_permit(wait),
            None => Box::pin(std::future::ready(Some(Box::new(()) as Permit))),
        }
    }
}

impl Clock for Stage<'_> {
    fn now(&self) -> Timestamp {
        self.driver.clock.now()
    }

    fn sleep(&self, duration: Duration) -> Io<'_, ()> {
        self.driver.clock.sleep(duration)
    }
}

impl Random for Stage<'_> {
    fn next(&self) -> u64 {
        self.driver.random.next()
    }
}

impl World for Stage<'_> {
    fn external_ports(&self) -> ExternalPorts {
        ExternalPorts { mail: self.mailer.is_some(), services: true, custom: true }
    }

    fn services(&self) -> &dyn Services {
        &*self.services
    }

    fn finish_attempt(&self, call: &Call, keep: bool) {
        let mut staged = self.lock();
        if let Some(writes) = staged.pending.remove(&call.key)
            && keep
        {
            staged.kept.extend(writes);
        }
    }
}
