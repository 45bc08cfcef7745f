//! Project tasks: generating files, the checks of CI, tests with an editor, browser, server and AWS
//! Lambda, and benchmarks.
//!
//! `cargo xtask --help` lists the commands.

mod bench;
mod browser;
mod cases;
mod check;
mod debian;
mod editor;
mod fuzz;
mod generate;
mod lambda;
mod mails;
mod npm;
mod passed;
mod python;
mod schema;
mod serve;
mod time_zones;
mod workflows;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// Project tasks: checks, generated files and benchmarks
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    Generate(generate::Args),
    Check(check::Args),
    Editor(editor::Args),
    Fuzz(fuzz::Args),
    Lambda(lambda::Args),
    Mails(mails::Args),
    Browser(browser::Args),
    Cases(cases::Args),
    Schema(schema::Args),
    Serve(serve::Args),
    TimeZones(time_zones::Args),
    Workflows(workflows::Args),
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Generate(args) => generate::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Editor(args) => editor::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Lambda(args) => lambda::run(&args),
        Command::Mails(args) => mails::run(&args),
        Command::Browser(args) => browser::run(&args),
        Command::Cases(args) => cases::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::TimeZones(args) => time_zones::run(&args),
        Command::Workflows(args) => workflows::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            workspace::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
