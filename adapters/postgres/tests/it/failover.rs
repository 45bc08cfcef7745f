//! Connections that break, as in a failover to another server.

use std::time::Duration;

use oms_core::effects::{Class, cause};
use oms_postgres::Postgres;
use oms_sql::{Database as _, Statement};
use oms_test_servers::{Server, find};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Number of connections that are open when the server fails.
const CONNECTIONS: usize = 4;

/// A timeout that a server on this machine never needs.
const LONG: Duration = Duration::from_secs(10);

fn select(sql: &str) -> Statement {
    Statement::default().sql(sql)
}

/// A proxy in front of a server. Its open connections can stop to respond without being closed, as
/// if the machine had lost power.
struct Proxy {
    port: u16,
    stalled: watch::Sender<()>,
}

impl Proxy {
    async fn in_front_of(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = server.port();
        let stalled = watch::Sender::new(());
        let signal = stalled.clone();
        tokio::spawn(async move {
            while let Ok((mut outer, _)) = listener.accept().await {
                let mut stalled = signal.subscribe();
                tokio::spawn(async move {
                    let mut inner = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut outer, &mut inner) => {}
                        // Both connections stay open.
                        _ = stalled.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, stalled }
    }

    /// Stalls all open connections. New ones work.
    fn stall(&self) {
        self.stalled.send_replace(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_stopped_responding_are_not_used_again() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    let proxy = Proxy::in_front_of(&server).await;
    let address = format!("postgresql://oms@127.0.0.1:{}/postgres", proxy.port);
    let database = std::sync::Arc::new(Postgres::new(&address).unwrap());
    let mut concurrent = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let database = std::sync::Arc::clone(&database);
        concurrent.spawn(async move {
            database.run(&select("select cast(pg_sleep(0.3) as text)")).await.unwrap();
        });
    }
    concurrent.join_all().await;

    proxy.stall();
    // The step's timeout cancels the statement.
    let statement = select("select 'an answer'");
    let first = tokio::time::timeout(Duration::from_millis(300), database.run(&statement)).await;
    assert!(first.is_err(), "{first:?}");
    // No other statement meets a stalled connection.
    for _ in 0..CONNECTIONS {
        let next = tokio::time::timeout(LONG, database.run(&statement)).await;
        assert_eq!(next.expect("a stalled connection was used").unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_became_read_only_is_connected_to_again() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    let owner = Postgres::new(&server.address()).unwrap();
    let database = Postgres::new(&server.address()).unwrap();
    owner.run(&select("create table orders (key text)")).await.unwrap();
    // The setting is for new connections.
    owner.run(&select("alter role oms set default_transaction_read_only = on")).await.unwrap();
    let insert = select("insert into orders values ('A') returning key");
    let error = database.run(&insert).await.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Transient, cause::UNAVAILABLE), "{error}");
    owner.run(&select("alter role oms reset default_transaction_read_only")).await.unwrap();
    assert_eq!(database.run(&insert).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_probed_within_thirty_seconds() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    let database = Postgres::new(&server.address()).unwrap();
    database.run(&select("select 'an answer'")).await.unwrap();
    // The timer 2 is the keepalive timer. Linux shows its remaining time in hundredths of a second.
    let remote = format!("0100007F:{:04X}", server.port());
    let mut remaining = None;
    for _ in 0..100 {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        remaining = table.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let timer = fields.get(5)?.strip_prefix("02:")?;
            (fields[2] == remote).then(|| u64::from_str_radix(timer, 16).unwrap())
        });
        if remaining.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let remaining = remaining.expect("a connection with a keepalive timer");
    assert!(remaining <= 30 * 100, "{remaining}");
}
