//! The command-line arguments.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};
use oms_engine::step::StepKind;

use crate::commands::{
    completions, db, explain, forget, generate, graph, keys, mail, objects, render_email, run,
    runs, schema, serve, steps, validate,
};

/// Workflow engine for orders: validates pipeline files and runs orders durably
#[derive(Parser, Debug)]
#[command(name = "oms", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Allow pipelines to use files in this folder, outside the project
    ///
    /// The project is the nearest parent folder with `.git`, or else the working directory.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) allow_files: Vec<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Run(run::Args),
    Serve(serve::Args),
    Validate(validate::Args),
    RenderEmail(render_email::Args),
    Runs(runs::Args),
    Objects(objects::Args),
    Mail(mail::Args),
    Forget(forget::Args),
    Keys(keys::Args),
    Db(db::Args),
    Generate(generate::Args),
    Graph(graph::Args),
    Schema(schema::Args),
    Steps(steps::Args),
    Explain(explain::Args),
    Completions(completions::Args),
}

impl Command {
    /// Runs the command and returns its exit code.
    pub(crate) fn run(self, kinds: &[StepKind]) -> anyhow::Result<u8> {
        match self {
            Self::Run(args) => run::run(args, kinds),
            Self::Serve(args) => serve::run(args, kinds),
            Self::Validate(args) => validate::run(args, kinds),
            Self::RenderEmail(args) => render_email::run(args, kinds),
            Self::Runs(args) => runs::run(args, kinds),
            Self::Objects(args) => objects::run(args, kinds),
            Self::Mail(args) => mail::run(args, kinds),
            Self::Forget(args) => forget::run(args, kinds),
            Self::Keys(args) => keys::run(args),
            Self::Db(args) => db::run(args, kinds),
            Self::Generate(args) => generate::run(args, kinds),
            Self::Graph(args) => graph::run(args, kinds),
            Self::Schema(args) => schema::run(args, kinds),
            Self::Steps(args) => steps::run(args, kinds),
            Self::Explain(args) => explain::run(args),
            Self::Completions(args) => completions::run(args, &mut Args::command()),
        }
    }
}
