//! The audit log. An entry is written before an action is executed, and its outcome is added afterwards.

use std::collections::BTreeMap;

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_runtime::control::{Request, Response};
use oms_runtime::{Forgetting, Held};
use oms_sqlite::AuditEntry;

use crate::console::format;
use crate::state::flow::Flow;

/// The user that is recorded for the command line, which acts for the owner of the state directory.
const COMMAND_LINE: &str = "command line";

impl Flow {
    /// Records an action before it is executed and returns the entry's number. An action that cannot be recorded must not be executed.
    pub(crate) async fn note(
        &self,
        who: &str,
        what: &str,
        key: Option<&str>,
        detail: &str,
    ) -> Result<i64, oms_sqlite::Error> {
        let entry = AuditEntry {
            id: 0,
            at: SystemClock.now(),
            who: who.to_owned(),
            what: what.to_owned(),
            key: key.map(str::to_owned),
            detail: detail.to_owned(),
        };
        self.runner.audit(entry).await
    }

    /// Adds the outcome to an entry. If that fails, the entry still shows that the action was started.
    pub(crate) async fn noted(&self, entry: i64, outcome: &str) {
        let _only_begun = self.runner.audited(entry, outcome.to_owned()).await;
    }

    /// Records a request from the command line.
    pub(crate) async fn note_request(&self, request: &Request) -> Result<i64, oms_sqlite::Error> {
        let runs = |runs: &[i64]| match runs {
            [run] => (self.runner.row(*run).ok().flatten().map(|row| row.key), String::new()),
            _ => (None, format::runs(runs.len())),
        };
        let (what, (key, detail)) = match request {
            Request::Retry { runs: of, held: None } => ("retry", runs(of)),
            Request::Retry { runs: of, held: Some(Held::Sent) } => ("sent", runs(of)),
            Request::Retry { runs: of, held: Some(Held::Resend) } => ("resend", runs(of)),
            Request::Cancel { runs: of } => ("cancel", runs(of)),
            Request::Import { table, .. } => {
                let plan = self.plan();
                let known = plan.tables().iter().find(|known| *known.name == **table);
                (
                    "import",
                    (None, known.map_or_else(String::new, |table| format!("into {}", table.name))),
                )
            }
            Request::Prune { .. } => ("prune", (None, String::new())),
            // The entry does not name the customer, whose data is being erased.
            Request::Forget { dry_run: true, .. } => ("forget", (None, "dry run".to_owned())),
            Request::Forget { .. } => ("forget", (None, String::new())),
        };
        self.note(COMMAND_LINE, what, key.as_deref(), &detail).await
    }
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Describes the outcome of a request without personal data.
pub(crate) fn outcome(response: &Response) -> String {
    match response {
        Response::Done(done) => {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for one in done {
                let came = if one.refused.is_some() { "refused" } else { one.state.as_str() };
                *counts.entry(came).or_default() += 1;
            }
            let counts: Vec<String> =
                counts.iter().map(|(came, count)| format!("{count} {came}")).collect();
            if counts.is_empty() { "done".to_owned() } else { counts.join(", ") }
        }
        Response::Pruned(gone) => format::runs(number(*gone)),
        Response::Forgotten(Forgetting::Undeclared) => "no customer is declared".to_owned(),
        Response::Forgotten(Forgetting::Unknown(_)) => "no customer found".to_owned(),
        Response::Forgotten(Forgetting::Found(gone)) => {
            let (runs, left) = (format::runs(number(gone.runs)), format::runs(gone.left.len()));
            let rows = format::of(number(gone.rows.values().sum()), "row");
            let left = if gone.left.is_empty() { String::new() } else { format!("; {left} kept") };
            format!("{runs} and {rows}{left}")
        }
        Response::Failed(_) => "failed".to_owned(),
    }
}
