//! Forgetting a customer: the orders with all that came of them but sums, and the customer's own rows.
//!
//! An order counts as the customer's if it has the value somewhere, as a text or a number of its own. Of its run remain key and digest, as after
//! [`prune`](Runner::prune), so that the same order again is still a duplicate. Rows that steps wrote stay without their personal columns; rows of tables that no step writes
//! to, such as addresses, are deleted where they have the value or a personal column.

use std::sync::Arc;

use oms_engine::plan::Plan;
use oms_engine::run::{RunState, run_id};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::database::{empty_log, overwriting};
use crate::erase::{of_runs, of_value};
use crate::error::Error;
use crate::prune::let_go;
use crate::runner::Runner;
use crate::runs::RunRow;
use crate::under_way::Working;

/// Runs that go in one transaction.
const RUNS: usize = 500;

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Runs that were let go of.
    pub runs: u64,
    /// Rows that were deleted, or lost their personal columns.
    pub rows: u64,
    /// Runs that have not ended, and were left as they are.
    pub open: u64,
}

impl Runner {
    /// Forgets whoever has a value, such as a customer's id.
    ///
    /// # Errors
    /// When the database fails; it can be done again.
    pub async fn forget(&self, value: &str) -> Result<Forgotten, Error> {
        let plan = self.plan();
        let (runs, open) = self.read(|connection, _| runs_of(connection, value))?;
        let mut forgotten = Forgotten { open, ..Forgotten::default() };
        // It is made again, without them.
        self.index.discard()?;
        for some in runs.chunks(RUNS) {
            // Nobody tries one of them again meanwhile.
            let working: Vec<_> =
                some.iter().filter_map(|run| self.under_way.begin(*run)).collect();
            let chunk: Vec<i64> = working.iter().map(Working::id).collect();
            let chunk = self.read(|connection, _| ended(connection, &chunk))?;
            forgotten.open += (some.len() - chunk.len()) as u64;
            forgotten.runs += chunk.len() as u64;
            forgotten.rows += self.erase_elsewhere(&plan, &chunk, None).await?;
            let chunk: Vec<i64> = chunk.iter().map(|row| row.id).collect();
            let here = self.here(&plan);
            let go = move |connection: &Connection| {
                overwriting(connection, |connection| {
                    let rows = here.map_or(Ok(0), |plan| of_runs(connection, &plan, &chunk))?;
                    for run in &chunk {
                        let_go(connection, "id = ?1", params![run])?;
                    }
                    Ok(rows)
                })
            };
            forgotten.rows += self.driver.writer.change(go).await?;
        }
        // Whoever was just making it may have read them before.
        self.index.discard()?;
        forgotten.rows += self.erase_elsewhere(&plan, &[], Some(value)).await?;
        let (value, here) = (value.to_owned(), self.here(&plan));
        let rest = move |connection: &Connection| {
            let rows = overwriting(connection, |connection| {
                let plan = here.as_deref();
                let tables = plan
                    .into_iter()
                    .flat_map(|plan| plan.tables().iter().map(move |table| (plan, table)));
                let mut rows = 0;
                for (plan, table) in tables {
                    rows += of_value(connection, plan, table, &value)?;
                }
                Ok(rows)
            })?;
            empty_log(connection)?;
            Ok(rows)
        };
        forgotten.rows += self.driver.writer.change(rest).await?;
        Ok(forgotten)
    }

    /// Returns the plan if its tables are in this database.
    fn here(&self, plan: &Arc<Plan>) -> Option<Arc<Plan>> {
        self.driver.remote.is_none().then(|| Arc::clone(plan))
    }

    /// Erases in tables that lie elsewhere.
    async fn erase_elsewhere(
        &self,
        plan: &Plan,
        runs: &[RunRow],
        value: Option<&str>,
    ) -> Result<u64, Error> {
        let Some(remote) = &self.driver.remote else { return Ok(0) };
        let runs: Vec<String> = runs.iter().map(|row| run_id(plan.name(), &row.key)).collect();
        let erased = remote.personal.erase(plan, &runs, value).await;
        erased.map_err(|source| Error::Elsewhere { name: remote.name, source })
    }
}

/// Finds the runs of the orders that have a value, and counts those of them that have not ended.
fn runs_of(connection: &Connection, value: &str) -> Result<(Vec<i64>, u64), Error> {
    let mut statement = connection.prepare("select id, state, body from oms_runs")?;
    let mut rows = statement.query([])?;
    let (mut ended, mut open) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body = row.get_ref(2)?.as_blob().unwrap_or_default();
        if !serde_json::from_slice(body).is_ok_and(|order: Json| has(&order, value)) {
            continue;
        }
        let state: String = row.get(1)?;
        match RunState::parse(&state) {
            Some(RunState::InProgress | RunState::Waiting) => open += 1,
            _ => ended.push(row.get(0)?),
        }
    }
    Ok((ended, open))
}

/// Returns those of some runs that have ended, or stopped for a person.
fn ended(connection: &Connection, runs: &[i64]) -> Result<Vec<RunRow>, Error> {
    let mut found = RunRow::those(connection, runs)?;
    found.retain(|row| !matches!(row.state, RunState::InProgress | RunState::Waiting));
    Ok(found)
}

/// Tells whether a value stands somewhere in an order, by itself.
pub(crate) fn has(order: &Json, value: &str) -> bool {
    match order {
        Json::String(text) => text == value,
        Json::Number(number) => number.to_string() == value,
        Json::Array(elements) => elements.iter().any(|element| has(element, value)),
        Json::Object(members) => members.values().any(|member| has(member, value)),
        Json::Null | Json::Bool(_) => false,
    }
}
