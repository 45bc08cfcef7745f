//! `oms objects`: the stored objects.

mod export;
mod get;
mod list;

use clap::Subcommand;
use oms_engine::step::StepKind;

/// List, read or export the stored objects
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    List(list::Args),
    Get(get::Args),
    Export(export::Args),
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::List(args) => list::run(args, kinds),
        Command::Get(args) => get::run(args, kinds),
        Command::Export(args) => export::run(args, kinds),
    }
}
