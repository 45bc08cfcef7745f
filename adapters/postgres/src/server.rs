//! A pool of connections to the server.

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use oms_core::effects::{Io, StepError};
use oms_sql::{Database, Rows, Statement};
use tokio_postgres::config::Host;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, NoTls};

use crate::address::{Address, Tls};
use crate::connect_error::ConnectError;
use crate::failure::{classify, is_reusable, unavailable};
use crate::tls::connector;

/// Timeout of a statement, including the wait for a connection. A statement that times out is
/// retried, because every statement can be repeated.
const STATEMENT_MAX: Duration = Duration::from_secs(30);

/// Maximum number of connections. The server's disk limits the rate of writes, so more concurrent
/// writes would not be faster.
const CONNECTIONS_MAX: usize = 16;

/// A PostgreSQL server.
pub struct Postgres {
    pool: Pool,
    /// Whether the connections use TCP without TLS.
    may_need_tls: bool,
}

impl Postgres {
    /// Returns the server at an address, such as `postgresql://user@host/database`. The first
    /// statement establishes the first connection.
    ///
    /// # Errors
    /// Returns an error if the address is invalid or its `sslmode` is not supported, if the trusted
    /// certificates cannot be read, or if the connection pool cannot be created.
    pub fn new(address: &str) -> Result<Self, ConnectError> {
        let Address { config, tls } = Address::parse(address)?;
        let is_tcp = config.get_hosts().iter().all(|host| matches!(host, Host::Tcp(_)));
        let may_need_tls = tls == Tls::Disabled && is_tcp;
        // The pool replaces closed connections, and a lease removes the ones that may be broken.
        // Another method would send a query before each use.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match connector(&tls)? {
            Some(connector) => Manager::from_config(config, connector, recycling),
            None => Manager::from_config(config, NoTls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(ConnectError::Pool)?;
        Ok(Self { pool, may_need_tls })
    }

    async fn query(&self, statement: &Statement) -> Result<Rows, StepError> {
        let lease = Lease::new(&self.pool).await.map_err(|error| match error {
            PoolError::Backend(error) => classify(error, self.may_need_tls),
            error => unavailable("cannot connect to the database").caused_by(error),
        })?;
        let outcome = execute(lease.connection(), statement).await;
        if outcome.as_ref().err().is_none_or(is_reusable) {
            lease.end();
        }
        outcome.map_err(|error| classify(error, self.may_need_tls))
    }
}

async fn execute(connection: &Object, statement: &Statement) -> Result<Rows, Error> {
    let texts: Vec<&Option<String>> =
        statement.parameters().iter().map(|parameter| &parameter.text).collect();
    let types = vec![Type::TEXT; texts.len()];
    let prepared = connection.prepare_typed_cached(&statement.numbered(), &types).await?;
    let values: Vec<&(dyn ToSql + Sync)> =
        texts.iter().map(|text| *text as &(dyn ToSql + Sync)).collect();
    let rows = connection.query(&prepared, &values).await?;
    rows.iter().map(|row| (0..row.len()).map(|at| row.try_get(at)).collect()).collect()
}

impl Database for Postgres {
    fn run<'a>(&'a self, statement: &'a Statement) -> Io<'a, Rows> {
        Box::pin(async move {
            match tokio::time::timeout(STATEMENT_MAX, self.query(statement)).await {
                Ok(answer) => answer,
                Err(_) => Err(unavailable("the database did not respond in time")),
            }
        })
    }
}

/// A connection from the pool, for one statement.
///
/// If the statement fails, times out or is cancelled, the connection may be broken: after a power
/// failure of the server, no packet says so. The pool would hand out such a connection again and
/// again, so it is closed, together with all idle connections.
struct Lease<'p> {
    pool: &'p Pool,
    connection: Option<Object>,
}

impl<'p> Lease<'p> {
    async fn new(pool: &'p Pool) -> Result<Self, PoolError> {
        let connection = pool.get().await?;
        Ok(Self { pool, connection: Some(connection) })
    }

    fn connection(&self) -> &Object {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("a lease has its connection until it ends"),
        }
    }

    /// Returns the connection to the pool.
    fn end(mut self) {
        self.connection = None;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
            let _closed = self.pool.retain(|_, _| false);
        }
    }
}
