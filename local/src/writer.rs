//! The one writer: a thread that takes whatever packets are there, applies them in one transaction, and answers when it is on disk.
//!
//! It never waits for more: while a transaction is being synced the next packets gather, and alone a packet is committed at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use oms_engine::table::TableDef;
use oms_engine::value::{Digest, Value};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use tokio::sync::{mpsc, oneshot};

use crate::column::bind;
use crate::database::Database;
use crate::error::Error;
use crate::failpoint;
use crate::packet::{Outcome, Packet, RunRef, Write};
use crate::prune::KNOWN;
use crate::runs::last_run;
use crate::tables::Statements;

/// Packets in one transaction at the most: it bounds how long the first of them waits.
const BATCH_MAX: usize = 1_024;
/// A journal's entry in which nothing happened, as where only a run's state changed.
const NO_EVENTS: &str = "[]";
/// Packets that may wait for the writer.
const QUEUE_MAX: usize = 2_048;

/// What the writer is given.
enum Item {
    /// What a run did, committed together with others.
    Packet(Packet),
    /// Something else, on its own.
    Job(Job),
}

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the writer thread. When the last one is dropped, the thread ends.
#[derive(Clone)]
pub struct Writer {
    items: mpsc::Sender<Item>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn start(database: &Database) -> Result<(Self, JoinHandle<Result<(), Error>>), Error> {
        let connection = database.connect()?;
        let (items, queue) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("oms-writer".to_owned())
            .spawn(move || Thread::new(connection)?.run(queue))
            .map_err(Error::directory(database.directory()))?;
        Ok((Self { items }, thread))
    }

    /// Hands a packet over; waits while too many are queued.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn submit(&self, packet: Packet) -> Result<(), Error> {
        self.items.send(Item::Packet(packet)).await.map_err(|_| stopped())
    }

    /// Does something between two transactions of runs, and returns what came of it. What it writes is its own to commit.
    ///
    /// # Errors
    /// When the writer has ended, or what was done failed.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked may have gone.
            let _unheard = reply.send(work(connection));
        });
        self.items.send(Item::Job(job)).await.map_err(|_| stopped())?;
        result.await.map_err(|_| stopped())?
    }
}

fn stopped() -> Error {
    Error::WriterStopped("it takes no more packets".to_owned())
}

struct Thread {
    connection: Connection,
    next_run: i64,
    /// By the place of the table's declaration, which is kept: two plans may declare a table differently.
    statements: HashMap<usize, (Arc<TableDef>, Statements)>,
}

impl Thread {
    fn new(connection: Connection) -> Result<Self, Error> {
        let next_run = last_run(&connection)? + 1;
        Ok(Self { connection, next_run, statements: HashMap::new() })
    }

