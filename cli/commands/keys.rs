//! `oms keys`: the API keys of `oms serve`.

mod add;
mod list;
mod revoke;

use clap::Subcommand;

use crate::targets::state::ResolvedState;

/// Add, list or revoke the API keys of `oms serve`
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Add(add::Args),
    List(list::Args),
    Revoke(revoke::Args),
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    match args.command {
        Command::Add(args) => add::run(args),
        Command::List(args) => list::run(args),
        Command::Revoke(args) => revoke::run(args),
    }
}

fn name(found: &ResolvedState) -> anyhow::Result<&str> {
    found.first_argument("specify the name of the key, such as `shop`")
}
