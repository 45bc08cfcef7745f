//! The RDS Data API (`ExecuteStatement`, `BeginTransaction`, `CommitTransaction`,
//! `RollbackTransaction`) on a real PostgreSQL server. It is as strict as Aurora's: one statement
//! per call, values bound with their declared types, errors with their SQLSTATE, and only known
//! secrets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

use crate::placeholders::numbered;
use crate::value::{field, parameter};

/// Maximum size of a response and of a row in bytes (Amazon Aurora User Guide, "Limitations for RDS
/// Data API").
const RESPONSE_MAX: usize = 1 << 20;
const ROW_MAX: usize = 64 << 10;

/// Idle timeout of a transaction (`BeginTransaction`, API reference).
const IDLE_MAX: Duration = Duration::from_secs(180);

/// The database behind the API, and the accepted credentials.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of the PostgreSQL database, with a superuser.
    pub address: String,
    /// The cluster's ARN.
    pub cluster: String,
    /// The role for each secret's ARN; `None` for the user of the address.
    pub secrets: BTreeMap<String, Option<String>>,
}

/// A running server.
pub struct DataApi {
    address: SocketAddr,
    state: Arc<ServerState>,
}

struct ServerState {
    settings: Settings,
    /// Idle connections, by role.
    idle: Mutex<BTreeMap<Option<String>, Vec<Client>>>,
    transactions: Mutex<BTreeMap<String, Open>>,
    /// The time when the cluster finishes resuming.
    resuming: Mutex<Option<Instant>>,
    /// Exceptions that the next calls return instead of executing.
    faults: Mutex<Vec<(u16, String)>>,
    calls: std::sync::atomic::AtomicU64,
}

/// An open transaction: its connection, its role, and the time of its last use.
type Open = (Client, Option<String>, Instant);

/// A response with an exception.
struct Exception(u16, String, String);

impl DataApi {
    /// Listens on a loopback port; 0 selects a free one.
    ///
    /// # Errors
    /// Returns an error if the port is in use.
    pub async fn listen(settings: Settings, port: u16) -> std::io::Result<Self> {
        let state = Arc::new(ServerState {
            settings,
            idle: Mutex::default(),
            transactions: Mutex::default(),
            resuming: Mutex::default(),
            faults: Mutex::default(),
            calls: Default::default(),
        });
        let routes = Router::new()
            .route("/{operation}", post(answer))
            .route("/_control/resume/{milliseconds}", post(pause))
            .route("/_control/fail/{status}/{exception}", post(fail))
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, state })
    }

    /// Returns the server's address.
    pub const fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Returns the endpoint for SDKs.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Responds like a paused cluster for a while.
    pub async fn resume_in(&self, duration: Duration) {
        *self.state.resuming.lock().await = Some(Instant::now() + duration);
    }

    /// Responds to the next call with an exception, such as `ThrottlingException`, without
    /// executing it.
    pub async fn fail_next(&self, status: u16, exception: &str) {
        self.state.faults.lock().await.push((status, exception.to_owned()));
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> u64 {
        self.state.calls.load(std::sync::atomic::Ordering::SeqCst)
    }
}

async fn pause(State(state): State<Arc<ServerState>>, Path(milliseconds): Path<u64>) {
    *state.resuming.lock().await = Some(Instant::now() + Duration::from_millis(milliseconds));
}

async fn fail(
    State(state): State<Arc<ServerState>>,
    Path((status, exception)): Path<(u16, String)>,
) {
    state.faults.lock().await.push((status, exception));
}

async fn answer(
    State(state): State<Arc<ServerState>>,
    Path(operation): Path<String>,
    body: Bytes,
) -> Response {
    state.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    match state.call(&operation, &body).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(Exception(status, name, message)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            let headers = [("x-amzn-ErrorType", name)];
            (status, headers, axum::Json(json!({ "message": message }))).into_response()
        }
    }
}

fn bad_request(message: &str) -> Exception {
    Exception(400, "BadRequestException".to_owned(), message.to_owned())
}

fn database(error: &tokio_postgres::Error) -> Exception {
    let message = match error.as_db_error() {
        Some(error) => format!("ERROR: {}; SQLState: {}", error.message(), error.code().code()),
        None => format!("ERROR: {error}; SQLState: 08006"),
    };
    Exception(400, "DatabaseErrorException".to_owned(), message)
}

