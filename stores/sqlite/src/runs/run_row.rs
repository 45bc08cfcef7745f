//! Runs in the database.

use std::sync::Arc;

use jiff::Timestamp;
use oms_core::effects::RunState;
use oms_core::value::Digest;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};

use super::delete::KNOWN;
use crate::error::Error;
use crate::runs::search::{OUT_OF_ORDER, first_at};
use crate::state::instant::millisecond;
use crate::state::readers::Reader;

/// A run, without its order and its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The run's row number.
    pub id: i64,
    /// The order's key.
    pub key: String,
    /// The run's state.
    pub state: RunState,
    /// When the order was accepted.
    pub accepted_at: Timestamp,
    /// When the run last changed.
    pub updated_at: Timestamp,
    /// When the run continues, if it waits.
    pub wait_until: Option<Timestamp>,
    /// Why the run is parked; for a completed run, the causes that were caught. Commas separate
    /// several causes.
    pub cause: Option<String>,
    /// Number of failures that a catch step has handled.
    pub caught: u32,
    /// The bundle of the run.
    pub bundle: i64,
}

/// A run with its order and its journal.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// The run without its order and its journal.
    pub row: RunRow,
    /// The order's bytes.
    pub body: Arc<[u8]>,
    /// The digest of the order at its acceptance.
    pub digest: Option<Digest>,
    /// The events of each commit, in order.
    pub journal: Vec<String>,
}

/// Returns a small number from a column. A number out of range is clamped, so that a damaged row
/// does not hide other rows.
pub(crate) fn clamped_u32(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    let number: i64 = row.get(column)?;
    Ok(u32::try_from(number.max(0)).unwrap_or(u32::MAX))
}

const COLUMNS: &str =
    "id, key, state, accepted_at, updated_at, wait_until, cause, bundle, coalesce(caught, 0)";

