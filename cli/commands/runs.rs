//! `oms runs`: list, show, retry, cancel and prune runs.

mod answers;
mod cancel;
mod list;
mod prune;
mod retry;
mod show;

use clap::Subcommand;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_engine::value::format_timestamp;
use oms_sqlite::RunRow;
use serde_json::{Value as Json, json};

/// List, show, retry, cancel or prune runs
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Retry(retry::Args),
    Cancel(cancel::Args),
    Prune(prune::Args),
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::List(args) => list::run(args, kinds),
        Command::Show(args) => show::run(args, kinds),
        Command::Retry(args) => retry::run(args, kinds),
        Command::Cancel(args) => cancel::run(args, kinds),
        Command::Prune(args) => prune::run(args, kinds),
    }
}

fn listed(run: &RunRow) -> Json {
    json!({
        "key": run.key,
        "state": run.state,
        "accepted_at": format_timestamp(run.accepted_at),
        "updated_at": format_timestamp(run.updated_at),
        "wait_until": run.wait_until.map(format_timestamp),
        "cause": run.cause,
        "caught": run.caught,
    })
}

/// Returns why a run is parked, the time of its next attempt, or the failures that were caught in
/// it.
fn note(run: &RunRow) -> String {
    let cause = run.cause.as_deref().unwrap_or_default();
    match (run.state, run.wait_until) {
        (RunState::Waiting, Some(until)) => format!("next attempt at {until:.0}"),
        (RunState::Completed, _) if run.caught > 0 => format!("caught: {} ({cause})", run.caught),
        _ => cause.to_owned(),
    }
}
