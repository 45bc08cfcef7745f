//! Access to Aurora PostgreSQL through the RDS Data API.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::types::{Field, SqlParameter, TypeHint};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use oms_core::effects::{Io, StepError, cause};
use oms_sql::{Database, Hint, Parameter, Rows, Statement, from_state};

use crate::failure::classify;
use crate::session::Session;

/// Delay between two attempts while a paused cluster resumes. It resumes in about 15 seconds.
const RESUME_STEP: Duration = Duration::from_secs(1);

/// Maximum duration of a statement of a migration, such as one that creates an index.
const MIGRATION_MAX: Duration = Duration::from_secs(900);

/// A database cluster, and how to connect to it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The cluster's ARN.
    pub cluster: String,
    /// The ARN of the secret with the user name and the password.
    pub secret: String,
    /// The name of the database.
    pub database: String,
    /// How long to wait for a paused cluster to resume.
    pub resume_max: Duration,
}

/// A database behind the RDS Data API.
pub struct DataApi {
    client: Client,
    cluster: Cluster,
    /// Whether statements continue after the timeout of the Data API, as AWS recommends for
    /// statements that change the schema ("ExecuteStatement", `continueAfterTimeout`).
    is_patient: bool,
}

impl DataApi {
    /// Returns a client for a cluster, without sending a request.
    pub fn new(session: &Session, cluster: Cluster) -> Self {
        Self { client: Client::new(&session.0), cluster, is_patient: false }
    }

    /// Returns a client for migrations, whose statements may take minutes. It sends each statement
    /// once.
    pub fn for_migrations(session: &Session, cluster: Cluster) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(MIGRATION_MAX).build();
        let patient = aws_sdk_rdsdata::config::Builder::from(&session.0)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(patient), cluster, is_patient: true }
    }

    async fn query(&self, statement: &Statement) -> Result<Rows, StepError> {
        let sql = statement.named();
        let parameters: Vec<SqlParameter> =
            statement.parameters().iter().enumerate().map(|(at, value)| bound(at, value)).collect();
        let mut waited = Duration::ZERO;
        loop {
            let call = self
                .client
                .execute_statement()
                .resource_arn(&self.cluster.cluster)
                .secret_arn(&self.cluster.secret)
                .database(&self.cluster.database)
                .sql(&sql)
                .continue_after_timeout(self.is_patient)
                .set_parameters(Some(parameters.clone()));
            let error = match call.send().await {
                Ok(answer) => return rows(answer.records.unwrap_or_default()),
                Err(error) => error,
            };
            let service = error.as_service_error();
            return Err(match service.and_then(|service| service.code()) {
                Some("DatabaseResumingException") if waited < self.cluster.resume_max => {
                    tokio::time::sleep(RESUME_STEP).await;
                    waited += RESUME_STEP;
                    continue;
                }
                Some(
                    "DatabaseResumingException"
                    | "DatabaseUnavailableException"
                    // The cluster is starting, stopping or failing over.
                    | "InvalidResourceStateException"
                    | "StatementTimeoutException",
                ) => StepError::transient(cause::UNAVAILABLE, "the database is not ready"),
                Some("DatabaseErrorException" | "BadRequestException") => {
                    let message = service.and_then(|service| service.message()).unwrap_or_default();
                    from_state(state(message))
                }
                _ => classify("the RDS Data API", error),
            });
        }
    }
}

impl Database for DataApi {
    fn run<'a>(&'a self, statement: &'a Statement) -> Io<'a, Rows> {
        Box::pin(self.query(statement))
    }
}

/// Returns the SQLSTATE in a message, such as `ERROR: …; SQLState: 23505`.
fn state(message: &str) -> &str {
    let behind = message.rsplit_once("SQLState:").map_or("", |(_, behind)| behind.trim_start());
    behind.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default()
}

fn bound(at: usize, parameter: &Parameter) -> SqlParameter {
    let hint = match parameter.hint {
        Hint::Decimal => Some(TypeHint::Decimal),
        Hint::Date => Some(TypeHint::Date),
        Hint::Timestamp => Some(TypeHint::Timestamp),
        Hint::Text | Hint::Integer | Hint::Boolean => None,
    };
    let text = parameter.text.as_deref();
    let value = match (parameter.hint, text) {
        (_, None) => Field::IsNull(true),
        (Hint::Integer, Some(text)) => match text.parse() {
            Ok(whole) => Field::LongValue(whole),
            Err(_) => Field::StringValue(text.to_owned()),
        },
        (Hint::Boolean, Some(text)) => Field::BooleanValue(text == "true"),
        (_, Some(text)) => Field::StringValue(text.to_owned()),
    };
    SqlParameter::builder().name(format!("p{at}")).value(value).set_type_hint(hint).build()
}

fn rows(records: Vec<Vec<Field>>) -> Result<Rows, StepError> {
    let text = |field| match field {
        Field::IsNull(_) => Ok(None),
        Field::StringValue(text) => Ok(Some(text)),
        // Every column is selected as text.
        _ => Err(StepError::permanent(
            cause::REFUSED,
            "the database returned a value that is not text",
        )),
    };
    records.into_iter().map(|record| record.into_iter().map(text).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sqlstate_is_at_the_end_of_the_message() {
        assert_eq!(state("ERROR: value SQLState: x; SQLState: 23505"), "23505");
        assert_eq!(state("ERROR: division; SQLState: 22012."), "22012");
        assert_eq!(state("nothing"), "");
    }
}
