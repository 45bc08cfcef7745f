//! The `oms` program: the shipped step kinds and nothing else.

use std::process::ExitCode;

/// Runs allocate many small values on several threads, which this allocator does quicker than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    oms_cli::main(oms_steps::ALL)
}
