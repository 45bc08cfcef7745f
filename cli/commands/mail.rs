//! `oms mail`: the e-mails in the outbox.

mod export;
mod list;
mod show;

use clap::Subcommand;
use oms_engine::step::StepKind;

/// List, show or export e-mails
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Export(export::Args),
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::List(args) => list::run(args, kinds),
        Command::Show(args) => show::run(args, kinds),
        Command::Export(args) => export::run(args, kinds),
    }
}
