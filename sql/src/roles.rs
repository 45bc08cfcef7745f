//! Database roles: one for each handler, with the least privileges that its steps need.

use std::collections::BTreeMap;

#[cfg(feature = "roles")]
use oms_engine::effects::StepError;
use oms_engine::plan::{Branch, Plan};
use oms_engine::step::{Port, Verb};

#[cfg(feature = "roles")]
use crate::database::Database;
use crate::statement::Statement;

/// The privileges of a role by table: names of PostgreSQL privileges, in alphabetical order.
pub type Grants = BTreeMap<String, Vec<&'static str>>;

const READ: &[&str] = &["SELECT"];
const NOTE: &[&str] = &["INSERT", "SELECT"];
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
            (Port::Tables, _) => grant(&effect.resource, WRITE),
            (Port::Mail, _) => grant("oms_claims", WRITE),
            (Port::Objects | Port::Topics | Port::Custom, _) => {}
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

/// Returns the privileges of the handler that searches for lost orders.
pub fn grants_of_reconcile() -> Grants {
    Grants::from([
        ("oms_branches".to_owned(), READ.to_vec()),
        ("oms_cursors".to_owned(), WRITE.to_vec()),
    ])
}

/// Creates a role that logs in with a password, or changes its password, and grants it exactly
/// these privileges. Running it again changes nothing.
///
/// The password itself is not sent: the server gets its SCRAM verifier (RFC 5803, "SCRAM-SHA-256"),
/// as with `psql`'s `\password`.
///
/// # Errors
/// When the database returns an error.
#[cfg(feature = "roles")]
pub async fn set_role(
    database: &dyn Database,
    role: &str,
    password: &str,
    grants: &Grants,
) -> Result<(), StepError> {
    let find = Statement::default()
        .sql("select cast(rolname as text) from pg_roles where rolname = ")
        .text(role);
    let verb = if database.run(&find).await?.is_empty() { "create" } else { "alter" };
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    // Statements about roles do not support bound values. The verifier is Base64, with `$` and `:`
    // between its parts.
    let statement = Statement::default().sql(&format!("{verb} role ")).name(role);
    let statement = statement.sql(&format!(" with login password '{verifier}'"));
    database.run(&statement).await?;
    for statement in granted(role, grants) {
        database.run(&statement).await?;
    }
    let held = Statement::default()
        .sql(
            "select cast(table_name as text), cast(privilege_type as text) from information_schema.table_privileges \
             where table_schema = current_schema() and grantee = ",
        )
        .text(role);
    for row in database.run(&held).await? {
        let [Some(table), Some(privilege)] = row.as_slice() else { continue };
        if grants.get(table).is_some_and(|granted| granted.contains(&privilege.as_str())) {
            continue;
        }
        let statement = Statement::default().sql(&format!("revoke {privilege} on "));
        database.run(&statement.name(table).sql(" from ").name(role)).await?;
    }
    Ok(())
}

/// Returns the statements that grant privileges to a role.
pub fn granted(role: &str, grants: &Grants) -> Vec<Statement> {
    let each = |(table, privileges): (&String, &Vec<&str>)| {
        let privileges = privileges.join(", ");
        let statement = Statement::default().sql(&format!("grant {privileges} on "));
        statement.name(table).sql(" to ").name(role)
    };
    grants.iter().map(each).collect()
}
