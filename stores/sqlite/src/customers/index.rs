//! The search index: an index of the words in orders that identify customers, in a separate file
//! next to the database. It is built from the orders and can be rebuilt at any time. It is updated
//! with a small delay, so that commits do not wait for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oms_core::table::TableUse;
use oms_core::value::Type;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use serde_json::Value as Json;

use super::search_terms::{Place, order_lines, places, search_terms};
use super::table_search::{CustomerRuns, Match, TableCustomer, TableCustomers, words};
use crate::error::Error;
use crate::runs::run_row::{RunRow, StoredRun, last_run};
use crate::runs::search::Page;
use crate::state::database::INDEX_FILE;
use crate::state::private;
use crate::state::readers::{Reader, Readers};

/// The format of the index that this program writes. An index with another format is rebuilt.
const FORMAT: i64 = 2;
/// Number of orders that are indexed in one transaction. A higher number is faster per order, but
/// other uses of the index wait longer.
const CHUNK: u32 = 2_000;
/// Number of bytes of orders after which a transaction ends early.
const CHUNK_BYTES: usize = 16 << 20;
/// Number of chunks that are indexed before a search, so that the search finds orders that were
/// just accepted.
const CHUNKS_BEFORE: usize = 2;
/// Minimum length in bytes of a prefix: three ASCII letters, or one Chinese character.
const PREFIX_BYTES_MIN: usize = 3;
/// Number of pages in the write-ahead log after which they are copied into the file.
const CHECKPOINT_PAGES: u32 = 8_192;
/// Maximum number of runs that one search examines. The result indicates whether there are more.
const EXAMINED_MAX: u32 = 5_000;

/// The tokenizer splits words by Unicode rules and ignores case and diacritics
/// (<https://sqlite.org/fts5.html#unicode61_tokenizer>).
const TABLES: &str = "
create virtual table orders using fts5(text, tokenize = 'unicode61 remove_diacritics 2');
create table progress (run integer not null, digest blob not null, fields text not null) strict;
insert into progress values (0, x'', '');
";

/// The index of a state directory. Only the owner of the directory uses it. It is opened on first
/// use, and reopened after a failure.
pub(crate) struct Index {
    directory: PathBuf,
    connection: Mutex<Option<Connection>>,
}

/// The progress of an index: the last indexed run, the digest of its order, and the fields that are
/// indexed.
struct IndexProgress {
    run: i64,
    digest: Vec<u8>,
    fields: String,
}

impl Index {
    /// Returns the index of a state directory, without opening it.
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), connection: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `work` with the index. An index that does not match the database is first replaced
    /// with an empty one. If `work` finds the index damaged, the index is deleted.
    fn with<T>(
        &self,
        readers: &Readers,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut open = self.lock();
        let connection = match open.take() {
            Some(connection) => connection,
            None => self.open(readers)?,
        };
        let result = work(&connection);
        match &result {
            Ok(_) => *open = Some(connection),
            Err(error) if is_damaged(error) => self.delete(connection)?,
            Err(_) => {}
        }
        result
    }

    fn open(&self, readers: &Readers) -> Result<Connection, Error> {
        let opened = connect(&self.directory).and_then(|connection| {
            let fits = readers.read(|reader| fits(&connection, reader.sql()))?;
            Ok((connection, fits))
        });
        match opened {
            Ok((connection, true)) => return Ok(connection),
            Ok((connection, false)) => self.delete(connection)?,
            Err(error) if is_damaged(&error) => self.delete(())?,
            Err(error) => return Err(error),
        }
        connect(&self.directory)
    }

    /// Deletes the files. The connection is closed first. Closing it later would delete the log of
    /// the next index, which has the same name.
    fn delete(&self, closed: impl Sized) -> Result<(), Error> {
        drop(closed);
        for end in ["", "-wal", "-shm"] {
            let path = self.directory.join(format!("{INDEX_FILE}{end}"));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::directory(&path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Deletes the whole index, so that no data of deleted orders remains. The index is rebuilt
    /// from the remaining orders.
    pub(crate) fn discard(&self) -> Result<(), Error> {
        let mut open = self.lock();
        self.delete(open.take())
    }

    /// Removes runs from the index, if an index exists.
    pub(crate) fn remove(&self, readers: &Readers, runs: &[i64]) -> Result<(), Error> {
        if !self.directory.join(INDEX_FILE).exists() {
            return Ok(());
        }
        let removed = self.with(readers, |connection| {
            let transaction = connection.unchecked_transaction()?;
            for run in runs {
                connection.prepare_cached("delete from orders where rowid = ?1")?.execute([run])?;
            }
            Ok(transaction.commit()?)
        });
        match removed {
            Err(error) if is_damaged(&error) => Ok(()),
            removed => removed,
        }
    }
}

/// The types of the orders that are searched.
pub struct SearchedOrders<'a> {
    /// The type of an order, which determines the members that are searched.
    pub ty: &'a Type,
    /// Returns the type of the orders of another bundle, which may mask more.
    pub type_of_bundle: &'a dyn Fn(&Reader, i64) -> Option<Type>,
}

/// A search for the orders of a customer.
pub struct CustomerQuery<'a> {
    /// Words of the order, or a part of a customer's row.
    pub text: &'a str,
    /// The tables that may have rows of customers. Empty if the tables are not in this database.
    pub tables: &'a [TableUse],
    /// Only runs older than this row.
    pub before: Option<i64>,
    /// Number of runs on a page.
    pub limit: u32,
}

