//! The target of the steps' effects: this machine, a PostgreSQL server, or AWS.

use std::sync::Arc;

use oms_engine::plan::{Plan, Target};
use oms_engine::table::TableDef;
use oms_engine::value::Value;
use oms_runtime::Remote;
use oms_sql::Database;
#[cfg(any(feature = "postgres", feature = "aws"))]
use oms_sql::SqlTables;

use crate::exit::Usage;
use crate::runtime;
use crate::target::stack::StackOption;

/// The options for the target of effects.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WorldOption {
    /// Where the effects of the steps are stored
    ///
    /// A state cannot change its target later.
    #[arg(long, value_enum, default_value = "local")]
    target: World,
    /// PostgreSQL database of `--target postgres`, such as `postgresql://user@host/database`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// JSON file with the AWS resources of `--target aws`, such as the output `OmsResources` of a generated stack
    #[arg(long, value_name = "FILE")]
    resources: Option<std::path::PathBuf>,
}

/// The target of effects.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// SQLite database in the state directory
    Local,
    /// Tables on a PostgreSQL server; objects and e-mails in the state directory
    Postgres,
    /// Amazon S3, SNS, Aurora and SES
    Aws,
    /// Orders that the handlers of `oms generate lambda` run on AWS
    Lambda,
}

/// An external target, ready for use.
pub(crate) struct Outside {
    /// The database with its tables.
    pub(crate) database: Arc<dyn Database>,
    /// Its ports.
    pub(crate) remote: Remote,
    /// The mailer of the target, if it has one.
    pub(crate) mailer: Option<Arc<dyn oms_engine::effects::Mailer>>,
    /// The AWS session and resources, if the target is AWS.
    #[cfg(feature = "aws")]
    pub(crate) cloud: Option<Cloud>,
}

/// An AWS session and the resources of a pipeline.
#[cfg(feature = "aws")]
pub(crate) struct Cloud {
    pub(crate) session: oms_aws::Session,
    pub(crate) resources: oms_aws::Resources,
}

#[cfg(feature = "aws")]
impl Cloud {
    /// Reads the resources and loads the session.
    ///
    /// # Errors
    /// When the file is not given or invalid.
    pub(crate) fn open(resources: Option<&std::path::Path>) -> anyhow::Result<Self> {
        use anyhow::Context as _;

        let path = resources.ok_or_else(|| {
            Usage("the AWS resources are missing; add `--resources FILE`".to_owned())
        })?;
        let shown = path.display();
        let text = std::fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
        let resources = oms_aws::Resources::read(&text)
            .with_context(|| format!("`{shown}` is not a valid file of AWS resources"))?;
        let session = runtime::current_thread()?.block_on(oms_aws::Session::load());
        Ok(Self { session, resources })
    }
}

impl Outside {
    /// Creates the tables.
    ///
    /// # Errors
    /// When an existing table differs, or the database does not respond.
    pub(crate) fn migrate(&self, plan: &Plan) -> anyhow::Result<()> {
        let tables = plan.tables().iter().map(AsRef::as_ref);
        Ok(runtime::current_thread()?.block_on(oms_sql::migrate(&*self.database, tables))?)
    }

    /// Creates the handlers' roles with the passwords of their secrets, and grants each what its steps need. Returns the number of roles.
    ///
    /// # Errors
    /// When a handler is unknown, its secret cannot be read, or the database rejects a statement.
    #[cfg(feature = "aws")]
    pub(crate) fn set_roles(&self, plan: &Plan) -> anyhow::Result<usize> {
        use anyhow::Context as _;

        let Some(cloud) = &self.cloud else { return Ok(0) };
        let Ok(choreography) = oms_engine::plan::choreography(plan) else { return Ok(0) };
        let roles = &cloud.resources.roles;
        runtime::current_thread()?.block_on(async {
            for (handler, secret) in roles {
                let branch = choreography.branches.iter().find(|branch| *branch.name == **handler);
                let grants = match (branch, handler.as_str()) {
                    (Some(branch), _) => oms_lambda_generate::grants_of_branch(plan, branch),
                    (None, "reconcile") => oms_lambda_generate::grants_of_reconcile(),
                    (None, _) => {
                        let message = format!("unknown handler `{handler}` in `roles`");
                        return Err(Usage(message).into());
                    }
                };
                let login = oms_aws::Login::read(&cloud.session, secret).await;
                let login =
                    login.with_context(|| format!("cannot read the secret of `{handler}`"))?;
                let (role, password) = (&login.username, &login.password);
                let set = oms_sql::set_role(&*self.database, role, password, &grants).await;
                set.with_context(|| format!("cannot create the role `{role}`"))?;
            }
            Ok(roles.len())
        })
    }

