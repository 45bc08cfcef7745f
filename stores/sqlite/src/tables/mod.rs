//! The pipeline's own tables: their definition, their rows, seeds, and the erasure of personal
//! data.

pub(crate) mod column;
pub(crate) mod definition;
pub(crate) mod erase;
pub mod erasure;
pub(crate) mod rows;
mod seed_rows;
pub(crate) mod seeds;

pub use definition::migrate;
pub use rows::{count_rows, export_rows, import_rows, row_like};
pub use seeds::{SeedFile, SkippedSeed};
