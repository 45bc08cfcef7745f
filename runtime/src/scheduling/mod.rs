//! The run loop: it accepts orders, drives runs concurrently, and resumes waiting runs when they
//! are due.

mod accept;
mod duplicates;
mod run_loop;
