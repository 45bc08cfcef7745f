//! A target of effects outside of this machine, ready for use.

use std::sync::Arc;

use oms_engine::plan::Plan;
use oms_engine::table::TableDef;
use oms_engine::value::Value;
use oms_runtime::Remote;
use oms_sql::{Database, SchemaChange};

#[cfg(feature = "aws")]
use crate::output;
use crate::runtime;
#[cfg(feature = "aws")]
use crate::targets::cloud::Cloud;

/// An external target, ready for use.
pub(crate) struct ExternalTarget {
    /// The database with its tables.
    pub(crate) database: Arc<dyn Database>,
    /// The same database, with permission to change tables and roles.
    pub(crate) owner: Arc<dyn Database>,
    /// Its ports.
    pub(crate) remote: Remote,
    /// The mailer of the target, if it has one.
    pub(crate) mailer: Option<Arc<dyn oms_engine::effects::Mailer>>,
    /// The AWS session and resources, if the target is AWS.
    #[cfg(feature = "aws")]
    pub(crate) cloud: Option<Cloud>,
}

impl ExternalTarget {
    /// Migrates the tables.
    ///
    /// # Errors
    /// Returns an error if a table needs a change that is impossible or not allowed, or the database
    /// does not respond.
    pub(crate) fn migrate(&self, plan: &Plan, allow_destructive: bool) -> anyhow::Result<()> {
        let tables = plan.tables().iter().map(AsRef::as_ref);
        let migration = oms_sql::migrate(&*self.owner, tables, allow_destructive);
        Ok(runtime::current_thread()?.block_on(migration)?)
    }

    /// Returns the changes that the tables need.
    ///
    /// # Errors
    /// Returns an error if a table needs a change that is impossible, or the database does not
    /// respond.
    pub(crate) fn schema_changes(&self, plan: &Plan) -> anyhow::Result<Vec<SchemaChange>> {
        let tables = plan.tables().iter().map(AsRef::as_ref);
        let changes = oms_sql::schema_changes(&*self.owner, tables);
        Ok(runtime::current_thread()?.block_on(changes)?)
    }

    /// Creates the roles of the handlers and of the operator with the passwords of their secrets, and
    /// grants each role the privileges that it needs. Revokes all other privileges unless `keep` is
    /// true. Returns the number of roles.
    ///
    /// # Errors
    /// Returns an error if a secret cannot be read, or the database rejects a statement.
    #[cfg(feature = "aws")]
    pub(crate) fn set_roles(&self, plan: &Plan, keep: bool) -> anyhow::Result<usize> {
        use anyhow::Context as _;

        let Some(cloud) = &self.cloud else { return Ok(0) };
        let Ok(choreography) = oms_engine::plan::choreography(plan) else { return Ok(0) };
        let roles = &cloud.resources.roles;
        runtime::current_thread()?.block_on(async {
            let mut count = 0;
            for (handler, secret) in roles {
                let branch = choreography.branches.iter().find(|branch| *branch.name == **handler);
                let grants = match (branch, handler.as_str()) {
                    (Some(branch), _) => oms_lambda_generate::grants_of_branch(plan, branch),
                    (None, "reconcile") => oms_lambda_generate::grants_of_reconcile(),
                    (None, "mail-events") => oms_lambda_generate::grants_of_mail_events(),
                    (None, "operator") => oms_lambda_generate::grants_of_operator(plan),
                    (None, _) => {
                        output::message(&format!(
                            "warning: the pipeline has no handler `{handler}`; its role in the database is unchanged"
                        ));
                        continue;
                    }
                };
                let login = oms_aws::Login::read(&cloud.session, secret).await;
                let login =
                    login.with_context(|| format!("cannot read the secret of `{handler}`"))?;
                let (role, password) = (&login.username, &login.password);
                let set = oms_sql::set_role(&*self.owner, role, password, &grants, keep).await;
                set.with_context(|| format!("cannot create the role `{role}`"))?;
                count += 1;
            }
            Ok(count)
        })
    }

    #[cfg(not(feature = "aws"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "same signature as with the feature"
    )]
    pub(crate) fn set_roles(&self, _: &Plan, _: bool) -> anyhow::Result<usize> {
        Ok(0)
    }

    /// Imports rows into a table. A row replaces the one with the same key.
    ///
    /// # Errors
    /// Returns an error if the database rejects a row. The rows before it are imported.
    pub(crate) fn import(
        &self,
        plan: &Plan,
        table: &TableDef,
        rows: &[Value],
    ) -> anyhow::Result<()> {
        let contended = plan.contended_tables().contains(&table.name);
        let import = oms_sql::import(&*self.database, table, rows, contended);
        Ok(runtime::current_thread()?.block_on(import)?)
    }

    /// Releases the expired claims of a run, because the user decided to repeat effects with an
    /// unknown outcome.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn allow_repeat(&self, plan: &Plan, key: &str) -> anyhow::Result<()> {
        let run = oms_engine::run::run_id(plan.name(), key);
        let steps: Vec<&str> = plan.steps().iter().map(|step| &*step.id).collect();
        oms_sql::Claims::new(Arc::clone(&self.database)).release(&run, &steps).await?;
        Ok(())
    }
}
