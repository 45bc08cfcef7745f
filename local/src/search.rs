//! Looking for runs, a page at a time, in a time that does not grow with how many there are.

use std::time::Duration;

use jiff::Timestamp;
use oms_engine::run::RunState;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use crate::error::Error;
use crate::runs::RunRow;

/// Runs whose instants of acceptance may be out of the order of their rows: those that were accepted side by side.
const OUT_OF_ORDER: i64 = 4_096;
/// How long a search through the orders themselves may take.
const SEARCH: Duration = Duration::from_secs(2);

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
    /// A text that the order has somewhere.
    pub text: Option<String>,
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
    /// Whether the search was broken off, since it took too long.
    pub partial: bool,
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
        let wanted = format!("{} order by {order}", conditions.join(" and "));
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut page = self.bounded(connection, &wanted, &values, limit)?;
        if order == "id" {
            page.runs.reverse();
        }
        Ok(page)
    }

    /// Takes as many as there is room for; where it looks into orders, not for longer than it may take.
    fn bounded(
        &self,
        connection: &Connection,
        wanted: &str,
        values: &[Sql],
        limit: usize,
    ) -> Result<Page, Error> {
        let end = tokio::time::Instant::now() + SEARCH;
        let mut page = Page::default();
        let text = self.text.as_ref().filter(|text| !text.is_empty()).map(String::as_bytes);
        RunRow::select(connection, wanted, params_from_iter(values), |row, body| {
            if text.is_some() && tokio::time::Instant::now() >= end {
                page.partial = true;
                return false;
            }
            if text.is_none_or(|text| body.windows(text.len()).any(|part| part == text)) {
                page.more = page.runs.len() == limit;
                if page.more {
                    return false;
                }
                page.runs.push(row);
            }
            true
        })?;
        Ok(page)
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
