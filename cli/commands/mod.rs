//! The commands, one file each.

pub(crate) mod completions;
pub(crate) mod db;
pub(crate) mod explain;
pub(crate) mod forget;
pub(crate) mod generate;
pub(crate) mod graph;
pub(crate) mod keys;
pub(crate) mod mail;
pub(crate) mod objects;
pub(crate) mod render_email;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod steps;
pub(crate) mod validate;

use oms_engine::step::StepKind;

use crate::args::Command;

/// Runs a command and returns its exit code.
pub(crate) fn dispatch(command: Command, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match command {
        Command::Run(args) => run::run(args, kinds),
        Command::Serve(args) => serve::run(args, kinds),
        Command::Validate(args) => validate::run(args, kinds),
        Command::RenderEmail(args) => render_email::run(args, kinds),
        Command::Runs(args) => runs::run(args, kinds),
        Command::Objects(args) => objects::run(args, kinds),
        Command::Mail(args) => mail::run(args, kinds),
        Command::Forget(args) => forget::run(args, kinds),
        Command::Keys(args) => keys::run(args),
        Command::Db(args) => db::run(args, kinds),
        Command::Generate(args) => generate::run(args, kinds),
        Command::Graph(args) => graph::run(args, kinds),
        Command::Schema(args) => schema::run(args, kinds),
        Command::Steps(args) => steps::run(args, kinds),
        Command::Explain(args) => explain::run(args),
        Command::Completions(args) => completions::run(args),
    }
}

/// The output format.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text
    #[default]
    Human,
    /// One JSON object with a `format_version`
    Json,
}
