//! The tasks of `cargo xtask` that use the engine. `cargo xtask` builds and runs this program.

mod bench;
mod fuzz;
mod generate;
mod schema;

use std::process::ExitCode;

use clap::Parser;
use xtask::workspace::say;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    Generate(generate::Args),
    Fuzz(fuzz::Args),
    Schema(schema::Args),
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Generate(args) => generate::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
