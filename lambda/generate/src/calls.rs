//! The AWS calls of a branch's handler for one order.

use oms_engine::plan::PlannedStep;
use oms_engine::step::{Port, Verb};
use serde::Serialize;

/// AWS calls for one order.
#[derive(Debug, Serialize)]
pub(crate) struct Calls {
    pub(crate) call: &'static str,
    pub(crate) count: u32,
    /// Whether the calls are made for each element of a list.
    pub(crate) per_element: bool,
    #[serde(rename = "for")]
    reason: String,
}

/// The calls of handlers.
pub(crate) const READ: &str = "s3:GetObject";
pub(crate) const STATEMENT: &str = "rds-data:ExecuteStatement";
pub(crate) const MAIL: &str = "ses:SendEmail";

/// Returns the calls of the steps. `noted` says whether the last step writes the handler's note on
/// the order.
pub(crate) fn of_branch(steps: &[&PlannedStep], noted: bool) -> Vec<Calls> {
    let once = |call, reason: &str| Calls {
        call,
        count: 1,
        per_element: false,
        reason: reason.to_owned(),
    };
    let mut calls = vec![once(READ, "the order")];
    for step in steps {
        let per_element = step.for_each.is_some();
        let reason = format!("steps.{}", step.id);
        let mut add = |call, count, reason| {
            calls.push(Calls { call, count, per_element, reason });
        };
        for effect in &step.effects {
            match effect.port {
                Port::Tables if effect.verb == Verb::Update => {
                    add(STATEMENT, 2, format!("{reason}: read the row, and change it"));
                }
                Port::Tables => add(STATEMENT, 1, reason.clone()),
                Port::Mail => {
                    let claim = format!("{reason}: claim the e-mail, and mark it as sent");
                    add(STATEMENT, 2, claim);
                    add(MAIL, 1, reason.clone());
                }
                Port::Objects | Port::Topics | Port::Services | Port::Custom => {}
            }
        }
    }
    if !noted && calls.iter().any(|call| call.call == STATEMENT) {
        calls.push(once(STATEMENT, "write the note on the order"));
    }
    calls
}
