//! A pool of connections to the server.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use oms_core::effects::{Io, StepError, cause};
use oms_sql::{Database, Rows, Statement, from_state};
use tokio_postgres::NoTls;
use tokio_postgres::types::{ToSql, Type};

/// Timeout of a statement, including the wait for a connection. A statement that times out is
/// retried, because every statement can be repeated.
const STATEMENT_MAX: Duration = Duration::from_secs(30);

/// Timeout for establishing a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Maximum number of connections. The server's disk limits the rate of writes, so more concurrent
/// writes would not be faster.
const CONNECTIONS_MAX: usize = 16;

/// A PostgreSQL server.
pub struct Postgres {
    pool: Pool,
}

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is invalid.
    #[error("invalid PostgreSQL address; use the form `postgresql://user@host/database`")]
    Address(#[source] tokio_postgres::Error),
    /// The connection pool cannot be created.
    #[error("cannot create the connection pool")]
    Pool(#[source] deadpool_postgres::BuildError),
}

impl Postgres {
    /// Returns the server at an address, such as `postgresql://user@host/database`. The first
    /// statement establishes the first connection.
    ///
    /// # Errors
    /// Returns an error if the address is invalid, or if the connection pool cannot be created.
    pub fn new(address: &str) -> Result<Self, ConnectError> {
        let mut config: tokio_postgres::Config = address.parse().map_err(ConnectError::Address)?;
        config.connect_timeout(CONNECT_MAX).application_name("oms");
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, NoTls, recycling))
            .max_size(CONNECTIONS_MAX)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(ConnectError::Pool)?;
        Ok(Self { pool })
    }

    async fn query(&self, statement: &Statement) -> Result<Rows, StepError> {
        let client = self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => failed(error),
            error => StepError::transient(cause::UNAVAILABLE, "cannot connect to the database")
                .caused_by(error),
        })?;
        let texts: Vec<&Option<String>> =
            statement.parameters().iter().map(|parameter| &parameter.text).collect();
        let types = vec![Type::TEXT; texts.len()];
        let prepared =
            client.prepare_typed_cached(&statement.numbered(), &types).await.map_err(failed)?;
        let values: Vec<&(dyn ToSql + Sync)> =
            texts.iter().map(|text| *text as &(dyn ToSql + Sync)).collect();
        let rows = client.query(&prepared, &values).await.map_err(failed)?;
        rows.iter()
            .map(|row| (0..row.len()).map(|at| row.try_get(at)).collect())
            .collect::<Result<Rows, _>>()
            .map_err(failed)
    }
}

impl Database for Postgres {
    fn run<'a>(&'a self, statement: &'a Statement) -> Io<'a, Rows> {
        Box::pin(async move {
            match tokio::time::timeout(STATEMENT_MAX, self.query(statement)).await {
                Ok(answer) => answer,
                Err(_) => {
                    let message = "the database did not respond in time";
                    Err(StepError::transient(cause::UNAVAILABLE, message))
                }
            }
        })
    }
}

fn failed(error: tokio_postgres::Error) -> StepError {
    match error.code() {
        // The server's message is omitted, because it may contain values of an order.
        Some(state) => from_state(state.code()),
        None => StepError::transient(cause::UNAVAILABLE, "the database does not respond")
            .caused_by(error),
    }
}