// Queries that should use the index of open runs also contain `state <> 'completed'`, because
// SQLite requires it (<https://sqlite.org/partialindex.html>).
impl RunRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let state: String = row.get(2)?;
        Ok(Self {
            id: row.get(0)?,
            key: row.get(1)?,
            state: RunState::parse(&state).unwrap_or(RunState::Parked),
            accepted_at: millisecond(row.get(3)?),
            updated_at: millisecond(row.get(4)?),
            wait_until: row.get::<_, Option<i64>>(5)?.map(millisecond),
            cause: row.get(6)?,
            bundle: row.get(7)?,
            caught: clamped_u32(row, 8)?,
        })
    }

    /// Returns whether the run can be retried: it is parked, waits for its next attempt, or
    /// completed although a step failed.
    pub fn can_be_retried(&self) -> bool {
        match self.state {
            RunState::Parked | RunState::Waiting => true,
            RunState::Completed => self.caught > 0,
            RunState::InProgress | RunState::Cancelled => false,
        }
    }

    /// Lists at most `limit` runs in the order of their acceptance, optionally of one state and one
    /// cause.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn list(
        reader: &Reader,
        state: Option<RunState>,
        cause: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare(&format!(
            "select {COLUMNS} from oms_runs where (?1 is null or state = ?1) and (?2 is null or instr(',' || cause || ',', ',' || ?2 || ','))
             order by id limit ?3"
        ))?;
        let rows =
            statement.query_map(params![state.map(RunState::as_str), cause, limit], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Calls `each` with the row, the bundle and the order of every run.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn each_order(reader: &Reader, mut each: impl FnMut(i64, i64, &[u8])) -> Result<(), Error> {
        let mut statement = reader.sql().prepare("select id, bundle, body from oms_runs")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get(0)?, row.get(1)?, row.get_ref(2)?.as_blob().unwrap_or_default());
        }
        Ok(())
    }

    /// Returns the runs that match a condition, in the order that the condition specifies.
    pub(crate) fn select(
        reader: &Reader,
        wanted: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let sql = format!("select {COLUMNS} from oms_runs where {wanted}");
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(values, Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Lists runs that are parked with exactly these causes, oldest first.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn parked(reader: &Reader, cause: &str, limit: u32) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(&format!(
            "select {COLUMNS} from oms_runs where state <> 'completed' and state = 'parked' and coalesce(cause, '') = ?1 order by id limit ?2"
        ))?;
        let rows = statement.query_map(params![cause, limit], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts all runs.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn total(reader: &Reader) -> Result<i64, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached("select count(*) from oms_runs")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Counts the runs after a row by the second of their acceptance (Unix time). Also returns the
    /// last row that was counted.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn accepted_after(reader: &Reader, row: i64) -> Result<(Vec<(i64, u64)>, i64), Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select accepted_at / 1000, count(*), max(id) from oms_runs where id > ?1 group by 1 order by 1",
        )?;
        let rows = statement.query_map([row], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?))
        })?;
        let (mut counts, mut last) = (Vec::new(), row);
        for counted in rows {
            let (second, count, id) = counted?;
            counts.push((second, count));
            last = last.max(id);
        }
        Ok((counts, last))
    }

    /// Returns a row such that every run up to it was accepted before an instant.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn before(reader: &Reader, instant: Timestamp) -> Result<i64, Error> {
        let connection = reader.sql();
        Ok(first_at(connection, instant)? - OUT_OF_ORDER)
    }

    /// Returns the durations in milliseconds of completed runs among the `limit` latest runs,
    /// shortest first. Retried runs are excluded, because they waited for a user action.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn completed_in(reader: &Reader, limit: u32) -> Result<Vec<i64>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select updated_at - accepted_at from (select * from oms_runs order by id desc limit ?1) r
             where state = 'completed' and retries is null",
        )?;
        let rows = statement.query_map([limit], |row| row.get(0))?;
        let mut times = rows.collect::<Result<Vec<i64>, _>>()?;
        times.sort_unstable();
        Ok(times)
    }

    /// Counts runs by state.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn count(reader: &Reader) -> Result<Vec<(RunState, i64)>, Error> {
        reader.snapshot(|reader| {
            let mut counts = Self::count_open(reader)?;
            let open: i64 = counts.iter().map(|(_, count)| count).sum();
            let completed = Self::total(reader)? - open;
            if completed > 0 {
                counts.insert(0, (RunState::Completed, completed));
            }
            Ok(counts)
        })
    }

    /// Counts runs that have not completed, by state. Does not read completed runs.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn count_open(reader: &Reader) -> Result<Vec<(RunState, i64)>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select state, count(*) from oms_runs where state <> 'completed' group by state",
        )?;
        let rows = statement.query_map([], |row| {
            let state: String = row.get(0)?;
            Ok((RunState::parse(&state).unwrap_or(RunState::Parked), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts parked runs by cause, most frequent first.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn causes(reader: &Reader) -> Result<Vec<(String, i64)>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare(
            "select coalesce(cause, ''), count(*) from oms_runs where state <> 'completed' and state = 'parked' group by 1 order by 2 desc, 1",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts the completed runs with a caught failure, optionally of one cause.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn count_caught(reader: &Reader, cause: Option<&str>) -> Result<i64, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select count(*) from oms_runs where caught > 0 and state = 'completed' and (?1 is null or instr(',' || cause || ',', ',' || ?1 || ','))",
        )?;
        Ok(statement.query_row([cause], |row| row.get(0))?)
    }

    /// Returns the distinct causes that were caught in completed runs. Commas separate several
    /// causes of one run.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn caught_causes(reader: &Reader) -> Result<Vec<String>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(&Self::caught_causes_sql())?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns a query that reads only one index entry for each cause, instead of every run.
    pub(crate) fn caught_causes_sql() -> String {
        let first = "select min(cause) from oms_runs where caught > 0 and state = 'completed'";
        format!(
            "with recursive caught_causes (cause) as (
                {first} union all select ({first} and cause > c.cause) from caught_causes c where c.cause is not null
             ) select cause from caught_causes where cause is not null"
        )
    }

    /// Returns the runs with these rows, in the same order. Rows without a run are skipped.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn load_all(reader: &Reader, ids: &[i64]) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let sql = format!("select {COLUMNS} from oms_runs where id = ?1");
        let mut statement = connection.prepare_cached(&sql)?;
        let found = ids.iter().map(|id| statement.query_row([id], Self::read).optional());
        Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Returns a run by its order's key.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn find(reader: &Reader, key: &str) -> Result<Option<Self>, Error> {
        let connection = reader.sql();
        let found = connection
            .prepare_cached(&format!("select {COLUMNS} from oms_runs where key = ?1"))?
            .query_row([key], Self::read)
            .optional()?;
        Ok(found)
    }
}

