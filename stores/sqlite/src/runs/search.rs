//! Searches for runs, one page at a time. The search time hardly depends on the number of runs.

use jiff::Timestamp;
use oms_core::effects::RunState;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use crate::error::Error;
use crate::runs::run_row::RunRow;
use crate::state::readers::Reader;

/// Maximum distance between a run's position in the order of rows and in the order of acceptance.
/// They can differ for orders that were accepted concurrently.
pub(crate) const OUT_OF_ORDER: i64 = 4_096;

/// All runs except completed ones, in a form that lets SQLite use its indices.
const OPEN: &str =
    "state <> 'completed' and state in ('in_progress', 'waiting', 'parked', 'cancelled')";

/// The conditions of a search. A run has to match all conditions that are set.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The prefix of the key.
    pub key: Option<String>,
    /// The state.
    pub state: Option<RunState>,
    /// One of the causes of a parked run, or one of the causes that were caught in a completed run.
    pub cause: Option<String>,
    /// The exact list of causes of a parked run, as it is stored: in order, separated by commas.
    pub causes: Option<String>,
    /// A step that failed. Without a state, only runs that have not completed match.
    pub step: Option<String>,
    /// Accepted at this time or later.
    pub from: Option<Timestamp>,
    /// Accepted before this time.
    pub to: Option<Timestamp>,
    /// Only runs older than this row.
    pub before: Option<i64>,
    /// Only runs newer than this row. The page contains the oldest of them.
    pub after: Option<i64>,
    /// Number of runs on a page.
    pub limit: u32,
}

/// A page of runs, newest first. A search by key sorts by key.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The runs.
    pub runs: Vec<RunRow>,
    /// Whether there are more runs in the direction of the search: newer ones with
    /// [`after`](Search::after), otherwise older ones.
    pub more: bool,
    /// Whether the latest orders may be missing, because they are not in the search index yet.
    pub partial: bool,
}

impl Page {
    /// Makes a page of the runs that were found. If there are more pages, `runs` contains one run
    /// more than the page. If `backwards` is set, the order of the runs is reversed.
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
    /// Finds a page of runs.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn page(&self, reader: &Reader) -> Result<Page, Error> {
        let connection = reader.sql();
        let (conditions, values) = self.conditions(connection)?;
        let order = match (&self.key, self.after) {
            (Some(_), _) => "key",
            (None, Some(_)) => "id",
            (None, None) => "id desc",
        };
        let wanted = format!("{conditions} order by {order}");
        let backwards = order == "id";
        let wanted = format!("{wanted} limit {}", i64::from(self.limit) + 1);
        let runs = RunRow::select(reader, &wanted, params_from_iter(values))?;
        Ok(Page::of(runs, self.limit, backwards))
    }

    /// Returns the conditions on the table of runs, and their values.
    fn conditions(&self, connection: &Connection) -> Result<(String, Vec<Sql>), Error> {
        let of = match self.state {
            Some(RunState::Completed) => "1",
            Some(_) => "state <> 'completed'",
            None if self.step.is_some() => OPEN,
            None => "1",
        };
        let mut conditions = vec![of.to_owned()];
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
            // The indices for these queries contain all required columns.
            const PARKED: &str = "select id from oms_runs where state <> 'completed' and state = 'parked' and instr(',' || cause || ',', ?)";
            const CAUGHT: &str = "select id from oms_runs where caught > 0 and state = 'completed' and instr(',' || cause || ',', ?)";
            let with_cause = match self.state {
                Some(RunState::Completed) => CAUGHT.to_owned(),
                Some(_) => PARKED.to_owned(),
                None => format!("{PARKED} union all {CAUGHT}"),
            };
            with(&format!("id in ({with_cause})"), Sql::Text(format!(",{cause},")));
        }
        if let Some(causes) = &self.causes {
            with(
                "state <> 'completed' and state = 'parked' and coalesce(cause, '') = ?",
                Sql::Text(causes.clone()),
            );
        }
        if let Some(step) = &self.step {
            with(
                "failed_steps is not null and instr(failed_steps, ?)",
                Sql::Text(format!(",{step},")),
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
        Ok((conditions.join(" and "), values))
    }
}

