//! The `oms` program: the shipped step kinds and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    oms_cli::main(oms_steps::ALL)
}
