//! The limits of the machine: a simple loop that writes the rows of a run again, the speed of
//! creating files, and the size of stored data.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use oms_sqlite::{DATABASE_FILE, Reader, StoredMail};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde::Serialize;

use super::material::Material;
use super::stopwatch::Stopwatch;

/// Maximum number of orders whose rows are written again. They are kept in memory.
const ORDERS_MAX: usize = 20_000;
/// Orders per commit: the maximum number of concurrent runs, which fills a batch.
const BATCH: usize = 1_024;
/// Number of files that are created without syncing, and of files that are synced one by one.
const FILES: [usize; 2] = [5_000, 500];
/// Size of each file in bytes: about one order.
const FILE_BYTES: usize = 512;

/// The size of the state on disk.
#[derive(Serialize)]
pub(crate) struct Disk {
    pub(crate) bytes_per_order: f64,
    /// The original order and its e-mail as a complete message.
    pub(crate) payload_bytes_per_order: f64,
}

/// Compares the size of the state with that of orders and e-mails.
pub(crate) fn disk(state: &Path, material: &Material) -> anyhow::Result<Disk> {
    let mut bytes = 0;
    for entry in fs::read_dir(state)? {
        bytes += entry?.metadata()?.len();
    }
    let mut payload: usize = material.orders.iter().map(String::len).sum();
    StoredMail::each(&Reader::open(state)?, None, |stored| {
        payload += stored.mail.to_rfc5322().map_or(0, |message| message.len());
        Ok(())
    })?;
    let orders = material.orders.len() as f64;
    let per_order = |bytes: f64| (bytes / orders).round();
    Ok(Disk {
        bytes_per_order: per_order(bytes as f64),
        payload_bytes_per_order: per_order(payload as f64),
    })
}

/// The limit of SQLite for the rows of a run.
#[derive(Serialize)]
pub(crate) struct Sqlite {
    pub(crate) orders_per_second: f64,
    rows_per_second: f64,
    orders: usize,
    rows: usize,
    orders_per_commit: usize,
}

/// The rows of a table, in memory.
struct Table {
    insert: String,
    rows: Vec<Vec<Value>>,
}

/// Writes the rows of a run again: one thread, prepared statements, the same tables and settings,
/// full batches.
pub(crate) fn sqlite(state: &Path, orders: usize, target: &Path) -> anyhow::Result<Sqlite> {
    let source = Connection::open(state.join(DATABASE_FILE))?;
    let count = orders.min(ORDERS_MAX);
    let mut connection = Connection::open(target)?;
    for pragma in ["page_size", "cache_size", "wal_autocheckpoint"] {
        let value: i64 = source.pragma_query_value(None, pragma, |row| row.get(0))?;
        connection.pragma_update(None, pragma, value)?;
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    let tables = tables(&source, &connection, orders, count)?;
    let rows = tables.iter().map(|table| table.rows.len()).sum();
    let batches = count.div_ceil(BATCH);
    let watch = Stopwatch::start();
    for batch in 0..batches {
        let transaction = connection.transaction()?;
        for table in &tables {
            let mut statement = transaction.prepare_cached(&table.insert)?;
            let total = table.rows.len();
            let begin = total * batch / batches;
            let end = total * (batch + 1) / batches;
            for row in table.rows.iter().skip(begin).take(end - begin) {
                statement.execute(params_from_iter(row))?;
            }
        }
        transaction.commit()?;
    }
    let (orders_per_second, rows_per_second) = (watch.rate(count), watch.rate(rows));
    drop(connection);
    fs::remove_file(target)?;
    Ok(Sqlite { orders_per_second, rows_per_second, orders: count, rows, orders_per_commit: BATCH })
}

/// Creates the tables that have a row for each order, and takes the first rows of each.
fn tables(
    source: &Connection,
    target: &Connection,
    orders: usize,
    count: usize,
) -> anyhow::Result<Vec<Table>> {
    let mut statement = source.prepare(
        "select type, name, tbl_name, sql from sqlite_schema where sql is not null order by type desc, name",
    )?;
    let found =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let found: Vec<(String, String, String, String)> = found.collect::<Result<_, _>>()?;
    let (orders, count) = (i64::try_from(orders)?, i64::try_from(count)?);
    let mut tables = Vec::new();
    for (kind, name, table, sql) in found {
        let there: i64 =
            source.query_row(&format!("select count(*) from \"{table}\""), [], |row| row.get(0))?;
        // A table with fewer rows than orders is not written for each order.
        if there < orders {
            continue;
        }
        target.execute_batch(&sql)?;
        if kind != "table" {
            continue;
        }
        let mut statement = source.prepare(&format!("select * from \"{name}\" limit ?1"))?;
        let columns = statement.column_count();
        let read = statement.query_map([there * count / orders], |row| {
            (0..columns).map(|column| row.get(column)).collect()
        })?;
        let rows = read.collect::<Result<_, _>>()?;
        let marks = vec!["?"; columns].join(", ");
        tables.push(Table { insert: format!("insert into \"{name}\" values ({marks})"), rows });
    }
    Ok(tables)
}

/// The number of files that can be created per second.
#[derive(Serialize)]
pub(crate) struct Files {
    created_per_second: f64,
    created_and_synced_per_second: f64,
}

/// Creates small files in one folder.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Files> {
    let folder = folder.join("files");
    fs::create_dir_all(&folder)?;
    let content = [b'x'; FILE_BYTES];
    let rate = |count: usize, sync: bool| -> anyhow::Result<f64> {
        let watch = Stopwatch::start();
        for number in 0..count {
            let mut file = File::create(folder.join(format!("{sync}-{number}")))?;
            file.write_all(&content)?;
            if sync {
                file.sync_all()?;
            }
        }
        Ok(watch.rate(count))
    };
    let [plain, synced] = FILES;
    let files = Files {
        created_per_second: rate(plain, false)?,
        created_and_synced_per_second: rate(synced, true)?,
    };
    fs::remove_dir_all(&folder)?;
    Ok(files)
}