impl Index {
    /// Adds the orders that were accepted since the last call. Returns whether there may be more.
    ///
    /// # Errors
    /// Returns an error if the index or the database cannot be used.
    pub(crate) fn update(&self, readers: &Readers, ty: &Type) -> Result<bool, Error> {
        let fields = search_terms(ty).join(" ");
        let outdated = self.with(readers, |connection| {
            let progress = IndexProgress::read(connection)?;
            Ok(progress.run > 0 && progress.fields != fields)
        })?;
        if outdated {
            self.discard()?;
        }
        self.with(readers, |connection| index_next(connection, readers, ty, &fields))
    }

    /// Finds runs, newest first. A run matches if its order contains all words of the text, or the
    /// id of a customer whose row in a table contains the text. With `query.before`, returns only
    /// runs older than that row.
    ///
    /// # Errors
    /// Returns an error if the index or the database cannot be read.
    pub(crate) fn search(
        &self,
        readers: &Readers,
        orders: &SearchedOrders<'_>,
        query: &CustomerQuery<'_>,
    ) -> Result<CustomerRuns, Error> {
        match self.found(readers, orders, query) {
            // The damaged index was deleted. The second search builds a new one.
            Err(error) if is_damaged(&error) => self.found(readers, orders, query),
            found => found,
        }
    }

    fn found(
        &self,
        readers: &Readers,
        orders: &SearchedOrders<'_>,
        query: &CustomerQuery<'_>,
    ) -> Result<CustomerRuns, Error> {
        let mut partial = true;
        for _ in 0..CHUNKS_BEFORE {
            partial = partial && self.update(readers, orders.ty)?;
        }
        let CustomerQuery { text, tables, before, limit } = *query;
        let customers = readers.read(|reader| TableCustomers::find(reader.sql(), tables, text))?;
        let words: Vec<String> = words(text).map(prefix_query).collect();
        let words = words.join(" AND ");
        let by_words = self.matching(readers, &words, EXAMINED_MAX + 1)?;
        let ids: Vec<String> = customers.found.iter().map(|known| phrase(&known.id)).collect();
        let by_ids = self.matching(readers, &ids.join(" OR "), EXAMINED_MAX + 1)?;
        let examined = EXAMINED_MAX as usize;
        let has_all = by_words.len() <= examined && by_ids.len() <= examined;
        // The runs, newest first, each with the customers whose ids occur in its order.
        let mut found: BTreeMap<Reverse<i64>, Vec<&TableCustomer>> =
            by_words.iter().map(|run| (Reverse(*run), Vec::new())).collect();
        let page = readers.read(|reader| {
            let database = reader.sql();
            let mut body = database.prepare_cached("select body from oms_runs where id = ?1")?;
            for run in by_ids.into_iter().take(examined) {
                let order: Option<Vec<u8>> = body.query_row([run], |row| row.get(0)).optional()?;
                let order: Option<Json> =
                    order.and_then(|order| serde_json::from_slice(&order).ok());
                // The id may be part of a longer text.
                let is_of = |known: &&TableCustomer| {
                    order.as_ref().is_some_and(|order| contains_value(order, &known.id))
                };
                let of: Vec<&TableCustomer> = customers.found.iter().filter(is_of).collect();
                if !of.is_empty() {
                    found.insert(Reverse(run), of);
                }
            }
            let runs = found.keys().map(|Reverse(run)| *run);
            let runs = runs.filter(|run| before.is_none_or(|before| *run < before));
            let first: Vec<i64> = runs.take(limit.saturating_add(1) as usize).collect();
            Ok(Page { partial, ..Page::of(RunRow::load_all(reader, &first)?, limit, false) })
        })?;
        let mut matched = BTreeMap::new();
        for row in &page.runs {
            let mut places = self.matches(readers, orders, row.id, &words)?;
            for known in found.get(&Reverse(row.id)).into_iter().flatten() {
                let of_table = |place: &String| Match { place: place.clone(), value: None };
                places.extend(known.places.iter().map(of_table));
            }
            matched.insert(row.id, places);
        }
        let (runs, of) = (found.len(), customers.found.len());
        Ok(CustomerRuns {
            page,
            matched,
            runs,
            has_all,
            customers: of,
            customers_total: customers.all,
        })
    }

