//! The database schema: tables, and a role for each handler that uses the database.

use oms_engine::plan::{Choreography, Plan};
use oms_sql::{Grants, Statement, ddl, grant_statements};
use serde::Serialize;

use crate::grants::{grants_of_branch, grants_of_reconcile};
use crate::resources::View;

/// Data for the template of the schema.
#[derive(Serialize)]
pub(crate) struct Schema<'a> {
    all: &'a View,
    tables: Vec<String>,
    roles: Vec<Role<'a>>,
}

/// The database role of a handler.
#[derive(Serialize)]
struct Role<'a> {
    handler: &'a str,
    name: &'a str,
    grants: Vec<String>,
}

impl<'a> Schema<'a> {
    pub(crate) fn of(plan: &Plan, choreography: &Choreography, view: &'a View) -> Self {
        let written = |statements: Vec<Statement>| -> Vec<String> {
            statements.iter().map(Statement::named).collect()
        };
        let role = |handler: &'a str, name: &'a str, grants: &Grants| Role {
            handler,
            name,
            grants: written(grant_statements(name, grants)),
        };
        let branches = view.branches.iter().zip(&choreography.branches);
        let branches = branches.filter(|(branch, _)| branch.database).map(|(branch, steps)| {
            role(&branch.name, &branch.role, &grants_of_branch(plan, steps))
        });
        let reconcile = view.reconcile.iter();
        let reconcile =
            reconcile.map(|found| role("reconcile", &found.role, &grants_of_reconcile()));
        let roles = branches.chain(reconcile).collect();
        let tables = written(ddl(plan.tables().iter().map(AsRef::as_ref)));
        Self { all: view, tables, roles }
    }
}
