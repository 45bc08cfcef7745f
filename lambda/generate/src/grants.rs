//! The database privileges of each handler: only those that its steps need.

use oms_engine::plan::{Branch, Plan};
use oms_engine::step::{Port, Verb};
use oms_sql::Grants;

const READ: &[&str] = &["SELECT"];
const CHANGE: &[&str] = &["SELECT", "UPDATE"];
const NOTE: &[&str] = &["INSERT", "SELECT"];
const OPERATE: &[&str] = &["DELETE", "INSERT", "SELECT", "UPDATE"];
const WRITE: &[&str] = &["INSERT", "SELECT", "UPDATE"];

/// Returns the privileges of a branch's handler.
pub fn grants_of_branch(plan: &Plan, branch: &Branch) -> Grants {
    let mut grants = Grants::new();
    let mut grant = |table: &str, privileges: &[&'static str]| {
        let granted = grants.entry(table.to_owned()).or_default();
        granted.extend(privileges);
        granted.sort_unstable();
        granted.dedup();
    };
    let steps = branch.steps.iter().filter_map(|index| plan.steps().get(*index));
    for effect in steps.flat_map(|step| &step.effects) {
        match (effect.port, effect.verb) {
            (Port::Tables, Verb::Get) => grant(&effect.resource, READ),
            (Port::Tables, Verb::Upsert) => {
                grant(&effect.resource, WRITE);
                grant("oms_effects", NOTE);
            }
            (Port::Tables, Verb::Update) => {
                grant(&effect.resource, CHANGE);
                grant("oms_effects", NOTE);
            }
            (Port::Tables, _) => grant(&effect.resource, WRITE),
            (Port::Mail, _) => {
                grant("oms_claims", WRITE);
                grant("oms_slots", WRITE);
            }
            (Port::Objects | Port::Topics | Port::Services | Port::Custom, _) => {}
        }
    }
    let contended = plan.contended_tables();
    if grants.keys().any(|table| contended.contains(table.as_str())) {
        grants.insert("oms_versions".to_owned(), WRITE.to_vec());
    }
    if !grants.is_empty() {
        grants.insert("oms_branches".to_owned(), WRITE.to_vec());
    }
    grants
}

/// Returns the privileges of the operator, who uses the command line: everything in the tables, but
/// no change of the tables themselves and no other table.
pub fn grants_of_operator(plan: &Plan) -> Grants {
    let tables = plan.tables().iter().map(|table| &*table.name);
    let own = [
        "oms_branches",
        "oms_claims",
        "oms_effects",
        "oms_mail_events",
        "oms_slots",
        "oms_versions",
    ];
    tables.chain(own).map(|table| (table.to_owned(), OPERATE.to_vec())).collect()
}

/// Returns the privileges of the handler of SES's events.
pub fn grants_of_mail_events() -> Grants {
    Grants::from([
        ("oms_claims".to_owned(), vec!["SELECT", "UPDATE"]),
        ("oms_mail_events".to_owned(), NOTE.to_vec()),
    ])
}

/// Returns the privileges of the handler that searches for lost orders.
pub fn grants_of_reconcile() -> Grants {
    Grants::from([
        ("oms_branches".to_owned(), WRITE.to_vec()),
        ("oms_cursors".to_owned(), WRITE.to_vec()),
    ])
}
