//! The arguments as a whole.

use clap::{Parser, Subcommand};

use crate::commands::{
    completions, db, explain, forget, generate, graph, keys, mail, objects, render_email, run,
    runs, schema, serve, steps, validate,
};

/// Runs order pipelines: one YAML file, proven right before anything runs, executed durably
#[derive(Parser, Debug)]
#[command(name = "oms", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
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
