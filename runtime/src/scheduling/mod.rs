//! The run loop: orders are accepted, runs are driven side by side, and waiting runs are resumed when they are due.

mod accept;
mod duplicates;
mod run_loop;
