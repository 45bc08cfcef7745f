//! The command line against AWS services over TLS.

#![cfg(feature = "aws")]

use std::collections::BTreeMap;

use oms_test_servers::{DataApi, Server, Settings, Tls, find};

use crate::harness::{Output, Scratch, command, finish, root};

const CLUSTER: &str = "arn:aws:rds:us-east-1:000000000000:cluster:oms";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:oms";

#[test]
fn services_are_called_over_tls_and_only_with_a_trusted_certificate() {
    let Some(programs) = find() else { return };
    let scratch = Scratch::new();
    let server = Server::start(&programs);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let secrets = BTreeMap::from([(SECRET.to_owned(), None)]);
    let settings = Settings { address: server.address(), cluster: CLUSTER.to_owned(), secrets };
    let api = runtime.block_on(DataApi::listen(settings, 0)).unwrap();
    let tls = runtime.block_on(Tls::in_front_of(api.address())).unwrap();
    let resources = serde_json::json!({ "cluster": CLUSTER, "secret": SECRET, "database": "oms" });
    let resources = scratch.write("resources.json", resources.to_string());
    let migrate = |trusted: bool| -> Output {
        let mut command = command();
        command.args(["db", "migrate"]).arg(root().join("pipelines/storefront.yaml"));
        command.args(["--target", "aws", "--resources"]).arg(&resources);
        command.env("AWS_ENDPOINT_URL", tls.endpoint()).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        if trusted {
            command.env("SSL_CERT_FILE", tls.authority());
        }
        finish(&mut command)
    };
    let refused = migrate(false).exits(4);
    assert!(refused.stderr.contains("does not respond"), "{}", refused.stderr);
    assert_eq!(api.calls(), 0);
    let done = migrate(true).exits(0);
    assert!(done.stderr.contains("billing_data"), "{}", done.stderr);
    assert!(api.calls() > 0);
}
