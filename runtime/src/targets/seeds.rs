//! The seed files of a plan.

use std::sync::Arc;

use oms_engine::document::Files;
use oms_engine::plan::{Plan, read_row, row_lines};
use oms_engine::value::Digest;
use oms_sqlite::SeedFile;

/// Returns the seed files of a plan.
pub(crate) fn files(plan: &Plan, files: &dyn Files) -> Vec<SeedFile> {
    let seed = |seed: &oms_engine::plan::Seed| {
        // The checker has just read this file successfully.
        let bytes = files.read(&seed.path).ok()?;
        let table = Arc::clone(&seed.table);
        Some(SeedFile {
            table: Arc::clone(&seed.table),
            digest: Digest::of(&bytes),
            rows: Box::new(move || {
                let text = String::from_utf8_lossy(&bytes);
                row_lines(&text).filter_map(|(_, line)| read_row(&table, line).ok()).collect()
            }),
        })
    };
    plan.seeds().iter().filter_map(seed).collect()
}
