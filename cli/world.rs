//! Where the steps' effects go, as the call says: here, to a PostgreSQL server, to AWS.

use std::sync::Arc;

use oms_engine::plan::{Plan, Target};
use oms_engine::table::TableDef;
use oms_engine::value::Value;
use oms_runtime::Remote;
use oms_sql::Database;
#[cfg(any(feature = "postgres", feature = "aws"))]
use oms_sql::SqlTables;

use crate::exit::Usage;
use crate::stack::StackOption;
use crate::summary::TablesElsewhere;

/// The options that say where effects go.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WorldOption {
    /// Where the steps' effects go: `local` keeps all of it in the state directory, `postgres` writes tables to a server of one's own, `aws` uses
    /// S3, SNS, Aurora and SES. A state stays with the world that it began in. `lambda` is for orders that handlers on AWS Lambda run
    #[arg(long, value_enum, default_value = "local")]
    target: World,
    /// The PostgreSQL database of `--target postgres`, such as `postgresql://user@host/database`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// What is what on AWS, for `--target aws`: a JSON file, as the output `OmsResources` of a generated stack is
    #[arg(long, value_name = "FILE")]
    resources: Option<std::path::PathBuf>,
}

/// Where effects go.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// One SQLite database in the state directory
    Local,
    /// Tables on a PostgreSQL server; objects and mails stay in the state directory
    Postgres,
    /// Amazon Web Services
    Aws,
    /// What `oms generate lambda` made, where its own handlers run the orders
    Lambda,
}

/// A world that is not here, ready to be used.
pub(crate) struct Outside {
    /// The way to its tables.
    pub(crate) database: Arc<dyn Database>,
    /// Its ports.
    pub(crate) remote: Remote,
    /// Who sends mail there, if it is not sent from here.
    pub(crate) mailer: Option<Arc<dyn oms_engine::effects::Mailer>>,
    /// What is what on AWS, if it is there.
    #[cfg(feature = "aws")]
    pub(crate) cloud: Option<Cloud>,
}

/// A session of AWS, and what is what there.
#[cfg(feature = "aws")]
pub(crate) struct Cloud {
    pub(crate) session: oms_aws::Session,
    pub(crate) resources: oms_aws::Resources,
}

#[cfg(feature = "aws")]
impl Cloud {
    /// Reads what is what, and gets ready to use it.
    ///
    /// # Errors
    /// When the file is not named, or does not say it.
    pub(crate) fn open(resources: Option<&std::path::Path>) -> anyhow::Result<Self> {
        use anyhow::Context as _;

        let path = resources
            .ok_or_else(|| Usage("say what is what on AWS: `--resources FILE`".to_owned()))?;
        let shown = path.display();
        let text = std::fs::read(path).with_context(|| format!("`{shown}` cannot be read"))?;
        let resources = oms_aws::Resources::read(&text)
            .with_context(|| format!("`{shown}` does not say what is what on AWS"))?;
        let session = runtime()?.block_on(oms_aws::Session::load());
        Ok(Self { session, resources })
    }
}

impl Outside {
    /// Makes the tables.
    ///
    /// # Errors
    /// When one is there that differs, or the database does not answer.
    pub(crate) fn migrate(&self, plan: &Plan) -> anyhow::Result<()> {
        let tables = plan.tables().iter().map(AsRef::as_ref);
        Ok(runtime()?.block_on(oms_sql::migrate(&*self.database, tables))?)
    }

