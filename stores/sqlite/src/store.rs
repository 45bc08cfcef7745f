//! A state that this process owns: one writer, readers, and the search index.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::effects::Clock;
use oms_core::table::{Customer, EraseMode, RowCounts, TableDef, TableUse};
use oms_core::value::{Type, Value};
use rusqlite::{Connection, params};

use crate::customers::CustomerRuns;
use crate::customers::index::{CustomerQuery, Index, SearchedOrders};
use crate::error::Error;
use crate::runs::audit::AuditEntry;
use crate::runs::delete;
use crate::runs::exports::{self, ExportedRuns};
use crate::runs::objects::stored;
use crate::setup::Setup;
use crate::state::database::{Database, empty_log, overwriting};
use crate::state::readers::{Reader, Readers};
use crate::tables::{erase, rows};
use crate::writer::item::{CommitNumber, Item};
use crate::writer::packet::Packet;
use crate::writer::thread::{Locked, Writer, WriterHandle, WriterMode};
use crate::writer::turns::Turn;

/// What a store is given from outside.
pub struct Options {
    /// The clock that stamps commits.
    pub clock: Arc<dyn Clock>,
    /// Where commits are made.
    pub writer: WriterMode,
}

/// A state that this process owns.
pub struct Store {
    writer: Writer,
    handle: WriterHandle,
    readers: Readers,
    index: Index,
    exported: ExportedRuns,
    clock: Arc<dyn Clock>,
    _database: Database,
}

impl Store {
    /// Starts the writer of a state.
    ///
    /// # Errors
    /// The database cannot be opened.
    pub fn start(database: Database, options: Options) -> Result<Self, Error> {
        let exported = ExportedRuns::default();
        let (writer, handle) = Writer::start(&database, exported.clone(), options.writer)?;
        Ok(Self {
            writer,
            handle,
            readers: Readers::new(database.directory()),
            index: Index::of(database.directory()),
            exported,
            clock: options.clock,
            _database: database,
        })
    }

    /// Stops the writer and releases the directory.
    ///
    /// # Errors
    /// The failure that stopped the writer, if there was one.
    pub fn close(self) -> Result<(), Error> {
        let Self { writer, handle, .. } = self;
        drop(writer);
        handle.close()
    }

    /// Returns the state directory.
    pub fn directory(&self) -> &Path {
        self.readers.directory()
    }

