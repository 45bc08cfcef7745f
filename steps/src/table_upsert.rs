//! `table.upsert`: adds a row, or replaces the one with its key.

use std::sync::Arc;

use oms_engine::effects::StepError;
use oms_engine::step::{Faults, PlanContext, Planned, Step, StepContext, Target, Verb};
use oms_engine::table::TableDef;
use oms_engine::value::{Nothing, Value};

use crate::columns::{self, LeftOut};
use crate::table_insert;
use crate::unique;

/// Adds a row to a table, or replaces the one with its key.
///
/// Of several orders, or several steps, that write the same key the last one stands. Two elements
/// of one step must not write the same key. The row replaces the whole row that is there, so it has
/// a value for every column: `null` clears one.
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
        let values =
            columns::compile("row", &config.row, table.columns.iter(), LeftOut::Refused, cx);
        if let Some((what, at, key)) = columns::key(&table, &values) {
            unique::check_elements(&what, at, &key, cx);
        }
        let input = cx.finish()?;
        Ok(columns::planned(Verb::Upsert, input, &table, Self { table: Arc::clone(&table) }))
    }

    fn target(&self, input: &Value) -> Option<Target> {
        // A row that does not fit its table is not written.
        columns::row(&self.table, input).ok().map(|row| Target::row(&self.table, &row))
    }

    async fn run(&self, cx: &StepContext<'_>, input: Value) -> Result<Nothing, StepError> {
        let row = columns::row(&self.table, &input)?;
        cx.effects.tables().upsert(cx.call, &self.table, row).await?;
        Ok(Nothing)
    }
}
