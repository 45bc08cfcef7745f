//! `oms keys`: the API keys of `oms serve`.

use clap::Subcommand;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::value::{format_quantity, format_timestamp};
use oms_sqlite::Keys;
use serde_json::{Value as Json, json};

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::render;
use crate::target::state::{Found, Target};

/// Add, list or revoke the API keys of `oms serve`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Create an API key and show it once
    ///
    /// The state contains only a digest of the key.
    ///
    /// Example: oms keys add pipelines/storefront.yaml shop
    Add {
        #[command(flatten)]
        target: Target,
        /// Permissions of the key
        #[arg(long, value_enum, default_value_t)]
        scope: Scope,
    },
    /// List the API keys
    ///
    /// Example: oms keys list pipelines/storefront.yaml
    List {
        #[command(flatten)]
        target: Target,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Revoke the API keys with an id or a name
    ///
    /// A running server rejects the keys after at most one second.
    ///
    /// Example: oms keys revoke pipelines/storefront.yaml shop
    Revoke {
        #[command(flatten)]
        target: Target,
    },
}

/// The permissions of a key.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
enum Scope {
    /// Send orders and read their state
    #[default]
    Intake,
    /// All permissions, including the console
    Admin,
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let now = SystemClock.now();
    match args.command {
        Command::Add { target, scope } => {
            let found = target.find()?;
            let scope = match scope {
                Scope::Intake => oms_sqlite::Scope::Intake,
                Scope::Admin => oms_sqlite::Scope::Admin,
            };
            let (key, secret) = Keys::of(&found.directory).add(word(&found)?, scope, now)?;
            output::answer(&format!("{secret}\n"))?;
            output::say(&format!(
                "this is the key `{}`; it is not shown again; send it in the header `X-Api-Key`",
                key.name
            ));
        }
        Command::List { target, format } => {
            let keys = Keys::of(&target.find()?.directory).read()?;
            match format {
                Format::Json => {
                    let keys: Vec<Json> = keys
                        .iter()
                        .map(|key| {
                            json!({
                                "id": key.id, "name": key.name, "scope": key.scope,
                                "created_at": format_timestamp(key.created_at),
                                "revoked_at": key.revoked_at.map(format_timestamp),
                            })
                        })
                        .collect();
                    output::json(&json!({ "format_version": 1, "keys": keys }))?;
                }
                Format::Human => {
                    let rows: Vec<Vec<String>> = keys
                        .iter()
                        .map(|key| {
                            let scope = match key.scope {
                                oms_sqlite::Scope::Intake => "intake",
                                oms_sqlite::Scope::Admin => "admin",
                            };
                            let until = key.revoked_at.map(|at| format!("revoked {at:.0}"));
                            let made = format!("{:.0}", key.created_at);
                            [&key.id, &key.name, scope, &made, &until.unwrap_or_default()]
                                .map(str::to_owned)
                                .into()
                        })
                        .collect();
                    output::answer(&render::table(&rows))?;
                }
            }
        }
        Command::Revoke { target } => {
            let found = target.find()?;
            let word = word(&found)?;
            let count = Keys::of(&found.directory).revoke(word, now)?;
            anyhow::ensure!(
                count > 0,
                "there is no valid key `{word}`; `oms keys list` lists all keys"
            );
            output::say(&format!("{} revoked", format_quantity(count as u64, "key")));
        }
    }
    Ok(exit::FINE)
}

fn word(found: &Found) -> anyhow::Result<&str> {
    let message = "specify the name of the key, such as `shop`";
    let word = found.words.first().map(String::as_str);
    word.ok_or_else(|| Usage(message.to_owned()).into())
}
