//! `oms db restore`: replaces the state with a backup.

use std::path::Path;

use oms_engine::effects::cause;
use oms_engine::value::format_quantity;
use oms_sqlite::{Restored, restore};

use crate::exit;
use crate::output;
use crate::targets::state::{StateArgs, name};

/// Replace the state with a backup, and move the current files to a folder
///
/// The backup does not contain orders that were accepted later. Runs that were in progress or
/// waiting at the time of the backup are parked with the cause `restored`, because their e-mails
/// may have been sent since. Retry them with `oms runs retry`.
///
/// Example: oms db restore pipelines/storefront.yaml storefront.db
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let Args { target } = args;
    let found = target.find()?;
    let path = found.first_argument("specify the backup file")?;
    let name = found.pipeline.as_deref().map(name).transpose()?;
    let Restored { parked, before } = restore(&found.directory, Path::new(path), name.as_deref())?;
    output::message(&format!("restored `{path}` to `{}`", found.directory.display()));
    if let Some(before) = before {
        output::message(&format!("the previous files are in `{}`", before.display()));
    }
    if parked > 0 {
        let runs = format_quantity(parked as u64, "run");
        output::message(&format!(
            "{runs} parked, because e-mails may have been sent after the backup; list with: oms runs list {} --cause {}",
            found.shown(),
            cause::RESTORED
        ));
    }
    Ok(exit::SUCCESS)
}
