//! Integration tests: the program as users run it, on valid, invalid and hostile data.
//!
//! Tests on the large collections of orders and of bad input need `OMS_SHARED`, a folder that
//! contains them as `data/`. Without it, these tests report that they were skipped.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stderr, reason = "a test reports why it was skipped")]

mod architecture;
mod aws;
mod cases;
mod cel;
mod cli;
mod console;
mod corpus;
mod crash;
mod customer;
mod diagnostics;
mod documents;
mod dropped;
mod durable;
mod export;
mod foreign_mails;
mod generate;
mod harness;
mod hostile;
mod inline_writer;
mod isolation;
mod keeping;
mod mails;
mod money;
mod order_schema;
mod origin;
mod panics;
mod postgres;
mod property;
mod read_again;
mod sarif;
mod serve;
mod smtp;
mod steps;
mod targets;
mod upgrade;
