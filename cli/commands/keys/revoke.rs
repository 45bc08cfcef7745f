//! `oms keys revoke`: revokes API keys.

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::value::format_quantity;
use oms_sqlite::Keys;

use crate::exit;
use crate::output;
use crate::targets::state::StateArgs;

/// Revoke API keys by id or name
///
/// A running server rejects the keys after at most one second.
///
/// Example: oms keys revoke pipelines/storefront.yaml shop
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let Args { target } = args;
    let found = target.find()?;
    let word = super::name(&found)?;
    let count = Keys::of(&found.directory).revoke(word, SystemClock.now())?;
    anyhow::ensure!(
        count > 0,
        "no active key has the id or name `{word}`; `oms keys list` lists all keys"
    );
    output::message(&format!("{} revoked", format_quantity(count as u64, "key")));
    Ok(exit::SUCCESS)
}