impl ServerState {
    async fn call(&self, operation: &str, body: &[u8]) -> Result<Json, Exception> {
        let request: Json =
            serde_json::from_slice(body).map_err(|error| bad_request(&error.to_string()))?;
        let text = |name: &str| request.get(name).and_then(Json::as_str);
        if let Some((status, exception)) = self.faults.lock().await.pop() {
            return Err(Exception(status, exception, "as requested by the test".to_owned()));
        }
        if text("resourceArn") != Some(&self.settings.cluster) {
            return Err(bad_request("HttpEndpoint is not enabled for resource"));
        }
        let secret = text("secretArn").and_then(|secret| self.settings.secrets.get(secret));
        let Some(role) = secret.cloned() else {
            let message = "Error fetching secret".to_owned();
            return Err(Exception(400, "SecretsErrorException".to_owned(), message));
        };
        if self.resuming.lock().await.is_some_and(|until| Instant::now() < until) {
            let message = "The Aurora DB instance is resuming after being auto-paused.";
            return Err(Exception(400, "DatabaseResumingException".to_owned(), message.to_owned()));
        }
        let transaction = text("transactionId");
        match operation {
            "BeginTransaction" => {
                let client = self.client(&role).await?;
                client.batch_execute("begin").await.map_err(|error| database(&error))?;
                let id = format!("tx-{}", self.calls.load(std::sync::atomic::Ordering::SeqCst));
                let mut transactions = self.transactions.lock().await;
                transactions.insert(id.clone(), (client, role, Instant::now()));
                Ok(json!({ "transactionId": id }))
            }
            "CommitTransaction" | "RollbackTransaction" => {
                let id = transaction.unwrap_or_default();
                let (client, role, _) = self.transaction(id).await?;
                let commits = operation == "CommitTransaction";
                let end = if commits { "commit" } else { "rollback" };
                client.batch_execute(end).await.map_err(|error| database(&error))?;
                self.return_client(client, role).await;
                let status = if commits { "Transaction Committed" } else { "Rollback Complete" };
                Ok(json!({ "transactionStatus": status }))
            }
            "Execute" => {
                let sql = text("sql").ok_or_else(|| bad_request("sql is required"))?;
                let parameters = request.get("parameters").and_then(Json::as_array);
                let (client, role) = match transaction {
                    Some(id) => {
                        let (client, role, _) = self.transaction(id).await?;
                        (client, role)
                    }
                    None => (self.client(&role).await?, role),
                };
                let result = execute(&client, sql, parameters.map_or(&[], Vec::as_slice)).await;
                match transaction {
                    Some(id) => {
                        let mut transactions = self.transactions.lock().await;
                        transactions.insert(id.to_owned(), (client, role, Instant::now()));
                    }
                    None => self.return_client(client, role).await,
                }
                result
            }
            other => Err(Exception(404, "UnknownOperationException".to_owned(), other.to_owned())),
        }
    }

    async fn client(&self, role: &Option<String>) -> Result<Client, Exception> {
        let kept = self.idle.lock().await.get_mut(role).and_then(Vec::pop);
        if let Some(client) = kept.filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        let mut config: tokio_postgres::Config =
            self.settings.address.parse().map_err(|error| database(&error))?;
        if let Some(role) = role {
            config.user(role);
        }
        let (client, connection) = config.connect(NoTls).await.map_err(|error| database(&error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn return_client(&self, client: Client, role: Option<String>) {
        self.idle.lock().await.entry(role).or_default().push(client);
    }

    async fn transaction(&self, id: &str) -> Result<Open, Exception> {
        let mut transactions = self.transactions.lock().await;
        match transactions.remove(id) {
            Some(found) if found.2.elapsed() < IDLE_MAX => Ok(found),
            _ => {
                let message = format!("Transaction {id} is not found");
                Err(Exception(404, "TransactionNotFoundException".to_owned(), message))
            }
        }
    }
}

async fn execute(client: &Client, sql: &str, given: &[Json]) -> Result<Json, Exception> {
    let statement = numbered(sql);
    let mut types = Vec::new();
    let mut values = Vec::new();
    for name in &statement.names {
        let found =
            given.iter().find(|given| given.get("name").and_then(Json::as_str) == Some(name));
        let found = found.ok_or_else(|| bad_request(&format!("Cannot find parameter: {name}")))?;
        let (ty, value) = parameter(found)
            .map_err(|(exception, message)| Exception(400, exception.to_owned(), message))?;
        types.push(ty);
        values.push(value);
    }
    // Preparing rejects multiple statements, like the Data API (SQLSTATE 42601).
    let prepared =
        client.prepare_typed(&statement.sql, &types).await.map_err(|error| database(&error))?;
    let values: Vec<&(dyn ToSql + Sync)> =
        values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    if prepared.columns().is_empty() {
        let updated = client.execute(&prepared, &values).await.map_err(|error| database(&error))?;
        return Ok(json!({ "numberOfRecordsUpdated": updated, "generatedFields": [] }));
    }
    let rows = client.query(&prepared, &values).await.map_err(|error| database(&error))?;
    let mut records = Vec::new();
    let mut size = 0;
    for row in &rows {
        let record: Vec<Json> =
            (0..row.len()).map(|at| field(row, at)).collect::<Result<_, _>>().map_err(
                |message| Exception(400, "UnsupportedResultException".to_owned(), message),
            )?;
        let length = Json::from(record.clone()).to_string().len();
        size += length;
        if length > ROW_MAX || size > RESPONSE_MAX {
            return Err(bad_request("Database response exceeded size limit"));
        }
        records.push(record);
    }
    Ok(json!({ "numberOfRecordsUpdated": 0, "records": records }))
}
