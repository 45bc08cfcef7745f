//! The `oms` program with the shipped step kinds.

use std::process::ExitCode;

/// Runs allocate many small values on several threads. This allocator is faster at that than the
/// system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    oms_cli::main(oms_steps::ALL)
}
