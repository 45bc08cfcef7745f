//! `oms db backup`: backs up the state.

use std::path::Path;

use oms_sqlite::backup;

use crate::exit;
use crate::output;
use crate::targets::state::StateArgs;

/// Back up the state to a file, even while a server uses it
///
/// Restore it with `oms db restore`.
///
/// Example: oms db backup pipelines/storefront.yaml storefront.db
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let Args { target } = args;
    let found = target.find()?;
    let path = found.first_argument("specify the file for the backup")?;
    backup(&found.directory, Path::new(path))?;
    output::message(&format!("backed up `{}` to `{path}`", found.directory.display()));
    Ok(exit::SUCCESS)
}
