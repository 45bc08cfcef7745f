//! Reads the orders of an invocation of `oms run`, and reports their outcomes.

pub(crate) mod csv;
pub(crate) mod csv_columns;
pub(crate) mod input;
pub(crate) mod progress;
pub(crate) mod rejections;
pub(crate) mod summary;
pub(crate) mod tally;
pub(crate) mod wait_messages;
pub(crate) mod watched_folder;
