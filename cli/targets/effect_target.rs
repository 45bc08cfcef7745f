//! The target of the steps' effects: this machine, a PostgreSQL server, or AWS.

use std::sync::Arc;

use oms_engine::plan::Target;
#[cfg(any(feature = "postgres", feature = "aws"))]
use oms_runtime::Remote;
use oms_sql::Database;
#[cfg(any(feature = "postgres", feature = "aws"))]
use oms_sql::SqlTables;

use crate::exit::Usage;
#[cfg(feature = "aws")]
use crate::targets::cloud::Cloud;
use crate::targets::email_destination::MailOption;
use crate::targets::external::ExternalTarget;
use crate::targets::stack::StackPlace;

/// The options for the target of effects.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct TargetOption {
    /// Where the effects of the steps are stored
    ///
    /// The target of a state cannot be changed later.
    #[arg(long, value_enum, default_value = "local")]
    target: EffectTarget,
    /// PostgreSQL database of `--target postgres`, such as `postgresql://user@host/database`
    ///
    /// The connection uses TLS and verifies the server's certificate, except on this machine. Add
    /// `?sslrootcert=FILE` to trust the certificates in a file, or `?sslmode=disable` to connect
    /// without TLS.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// JSON file with the AWS resources for `--target aws` or `--target lambda`, such as the output
    /// `OmsResources` of a generated stack
    #[arg(long, value_name = "FILE")]
    resources: Option<std::path::PathBuf>,
}

/// The target of effects.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EffectTarget {
    /// SQLite database in the state directory
    Local,
    /// Tables on a PostgreSQL server; objects and e-mails in the state directory
    Postgres,
    /// Amazon S3, SNS, Aurora and SES
    Aws,
    /// Handlers of `oms generate lambda`; for `oms runs`, `oms forget` and `oms db export`
    Lambda,
}

/// Tables in a separate database.
pub(crate) struct ExternalTables {
    /// A description of the database.
    pub(crate) place: &'static str,
    /// The address of the database for `psql`, or `None` if `psql` cannot connect to it.
    pub(crate) address: Option<String>,
}

impl ExternalTables {
    /// Returns the summary line of a table: its place, and a command that shows its rows.
    pub(crate) fn line(&self, name: &str) -> Vec<String> {
        let mut line = vec!["table".to_owned(), format!("{name}: {}", self.place)];
        let show = |address| format!("psql {address} -c 'table \"{name}\"'");
        line.extend(self.address.as_ref().map(show));
        line
    }
}

impl TargetOption {
    /// Returns the target for which a pipeline is checked.
    pub(crate) fn target(&self) -> Target {
        match self.target {
            EffectTarget::Local | EffectTarget::Lambda => Target::Local,
            EffectTarget::Postgres | EffectTarget::Aws => Target::Database,
        }
    }

    /// Returns whether the target sends e-mails by default.
    pub(crate) fn mails(&self) -> bool {
        self.target == EffectTarget::Aws
    }

    /// Returns the options for suggested commands, each with a leading space. The address of a
    /// database is omitted if it may contain a password or if `DATABASE_URL` has it.
    pub(crate) fn shown(&self) -> String {
        use clap::ValueEnum as _;

        let target = self.target.to_possible_value().filter(|_| self.target != EffectTarget::Local);
        let target = target.map(|target| format!(" --target {}", target.get_name()));
        let resources =
            self.resources.as_ref().map(|path| format!(" --resources {}", path.display()));
        let database = self.address_of_option().filter(|_| self.target == EffectTarget::Postgres);
        let database = database.map(|address| format!(" --database {address}"));
        target.into_iter().chain(database).chain(resources).collect()
    }

    /// Returns the place of the tables, if they are not in the state directory.
    pub(crate) fn external_tables(&self) -> Option<ExternalTables> {
        match self.target {
            EffectTarget::Local | EffectTarget::Lambda => None,
            EffectTarget::Postgres => {
                let address = self.address_of_option().unwrap_or("\"$DATABASE_URL\"");
                let address = Some(address.to_owned());
                Some(ExternalTables { place: "on the PostgreSQL server", address })
            }
            EffectTarget::Aws => Some(ExternalTables { place: "in Aurora", address: None }),
        }
    }

    /// Returns the address in `--database`, unless it may contain a password or `DATABASE_URL` has
    /// it.
    fn address_of_option(&self) -> Option<&str> {
        let address = self.database.as_deref()?;
        #[expect(clippy::disallowed_methods, reason = "clap does not say which value came from it")]
        let in_variable = std::env::var("DATABASE_URL").is_ok_and(|value| value == address);
        (!in_variable && is_plain_address(address)).then_some(address)
    }

    /// Returns the external target, or `None` for the local one.
    ///
    /// # Errors
    /// Returns an error if this program was built without the target, or an option is missing.
    pub(crate) fn external(&self) -> anyhow::Result<Option<ExternalTarget>> {
        match self.target {
            EffectTarget::Local => Ok(None),
            EffectTarget::Postgres => self.postgres().map(Some),
            EffectTarget::Aws => self.aws().map(Some),
            EffectTarget::Lambda => {
                let message = "this command does not support `--target lambda`; use `--target aws` to run it on this machine with the same services";
                Err(Usage(message.to_owned()).into())
            }
        }
    }

