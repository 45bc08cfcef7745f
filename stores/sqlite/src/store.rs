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

/// The options of a store.
pub struct Options {
    /// The clock for the times of commits.
    pub clock: Arc<dyn Clock>,
    /// Where the writer runs.
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
    /// Returns an error if the database cannot be opened.
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
    /// Returns an error if the writer has failed, or if it fails while it stops.
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

    /// Reads committed data.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, or if `read` fails.
    pub fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, Error>) -> Result<T, Error> {
        self.readers.read(read)
    }

    /// Returns the number of the last commit. Call this before you read committed data.
    pub fn committed(&self) -> CommitNumber {
        self.writer.committed()
    }

    /// Finds the committed row of a table with a key, and the run that wrote it.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
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
    /// Returns an error if the database cannot be read.
    pub fn object(&self, bucket: &str, key: &str) -> Result<Option<(i64, Vec<u8>)>, Error> {
        self.read(|reader| stored(reader, bucket, key))
    }

    /// Submits a packet. Waits while the queue is full. The outcome is sent to the packet's
    /// `reply`.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped.
    pub async fn submit(&self, packet: Packet) -> Result<(), Error> {
        self.writer.submit(packet).await
    }

    /// Ends a turn without a packet, so that the packets of later turns can be committed.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped.
    pub async fn pass(&self, turn: Turn) -> Result<(), Error> {
        self.writer.pass(turn).await
    }

    /// Waits for locks on rows and objects. Until they are released, no packet of another run that
    /// reads or writes one of these items is committed.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped.
    pub async fn lock(&self, items: Vec<Item>) -> Result<Locked, Error> {
        self.writer.lock(items).await
    }

    /// Sets up the state for another plan, between two commits of runs.
    ///
    /// # Errors
    /// Returns an error if the writer has stopped, or if `work` fails.
    pub async fn set_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Setup<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer.change(move |connection| work(&Setup::on(connection))).await
    }

    /// Adds rows to a table, and replaces rows with the same key. Writes either all rows or none.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn import(&self, table: &Arc<TableDef>, rows: Vec<Value>) -> Result<(), Error> {
        let table = Arc::clone(table);
        self.writer.change(move |connection| rows::import_on(connection, &table, &rows)).await
    }

    /// Writes an entry to the audit log, and returns the entry's number.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn audit(&self, entry: AuditEntry) -> Result<i64, Error> {
        self.writer.work(move |connection| entry.write(connection)).await
    }

    /// Adds the result to an entry of the audit log.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn add_audit_result(&self, entry: i64, result: String) -> Result<(), Error> {
        self.writer.work(move |connection| AuditEntry::ended(connection, entry, &result)).await
    }

    /// Deletes some of the runs that ended before an instant, starting at a row. Returns the row at
    /// which to continue and the rows of the deleted runs, or `None` at the end.
    ///
    /// # Errors
    /// Returns an error if the database fails. Earlier deletions stay.
    pub async fn delete_ended_before(
        &self,
        from: i64,
        before: Timestamp,
    ) -> Result<Option<(i64, Vec<i64>)>, Error> {
        let delete = move |connection: &Connection| delete::ended_before(connection, from, before);
        let Some((next, runs)) = self.writer.change(delete).await? else { return Ok(None) };
        self.index.remove(&self.readers, &runs)?;
        Ok(Some((next, runs)))
    }

    /// Rewrites the database file without its free pages.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn shrink(&self) -> Result<(), Error> {
        self.writer.work(delete::shrink).await
    }

    /// Deletes runs, and erases the personal data in rows of `tables` that they wrote and that name
    /// no customer. The deleted content is overwritten on disk.
    ///
    /// # Errors
    /// Returns an error if the database fails.
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

    /// Erases the personal data of a customer in `tables`, and empties the write-ahead log.
    ///
    /// # Errors
    /// Returns an error if the database fails, or if another process reads the log
    /// ([`Error::StillRead`]).
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

    /// Adds the orders that were accepted since the last call to the search index. Returns whether
    /// there may be more.
    ///
    /// # Errors
    /// Returns an error if the index or the database cannot be used.
    pub fn update_index(&self, ty: &Type) -> Result<bool, Error> {
        self.index.update(&self.readers, ty)
    }

    /// Deletes the search index, so that no data of deleted runs remains. The next search rebuilds
    /// it.
    ///
    /// # Errors
    /// Returns an error if the files cannot be deleted.
    pub fn discard_index(&self) -> Result<(), Error> {
        self.index.discard()
    }

    /// Finds the runs of a customer's orders.
    ///
    /// # Errors
    /// Returns an error if the index or the database cannot be read.
    pub fn search_customers(
        &self,
        orders: &SearchedOrders<'_>,
        query: &CustomerQuery<'_>,
    ) -> Result<CustomerRuns, Error> {
        self.index.search(&self.readers, orders, query)
    }

    /// Returns the record of runs whose objects and e-mails were written as files.
    pub const fn exported(&self) -> &ExportedRuns {
        &self.exported
    }

    /// Returns the runs whose objects and e-mails an earlier process did not write as files.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn pending_exports(&self) -> Result<Vec<i64>, Error> {
        self.read(exports::pending)
    }
}
