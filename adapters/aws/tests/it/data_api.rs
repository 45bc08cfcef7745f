//! Tests of the tables through a strict RDS Data API on a real PostgreSQL server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_rdsdata::config::Credentials;
use oms_aws::{Cluster, DataApi, Session};
use oms_core::effects::{Class, cause};
use oms_sql::{Database as _, Statement};
use oms_test_servers::{Server, Settings, all, find};

const CLUSTER: &str = "arn:aws:rds:eu-central-1:123456789012:cluster:oms";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:oms";

/// Returns a server, the Data API on it, and a client of the API, or `None` if PostgreSQL is not
/// installed.
async fn started() -> Option<(Server, oms_test_servers::DataApi, DataApi)> {
    let programs = find()?;
    let server = Server::start(&programs);
    let secrets = BTreeMap::from([(SECRET.to_owned(), None)]);
    let settings = Settings { address: server.address(), cluster: CLUSTER.to_owned(), secrets };
    let api = oms_test_servers::DataApi::listen(settings, 0).await.unwrap();
    let client = client(&api, SECRET).await;
    Some((server, api, client))
}

async fn client(api: &oms_test_servers::DataApi, secret: &str) -> DataApi {
    let credentials = Credentials::new("tests", "tests", None, None, "tests");
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(api.endpoint())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials);
    let session = Session::of(loader).await;
    let cluster = Cluster {
        cluster: CLUSTER.to_owned(),
        secret: secret.to_owned(),
        database: "postgres".to_owned(),
        resume_max: Duration::from_secs(5),
    };
    DataApi::new(&session, cluster)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_through_the_data_api() {
    let Some((_server, _api, client)) = started().await else { return };
    all(Arc::new(client)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_waits_for_a_resuming_cluster() {
    let Some((_server, api, database)) = started().await else { return };
    let one = Statement::default().sql("select 'x'");
    api.resume_in(Duration::from_millis(1500)).await;
    assert_eq!(database.run(&one).await.unwrap(), [[Some("x".to_owned())]]);
    api.resume_in(Duration::from_secs(600)).await;
    let error = database.run(&one).await.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Transient, cause::UNAVAILABLE));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_service_are_classified() {
    let Some((_server, api, database)) = started().await else { return };
    let one = Statement::default().sql("select 'x'");
    for (status, exception, class, wanted) in [
        (400, "StatementTimeoutException", Class::Transient, cause::UNAVAILABLE),
        (400, "InvalidResourceStateException", Class::Transient, cause::UNAVAILABLE),
        (403, "ForbiddenException", Class::Transient, cause::ENVIRONMENT),
        (400, "AccessDeniedException", Class::Transient, cause::ENVIRONMENT),
        (400, "ValidationException", Class::Permanent, cause::REFUSED),
    ] {
        api.fail_next(status, exception).await;
        let error = database.run(&one).await.unwrap_err();
        assert_eq!((error.class(), error.cause()), (class, wanted), "{exception}");
    }
    // The SDK retries these exceptions itself.
    for exception in ["ThrottlingException", "InternalServerErrorException"] {
        api.fail_next(500, exception).await;
        assert!(database.run(&one).await.is_ok(), "{exception}");
    }
    let stranger =
        client(&api, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none").await;
    assert_eq!(stranger.run(&one).await.unwrap_err().cause(), cause::ENVIRONMENT);
}
