//! The strict RDS Data API as a process, for tests that are not written in Rust.

use std::collections::BTreeMap;
use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};

use oms_test_servers::{DataApi, Server, Settings, find};

/// Answer as the RDS Data API on a PostgreSQL database
#[derive(clap::Parser)]
struct Args {
    /// The address of the database; without it a server of its own is started
    #[arg(long)]
    address: Option<String>,
    /// The port of loopback to listen on
    #[arg(long)]
    port: u16,
    /// The cluster's ARN
    #[arg(long)]
    cluster: String,
    /// A secret's ARN, and behind `=` the role that its holder works as
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
    // For whoever wants to ask the database past this server.
    writeln!(std::io::stdout(), "ready {address}")?;
    let _listening = DataApi::listen(Settings { address, cluster, secrets }, port).await?;
    // Ended either way, the database of its own goes with it.
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}
