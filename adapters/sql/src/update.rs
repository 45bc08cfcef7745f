//! Updates of rows: reads the row, computes the change, and writes it with one statement that has an
//! effect only if the row is unchanged.
//!
//! A repetition by the same step has no effect. Its result is noted in `oms_effects`, also if the row
//! did not change, because a handler runs its steps again when an order is delivered again.

use oms_core::effects::{Call, StepError, Update, cause};
use oms_core::table::TableDef;
use oms_core::value::Value;

use crate::database::Database;
use crate::row;
use crate::statement::Statement;
use crate::versions::{compared, item, items};

/// Maximum number of times that the row is read. Each time, one of the concurrent writers succeeds,
/// so this is reached only if more writers than that change the row at the same moment.
const READS_MAX: usize = 100;

/// What was read before an update.
struct Current {
    version: i64,
    /// The result of the same step in an earlier attempt.
    earlier: Option<bool>,
    row: Option<Value>,
}

pub(crate) async fn run(
    database: &dyn Database,
    call: &Call,
    table: &TableDef,
    update: Update,
) -> Result<bool, StepError> {
    let item = item(table, update.key.iter());
    let of_stretch = call.reads.versions();
    for _ in 0..READS_MAX {
        let rows = database.run(&select(call, table, &update.key, &item)).await?;
        let current = current(call, table, rows.first().map(Vec::as_slice))?;
        if let Some(changed) = current.earlier {
            return Ok(changed);
        }
        let new = (update.change)(current.row.as_ref())?;
        let changed = new.is_some();
        let statement = match &new {
            Some(new) => write(call, table, &update, new, (&item, current.version)),
            None => note_unchanged(call, (&item, current.version)),
        };
        match database.run(&statement).await {
            // Another attempt of the step, or the deletion of the row, came first.
            Ok(rows) if rows.first().and_then(|row| row.first()?.as_deref()) != Some("1") => {}
            Ok(_) => {
                if changed {
                    call.reads.record_write(&item);
                } else {
                    call.reads.record_read(item, current.version);
                }
                return Ok(changed);
            }
            Err(error) if error.cause() != cause::CONTENTION => return Err(error),
            // The stretch depends on other rows, too, and one of them may have changed.
            Err(error) if !of_stretch.is_empty() => {
                call.reads.reject();
                return Err(error);
            }
            Err(_) => {}
        }
    }
    let message = format!("too many other transactions changed the same row of `{}`", table.name);
    Err(StepError::transient(cause::CONTENTION, message))
}

/// Returns the key under which an update is noted that did not change its row.
fn unchanged_key(call: &Call) -> String {
    format!("{}/unchanged", call.key)
}

/// Selects the version of the row, the note on an earlier attempt, and the row.
fn select(call: &Call, table: &TableDef, key: &[Value], item: &str) -> Statement {
    let statement = Statement::default()
        .sql("select (select cast(version as text) from oms_versions where item = ")
        .text(item)
        .sql("), (select max(key) from oms_effects where key in (")
        .text(&*call.key)
        .sql(", ")
        .text(unchanged_key(call))
        .sql(")), there, ");
    let statement = row::columns_as_text(statement, table)
        .sql(" from (select 1) one left join (select 'true' as there, * from ")
        .name(&table.name);
    with_key(statement.sql(" where "), table, key).sql(") found on true")
}

fn current(
    call: &Call,
    table: &TableDef,
    answer: Option<&[Option<String>]>,
) -> Result<Current, StepError> {
    let Some([version, earlier, there, found @ ..]) = answer else {
        return Err(StepError::transient(cause::UNAVAILABLE, "the database returned no row"));
    };
    let version = version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0);
    let row = there.as_ref().map(|_| row::read(table, found)).transpose()?;
    Ok(Current { version, earlier: earlier.as_deref().map(|key| key == &*call.key), row })
}

/// Adds the condition that a row has a key.
fn with_key(mut statement: Statement, table: &TableDef, key: &[Value]) -> Statement {
    for (at, (column, value)) in table.key_columns().zip(key).enumerate() {
        statement = statement.sql(if at == 0 { "" } else { " and " }).name(&column.name);
        statement = statement.sql(" = ").value(column.shape, value);
    }
    statement
}

/// Adds the note on the result of the step, as the part `first`. It has a row if the note is new.
fn with_note(statement: Statement, call: &Call, key: &str) -> Statement {
    statement
        .sql(", first as (insert into oms_effects (key, run, step) select ")
        .text(key)
        .sql(", ")
        .text(&*call.run.id)
        .sql(", ")
        .text(&*call.step)
}

const COUNT: &str = " select cast(count(*) as text) from first";

/// Notes that the row stays unchanged, if it still has the version that was read.
fn note_unchanged(call: &Call, (item, version): (&str, i64)) -> Statement {
    let statement = compared(items(call, Some((item.to_owned(), Some(version), 0))));
    with_note(statement, call, &unchanged_key(call))
        .sql(" from checked where unchanged on conflict (key) do nothing returning key)")
        .sql(COUNT)
}

/// Changes the row and notes the step, if the row exists and still has the version that was read.
fn write(
    call: &Call,
    table: &TableDef,
    update: &Update,
    new: &Value,
    (item, version): (&str, i64),
) -> Statement {
    let statement = compared(items(call, Some((item.to_owned(), Some(version), 1))));
    let statement = statement.sql(", existing as (select 1 from ").name(&table.name);
    let statement = with_key(statement.sql(" where "), table, &update.key).sql(" for update)");
    let statement = with_note(statement, call, &call.key)
        .sql(" from checked, existing where unchanged on conflict (key) do nothing returning key)")
        .sql(", written as (update ")
        .name(&table.name)
        .sql(" set ");
    let columns = update.columns.iter().filter_map(|at| table.columns.get(*at));
    let statement = columns.enumerate().fold(statement, |statement, (at, column)| {
        let statement = statement.sql(if at == 0 { "" } else { ", " }).name(&column.name);
        statement.sql(" = ").value(column.shape, row::field(new, column))
    });
    with_key(statement.sql(" from first where "), table, &update.key).sql(")").sql(COUNT)
}
