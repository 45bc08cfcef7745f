//! The search index: the words by which orders name their customers, in a file of its own beside the database. It is made of the orders and can be made
//! again; it lags behind them a little, so that nothing waits for it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oms_engine::plan::Plan;
use oms_engine::table::TableDef;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior, params,
};

use crate::error::Error;
use crate::forget::is_written;
use crate::runner::Runner;
use crate::runs::{RunRow, last_run};
use crate::said::said;
use crate::search::Page;
use crate::tables::quoted;

/// The index's name in the state directory.
const INDEX_FILE: &str = "search.db";
/// The format of the index that this program writes; another one is made again.
const FORMAT: i64 = 1;
/// Orders that are taken in together: more in one transaction cost less each, and others wait for it.
const CHUNK: u32 = 2_000;
/// How long one waits for another that writes.
const BUSY: Duration = Duration::from_secs(60);
/// Chunks that a search waits for, so that it finds what was just accepted.
const CHUNKS_BEFORE: usize = 2;
/// Characters of a word's beginning at the least.
const BEGINNING_MIN: usize = 3;
/// Pages of the write-ahead log after which it is copied into the file.
const CHECKPOINT_PAGES: u32 = 8_192;
/// Customers at the most that a text may be of.
const CUSTOMERS_MAX: u32 = 20;

/// Words are told apart as in Unicode, without regard to case and to marks on letters (<https://sqlite.org/fts5.html#unicode61_tokenizer>). What is deleted is
/// not only marked as such (<https://sqlite.org/fts5.html#the_secure_delete_configuration_option>).
const TABLES: &str = "
create virtual table orders using fts5(said, tokenize = 'unicode61 remove_diacritics 2');
insert into orders (orders, rank) values ('secure-delete', 1);
create table upto (run integer not null, key text not null) strict;
insert into upto values (0, '');
";

