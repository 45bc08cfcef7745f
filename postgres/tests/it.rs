//! The tables on a PostgreSQL server of the test's own.

use std::sync::Arc;

use oms_postgres::Postgres;
use oms_test_servers::{Server, all, find};

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_on_a_connection() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    all(Arc::new(Postgres::new(&server.address()).unwrap())).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    use oms_engine::effects::{Class, cause};
    use oms_sql::{Database as _, Statement};
    let nobody = Postgres::new("postgresql://oms@127.0.0.1:1/postgres").unwrap();
    let error = nobody.run(&Statement::default().sql("select 1")).await.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Transient, cause::UNAVAILABLE));
    assert!(Postgres::new("no address").is_err());
}
