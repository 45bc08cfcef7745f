//! The command-line arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

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