/// The index of a state directory. It is opened when it is used, and anew after it failed.
pub struct Index {
    directory: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Index {
    /// Names the index of a state directory.
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), connection: Mutex::default() }
    }

    /// Does something with the index. One that is damaged, or is of another database, is made again.
    fn with<T>(
        &self,
        runner: &Runner,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut open = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match open.take() {
            Some(connection) => connection,
            None => self.open(runner)?,
        };
        let result = work(&connection);
        match &result {
            Ok(_) => *open = Some(connection),
            Err(error) if is_damaged(error) => delete(&self.directory)?,
            Err(_) => {}
        }
        result
    }

    fn open(&self, runner: &Runner) -> Result<Connection, Error> {
        let opened = connect(&self.directory).and_then(|connection| {
            let fits = runner.read(|database, _| fits(&connection, database))?;
            Ok(fits.then_some(connection))
        });
        match opened {
            Ok(Some(connection)) => return Ok(connection),
            Err(error) if !is_damaged(&error) => return Err(error),
            Ok(None) | Err(_) => {}
        }
        delete(&self.directory)?;
        connect(&self.directory)
    }

    /// Takes in orders that came since; returns whether there may be more.
    ///
    /// # Errors
    /// When the index or the database cannot be used.
    pub fn catch_up(&self, runner: &Runner) -> Result<bool, Error> {
        self.with(runner, |connection| take_in(connection, runner))
    }

    /// Finds runs of the orders that have all the words of a text, or whose customer has it in a table, the youngest first.
    ///
    /// # Errors
    /// When the index or the database cannot be read.
    pub fn customer(&self, runner: &Runner, text: &str, limit: u32) -> Result<Page, Error> {
        let mut behind = true;
        for _ in 0..CHUNKS_BEFORE {
            behind = behind && self.catch_up(runner)?;
        }
        let plan = runner.plan();
        let ids = match runner.is_remote() {
            true => Vec::new(),
            false => runner.read(|database, _| customers(database, &plan, text))?,
        };
        let words = words(text).map(sought);
        let words = words.collect::<Vec<_>>().join(" AND ");
        let words = (!words.is_empty()).then(|| format!("({words})"));
        let ids = ids.iter().map(|id| phrase(id));
        let wanted = words.into_iter().chain(ids).collect::<Vec<_>>().join(" OR ");
        if wanted.is_empty() {
            return Ok(Page { partial: behind, ..Page::default() });
        }
        let found: Vec<i64> = self.with(runner, |connection| {
            let mut statement = connection.prepare_cached(
                "select rowid from orders where orders match ?1 order by rowid desc limit ?2",
            )?;
            let limit = limit.saturating_add(1);
            let rows = statement.query_map(params![wanted, limit], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let runs = runner.read(|database, _| RunRow::those(database, &found))?;
        Ok(Page { partial: behind, ..Page::of(runs, limit, false) })
    }

    /// Removes what an index has of runs; nothing if there is no index. Where it stood is free, until [`compact`](Self::compact).
    pub(crate) fn remove(directory: &Path, runs: &[i64]) -> Result<(), Error> {
        if runs.is_empty() {
            return Ok(());
        }
        existing(directory, |connection| {
            let transaction =
                Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            for run in runs {
                connection.prepare_cached("delete from orders where rowid = ?1")?.execute([run])?;
            }
            Ok(transaction.commit()?)
        })
    }

    /// Writes an index anew, so that nothing is left in it of what was removed; nothing if there is no index.
    pub(crate) fn compact(directory: &Path) -> Result<(), Error> {
        existing(directory, |connection| {
            connection.execute_batch("vacuum")?;
            // The log has what was there before.
            Ok(connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?)
        })
    }
}

/// Does something with an index that is there, whoever else uses it; one that is damaged is deleted.
fn existing(
    directory: &Path,
    work: impl FnOnce(&Connection) -> Result<(), Error>,
) -> Result<(), Error> {
    if !directory.join(INDEX_FILE).exists() {
        return Ok(());
    }
    match connect(directory).and_then(|connection| work(&connection)) {
        Err(error) if is_damaged(&error) => delete(directory),
        result => result,
    }
}

/// Opens an index, making it if need be.
fn connect(directory: &Path) -> Result<Connection, Error> {
    let path = directory.join(INDEX_FILE);
    // Made here, so that nobody else may read it.
    let mut file = OpenOptions::new();
    let file = file.write(true).create(true).truncate(false).mode(0o600).open(&path);
    file.map_err(Error::directory(&path))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // What is lost with the power is taken in again.
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

fn delete(directory: &Path) -> Result<(), Error> {
    for end in ["", "-wal", "-shm"] {
        let path = directory.join(format!("{INDEX_FILE}{end}"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::directory(&path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Tells whether a file is no index, or not a whole one.
fn is_damaged(error: &Error) -> bool {
    let Error::Database(error) = error else { return false };
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Tells whether an index is of this format and was made of this database, and not of one that was there before a copy was put back.
fn fits(index: &Connection, database: &Connection) -> Result<bool, Error> {
    let format: i64 = index.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format != FORMAT {
        return Ok(false);
    }
    let (run, key) = upto(index)?;
    let there: Option<String> = database
        .query_row("select key from oms_runs where id = ?1", [run], |row| row.get(0))
        .optional()?;
    Ok(run <= last_run(database)? && there.is_none_or(|there| there == key))
}

/// Takes in some of the orders that came since; returns whether there may be more.
fn take_in(connection: &Connection, runner: &Runner) -> Result<bool, Error> {
    let plan = runner.plan();
    let (before, _) = upto(connection)?;
    if runner.read(|database, _| last_run(database))? <= before {
        return Ok(false);
    }
    // Whoever removes what was forgotten waits for this, so that nothing comes back that was read before.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let mut insert =
        connection.prepare_cached("insert into orders (rowid, said) values (?1, ?2)")?;
    let taken = runner.read(|database, _| {
        let mut after = database.prepare_cached(
            "select id, key, body from oms_runs where id > ?1 order by id limit ?2",
        )?;
        let mut rows = after.query(params![before, CHUNK])?;
        let (mut taken, mut count, mut lines) = (None, 0, String::new());
        while let Some(row) = rows.next()? {
            let (id, key): (i64, String) = (row.get(0)?, row.get(1)?);
            lines.clear();
            said(
                plan.order().schema().ty(),
                row.get_ref(2)?.as_blob().unwrap_or_default(),
                &mut lines,
            );
            insert.execute(params![id, lines])?;
            (taken, count) = (Some((id, key)), count + 1);
        }
        Ok(taken.map(|taken| (taken, count == CHUNK)))
    })?;
    let Some(((run, key), more)) = taken else { return Ok(false) };
    connection.prepare_cached("update upto set run = ?1, key = ?2")?.execute(params![run, key])?;
    transaction.commit()?;
    Ok(more)
}

/// Returns the last run that was taken in, and its order's key.
fn upto(connection: &Connection) -> Result<(i64, String), Error> {
    let mut statement = connection.prepare_cached("select run, key from upto")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Returns the words of a text that have something to be looked for.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric))
}

/// Writes words that are to follow each other, as FTS5 takes them.
fn phrase(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Writes what a word is to match: itself, or what begins with it if its end is long enough not to be the beginning of nearly everything.
fn sought(word: &str) -> String {
    let last =
        word.split(|character: char| !character.is_alphanumeric()).rfind(|part| !part.is_empty());
    let beginning = last.is_some_and(|last| last.chars().count() >= BEGINNING_MIN);
    format!("{}{}", phrase(word), if beginning { "*" } else { "" })
}

/// Tells whether the keys of a table name the customers that orders are of, as `oms forget` takes them: it has personal data, and no
/// step writes to it.
fn names_customers(plan: &Plan, table: &TableDef) -> bool {
    table.columns.iter().any(|column| column.pii) && !is_written(plan, table)
}

/// Finds the keys of the customers whose personal columns have a text.
fn customers(database: &Connection, plan: &Plan, text: &str) -> Result<Vec<String>, Error> {
    let escaped: String = text
        .chars()
        .flat_map(|character| {
            let escape = matches!(character, '%' | '_' | '\\').then_some('\\');
            escape.into_iter().chain([character])
        })
        .collect();
    let like = format!("%{escaped}%");
    let mut ids = Vec::new();
    for table in plan.tables().iter().filter(|table| names_customers(plan, table)) {
        let personal = table.columns.iter().filter(|column| column.pii);
        let has: Vec<String> = personal
            .map(|column| format!("{} like ?1 escape '\\'", quoted(&column.name)))
            .collect();
        for key in table.key_columns() {
            let sql = format!(
                "select cast({} as text) from {} where {} limit ?2",
                quoted(&key.name),
                quoted(&table.name),
                has.join(" or ")
            );
            let mut statement = database.prepare_cached(&sql)?;
            let found = statement.query_map(params![like, CUSTOMERS_MAX], |row| row.get(0))?;
            for id in found {
                let id: String = id?;
                if words(&id).next().is_some() {
                    ids.push(id);
                }
            }
        }
    }
    Ok(ids)
}
