//! The entries of the command line in the audit log.

use std::collections::BTreeMap;

use oms_runtime::control::{Request, Response};
use oms_runtime::{ForgetResult, HeldDecision};

use crate::format;
use crate::state::flow::Flow;

/// The user that is recorded for the command line, which acts for the owner of the state directory.
const COMMAND_LINE: &str = "command line";

/// Records a request from the command line.
pub(super) async fn audit_request(
    flow: &Flow,
    request: &Request,
) -> Result<i64, oms_sqlite::Error> {
    let runs = |runs: &[i64]| match runs {
        [run] => (flow.runner.row(*run).ok().flatten().map(|row| row.key), String::new()),
        _ => (None, format::runs(runs.len())),
    };
    let (what, (key, detail)) = match request {
        Request::Retry { runs: of, held: None } => ("retry", runs(of)),
        Request::Retry { runs: of, held: Some(HeldDecision::Sent) } => ("sent", runs(of)),
        Request::Retry { runs: of, held: Some(HeldDecision::Resend) } => ("resend", runs(of)),
        Request::Retry { runs: of, held: Some(HeldDecision::Answered(_)) } => {
            ("answered", runs(of))
        }
        Request::Cancel { runs: of } => ("cancel", runs(of)),
        Request::Import { table, .. } => {
            let plan = flow.plan();
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
    flow.audit_start(COMMAND_LINE, what, key.as_deref(), &detail).await
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Describes the outcome of a request without personal data.
pub(super) fn outcome(response: &Response) -> String {
    match response {
        Response::Done(done) => {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for run in done {
                let state = if run.refused.is_some() { "refused" } else { run.state.as_str() };
                *counts.entry(state).or_default() += 1;
            }
            let counts: Vec<String> =
                counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
            if counts.is_empty() { "done".to_owned() } else { counts.join(", ") }
        }
        Response::Pruned(deleted) => format::runs(number(*deleted)),
        Response::Forgotten(ForgetResult::Undeclared) => "no customer is declared".to_owned(),
        Response::Forgotten(ForgetResult::Unknown(_)) => "no customer found".to_owned(),
        Response::Forgotten(ForgetResult::Found(deleted)) => {
            let (runs, kept) =
                (format::runs(number(deleted.runs)), format::runs(deleted.kept.len()));
            let rows = format::of(number(deleted.rows.values().sum()), "row");
            let kept =
                if deleted.kept.is_empty() { String::new() } else { format!("; {kept} kept") };
            format!("{runs} and {rows}{kept}")
        }
        Response::Failed(_) => "failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use oms_engine::run::RunState;
    use oms_runtime::ErasedData;
    use oms_runtime::control::Done;

    use super::*;

    #[test]
    fn an_outcome_counts_runs_by_state_and_names_no_key() {
        let run = |state, refused: Option<&str>| Done {
            key: "NW-1".to_owned(),
            state,
            cause: None,
            caught: 0,
            refused: refused.map(str::to_owned),
        };
        let (completed, parked) = (RunState::Completed, RunState::Parked);
        let runs = vec![run(completed, None), run(parked, Some("held")), run(completed, None)];
        assert_eq!(outcome(&Response::Done(runs)), "2 completed, 1 refused");
        assert_eq!(outcome(&Response::Done(Vec::new())), "done");
        assert_eq!(outcome(&Response::Pruned(1_000)), "1,000 runs");
        let erased = ErasedData { runs: 1, ..ErasedData::default() };
        let found = Response::Forgotten(ForgetResult::Found(erased));
        assert_eq!(outcome(&found), "1 run and 0 rows");
    }
}