    /// Returns the members of a run's order that match an FTS5 query.
    fn matches(
        &self,
        readers: &Readers,
        orders: &SearchedOrders<'_>,
        run: i64,
        wanted: &str,
    ) -> Result<Vec<Match>, Error> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let marked: Option<String> = self.with(readers, |connection| {
            let mut statement = connection.prepare_cached(
                "select highlight(orders, 0, char(1), char(2)) from orders where orders match ?1 and rowid = ?2",
            )?;
            Ok(statement.query_row(params![wanted, run], |row| row.get(0)).optional()?)
        })?;
        let Some(marked) = marked else { return Ok(Vec::new()) };
        let mut lines = marked.split('\n');
        readers.read(|reader| {
            let Some(row) = RunRow::load_all(reader, &[run])?.pop() else { return Ok(Vec::new()) };
            let body = StoredRun::body(reader, &row.key)?.unwrap_or_default();
            // The order was indexed with this type. The type of the run's own bundle may mask more.
            let own = (orders.type_of_bundle)(reader, row.bundle);
            let own = own.map(|own| places(&own, &body)).unwrap_or_default();
            let mut matched: Vec<Match> = Vec::new();
            for place in places(orders.ty, &body) {
                let count = place.value.split('\n').count();
                let is_marked = |line: &str| line.contains(['\u{1}', '\u{2}']);
                let has_it = lines.by_ref().take(count).filter(|line| is_marked(line)).count() > 0;
                if has_it && !matched.iter().any(|known| known.place == place.path) {
                    let masks = |known: &Place| known.path == place.path && known.is_personal;
                    let is_personal = place.is_personal || own.iter().any(masks);
                    let value = (!is_personal).then_some(place.value);
                    matched.push(Match { place: place.path, value });
                }
            }
            Ok(matched)
        })
    }

    /// Finds the newest runs whose orders match an FTS5 query.
    fn matching(&self, readers: &Readers, wanted: &str, most: u32) -> Result<Vec<i64>, Error> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.with(readers, |connection| {
            let mut statement = connection.prepare_cached(
                "select rowid from orders where orders match ?1 order by rowid desc limit ?2",
            )?;
            let rows = statement.query_map(params![wanted, most], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// Opens an index, and creates it if it is missing.
fn connect(directory: &Path) -> Result<Connection, Error> {
    let path = directory.join(INDEX_FILE);
    // The file is created here, so that only its owner can read it.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    private::open(&path, &mut options).map_err(Error::directory(&path))?;
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // If a power failure undoes the indexing of orders, they are indexed again.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format == 0 {
        connection.execute_batch(&format!(
            "begin immediate; {TABLES} pragma user_version = {FORMAT}; commit;"
        ))?;
    }
    Ok(connection)
}

/// Returns whether an error means that the file is damaged or not a database.
fn is_damaged(error: &Error) -> bool {
    let Error::Database(error) = error else { return false };
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Returns whether an index has this format and matches the database up to its last run. It does
/// not match after a backup was restored, or after a process was stopped when it had deleted runs
/// and not yet removed them from the index.
fn fits(index: &Connection, database: &Connection) -> Result<bool, Error> {
    let format: i64 = index.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format != FORMAT {
        return Ok(false);
    }
    let IndexProgress { run, digest, .. } = IndexProgress::read(index)?;
    if run == 0 {
        return Ok(true);
    }
    let stored: Option<Vec<u8>> = database
        .query_row("select digest from oms_runs where id = ?1", [run], |row| row.get(0))
        .optional()?;
    if stored.is_some_and(|stored| stored != digest) || run > last_run(database)? {
        return Ok(false);
    }
    let count = "select count(*) from orders";
    let indexed: i64 = index.query_row(count, [], |row| row.get(0))?;
    // With the `+`, SQLite counts in the index of keys, which is smaller than the table.
    let count = "select count(*) from oms_runs where +id <= ?1";
    let known: i64 = database.query_row(count, [run], |row| row.get(0))?;
    Ok(indexed == known)
}

impl IndexProgress {
    fn read(index: &Connection) -> Result<Self, Error> {
        let mut statement = index.prepare_cached("select run, digest, fields from progress")?;
        Ok(statement.query_row([], |row| {
            Ok(Self { run: row.get(0)?, digest: row.get(1)?, fields: row.get(2)? })
        })?)
    }
}

/// Indexes some of the new orders, and returns whether there may be more.
fn index_next(
    index: &Connection,
    readers: &Readers,
    ty: &Type,
    fields: &str,
) -> Result<bool, Error> {
    let before = IndexProgress::read(index)?.run;
    if readers.read(|reader| last_run(reader.sql()))? <= before {
        return Ok(false);
    }
    let transaction = index.unchecked_transaction()?;
    let mut insert = index.prepare_cached("insert into orders (rowid, text) values (?1, ?2)")?;
    let taken = readers.read(|reader| {
        let mut after = reader
            .sql()
            .prepare_cached("select id, digest, body from oms_runs where id > ?1 order by id")?;
        let mut rows = after.query([before])?;
        let (mut taken, mut count, mut bytes, mut lines) = (None, 0, 0, String::new());
        while let (true, Some(row)) = (count < CHUNK && bytes < CHUNK_BYTES, rows.next()?) {
            let body = row.get_ref(2)?.as_blob().unwrap_or_default();
            lines.clear();
            order_lines(ty, body, &mut lines);
            let (id, digest): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            insert.execute(params![id, lines])?;
            (taken, count, bytes) = (Some((id, digest)), count + 1, bytes + body.len());
        }
        Ok(taken.map(|taken| (taken, count == CHUNK || bytes >= CHUNK_BYTES)))
    })?;
    let Some(((run, digest), more)) = taken else { return Ok(false) };
    index
        .prepare_cached("update progress set run = ?1, digest = ?2, fields = ?3")?
        .execute(params![run, digest, fields])?;
    transaction.commit()?;
    Ok(more)
}

/// Returns an FTS5 phrase, which matches the words of a text in the same order.
fn phrase(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Returns the FTS5 query for a word. It also matches longer words if the last part of the word is
/// long enough to be a selective prefix.
fn prefix_query(word: &str) -> String {
    let last =
        word.split(|character: char| !character.is_alphanumeric()).rfind(|part| !part.is_empty());
    let is_prefix = last.is_some_and(|last| last.len() >= PREFIX_BYTES_MIN);
    format!("{}{}", phrase(word), if is_prefix { "*" } else { "" })
}

/// Returns whether a member of an order equals a value.
fn contains_value(order: &Json, value: &str) -> bool {
    match order {
        Json::String(text) => text == value,
        Json::Number(number) => number.to_string() == value,
        Json::Array(elements) => elements.iter().any(|element| contains_value(element, value)),
        Json::Object(members) => members.values().any(|member| contains_value(member, value)),
        Json::Null | Json::Bool(_) => false,
    }
}
