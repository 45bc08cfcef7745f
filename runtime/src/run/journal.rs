//! A stored run, brought back to where its journal ends.

use std::sync::Arc;

use oms_engine::plan::Plan;
use oms_engine::run::{self, Event, Run, decode};
use oms_sqlite::{Error, Reader, StoredRun};

use crate::bundles::Bundles;

/// Brings a run back to where its journal ends, on a plan.
///
/// # Errors
/// Returns an error if the journal does not fit the plan.
pub fn resume(stored: &StoredRun, plan: &Arc<Plan>) -> Result<Run, Error> {
    resume_to(stored, plan, &events(stored, plan)?)
}

/// Brings a run on a plan to where some events end.
pub(crate) fn resume_to(
    stored: &StoredRun,
    plan: &Arc<Plan>,
    events: &[Event],
) -> Result<Run, Error> {
    let (row, body) = (&stored.row, Arc::clone(&stored.body));
    run::resume(plan, &row.key, row.accepted_at, body, events)
        .map_err(|error| unreadable(stored, &error))
}

/// Returns the events of a journal, with outputs by the types of a plan.
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

/// Tells whether the order of a run has its accepted digest under the schema of any other bundle. The run may have moved to
/// another bundle, and the digest depends on the schema.
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