    #[cfg(not(feature = "aws"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "same signature as with the feature"
    )]
    pub(crate) fn set_roles(&self, _: &Plan) -> anyhow::Result<usize> {
        Ok(0)
    }

    /// Imports rows into a table one after the other. A row replaces the one with the same key.
    ///
    /// # Errors
    /// When the database rejects a row. The rows before it are imported.
    pub(crate) fn import(
        &self,
        plan: &Plan,
        table: &TableDef,
        rows: &[Value],
    ) -> anyhow::Result<()> {
        use anyhow::Context as _;

        let contended = plan.contended_tables().contains(&table.name);
        runtime::current_thread()?.block_on(async {
            for (at, row) in rows.iter().enumerate() {
                let loaded = oms_sql::import(&*self.database, table, row, contended).await;
                loaded.with_context(|| {
                    format!("cannot import row {}; the rows before it are imported", at + 1)
                })?;
            }
            Ok(())
        })
    }

    /// Allows a run to repeat actions with an unknown outcome, because the user decided so.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn may_do_again(&self, plan: &Plan, key: &str) -> anyhow::Result<()> {
        let run = oms_engine::run::run_id(plan.name(), key);
        let steps: Vec<&str> = plan.steps().iter().map(|step| &*step.id).collect();
        oms_sql::Claims::new(Arc::clone(&self.database)).give_back(&run, &steps).await?;
        Ok(())
    }
}

/// Tables in a separate database.
pub(crate) struct TablesElsewhere {
    /// A description of the database.
    pub(crate) place: &'static str,
    /// The address of the database for `psql`, or `None` if `psql` cannot connect to it.
    pub(crate) address: Option<String>,
}

impl TablesElsewhere {
    /// Returns the summary line of a table: its place, and a command that shows its rows.
    pub(crate) fn line(&self, name: &str) -> Vec<String> {
        let mut line = vec!["table".to_owned(), format!("{name}: {}", self.place)];
        let show = |address| format!("psql {address} -c 'table \"{name}\"'");
        line.extend(self.address.as_ref().map(show));
        line
    }
}

impl WorldOption {
    /// Returns the target for which a pipeline is checked.
    pub(crate) fn target(&self) -> Target {
        match self.target {
            World::Local | World::Lambda => Target::Local,
            World::Postgres | World::Aws => Target::Database,
        }
    }

    /// Returns whether the target sends e-mails by default.
    pub(crate) fn mails(&self) -> bool {
        self.target == World::Aws
    }

    /// Returns the options for suggested commands, each with a leading space. The address of a database is omitted if it may contain a password or
    /// if `DATABASE_URL` has it.
    pub(crate) fn shown(&self) -> String {
        use clap::ValueEnum as _;

        let target = self.target.to_possible_value().filter(|_| self.target != World::Local);
        let target = target.map(|target| format!(" --target {}", target.get_name()));
        let resources =
            self.resources.as_ref().map(|path| format!(" --resources {}", path.display()));
        let database = self.address_of_option().filter(|_| self.target == World::Postgres);
        let database = database.map(|address| format!(" --database {address}"));
        target.into_iter().chain(database).chain(resources).collect()
    }

    /// Returns the place of the tables, if they are not in the state directory.
    pub(crate) fn tables_elsewhere(&self) -> Option<TablesElsewhere> {
        match self.target {
            World::Local | World::Lambda => None,
            World::Postgres => {
                let address = self.address_of_option().unwrap_or("\"$DATABASE_URL\"");
                let address = Some(address.to_owned());
                Some(TablesElsewhere { place: "on the PostgreSQL server", address })
            }
            World::Aws => Some(TablesElsewhere { place: "in Aurora", address: None }),
        }
    }

    /// Returns the address in `--database`, unless it may contain a password or `DATABASE_URL` has it.
    fn address_of_option(&self) -> Option<&str> {
        let address = self.database.as_deref()?;
        #[expect(clippy::disallowed_methods, reason = "clap does not say which value came from it")]
        let in_variable = std::env::var("DATABASE_URL").is_ok_and(|value| value == address);
        (!in_variable && is_plain_address(address)).then_some(address)
    }

