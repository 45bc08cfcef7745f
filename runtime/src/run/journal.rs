//! Replays the journals of stored runs.

use std::sync::Arc;

use oms_engine::plan::Plan;
use oms_engine::run::{self, Event, Run, decode};
use oms_sqlite::{Error, Reader, StoredRun};

use crate::bundles::Bundles;

/// Replays the whole journal of a run on a plan.
///
/// # Errors
/// Returns an error if the journal does not fit the plan.
pub fn resume(stored: &StoredRun, plan: &Arc<Plan>) -> Result<Run, Error> {
    resume_to(stored, plan, &events(stored, plan)?)
}

/// Replays events of a run on a plan.
pub(crate) fn resume_to(
    stored: &StoredRun,
    plan: &Arc<Plan>,
    events: &[Event],
) -> Result<Run, Error> {
    let (row, body) = (&stored.row, Arc::clone(&stored.body));
    run::resume(plan, &row.key, row.accepted_at, body, events)
        .map_err(|error| unreadable(stored, &error))
}

/// Returns the events of a journal. The types in the plan determine how outputs are decoded.
///
/// # Errors
/// Returns an error if the journal does not fit the plan.
pub fn events(stored: &StoredRun, plan: &Plan) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for text in &stored.journal {
        events.extend(decode(text, plan).map_err(|error| unreadable(stored, &error))?);
    }
    Ok(events)
}

/// Returns whether a run's order has the digest with which it was accepted, under the schema of any
/// other bundle. The digest depends on the schema, and the run may have moved to another bundle
/// since then.
pub(crate) fn is_order(
    reader: &Reader,
    bundles: &Bundles,
    stored: &StoredRun,
) -> Result<bool, Error> {
    // Bundles that cannot be planned are skipped.
    let plans = bundles.others(reader, stored.row.bundle)?;
    let mut runs = plans.filter_map(|plan| resume_to(stored, &plan, &[]).ok());
    Ok(runs.any(|run| Some(run.info.digest) == stored.digest))
}

fn unreadable(stored: &StoredRun, error: &dyn std::error::Error) -> Error {
    Error::Damaged { key: stored.row.key.clone(), why: error.to_string() }
}