    /// Makes the handlers' roles with the passwords of their secrets, and lets each do what its steps need; returns how many there are.
    ///
    /// # Errors
    /// When a handler is not known, its secret cannot be read, or the database refuses.
    #[cfg(feature = "aws")]
    pub(crate) fn set_roles(&self, plan: &Plan) -> anyhow::Result<usize> {
        use anyhow::Context as _;

        let Some(cloud) = &self.cloud else { return Ok(0) };
        let Ok(choreography) = oms_engine::plan::choreography(plan) else { return Ok(0) };
        let roles = &cloud.resources.roles;
        runtime()?.block_on(async {
            for (handler, secret) in roles {
                let branch = choreography.branches.iter().find(|branch| *branch.name == **handler);
                let grants = match (branch, handler.as_str()) {
                    (Some(branch), _) => oms_lambda_generate::grants_of_branch(plan, branch),
                    (None, "reconcile") => oms_lambda_generate::grants_of_reconcile(),
                    (None, _) => {
                        let message = format!("`roles` names the handler `{handler}`, which the pipeline does not have");
                        return Err(Usage(message).into());
                    }
                };
                let login = oms_aws::Login::read(&cloud.session, secret).await;
                let login = login.with_context(|| format!("the secret of `{handler}` cannot be used"))?;
                let (role, password) = (&login.username, &login.password);
                let set = oms_sql::set_role(&*self.database, role, password, &grants).await;
                set.with_context(|| format!("the role `{role}` cannot be made"))?;
            }
            Ok(roles.len())
        })
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where it is built in")]
    pub(crate) fn set_roles(&self, _: &Plan) -> anyhow::Result<usize> {
        Ok(0)
    }

    /// Loads rows into a table, replacing those with the same key, one after the other.
    ///
    /// # Errors
    /// The row that the database refused; those before it are loaded.
    pub(crate) fn import(
        &self,
        plan: &Plan,
        table: &TableDef,
        rows: &[Value],
    ) -> anyhow::Result<()> {
        use anyhow::Context as _;

        let contended = plan.contended_tables().contains(&table.name);
        runtime()?.block_on(async {
            for (at, row) in rows.iter().enumerate() {
                let loaded = oms_sql::import(&*self.database, table, row, contended).await;
                loaded.with_context(|| {
                    format!("row {} cannot be loaded; the rows before it are loaded", at + 1)
                })?;
            }
            Ok(())
        })
    }

    /// Lets a run do again what it is not known of whether it was done, since a person says so.
    ///
    /// # Errors
    /// What the database said.
    pub(crate) async fn may_do_again(&self, plan: &Plan, key: &str) -> anyhow::Result<()> {
        let run = oms_engine::run::run_id(plan.name(), key);
        let steps: Vec<&str> = plan.steps().iter().map(|step| &*step.id).collect();
        oms_sql::Claims::new(Arc::clone(&self.database)).give_back(&run, &steps).await?;
        Ok(())
    }
}

impl WorldOption {
    /// Returns what a pipeline is checked for before it runs there.
    pub(crate) fn target(&self) -> Target {
        match self.target {
            World::Local | World::Lambda => Target::Local,
            World::Postgres | World::Aws => Target::Database,
        }
    }

    /// Tells whether mail is sent there if nothing else is said.
    pub(crate) fn mails(&self) -> bool {
        self.target == World::Aws
    }

    /// Returns the options as further calls need them, each behind a space. The address of a database is left out if it may contain a
    /// password or if `DATABASE_URL` has it.
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

    /// Returns where the tables are, if they are not in the state directory.
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

    /// Returns the address of the database as `--database` gives it, unless it may contain a password or does not need to be repeated because
    /// `DATABASE_URL` has it.
    fn address_of_option(&self) -> Option<&str> {
        let address = self.database.as_deref()?;
        #[expect(clippy::disallowed_methods, reason = "clap does not say which value came from it")]
        let in_variable = std::env::var("DATABASE_URL").is_ok_and(|value| value == address);
        (!in_variable && is_plain_address(address)).then_some(address)
    }

    /// Gets ready what the call asks for; nothing where everything is here.
    ///
    /// # Errors
    /// When this program was built without it, or what it needs is not said.
    pub(crate) fn outside(&self) -> anyhow::Result<Option<Outside>> {
        match self.target {
            World::Local => Ok(None),
            World::Postgres => self.postgres().map(Some),
            World::Aws => self.aws().map(Some),
            World::Lambda => {
                let message = "orders come to the handlers on AWS Lambda by the address of the API; `--target aws` runs them from here, on the same services";
                Err(Usage(message.to_owned()).into())
            }
        }
    }

    /// Returns where the handlers run, if they run the orders.
    pub(crate) fn stack(&self) -> Option<StackOption> {
        (self.target == World::Lambda).then(|| StackOption::lambda(self.resources.clone()))
    }

    #[cfg(feature = "postgres")]
    fn postgres(&self) -> anyhow::Result<Outside> {
        use anyhow::Context as _;

        let address = self.database.as_ref().ok_or_else(|| {
            Usage("say which database: `--database URL`, or the variable `DATABASE_URL`".to_owned())
        })?;
        let server = oms_postgres::Postgres::new(address)
            .context("the address given by `--database` or `DATABASE_URL` cannot be used")?;
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
    #[expect(clippy::unused_self, reason = "as where it is built in")]
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
    #[expect(clippy::unused_self, reason = "as where it is built in")]
    fn aws(&self) -> anyhow::Result<Outside> {
        Err(not_built("aws").into())
    }
}

/// Tells whether an address can be shown: a URL of user, host, port and database, without a password, parameters or characters that a shell
/// interprets.
fn is_plain_address(address: &str) -> bool {
    let rest =
        address.strip_prefix("postgresql://").or_else(|| address.strip_prefix("postgres://"));
    let user = rest.map(|rest| rest.rsplit_once('@').map_or("", |(user, _)| user));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/@".contains(letter);
    user.is_some_and(|user| !user.contains(':')) && address.chars().all(is_plain)
}

pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
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
