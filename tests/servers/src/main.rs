//! The strict RDS Data API as a process, for tests that are not written in Rust.

use std::collections::BTreeMap;

use oms_test_servers::{DataApi, Settings};

/// Answer as the RDS Data API on a PostgreSQL database
#[derive(clap::Parser)]
struct Args {
    /// The address of the database
    #[arg(long)]
    address: String,
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
    let _listening = DataApi::listen(Settings { address, cluster, secrets }, port).await?;
    tokio::signal::ctrl_c().await
}