    /// Returns the external target, or `None` for the local one.
    ///
    /// # Errors
    /// When this program was built without the target, or an option is missing.
    pub(crate) fn outside(&self) -> anyhow::Result<Option<Outside>> {
        match self.target {
            World::Local => Ok(None),
            World::Postgres => self.postgres().map(Some),
            World::Aws => self.aws().map(Some),
            World::Lambda => {
                let message = "handlers on AWS Lambda receive orders through their API; use `--target aws` to run orders on this machine with the same services";
                Err(Usage(message.to_owned()).into())
            }
        }
    }

    /// Returns the options for requests to the handlers, if they run the orders.
    pub(crate) fn stack(&self) -> Option<StackOption> {
        (self.target == World::Lambda).then(|| StackOption::lambda(self.resources.clone()))
    }

    #[cfg(feature = "postgres")]
    fn postgres(&self) -> anyhow::Result<Outside> {
        use anyhow::Context as _;

        let address = self.database.as_ref().ok_or_else(|| {
            Usage("the database is missing; add `--database URL` or set the environment variable `DATABASE_URL`".to_owned())
        })?;
        let server = oms_postgres::Postgres::new(address)
            .context("invalid address in `--database` or `DATABASE_URL`")?;
        let database: Arc<dyn Database> = Arc::new(server);
        let tables = Arc::new(SqlTables::new(Arc::clone(&database)));
        let personal = Arc::new(oms_sql::SqlErasure::new(Arc::clone(&database)));
        let remote = Remote { name: "postgres", tables, personal, objects: None, topics: None };
        Ok(Outside {
            database,
            remote,
            mailer: None,
            #[cfg(feature = "aws")]
            cloud: None,
        })
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_self, reason = "same signature as with the feature")]
    fn postgres(&self) -> anyhow::Result<Outside> {
        Err(not_built("postgres").into())
    }

    #[cfg(feature = "aws")]
    fn aws(&self) -> anyhow::Result<Outside> {
        use oms_aws::{DataApi, S3Objects, SesMailer, SnsTopics};
        use oms_sql::Claims;

        let Cloud { session, resources } = Cloud::open(self.resources.as_deref())?;
        let database: Arc<dyn Database> = Arc::new(DataApi::new(&session, resources.cluster()?));
        let claims = Claims::new(Arc::clone(&database));
        let remote = Remote {
            name: "aws",
            tables: Arc::new(SqlTables::new(Arc::clone(&database))),
            personal: Arc::new(oms_sql::SqlErasure::new(Arc::clone(&database))),
            objects: Some(Arc::new(S3Objects::new(&session, resources.buckets.clone()))),
            topics: Some(Arc::new(SnsTopics::new(&session, resources.topics.clone()))),
        };
        let set = resources.configuration_set.clone();
        let mailer = Arc::new(SesMailer::new(&session, claims, set, oms_clock::SystemClock));
        let cloud = Some(Cloud { session, resources });
        Ok(Outside { database, remote, mailer: Some(mailer), cloud })
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, reason = "same signature as with the feature")]
    fn aws(&self) -> anyhow::Result<Outside> {
        Err(not_built("aws").into())
    }
}

/// Returns whether an address can be shown: a URL of user, host, port and database, without a password, parameters or characters that a shell
/// interprets.
fn is_plain_address(address: &str) -> bool {
    let rest =
        address.strip_prefix("postgresql://").or_else(|| address.strip_prefix("postgres://"));
    let user = rest.map(|rest| rest.rsplit_once('@').map_or("", |(user, _)| user));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/@".contains(letter);
    user.is_some_and(|user| !user.contains(':')) && address.chars().all(is_plain)
}

#[cfg(not(all(feature = "postgres", feature = "aws")))]
pub(crate) fn not_built(feature: &str) -> Usage {
    Usage(format!(
        "this program was built without the target `{feature}`; build it with `cargo build --release --features {feature}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_only_without_a_password() {
        for address in ["postgresql://shop@127.0.0.1:5432/shop", "postgres://localhost/shop"] {
            assert!(is_plain_address(address), "{address}");
        }
        for address in [
            "postgresql://shop:secret@host/shop",
            "postgresql://shop@host/shop?password=secret",
            "postgresql://shop%3Asecret@host/shop",
            "host=localhost password=secret",
            "postgresql://host/$(shop)",
        ] {
            assert!(!is_plain_address(address), "{address}");
        }
    }
}
