//! Reads, checks and names an order and begins its run, or rebuilds a run from its journal.

use std::sync::Arc;

use jiff::Timestamp;
use oms_core::diagnostic::{Code, codes};
use oms_core::effects::RunInfo;
use oms_core::effects::run_id;
use oms_core::value::{Digest, JsonProblem, Parsed, ProblemKind, Record, Value};

use super::decision::IllegalEvent;
use super::driver::Run;
use super::event::Event;
use super::scheduler::Scheduler;
use crate::plan::{Plan, run_record};

/// Why an order is rejected. It does not quote the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The code of the finding.
    pub code: Code,
    /// The problems, each with its place in the order.
    pub problems: Vec<JsonProblem>,
}

impl Rejection {
    /// Returns the rejection of the whole order. The message is a predicate, such as "has no valid
    /// key", and its subject is the order.
    fn of_order(code: Code, message: String) -> Self {
        let kind = ProblemKind::Shape;
        Self {
            code,
            problems: vec![JsonProblem { kind, pointer: String::new(), offset: 0, message }],
        }
    }
}

/// Reads an order that arrived under a name (the last segment of a path, or the stem of a file
/// name) and begins its run.
///
/// # Errors
/// Returns all problems of the order.
pub fn accept(plan: &Arc<Plan>, body: &[u8], name: &str, now: Timestamp) -> Result<Run, Rejection> {
    let order = plan.order();
    if body.len() > order.max_bytes() {
        let problems = vec![order.too_large()];
        return Err(Rejection { code: codes::ORDER_TOO_LARGE, problems });
    }
    let parsed = order.schema().read(body).map_err(|problems| {
        let syntax = problems.iter().any(|problem| problem.kind == ProblemKind::Syntax);
        let code = if syntax { codes::ORDER_SYNTAX } else { codes::ORDER_REJECTED };
        Rejection { code, problems }
    })?;
    let key = order.key(&parsed, name).map_err(|error| {
        Rejection::of_order(codes::ORDER_KEY_REJECTED, format!("has no valid key: {error}"))
    })?;
    // All times have millisecond precision, so a resumed run computes the same values.
    let accepted_at = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    let run = begin(plan, key, accepted_at, Arc::from(body), parsed);
    let problems = run.scheduler.lists_too_long(body);
    if problems.is_empty() {
        Ok(run)
    } else {
        Err(Rejection { code: codes::ORDER_REJECTED, problems })
    }
}

/// Reads an order that arrived under a name that must be its key, such as the last segment of a
/// path.
///
/// # Errors
/// Returns all problems of the order.
pub fn accept_as(
    plan: &Arc<Plan>,
    body: &[u8],
    name: &str,
    now: Timestamp,
) -> Result<Run, Rejection> {
    let run = accept(plan, body, name, now)?;
    if *run.info.key == *name {
        return Ok(run);
    }
    let message = "has a key that differs from the key in the path".to_owned();
    Err(Rejection::of_order(codes::ORDER_KEY_REJECTED, message))
}

/// Rebuilds a run from its journal. Its order was accepted before and is not validated again. If
/// the run moved to another version of the pipeline, only the earlier events that are valid in
/// every version are applied: see [`Scheduler::inherit`].
///
/// # Errors
/// Returns an error if the order or the journal does not fit the plan.
pub fn resume(
    plan: &Arc<Plan>,
    key: &str,
    accepted_at: Timestamp,
    body: Arc<[u8]>,
    events: &[Event],
) -> Result<Run, ResumeError> {
    let parsed = plan.order().schema().read_accepted(&body).map_err(|_| ResumeError::Order)?;
    let mut run = begin(plan, Arc::from(key), accepted_at, body, parsed);
    let moved = events.iter().enumerate().rev().find_map(|(at, event)| match event {
        Event::Retried { done: Some(done), at: instant } => Some((at, done, *instant)),
        _ => None,
    });
    let mut after = events;
    if let Some((at, done, instant)) = moved {
        let (before, rest) = events.split_at(at);
        run.scheduler.inherit(before, done, instant)?;
        after = rest.get(1..).unwrap_or_default();
    }
    for event in after {
        run.scheduler.apply(event)?;
    }
    run.scheduler.begin_stretch();
    Ok(run)
}

/// Why a run cannot be rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// The order does not fit the plan's schema.
    #[error("the stored order does not match the order schema of this pipeline")]
    Order,
    /// The journal does not fit the plan.
    #[error(transparent)]
    Journal(#[from] IllegalEvent),
}

fn begin(
    plan: &Arc<Plan>,
    key: Arc<str>,
    accepted_at: Timestamp,
    body: Arc<[u8]>,
    order: Parsed,
) -> Run {
    let id: Arc<str> = Arc::from(run_id(plan.name(), &key));
    // In the order of the field names: accepted_at, id, key.
    let fields = vec![
        Value::Timestamp(accepted_at),
        Value::Text(Arc::clone(&id)),
        Value::Text(Arc::clone(&key)),
    ];
    let run = Value::Record(Arc::new(Record::new(run_record(), fields)));
    let (pipeline, digest) = (Arc::clone(plan.name()), Digest::of(&order.canonical));
    let reduced = plan.order().reduced_digest(&order);
    let info = RunInfo { pipeline, key, id, accepted_at, body, digest, reduced };
    let scheduler = Scheduler::new(Arc::clone(plan), order.value, run);
    Run {
        info: Arc::new(info),
        scheduler,
        claimed: Vec::new(),
        next: Vec::new(),
        deferred: false,
        done_note: None,
    }
}