    /// Returns the deployed pipeline, or `None` for another target.
    ///
    /// # Errors
    /// Returns an error if the destination of e-mails is given, which the handlers do not have.
    pub(crate) fn stack(&self, mail: MailOption) -> anyhow::Result<Option<StackPlace>> {
        if self.target != EffectTarget::Lambda {
            return Ok(None);
        }
        if !mail.is_default() {
            return Err(Usage("`--mail` has no effect with `--target lambda`".to_owned()).into());
        }
        Ok(Some(StackPlace { resources: self.resources.clone() }))
    }

    /// Returns the database with the tables, or `None` if they are in the state directory.
    ///
    /// # Errors
    /// Returns an error if this program was built without the target, or an option is missing.
    pub(crate) fn database(&self) -> anyhow::Result<Option<Arc<dyn Database>>> {
        match self.target {
            #[cfg(feature = "aws")]
            EffectTarget::Lambda => Ok(Some(self.aws()?.database)),
            #[cfg(not(feature = "aws"))]
            EffectTarget::Lambda => Err(Usage::not_built("aws").into()),
            _ => Ok(self.external()?.map(|external| external.database)),
        }
    }

    #[cfg(feature = "postgres")]
    fn postgres(&self) -> anyhow::Result<ExternalTarget> {
        use anyhow::Context as _;

        let address = self.database.as_ref().ok_or_else(|| {
            Usage("the database is missing; add `--database URL` or set the environment variable `DATABASE_URL`".to_owned())
        })?;
        let server = oms_postgres::Postgres::new(address)
            .context("cannot use the database in `--database` or `DATABASE_URL`")?;
        let database: Arc<dyn Database> = Arc::new(server);
        let tables = Arc::new(SqlTables::new(Arc::clone(&database)));
        let personal = Arc::new(oms_sql::SqlErasure::new(Arc::clone(&database)));
        let remote = Remote { name: "postgres", tables, personal, objects: None, topics: None };
        Ok(ExternalTarget {
            owner: Arc::clone(&database),
            database,
            remote,
            mailer: None,
            #[cfg(feature = "aws")]
            cloud: None,
        })
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_self, reason = "same signature as with the feature")]
    fn postgres(&self) -> anyhow::Result<ExternalTarget> {
        Err(Usage::not_built("postgres").into())
    }

    #[cfg(feature = "aws")]
    fn aws(&self) -> anyhow::Result<ExternalTarget> {
        use oms_aws::{DataApi, S3Objects, SesMailer, SnsTopics};
        use oms_sql::Claims;

        let Cloud { session, resources } = Cloud::open(self.resources.as_deref())?;
        let database: Arc<dyn Database> = Arc::new(DataApi::new(&session, resources.cluster()?));
        let owner = Arc::new(DataApi::for_migrations(&session, resources.owned_cluster()?));
        let claims = Claims::new(Arc::clone(&database)).limited_to(resources.mail_rate);
        let topics = SnsTopics::new(&session, resources.topics.clone());
        let topics = topics.announced_by_bucket(resources.bucket_topics.clone());
        let remote = Remote {
            name: "aws",
            tables: Arc::new(SqlTables::new(Arc::clone(&database))),
            personal: Arc::new(oms_sql::SqlErasure::new(Arc::clone(&database))),
            objects: Some(Arc::new(S3Objects::new(&session, resources.buckets.clone()))),
            topics: Some(Arc::new(topics)),
        };
        let set = resources.configuration_set.clone();
        let mailer = Arc::new(SesMailer::new(&session, claims, set, oms_clock::SystemClock));
        let cloud = Some(Cloud { session, resources });
        Ok(ExternalTarget { database, owner, remote, mailer: Some(mailer), cloud })
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, reason = "same signature as with the feature")]
    fn aws(&self) -> anyhow::Result<ExternalTarget> {
        Err(Usage::not_built("aws").into())
    }
}

/// Returns whether an address can be shown: a URL of user, host, port and database, without a
/// password, parameters or characters that a shell interprets.
fn is_plain_address(address: &str) -> bool {
    let rest =
        address.strip_prefix("postgresql://").or_else(|| address.strip_prefix("postgres://"));
    let user = rest.map(|rest| rest.rsplit_once('@').map_or("", |(user, _)| user));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/@".contains(letter);
    user.is_some_and(|user| !user.contains(':')) && address.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_table_has_a_command_only_with_an_address() {
        let place = "on the PostgreSQL server";
        let address = Some("postgresql://localhost/shop".to_owned());
        let line = ExternalTables { place, address }.line("bills");
        let command = "psql postgresql://localhost/shop -c 'table \"bills\"'";
        assert_eq!(line, ["table", "bills: on the PostgreSQL server", command]);
        assert_eq!(ExternalTables { place, address: None }.line("bills").len(), 2);
    }

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
