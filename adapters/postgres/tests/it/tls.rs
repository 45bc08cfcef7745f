//! TLS: which servers `sslmode` accepts, and what the errors say.

use oms_core::effects::{Class, StepError, cause};
use oms_postgres::{ConnectError, Postgres};
use oms_sql::{Database as _, Grants, Rows, Statement, migrate, set_role};
use oms_test_servers::{PASSWORD_ROLE, Server, TLS_ROLE, find};

/// Asks whether the connection uses TLS.
async fn uses_tls(address: &str) -> Result<Rows, StepError> {
    let sql = "select cast(ssl as text) from pg_stat_ssl where pid = pg_backend_pid()";
    Postgres::new(address).unwrap().run(&Statement::default().sql(sql)).await
}

#[track_caller]
fn accepted(answer: Result<Rows, StepError>, tls: &str) {
    assert_eq!(answer.unwrap(), [[Some(tls.to_owned())]]);
}

/// Checks that an operator has to fix the connection, and that the message says how.
#[track_caller]
fn refused(answer: Result<Rows, StepError>, parts: &[&str]) {
    let error = answer.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Transient, cause::ENVIRONMENT), "{error}");
    let source = std::error::Error::source(&error).and_then(|error| error.source());
    let message = format!("{error}: {}", source.map(ToString::to_string).unwrap_or_default());
    for part in parts {
        assert!(message.contains(part), "{message}");
    }
}

/// Writes the certificate of an authority that signed nothing.
fn other_authority(folder: &tempfile::TempDir) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let path = folder.path().join("other.pem");
    std::fs::write(&path, made.cert.pem()).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_certificate_is_verified_as_far_as_the_mode_requires() {
    let Some(programs) = find() else { return };
    let server = Server::with_tls(&programs);
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (server.authority().display().to_string(), other_authority(&folder));
    let named = |mode: &str| format!("{}?sslmode={mode}", server.named_address());
    let numbered = |mode: &str| format!("{}?sslmode={mode}", server.address());

    accepted(uses_tls(&format!("{}&sslrootcert={own}", named("verify-full"))).await, "true");
    let issuer = ["no trusted certificate", "set `sslrootcert`"];
    refused(uses_tls(&named("verify-full")).await, &issuer);
    refused(uses_tls(&format!("{}&sslrootcert={other}", named("verify-full"))).await, &issuer);
    let name = ["another host name", "127.0.0.1", "localhost", "use a host name"];
    refused(uses_tls(&format!("{}&sslrootcert={own}", numbered("verify-full"))).await, &name);
    // The IP address of the server, and the name in its certificate.
    let port = server.port();
    let both = format!(
        "host=localhost hostaddr=127.0.0.1 port={port} user=oms dbname=postgres sslmode=verify-full sslrootcert='{own}'"
    );
    accepted(uses_tls(&both).await, "true");

    accepted(uses_tls(&format!("{}&sslrootcert={own}", numbered("verify-ca"))).await, "true");
    refused(uses_tls(&format!("{}&sslrootcert={other}", numbered("verify-ca"))).await, &issuer);
    accepted(uses_tls(&numbered("require")).await, "true");
    refused(uses_tls(&format!("{}&sslrootcert={other}", numbered("require"))).await, &issuer);
    accepted(uses_tls(&numbered("disable")).await, "false");
}

#[tokio::test]
async fn loopback_addresses_and_sockets_do_not_use_tls_by_default() {
    let Some(programs) = find() else { return };
    let server = Server::with_tls(&programs);
    let socket = server.socket_address();
    for address in [server.address(), server.named_address(), socket.clone()] {
        accepted(uses_tls(&address).await, "false");
    }
    accepted(uses_tls(&format!("{socket} sslmode=verify-full")).await, "false");
}

#[tokio::test]
async fn a_server_without_tls_is_not_used_with_it() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    for mode in ["verify-full", "require"] {
        let address = format!("{}?sslmode={mode}", server.named_address());
        refused(uses_tls(&address).await, &["does not support TLS", "`sslmode=disable`"]);
    }
}

#[tokio::test]
async fn a_server_that_requires_tls_is_not_used_without_it() {
    let Some(programs) = find() else { return };
    let server = Server::with_tls(&programs);
    let address = server.address().replace("oms@", &format!("{TLS_ROLE}@"));
    refused(uses_tls(&address).await, &["28000", "`sslmode=verify-full`"]);
    // A socket never uses TLS.
    let socket = server.socket_address().replace("user=oms", &format!("user={TLS_ROLE}"));
    let error = uses_tls(&socket).await.unwrap_err();
    assert_eq!(error.cause(), cause::ENVIRONMENT, "{error}");
    assert!(!error.message().contains("sslmode"), "{error}");
}

#[tokio::test]
async fn a_password_is_bound_to_the_tls_connection() {
    let Some(programs) = find() else { return };
    let server = Server::with_tls(&programs);
    let owner = Postgres::new(&server.address()).unwrap();
    migrate(&owner, std::iter::empty(), false).await.unwrap();
    set_role(&owner, PASSWORD_ROLE, "a-pass.word", &Grants::default(), false).await.unwrap();
    let address = |mode: &str| {
        let address = server.address().replace("oms@", &format!("{PASSWORD_ROLE}:a-pass.word@"));
        format!("{address}?channel_binding=require&sslmode={mode}")
    };
    accepted(uses_tls(&address("require")).await, "true");
    refused(uses_tls(&address("disable")).await, &["cannot log in", "channel binding"]);
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_reported_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, content: Option<&str>| {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let address = format!("postgresql://db.example.com/shop?sslrootcert={}", path.display());
        Postgres::new(&address).err().unwrap()
    };
    let missing = open("missing.pem", None);
    assert!(matches!(missing, ConnectError::Roots { .. }), "{missing}");
    assert!(missing.to_string().contains("missing.pem"), "{missing}");
    assert!(matches!(open("empty.pem", Some("no certificate")), ConnectError::NoRoots(_)));
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(open("damaged.pem", Some(damaged)), ConnectError::Roots { .. }));
}