/// Returns the first row that was accepted at this time or later, assuming that rows are in the
/// order of acceptance.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::schema;

    /// Returns a database with parked runs. Only the tenth has failed at the step `bill`.
    fn parked(runs: i64) -> Reader {
        let connection = Connection::open_in_memory().unwrap();
        schema::prepare(&connection).unwrap();
        let insert = "insert into oms_runs (id, key, digest, state, accepted_at, updated_at, cause, bundle, body, failed_steps)
            with recursive counted(n) as (select 1 union all select n + 1 from counted where n < ?1)
            select n, 'K-' || n, x'00', 'parked', n, n, 'no_rate,no_row', 1, x'', iif(n = 10, ',bill,mail,', ',b_ll,') from counted";
        connection.execute(insert, [runs]).unwrap();
        Reader::of(connection)
    }

    #[test]
    fn a_run_is_found_by_the_exact_id_of_a_failed_step() {
        let reader = parked(6_000);
        let found = |step: &str, before| {
            let step = Some(step.to_owned());
            let search = Search { step, before, limit: 50, ..Search::default() };
            let page = search.page(&reader).unwrap();
            (page.runs.iter().map(|row| row.id).collect::<Vec<_>>(), page.more)
        };
        assert_eq!(found("bill", None), (vec![10], false));
        assert_eq!(found("bill", Some(10)), (vec![], false));
        assert_eq!(found("mail", None), (vec![10], false));
        assert_eq!(found("bil", None), (vec![], false));
        assert_eq!(
            found("b_ll", Some(12)),
            ((1..12).rev().filter(|id| *id != 10).collect(), false)
        );
    }

    #[test]
    fn searches_for_open_runs_use_an_index() {
        let reader = parked(100);
        let connection = reader.sql();
        let (state, cause) = (Some(RunState::Parked), Some("no_row".to_owned()));
        let step = Some("bill".to_owned());
        let of_state = Search { state, ..Search::default() };
        let of_cause = Search { cause, ..Search::default() };
        let of_both = Search { state, ..of_cause.clone() };
        for search in [of_state, of_cause, of_both, Search { step, ..Search::default() }] {
            let (wanted, values) = search.conditions(connection).unwrap();
            let sql = format!("select key from oms_runs where {wanted} order by id desc");
            let plan = plan(connection, &sql, params_from_iter(values));
            let index = if search.step.is_some() { "oms_runs_failed" } else { "oms_runs_open" };
            assert!(plan.iter().any(|line| line.contains(index)), "{plan:?}");
            assert!(!plan.iter().any(|line| line == "SCAN oms_runs"), "{plan:?}");
            // A query for several states has to sort.
            let is_sorted = plan.iter().any(|line| line.contains("TEMP B-TREE"));
            assert_eq!(is_sorted, search.step.is_some(), "{plan:?}");
        }
    }

    /// Returns a database with completed runs, two of them with a caught failure.
    fn caught() -> Reader {
        let reader = parked(100);
        let insert = "insert into oms_runs (id, key, digest, state, accepted_at, updated_at, cause, bundle, body, caught)
            with recursive counted(n) as (select 1 union all select n + 1 from counted where n < 100)
            select 1000 + n, 'C-' || n, x'00', 'completed', n, n, iif(n in (7, 50), 'no_row', null), 1, x'', iif(n in (7, 50), 1, null) from counted";
        reader.sql().execute(insert, []).unwrap();
        reader
    }

    #[test]
    fn searches_for_caught_causes_use_an_index() {
        let reader = caught();
        let connection = reader.sql();
        let cause = Some("no_row".to_owned());
        let of = |state| Search { state, cause: cause.clone(), limit: 500, ..Search::default() };
        for (state, expected) in
            [(Some(RunState::Completed), 2), (Some(RunState::Parked), 100), (None, 102)]
        {
            let search = of(state);
            assert_eq!(search.page(&reader).unwrap().runs.len(), expected, "{state:?}");
            let (wanted, values) = search.conditions(connection).unwrap();
            let plan = plan(
                connection,
                &format!("select key from oms_runs where {wanted} order by id desc"),
                params_from_iter(values),
            );
            let wanted =
                if state == Some(RunState::Parked) { "oms_runs_open" } else { "oms_runs_caught" };
            assert!(plan.iter().any(|line| line.contains(wanted)), "{plan:?}");
            assert!(!plan.iter().any(|line| line == "SCAN oms_runs"), "{plan:?}");
        }
        assert_eq!(RunRow::count_caught(&reader, None).unwrap(), 2);
        assert_eq!(RunRow::count_caught(&reader, Some("no_rate")).unwrap(), 0);
        assert_eq!(RunRow::caught_causes(&reader).unwrap(), ["no_row"]);
        let plan = plan(connection, &RunRow::caught_causes_sql(), []);
        assert!(plan.iter().all(|line| !line.starts_with("SCAN oms_runs")), "{plan:?}");
    }

    fn plan(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Vec<String> {
        let mut statement = connection.prepare(&format!("explain query plan {sql}")).unwrap();
        let lines = statement.query_map(values, |row| row.get(3)).unwrap();
        lines.map(Result::unwrap).collect()
    }
}
