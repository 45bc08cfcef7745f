//! Database roles: one for each handler, with only the privileges that its steps need.

use std::collections::BTreeMap;

#[cfg(feature = "roles")]
use oms_core::effects::StepError;

#[cfg(feature = "roles")]
use crate::database::Database;
use crate::statement::Statement;

/// The privileges of a role by table: names of PostgreSQL privileges, in alphabetical order.
pub type Grants = BTreeMap<String, Vec<&'static str>>;

/// Creates a role that logs in with a password, or changes the password of an existing role. Grants
/// the role these privileges, and revokes all others unless `keep` is true. A repeated call changes
/// nothing.
///
/// The password itself is not sent. Like `\password` of `psql`, this sends a SCRAM verifier to the
/// server (RFC 5803, "SCRAM-SHA-256").
///
/// # Errors
/// Returns an error if the database fails.
#[cfg(feature = "roles")]
pub async fn set_role(
    database: &dyn Database,
    role: &str,
    password: &str,
    grants: &Grants,
    keep: bool,
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
    for statement in grant_statements(role, grants) {
        database.run(&statement).await?;
    }
    if keep {
        return Ok(());
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
pub fn grant_statements(role: &str, grants: &Grants) -> Vec<Statement> {
    let each = |(table, privileges): (&String, &Vec<&str>)| {
        let privileges = privileges.join(", ");
        let statement = Statement::default().sql(&format!("grant {privileges} on "));
        statement.name(table).sql(" to ").name(role)
    };
    grants.iter().map(each).collect()
}
