//! The search index: the words by which orders name their customers, in a file of its own beside the database. It is made of the orders and can be made
//! again; it lags behind them a little, so that nothing waits for it.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oms_engine::plan::Plan;
use oms_engine::table::TableDef;
use oms_engine::value::{Field, Shape, Type};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

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
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
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
                said.clear();
                // It was read when it was accepted; what cannot be read says nothing.
                let order = Said { ty, listed: false, lines: &mut said };
                let _unread = order.deserialize(&mut serde_json::Deserializer::from_slice(body));
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
        let words = words(text).map(sought);
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

    /// Removes what it has of runs; nothing if there is no index. Where it stood is free, until [`compact`](Self::compact).
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
        Ok(())
    }

    /// Writes the file anew, so that nothing is left in it of what was removed; nothing if there is no index.
    pub(crate) fn compact(directory: &Path) -> Result<(), Error> {
        let path = directory.join(INDEX_FILE);
        if !path.exists() {
            return Ok(());
        }
        let index = Self::at(&path)?;
        let connection = index.lock();
        // The log has what was there before.
        connection.execute_batch("vacuum")?;
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

/// Reads what an order says of its customer, a line each, and passes over the rest. What stands in a list is about articles, if it is not personal.
struct Said<'a> {
    ty: &'a Type,
    listed: bool,
    lines: &'a mut String,
}

impl Said<'_> {
    fn line(self, value: impl Display) {
        if says(self.ty) && (!self.listed || self.ty.pii) {
            // A string takes whatever is written.
            let _infallible = writeln!(self.lines, "{value}");
        }
    }
}

impl<'de> DeserializeSeed<'de> for Said<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Said<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            match self.ty.as_record().and_then(|record| record.field(&name)) {
                Some(Field { ty, .. }) => {
                    let (listed, lines) = (self.listed, &mut *self.lines);
                    members.next_value_seed(Said { ty, listed, lines })?;
                }
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let personal = match &self.ty.shape {
            Shape::List(element) if element.holds_pii() => Some(element),
            _ => None,
        };
        let Some(ty) = personal else {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while elements
            .next_element_seed(Said { ty, listed: true, lines: &mut *self.lines })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.line(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.line(number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.line(number);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_texts_and_numbers_outside_lists_and_what_is_personal() {
        let line = Type::record([("sku", Type::text()), ("to", Type::text().with_pii(true))]);
        let name = Type::record([("last", Type::text())]);
        let ty = Type::record([
            ("customer", Type::of(Shape::Int)),
            ("name", name.or_null()),
            ("items", Type::list(line)),
            ("mails", Type::list(Type::of(Shape::Email).with_pii(true))),
            ("tags", Type::list(Type::text())),
            ("price", Type::amount()),
        ]);
        let order = r#"{"customer": 7, "name": {"last": "O\"Hara", "first": "unknown"}, "items": [{"sku": "S", "to": "Ann"}],
            "mails": ["a@b.org"], "tags": ["gift"], "price": "1.00", "other": [{"name": "x"}], "name2": null}"#;
        let mut lines = String::new();
        let said = Said { ty: &ty, listed: false, lines: &mut lines };
        said.deserialize(&mut serde_json::Deserializer::from_str(order)).unwrap();
        assert_eq!(lines, "7\nO\"Hara\nAnn\na@b.org\n");
        let mut paths = Vec::new();
        add_paths(&ty, "", false, &mut paths);
        assert_eq!(paths, ["customer", "items[].to", "mails[]", "name.last"]);
    }
}
