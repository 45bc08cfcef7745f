//! Looking for runs, a page at a time, in a time that does not grow with how many there are.

use jiff::Timestamp;
use oms_engine::run::RunState;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use crate::error::Error;
use crate::runs::RunRow;

/// Runs whose instants of acceptance may be out of the order of their rows: those that were accepted side by side.
const OUT_OF_ORDER: i64 = 4_096;

/// Which runs are wanted. All of it has to be so; what is not said is not asked.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What the key begins with.
    pub key: Option<String>,
    /// The state.
    pub state: Option<RunState>,
    /// One of its causes.
    pub cause: Option<String>,
    /// A step that failed, of runs that have not completed.
    pub step: Option<String>,
    /// Accepted then or later.
    pub from: Option<Timestamp>,
    /// Accepted before.
    pub to: Option<Timestamp>,
    /// Only runs older than this row.
    pub before: Option<i64>,
    /// Only runs younger than this row; the oldest of them.
    pub after: Option<i64>,
    /// Runs on a page.
    pub limit: u32,
}

/// A page of runs, the youngest first; in the order of their keys if the search is for a key.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The runs.
    pub runs: Vec<RunRow>,
    /// Whether there are more behind the last.
    pub more: bool,
    /// Whether orders that came last may be missing, since they are not in the search index yet.
    pub partial: bool,
}

impl Page {
    /// Makes a page of what was found, which is one more than fits if there is more.
    pub(crate) fn of(mut runs: Vec<RunRow>, limit: u32, backwards: bool) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = runs.len() > limit;
        runs.truncate(limit);
        if backwards {
            runs.reverse();
        }
        Self { runs, more, partial: false }
    }
}

impl Search {
    /// Finds a page.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn page(&self, connection: &Connection) -> Result<Page, Error> {
        let mut conditions = vec!["1".to_owned()];
        let mut values: Vec<Sql> = Vec::new();
        let mut with = |condition: &str, value: Sql| {
            values.push(value);
            conditions.push(condition.replace('?', &format!("?{}", values.len())));
        };
        if let Some(key) = &self.key {
            with("key >= ?", Sql::Text(key.clone()));
            with("key < ?", Sql::Text(format!("{key}\u{10FFFF}")));
        }
        if let Some(state) = self.state {
            with("state = ?", Sql::Text(state.as_str().to_owned()));
        }
        if let Some(cause) = &self.cause {
            with("',' || cause || ',' like ?", Sql::Text(format!("%,{cause},%")));
        }
        if self.step.is_some() || self.cause.is_some() {
            // Those alone are in an index.
            with("state <> ?", Sql::Text(RunState::Completed.as_str().to_owned()));
        }
        if let Some(step) = &self.step {
            let failed = format!("%\"is\":\"failed\",\"step\":\"{step}\"%");
            with(
                "exists (select 1 from oms_journal j where j.run = oms_runs.id and j.events like ?)",
                Sql::Text(failed),
            );
        }
        if let Some(from) = self.from {
            with("accepted_at >= ?", Sql::Integer(from.as_millisecond()));
            with("id >= ?", Sql::Integer(first_at(connection, from)? - OUT_OF_ORDER));
        }
        if let Some(to) = self.to {
            with("accepted_at < ?", Sql::Integer(to.as_millisecond()));
            with("id < ?", Sql::Integer(first_at(connection, to)? + OUT_OF_ORDER));
        }
        if let Some(before) = self.before {
            with("id < ?", Sql::Integer(before));
        }
        if let Some(after) = self.after {
            with("id > ?", Sql::Integer(after));
        }
        let order = match (&self.key, self.after) {
            (Some(_), _) => "key",
            (None, Some(_)) => "id",
            (None, None) => "id desc",
        };
        let wanted = conditions.join(" and ");
        let wanted = format!("{wanted} order by {order} limit {}", i64::from(self.limit) + 1);
        let runs = RunRow::select(connection, &wanted, params_from_iter(values))?;
        Ok(Page::of(runs, self.limit, order == "id"))
    }
}

/// Finds the first row that was accepted then or later, as far as rows are in the order of their acceptance.
pub(crate) fn first_at(connection: &Connection, instant: Timestamp) -> Result<i64, Error> {
    let last: i64 =
        connection.query_row("select coalesce(max(id), 0) from oms_runs", [], |row| row.get(0))?;
    let mut at = connection.prepare_cached(
        "select id, accepted_at from oms_runs where id >= ?1 order by id limit 1",
    )?;
    let (mut low, mut high) = (0, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, i64)> =
            at.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match found {
            Some((id, accepted)) if accepted < instant.as_millisecond() => low = id + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
