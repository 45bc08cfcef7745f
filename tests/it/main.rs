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
mod crash;
mod csv;
mod customer;
mod diagnostics;
mod documents;
mod durability;
mod export;
mod failures;
mod generate;
mod harness;
mod inline_writer;
mod invalid_orders;
mod isolation;
mod mails;
mod maintenance;
mod money;
mod order_schema;
mod original_system;
mod panics;
mod parser_corpus;
mod postgres;
mod property;
mod row_members;
mod row_refresh;
mod sarif;
mod serve;
mod services;
mod settings;
mod smtp;
mod step_result;
mod steps;
mod table_update;
mod third_party_mails;
mod upgrade;
mod watched_folder;
mod webhooks;
mod write_conflicts;
