//! Seeds: rows that are there from the start. They are loaded when their file changed: upserted by key, never deleting.

use std::sync::Arc;

use oms_engine::document::Files;
use oms_engine::plan::{Plan, read_row, row_lines};
use oms_engine::value::{Digest, Value};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use crate::column::bind;
use crate::error::Error;
use crate::tables::Statements;

/// Loads the seeds of a plan whose files changed since the last time.
pub(crate) fn load(connection: &Connection, plan: &Plan, files: &dyn Files) -> Result<(), Error> {
    for seed in plan.seeds() {
        // The check read the file a moment ago and found it right.
        let Ok(bytes) = files.read(&seed.path) else { continue };
        let name = format!("seed {}", seed.table.name);
        let digest = Digest::of(&bytes).to_string();
        let loaded: Option<String> = connection
            .query_row("select value from oms_meta where name = ?1", [&name], |row| row.get(0))
            .optional()?;
        if loaded.as_ref() == Some(&digest) {
            continue;
        }
        let transaction = connection.unchecked_transaction()?;
        {
            let mut statement = transaction.prepare(&Statements::new(&seed.table).upsert)?;
            let text = String::from_utf8_lossy(&bytes);
            for (_, line) in row_lines(&text) {
                let Ok(row) = read_row(&seed.table, line) else { continue };
                let record = row.as_record();
                let values = seed
                    .table
                    .columns
                    .iter()
                    .map(|column| {
                        record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null)
                    })
                    .chain([&Value::Null])
                    .map(bind);
                statement.execute(params_from_iter(values))?;
            }
        }
        transaction.execute(
            "insert into oms_meta (name, value) values (?1, ?2) on conflict (name) do update set value = excluded.value",
            params![name, digest],
        )?;
        transaction.commit()?;
    }
    Ok(())
}

/// Checks that the state belongs to this pipeline, or says so from now on.
pub(crate) fn claim(connection: &Connection, pipeline: &Arc<str>) -> Result<(), Error> {
    connection.execute(
        "insert into oms_meta (name, value) values ('pipeline', ?1) on conflict do nothing",
        [pipeline.as_ref()],
    )?;
    let owner: String =
        connection.query_row("select value from oms_meta where name = 'pipeline'", [], |row| {
            row.get(0)
        })?;
    if owner == pipeline.as_ref() { Ok(()) } else { Err(Error::OtherPipeline(owner)) }
}