    fn run(mut self, mut queue: mpsc::Receiver<Item>) -> Result<(), Error> {
        let mut items = Vec::with_capacity(BATCH_MAX);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut items, BATCH_MAX) > 0 {
            for item in items.drain(..) {
                match item {
                    Item::Packet(packet) => batch.push(packet),
                    Item::Job(job) => {
                        self.together(&mut batch)?;
                        job(&self.connection);
                    }
                }
            }
            self.together(&mut batch)?;
        }
        // Leaves one file behind instead of three.
        self.connection.pragma_update(None, "wal_checkpoint", "truncate")?;
        Ok(())
    }

    /// Commits what was gathered, and says so.
    fn together(&mut self, batch: &mut Vec<Packet>) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let outcomes = self.commit(batch)?;
        for (packet, outcome) in batch.drain(..).zip(outcomes) {
            // Whoever asked may have gone; the run is durable all the same.
            let _unheard = packet.reply.send(outcome);
        }
        Ok(())
    }

    fn commit(&mut self, batch: &[Packet]) -> Result<Vec<Outcome>, Error> {
        failpoint::hit("before_batch");
        let first_run = self.next_run;
        self.execute("begin immediate")?;
        let outcomes = match self.apply_all(batch)? {
            Some(outcomes) => outcomes,
            None => {
                self.execute("rollback")?;
                self.next_run = first_run;
                self.execute("begin immediate")?;
                self.apply_each(batch)?
            }
        };
        failpoint::hit("before_commit");
        self.execute("commit")?;
        failpoint::hit("after_commit");
        Ok(outcomes)
    }

    /// Applies the packets as if none of them clashed; nothing if one did, and then what was written must be rolled back.
    fn apply_all(&mut self, batch: &[Packet]) -> Result<Option<Vec<Outcome>>, Error> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for packet in batch {
            match self.apply(packet)? {
                Outcome::Clash => return Ok(None),
                outcome => outcomes.push(outcome),
            }
        }
        Ok(Some(outcomes))
    }

    /// Applies the packets, each so that it can be taken back alone. A savepoint copies every page that is written within it,
    /// which takes longer than the writes themselves.
    fn apply_each(&mut self, batch: &[Packet]) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for packet in batch {
            self.execute("savepoint packet")?;
            let outcome = self.apply(packet)?;
            if outcome == Outcome::Clash {
                self.execute("rollback to packet")?;
            }
            self.execute("release packet")?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Applies a packet, which is durable when the transaction is. A clash leaves a part of it written; a duplicate and a conflict are
    /// found before anything is.
    fn apply(&mut self, packet: &Packet) -> Result<Outcome, Error> {
        let id = match &packet.run {
            RunRef::New { key, digest, accepted_at, body } => {
                if let Some(refused) = self.known(key, *digest)? {
                    return Ok(refused);
                }
                let id = self.next_run;
                self.connection
                    .prepare_cached(
                        "insert into oms_runs (id, key, digest, state, accepted_at, updated_at, wait_until, cause, bundle, body)
                         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                    )?
                    .execute(params![
                        id,
                        key.as_ref(),
                        digest.bytes(),
                        packet.state.as_str(),
                        accepted_at,
                        packet.now,
                        packet.wait_until,
                        packet.cause,
                        packet.bundle,
                        body.as_ref(),
                    ])?;
                id
            }
            RunRef::Known { id } => {
                self.connection
                    .prepare_cached(
                        "update oms_runs set state = ?2, updated_at = ?3, wait_until = ?4, cause = ?5, bundle = ?6 where id = ?1",
                    )?
                    .execute(params![
                        id,
                        packet.state.as_str(),
                        packet.now,
                        packet.wait_until,
                        packet.cause,
                        packet.bundle
                    ])?;
                *id
            }
        };
        for write in packet.writes.iter() {
            if !self.write(id, packet.now, write)? {
                return Ok(Outcome::Clash);
            }
        }
        self.journal(id, packet)?;
        if matches!(packet.run, RunRef::New { .. }) {
            self.next_run += 1;
        }
        Ok(Outcome::Committed { id })
    }

    /// Says what is in the way of a new run, if something is.
    fn known(&self, key: &str, digest: Digest) -> Result<Option<Outcome>, Error> {
        let known: Option<Vec<u8>> =
            self.connection.prepare_cached(KNOWN)?.query_row([key], |row| row.get(0)).optional()?;
        Ok(known.map(
            |known| {
                if known == digest.bytes() { Outcome::Duplicate } else { Outcome::Conflict }
            },
        ))
    }

    fn journal(&self, id: i64, packet: &Packet) -> Result<(), Error> {
        let first = matches!(packet.run, RunRef::New { .. });
        if packet.events == NO_EVENTS {
            return Ok(());
        }
        let seq: i64 = if first {
            1
        } else {
            self.connection
                .prepare_cached("select coalesce(max(seq), 0) + 1 from oms_journal where run = ?1")?
                .query_row([id], |row| row.get(0))?
        };
        self.connection
            .prepare_cached("insert into oms_journal (run, seq, events) values (?1, ?2, ?3)")?
            .execute(params![id, seq, packet.events])?;
        Ok(())
    }

    /// Applies one write; says whether nothing stood in its way.
    fn write(&mut self, run: i64, now: i64, write: &Write) -> Result<bool, Error> {
        match write {
            Write::Object { bucket, key, content_type, body } => {
                self.object(run, now, bucket, key, content_type, body.as_deref())
            }
            Write::Insert { table, row } => {
                let sql = &self.statements_of(table).insert.clone();
                // A row in the way is looked at by whoever wrote this one, who is told of the clash.
                self.row(sql, table, row, run)
            }
            Write::Upsert { table, row } => {
                let sql = &self.statements_of(table).upsert.clone();
                self.row(sql, table, row, run)?;
                Ok(true)
            }
            Write::Mail { step, element, message_id, content } => {
                self.connection
                    .prepare_cached(
                        "insert into oms_mails (run, step, element, message_id, sent_at, content)
                         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing",
                    )?
                    .execute(params![run, step.as_ref(), element, message_id, now, content])?;
                Ok(true)
            }
        }
    }

    fn object(
        &self,
        run: i64,
        now: i64,
        bucket: &str,
        key: &str,
        content_type: &str,
        body: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let changed = self
            .connection
            .prepare_cached(
                "insert into oms_objects (bucket, key, run, content_type, stored_at, body)
                 values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing",
            )?
            .execute(params![bucket, key, run, content_type, now, body])?;
        if changed == 1 {
            return Ok(true);
        }
        // It is there. The same content is fine, whoever stored it; this run may replace its own.
        let (owner, same): (i64, bool) = self
            .connection
            .prepare_cached(
                "select o.run, coalesce(o.body, r.body) = coalesce(?3, (select body from oms_runs where id = ?4))
                 from oms_objects o join oms_runs r on r.id = o.run where o.bucket = ?1 and o.key = ?2",
            )?
            .query_row(params![bucket, key, body, run], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if same {
            return Ok(true);
        }
        if owner != run {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "update oms_objects set content_type = ?3, stored_at = ?4, body = ?5 where bucket = ?1 and key = ?2",
            )?
            .execute(params![bucket, key, content_type, now, body])?;
        Ok(true)
    }

    fn statements_of(&mut self, table: &Arc<TableDef>) -> &Statements {
        let place = Arc::as_ptr(table) as usize;
        let known = self.statements.entry(place);
        &known.or_insert_with(|| (Arc::clone(table), Statements::new(table))).1
    }

    fn row(&self, sql: &str, table: &TableDef, row: &Value, run: i64) -> Result<bool, Error> {
        let record = row.as_record();
        let run = Value::Int(run);
        let values = table
            .columns
            .iter()
            .map(|column| {
                record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null)
            })
            .chain([&run])
            .map(bind);
        let changed = self.connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
        Ok(changed == 1)
    }
}
