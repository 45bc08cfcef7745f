//! `oms keys add`: creates an API key.

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_sqlite::Keys;

use crate::exit;
use crate::output;
use crate::targets::state::StateArgs;

/// Create an API key and show it once
///
/// The state contains only a digest of the key.
///
/// Example: oms keys add pipelines/storefront.yaml shop
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Permissions of the key
    #[arg(long, value_enum, default_value_t)]
    scope: Scope,
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
    let Args { target, scope } = args;
    let found = target.find()?;
    let scope = match scope {
        Scope::Intake => oms_sqlite::Scope::Intake,
        Scope::Admin => oms_sqlite::Scope::Admin,
    };
    let (key, secret) =
        Keys::of(&found.directory).add(super::name(&found)?, scope, SystemClock.now())?;
    output::result(&format!("{secret}\n"))?;
    output::message(&format!(
        "save the API key `{}` now, because it is not shown again; send it in the header `X-Api-Key`",
        key.name
    ));
    Ok(exit::SUCCESS)
}
