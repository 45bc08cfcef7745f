//! The search index: the words by which orders name their customers, in a file of its own beside the database. It is made of the orders and can be made
//! again; it lags behind them a little, so that nothing waits for it.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oms_engine::plan::Plan;
use oms_engine::table::TableDef;
use oms_engine::value::{Shape, Type};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::Value as Json;

use crate::error::Error;
use crate::forget::is_written;
use crate::runner::Runner;
use crate::runs::{RunRow, last_run};
use crate::search::Page;
use crate::tables::quoted;

/// The index's name in the state directory.
const INDEX_FILE: &str = "search.db";
/// The format of the index that this program writes; another one is made again.
const FORMAT: i64 = 1;
/// Orders that are taken in together: others wait for it.
const CHUNK: u32 = 500;
/// How long one waits for another that writes.
const BUSY: Duration = Duration::from_secs(60);
/// Chunks that a search waits for, so that it finds what was just accepted.
const CHUNKS_BEFORE: usize = 4;
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

/// The index of a state directory.
pub struct Index(Mutex<Connection>);

impl Index {
    /// Opens the index of a runner's state directory. One that is damaged, or is of another database, is made again.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(directory: &Path, runner: &Runner) -> Result<Self, Error> {
        let path = directory.join(INDEX_FILE);
        let fits = |index: &Self| {
            runner.read(|connection, _| index.fits(connection)).is_ok_and(|fits| fits)
        };
        if let Some(index) = Self::at(&path).ok().filter(fits) {
            return Ok(index);
        }
        for end in ["", "-wal", "-shm"] {
            let path = directory.join(format!("{INDEX_FILE}{end}"));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::directory(&path)(error));
                }
                _ => {}
            }
        }
        Self::at(&path)
    }

    fn at(path: &Path) -> Result<Self, Error> {
        // Made here, so that nobody else may read it.
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(false).mode(0o600).open(path);
        file.map_err(Error::directory(path))?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // What is lost with the power is taken in again.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "secure_delete", true)?;
        let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if format == 0 {
            connection.execute_batch(&format!(
                "begin immediate; {TABLES} pragma user_version = {FORMAT}; commit;"
            ))?;
        }
        Ok(Self(Mutex::new(connection)))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether it is of this format and was made of this database, and not of one that was there before a copy was put back.
    fn fits(&self, database: &Connection) -> Result<bool, Error> {
        let connection = self.lock();
        let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if format != FORMAT {
            return Ok(false);
        }
        let (run, key) = upto(&connection)?;
        let there: Option<String> = database
            .query_row("select key from oms_runs where id = ?1", [run], |row| row.get(0))
            .optional()?;
        Ok(run <= last_run(database)? && there.is_none_or(|there| there == key))
    }

    /// Takes in orders that came since; returns whether there may be more.
    ///
    /// # Errors
    /// When the index or the database cannot be used.
    pub fn catch_up(&self, runner: &Runner) -> Result<bool, Error> {
        let plan = runner.plan();
        let ty = plan.order().schema().ty();
        let connection = self.lock();
        let (before, _) = upto(&connection)?;
        if runner.read(|database, _| last_run(database))? <= before {
            return Ok(false);
        }
        // Whoever removes what was forgotten waits for this, so that nothing comes back that was read before.
        let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)?;
        let mut insert =
            connection.prepare_cached("insert into orders (rowid, said) values (?1, ?2)")?;
        let mut said = String::new();
        let taken = runner.read(|database, _| {
            let mut after = database.prepare_cached(
                "select id, key, body from oms_runs where id > ?1 order by id limit ?2",
            )?;
            let mut rows = after.query(params![before, CHUNK])?;
            let mut taken = None;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let (id, key): (i64, String) = (row.get(0)?, row.get(1)?);
                let body = row.get_ref(2)?.as_blob().unwrap_or_default();
                let order: Json = serde_json::from_slice(body).unwrap_or_default();
                said.clear();
                write_said(&order, ty, false, &mut said);
                insert.execute(params![id, said])?;
                (taken, count) = (Some((id, key)), count + 1);
            }
            Ok(taken.map(|taken| (taken, count == CHUNK)))
        })?;
        let Some(((run, key), more)) = taken else { return Ok(false) };
        connection
            .prepare_cached("update upto set run = ?1, key = ?2")?
            .execute(params![run, key])?;
        transaction.commit()?;
        Ok(more)
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
        let words = words(text).map(|word| format!("{}*", phrase(word)));
        let words = words.collect::<Vec<_>>().join(" AND ");
        let words = (!words.is_empty()).then(|| format!("({words})"));
        let ids = ids.iter().map(|id| phrase(id));
        let wanted = words.into_iter().chain(ids).collect::<Vec<_>>().join(" OR ");
        if wanted.is_empty() {
            return Ok(Page { partial: behind, ..Page::default() });
        }
        let found: Vec<i64> = {
            let connection = self.lock();
            let mut statement = connection.prepare_cached(
                "select rowid from orders where orders match ?1 order by rowid desc limit ?2",
            )?;
            let rows =
                statement.query_map(params![wanted, limit.saturating_add(1)], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        let runs = runner.read(|database, _| RunRow::those(database, &found))?;
        Ok(Page { partial: behind, ..Page::of(runs, limit, false) })
    }

    /// Removes what it has of runs, so that nothing of it is left in the file; nothing if there is no index.
    pub(crate) fn remove(directory: &Path, runs: &[i64]) -> Result<(), Error> {
        let path = directory.join(INDEX_FILE);
        if runs.is_empty() || !path.exists() {
            return Ok(());
        }
        let index = Self::at(&path)?;
        let connection = index.lock();
        let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)?;
        for run in runs {
            connection.prepare_cached("delete from orders where rowid = ?1")?.execute([run])?;
        }
        transaction.commit()?;
        // The log has what was there before.
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// Returns the last run that was taken in, and its order's key.
fn upto(connection: &Connection) -> Result<(i64, String), Error> {
    let mut statement = connection.prepare_cached("select run, key from upto")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Tells whether a value of a type may say who a customer is.
fn says(ty: &Type) -> bool {
    matches!(ty.shape, Shape::Text { values: None, .. } | Shape::Email | Shape::Int)
}

/// Writes what an order says of its customer, a line each. What stands in a list is about articles, if it is not personal.
fn write_said(value: &Json, ty: &Type, listed: bool, said: &mut String) {
    match (value, &ty.shape) {
        (Json::Object(members), Shape::Record(record)) => {
            for field in record.fields() {
                if let Some(member) = members.get(&*field.name) {
                    write_said(member, &field.ty, listed, said);
                }
            }
        }
        (Json::Array(elements), Shape::List(element)) if element.holds_pii() => {
            for value in elements {
                write_said(value, element, true, said);
            }
        }
        _ if !says(ty) || listed && !ty.pii => {}
        (Json::String(text), _) => {
            said.push_str(text);
            said.push('\n');
        }
        (Json::Number(number), _) => {
            // A string takes whatever is written.
            let _infallible = writeln!(said, "{number}");
        }
        _ => {}
    }
}

/// Returns the paths of the fields of orders that are searched, such as `customer_id`.
pub fn searched(plan: &Plan) -> Vec<String> {
    let mut paths = Vec::new();
    add_paths(plan.order().schema().ty(), "", false, &mut paths);
    paths
}

fn add_paths(ty: &Type, path: &str, listed: bool, paths: &mut Vec<String>) {
    match &ty.shape {
        Shape::Record(record) => {
            let dot = if path.is_empty() { "" } else { "." };
            for field in record.fields() {
                add_paths(&field.ty, &format!("{path}{dot}{}", field.name), listed, paths);
            }
        }
        Shape::List(element) if element.holds_pii() => {
            add_paths(element, &format!("{path}[]"), true, paths);
        }
        _ if says(ty) && (!listed || ty.pii) => paths.push(path.to_owned()),
        _ => {}
    }
}

/// Returns the words of a text that have something to be looked for.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric))
}

/// Writes words that are to follow each other, as FTS5 takes them.
fn phrase(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Returns the columns of a table that name the customers that orders are of, as `oms forget` takes them: the keys of tables with personal data that no
/// step writes to.
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
