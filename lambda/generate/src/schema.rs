//! The database schema: tables, and a role for each handler that uses the database and for the
//! operator.

use oms_engine::plan::{Choreography, Plan};
use oms_sql::{Grants, Statement, ddl, grant_statements};
use serde::Serialize;

use crate::grants::{
    grants_of_branch, grants_of_mail_events, grants_of_operator, grants_of_reconcile,
};
use crate::resources::View;

/// Data for the template of the schema.
#[derive(Serialize)]
pub(crate) struct Schema<'a> {
    all: &'a View,
    tables: Vec<String>,
    roles: Vec<Role<'a>>,
}

/// The database role of a handler or of the operator.
#[derive(Serialize)]
struct Role<'a> {
    user: &'a str,
    name: &'a str,
    grants: Vec<String>,
}

impl<'a> Schema<'a> {
    pub(crate) fn of(plan: &Plan, choreography: &Choreography, view: &'a View) -> Self {
        let written = |statements: Vec<Statement>| -> Vec<String> {
            statements.iter().map(Statement::named).collect()
        };
        let role = |user: &'a str, name: &'a str, grants: &Grants| Role {
            user,
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
        let operator = view.operator.iter();
        let operator =
            operator.map(|found| role("operator", &found.role, &grants_of_operator(plan)));
        let mail = view.mail.iter();
        let mail = mail.map(|mail| role("mail-events", &mail.role, &grants_of_mail_events()));
        let roles = branches.chain(reconcile).chain(mail).chain(operator).collect();
        let tables = written(ddl(plan.tables().iter().map(AsRef::as_ref)));
        Self { all: view, tables, roles }
    }
}
