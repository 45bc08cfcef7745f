//! The command line of `oms`: arguments, commands and output. It contains no pipeline or run
//! logic.
//!
//! A program with its own step kinds passes them to [`main`]; see `examples/custom-kind`.

mod args;
mod check;
mod commands;
mod directory;
mod emails;
mod exit;
pub mod graph;
mod live;
mod orders;
mod output;
pub mod render;
mod runtime;
mod signals;
mod targets;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser as _;
use oms_engine::step::StepKind;

pub use directory::DirectoryFiles;
pub use render::kind_page;

/// Runs the program with these step kinds, on the arguments of the process.
pub fn main(kinds: &[StepKind]) -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::SUCCESS };
            // If the output is closed, the message is lost.
            let _unprinted = error.print();
            return ExitCode::from(code);
        }
    };
    directory::allow(args.allow_files);
    // A panic is a bug. Its message was printed, and the accepted orders are on disk.
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| args.command.run(kinds)));
    let Ok(outcome) = outcome else {
        output::message(
            "this is a bug in oms; run the command again to continue with the accepted orders",
        );
        return ExitCode::from(exit::BUG);
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if output::is_closed(&error) => ExitCode::from(exit::SUCCESS),
        Err(error) => {
            output::error(&error);
            ExitCode::from(exit::code_of(&error))
        }
    }
}
