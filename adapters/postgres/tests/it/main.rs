//! Tests of the tables on a PostgreSQL server that the test starts.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod failover;
mod tls;

use std::sync::Arc;

use oms_postgres::Postgres;
use oms_test_servers::{PASSWORD_ROLE, Server, all, find};

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_on_a_connection() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    all(Arc::new(Postgres::new(&server.address()).unwrap())).await;
}

#[tokio::test]
async fn an_unreachable_server_is_a_transient_error() {
    use oms_core::effects::{Class, cause};
    use oms_sql::{Database as _, Statement};
    let nobody = Postgres::new("postgresql://oms@127.0.0.1:1/postgres").unwrap();
    let error = nobody.run(&Statement::default().sql("select 1")).await.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Transient, cause::UNAVAILABLE));
    assert!(Postgres::new("no address").is_err());
}

#[tokio::test]
async fn a_role_logs_in_with_its_password_and_has_only_its_privileges() {
    use oms_core::effects::cause;
    use oms_sql::{Database as _, Grants, Statement, migrate, set_role};
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    let owner = Postgres::new(&server.address()).unwrap();
    migrate(&owner, std::iter::empty(), false).await.unwrap();
    let grants = Grants::from([("oms_branches".to_owned(), vec!["SELECT"])]);
    set_role(&owner, PASSWORD_ROLE, "a-pass.word", &grants, false).await.unwrap();
    let address =
        |password: &str| server.address().replace("oms@", &format!("{PASSWORD_ROLE}:{password}@"));
    let ask = async |password: &str, table: &str| {
        let role = Postgres::new(&address(password)).unwrap();
        role.run(&Statement::default().sql(&format!("select key from {table}"))).await
    };
    assert!(ask("a-pass.word", "oms_branches").await.unwrap().is_empty());
    for (password, table) in [("a-pass.word", "oms_claims"), ("another", "oms_branches")] {
        assert_eq!(ask(password, table).await.unwrap_err().cause(), cause::ENVIRONMENT, "{table}");
    }
}
