//! `table.upsert`: adds a row, or replaces the one with its key.

use std::sync::Arc;

use oms_engine::effects::StepError;
use oms_engine::step::{Faults, PlanContext, Planned, Step, StepContext, Verb};
use oms_engine::table::TableDef;
use oms_engine::value::{Nothing, Value};

use crate::columns;
use crate::table_insert;

/// Adds a row to a table, or replaces the one with its key.
///
/// Of several orders that write the same key the last one stands.
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
    type Output = Nothing;

    fn plan(Config(config): Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let Some(table) = cx.table("table", &config.table) else {
            return cx.finish().and(Err(Vec::new()));
        };
        columns::compile("row", &config.row, table.columns.iter(), cx);
        let input = cx.finish()?;
        Ok(columns::planned(Verb::Upsert, input, &table, Self { table: Arc::clone(&table) }))
    }

    async fn run(&self, cx: &StepContext<'_>, input: Value) -> Result<Nothing, StepError> {
        let row = columns::row(&self.table, &input)?;
        cx.effects.tables().upsert(cx.call, &self.table, row).await?;
        Ok(Nothing)
    }
}
