//! `table.upsert`: adds a row or replaces the row with the same key.

use std::sync::Arc;

use oms_engine::effects::StepError;
use oms_engine::step::{Faults, PlanContext, Planned, Step, StepContext, Verb, WrittenItem};
use oms_engine::table::TableDef;
use oms_engine::value::{NoOutput, Value};

use crate::columns::{self, MissingValue};
use crate::members;
use crate::table_insert;
use crate::unique;

/// Adds a row to a table or replaces the row with the same key.
///
/// If several orders or steps write the same key, the last write wins. Two elements of a step must
/// not write the same key. The new row replaces the whole existing row, so it needs a value for
/// every column. Use `null` to clear a column.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Config(table_insert::Config);

/// The planned step.
pub struct TableUpsert {
    table: Arc<TableDef>,
}

impl Step for TableUpsert {
    const NAME: &'static str = "table.upsert";
    type Config = Config;
    type Input = Value;
    type Output = NoOutput;

    fn plan(Config(config): Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let Some(table) = cx.table("table", &config.table) else {
            return cx.finish().and(Err(Vec::new()));
        };
        let members = members::compile(config.from.as_ref(), cx);
        if config.from.is_some() && members.is_none() {
            return cx.finish().and(Err(Vec::new()));
        }
        let (row, columns) = (("row", &config.row), table.columns.iter());
        let values = columns::compile(row, columns, MissingValue::Rejected, members.as_ref(), cx);
        if let Some((what, at, key)) = columns::key(&table, &config.row, &values) {
            unique::check_elements(&what, at, &key, cx);
        }
        let input = cx.finish()?;
        Ok(columns::plan_of_write(Verb::Upsert, input, &table, Self { table: Arc::clone(&table) }))
    }

    fn written_item(&self, input: &Value) -> Option<WrittenItem> {
        // A row that does not match its table is not written.
        columns::row(&self.table, input).ok().map(|row| WrittenItem::row(&self.table, &row))
    }

    async fn run(&self, cx: &StepContext<'_>, input: Value) -> Result<NoOutput, StepError> {
        let row = columns::row(&self.table, &input)?;
        cx.effects.tables().upsert(cx.call, &self.table, row).await?;
        Ok(NoOutput)
    }
}
