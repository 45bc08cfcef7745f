//! The strict RDS Data API as a process, for tests that are not written in Rust.

use std::collections::BTreeMap;
use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};

use oms_test_servers::{DataApi, Server, Settings, find};

/// Serve the RDS Data API on a PostgreSQL database
#[derive(clap::Parser)]
struct Args {
    /// Address of the database; without it, a private server is started
    #[arg(long)]
    address: Option<String>,
    /// Loopback port to listen on
    #[arg(long)]
    port: u16,
    /// ARN of the cluster
    #[arg(long)]
    cluster: String,
    /// ARN of a secret, optionally with `=` and the role for it
    #[arg(long)]
    secret: Vec<String>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let Args { address, port, cluster, secret } = clap::Parser::parse();
    let secrets: BTreeMap<String, Option<String>> = secret
        .iter()
        .map(|secret| match secret.split_once('=') {
            Some((secret, role)) => (secret.to_owned(), Some(role.to_owned())),
            None => (secret.clone(), None),
        })
        .collect();
    let server = match &address {
        Some(_) => None,
        None => find().map(|programs| Server::start(&programs)),
    };
    let address = address.or_else(|| server.as_ref().map(Server::address));
    let address = address.ok_or_else(|| std::io::Error::other("PostgreSQL is not installed"))?;
    let _listening =
        DataApi::listen(Settings { address: address.clone(), cluster, secrets }, port).await?;
    // The address lets tests access the database without this server.
    writeln!(std::io::stdout(), "ready {address}")?;
    // Either signal ends the process and the private database with it.
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}