/// Returns the highest row number that any run has or had. The row number of a run is never reused,
/// because rows of tables refer to it.
pub(crate) fn last_run(connection: &Connection) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached(
        "select max((select coalesce(max(id), 0) from oms_runs), coalesce((select cast(value as integer) from oms_meta where name = 'last_run'), 0))",
    )?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Returns whether an error concerns the content of the database and not the access to it.
fn concerns_content(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        None => true,
        Some(code) => code == ErrorCode::DatabaseCorrupt,
    }
}

impl StoredRun {
    /// Loads a run.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, if the run does not exist, or if its data
    /// is damaged.
    pub fn load(reader: &Reader, id: i64) -> Result<Self, Error> {
        let connection = reader.sql();
        let (row, body, digest) = connection
            .prepare_cached(&format!("select {COLUMNS}, body, digest from oms_runs where id = ?1"))?
            .query_row([id], |row| {
                Ok((RunRow::read(row)?, row.get::<_, Vec<u8>>(9)?, row.get::<_, Vec<u8>>(10)?))
            })?;
        let digest = Digest::from_bytes(&digest);
        let journal: Result<_, rusqlite::Error> = connection
            .prepare_cached("select events from oms_journal where run = ?1 order by seq")?
            .query_map([id], |row| row.get(0))?
            .collect();
        match journal {
            Ok(journal) => Ok(Self { row, body: Arc::from(body), digest, journal }),
            // Only the pages of this run may be damaged, so other runs can continue.
            Err(error) if concerns_content(&error) => {
                Err(Error::Damaged { key: row.key, why: format!("invalid journal: {error}") })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the digest of the order with a key, even if its run was deleted.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn digest_of(reader: &Reader, key: &str) -> Result<Option<Digest>, Error> {
        let mut statement = reader.sql().prepare_cached(KNOWN)?;
        let digest: Option<Vec<u8>> = statement.query_row([key], |row| row.get(0)).optional()?;
        Ok(digest.and_then(|digest| Digest::from_bytes(&digest)))
    }

    /// Returns the bytes of the order with a key, or `None` if its run was deleted.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn body(reader: &Reader, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let connection = reader.sql();
        let mut statement =
            connection.prepare_cached("select body from oms_runs where key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Returns the digest that was kept of a deleted order, without the members that did not make
    /// it another order when it was accepted.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn reduced_digest_of_deleted(reader: &Reader, key: &str) -> Result<Option<Digest>, Error> {
        let sql = "select reduced from oms_pruned where key = ?1";
        let mut statement = reader.sql().prepare_cached(sql)?;
        let found =
            statement.query_row([key], |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?;
        Ok(found.flatten().and_then(|digest| Digest::from_bytes(&digest)))
    }

    /// Lists the rows of runs that can continue without a user action.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn open(reader: &Reader) -> Result<Vec<i64>, Error> {
        let connection = reader.sql();
        let rows = connection
            .prepare(
                "select id from oms_runs where state <> 'completed' and state in ('in_progress', 'waiting') order by id",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}
