//! Project tasks: generating files, the checks of CI, tests with an editor, browser, server and AWS
//! Lambda, and benchmarks.
//!
//! `cargo xtask --help` lists the commands.

mod background;
mod browser;
mod cases;
mod check;
mod debian;
mod editor;
mod engine;
mod lambda;
mod mails;
mod npm;
mod passed;
mod serve;
mod time_zones;
mod workflows;

use std::process::ExitCode;

use clap::Parser;
use xtask::workspace::say;

/// Project tasks: checks, generated files and benchmarks
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Write the generated files: `schema/`, `docs/steps/` and `templates/lambda/Cargo.lock`
    Generate(engine::Args),
    Check(check::Args),
    Editor(editor::Args),
    /// Run every fuzz target for a few seconds
    Fuzz(engine::Args),
    Lambda(lambda::Args),
    Mails(mails::Args),
    Browser(browser::Args),
    Cases(cases::Args),
    /// Compare the validation of generated orders and order schemas with PyPI's jsonschema
    Schema(engine::Args),
    Serve(serve::Args),
    TimeZones(time_zones::Args),
    Workflows(workflows::Args),
    /// Measure runs of many orders and of single orders, and the limits of the machine
    Bench(engine::Args),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Generate(args) => engine::run("generate", &args),
        Command::Check(args) => check::run(&args),
        Command::Editor(args) => editor::run(&args),
        Command::Fuzz(args) => engine::run("fuzz", &args),
        Command::Lambda(args) => lambda::run(&args),
        Command::Mails(args) => mails::run(&args),
        Command::Browser(args) => browser::run(&args),
        Command::Cases(args) => cases::run(&args),
        Command::Schema(args) => engine::run("schema", &args),
        Command::Serve(args) => serve::run(&args),
        Command::TimeZones(args) => time_zones::run(&args),
        Command::Workflows(args) => workflows::run(&args),
        Command::Bench(args) => engine::run_optimized("bench", &args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