    /// Returns the time by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads what is committed.
    ///
    /// # Errors
    /// The database cannot be read, or `read` fails.
    pub fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, Error>) -> Result<T, Error> {
        self.readers.read(read)
    }

    /// Returns the number of the last commit. Load it before you read committed data.
    pub fn committed(&self) -> CommitNumber {
        self.writer.committed()
    }

    /// Finds the committed row of a table with a key, and the run that wrote it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn row(
        &self,
        table: &TableDef,
        key: &[&Value],
    ) -> Result<Option<(Option<i64>, Value)>, Error> {
        self.read(|reader| rows::committed(reader, table, key))
    }

    /// Returns the run that stored an object, and the object's content.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn object(&self, bucket: &str, key: &str) -> Result<Option<(i64, Vec<u8>)>, Error> {
        self.read(|reader| stored(reader, bucket, key))
    }

    /// Hands a packet over; waits while too many are queued. The outcome arrives at its `reply`.
    ///
    /// # Errors
    /// The writer has ended.
    pub async fn submit(&self, packet: Packet) -> Result<(), Error> {
        self.writer.submit(packet).await
    }

    /// Lets the orders behind a turn commit without a packet for it.
    ///
    /// # Errors
    /// The writer has ended.
    pub async fn pass(&self, turn: Turn) -> Result<(), Error> {
        self.writer.pass(turn).await
    }

    /// Waits for locks on rows and objects. Until they are released, no packet of another run that
    /// reads or writes one of these items commits.
    ///
    /// # Errors
    /// The writer has ended.
    pub async fn lock(&self, items: Vec<Item>) -> Result<Locked, Error> {
        self.writer.lock(items).await
    }

    /// Sets the state up for another plan between two commits of runs.
    ///
    /// # Errors
    /// The writer has ended, or `work` fails.
    pub async fn set_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Setup<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer.change(move |connection| work(&Setup::on(connection))).await
    }

    /// Adds rows to a table and replaces those with the same key; all of them or none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn import(&self, table: &Arc<TableDef>, rows: Vec<Value>) -> Result<(), Error> {
        let table = Arc::clone(table);
        self.writer.change(move |connection| rows::import_on(connection, &table, &rows)).await
    }

    /// Records what a person is about to do, and returns the entry's number.
    ///
    /// # Errors
    /// The database fails.
    pub async fn audit(&self, entry: AuditEntry) -> Result<i64, Error> {
        self.writer.work(move |connection| entry.write(connection)).await
    }

    /// Adds the result to an entry of the audit log.
    ///
    /// # Errors
    /// The database fails.
    pub async fn add_audit_result(&self, entry: i64, result: String) -> Result<(), Error> {
        self.writer.work(move |connection| AuditEntry::ended(connection, entry, &result)).await
    }

    /// Deletes some of the runs that ended before an instant, from a row on. Returns the row to continue at and the rows of the
    /// deleted runs, or `None` if none is left.
    ///
    /// # Errors
    /// The database fails; earlier deletions stay.
    pub async fn delete_ended_before(
        &self,
        from: i64,
        before: Timestamp,
    ) -> Result<Option<(i64, Vec<i64>)>, Error> {
        let some = move |connection: &Connection| delete::ended_before(connection, from, before);
        let Some((next, runs)) = self.writer.change(some).await? else { return Ok(None) };
        self.index.remove(&self.readers, &runs)?;
        Ok(Some((next, runs)))
    }

    /// Rewrites the database file without its free pages.
    ///
    /// # Errors
    /// The database fails.
    pub async fn shrink(&self) -> Result<(), Error> {
        self.writer.work(delete::shrink).await
    }

    /// Deletes runs, and erases the rows that only they wrote in `tables`. What is deleted is overwritten on disk.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete_runs(
        &self,
        runs: Vec<i64>,
        tables: Vec<TableUse>,
    ) -> Result<RowCounts, Error> {
        let delete = move |connection: &Connection| {
            overwriting(connection, |connection| {
                let rows = erase::of_runs(connection, &tables, &runs, EraseMode::Erase)?;
                for run in &runs {
                    delete::delete(connection, "id = ?1", params![run])?;
                }
                Ok(rows)
            })
        };
        self.writer.change(delete).await
    }

    /// Erases the rows of a customer in `tables`, and empties the write-ahead log.
    ///
    /// # Errors
    /// The database fails, or another process reads the log ([`Error::StillRead`]).
    pub async fn erase_customer(
        &self,
        customer: Option<Customer>,
        tables: Vec<TableUse>,
    ) -> Result<RowCounts, Error> {
        let erase = move |connection: &Connection| {
            let rows = match customer {
                None => RowCounts::new(),
                Some(customer) => overwriting(connection, |connection| {
                    erase::of_customer(connection, &tables, &customer, EraseMode::Erase)
                })?,
            };
            empty_log(connection)?;
            Ok(rows)
        };
        self.writer.change(erase).await
    }

    /// Adds orders that were accepted since the last call to the search index. Returns whether there may be more.
    ///
    /// # Errors
    /// The index or the database cannot be used.
    pub fn update_index(&self, ty: &Type) -> Result<bool, Error> {
        self.index.update(&self.readers, ty)
    }

    /// Deletes the search index, so that it keeps nothing of deleted runs. The next search rebuilds it.
    ///
    /// # Errors
    /// The files cannot be deleted.
    pub fn discard_index(&self) -> Result<(), Error> {
        self.index.discard()
    }

    /// Finds the orders of a customer.
    ///
    /// # Errors
    /// The index or the database cannot be read.
    pub fn search_customers(
        &self,
        orders: &SearchedOrders<'_>,
        query: &CustomerQuery<'_>,
    ) -> Result<CustomerRuns, Error> {
        self.index.search(&self.readers, orders, query)
    }

    /// Returns the record of runs whose objects and mails were written as files.
    pub const fn exported(&self) -> &ExportedRuns {
        &self.exported
    }

    /// Returns the runs whose objects and mails an earlier process did not write as files.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pending_exports(&self) -> Result<Vec<i64>, Error> {
        self.read(exports::pending)
    }
}
