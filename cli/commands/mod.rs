//! The commands, one file each.

pub(crate) mod completions;
pub(crate) mod db;
pub(crate) mod explain;
pub(crate) mod forget;
pub(crate) mod generate;
pub(crate) mod graph;
pub(crate) mod keys;
pub(crate) mod mail;
pub(crate) mod objects;
pub(crate) mod render_email;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod steps;
pub(crate) mod validate;
