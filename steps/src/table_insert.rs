//! `table.insert`: adds a row. Repeated by the same run nothing changes and the first row stands; a row that another run wrote
//! under the same key is a conflict, never silently ignored.

use std::sync::Arc;

use oms_engine::diagnostic::Route;
use oms_engine::effects::StepError;
use oms_engine::step::{Faults, PlanContext, Planned, Step, StepContext, Verb};
use oms_engine::table::TableDef;
use oms_engine::value::{Nothing, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::columns;
use crate::unique;

/// Adds a row to a table.
///
/// Repeated by the same run it changes nothing: the first row stands. A row of another run with the same key is a conflict,
/// so the key must differ from order to order.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The table's name.
    pub(crate) table: String,
    /// The row: a value for each column. Columns that may be null may be left out.
    pub(crate) row: Map<String, Json>,
}

/// The planned step.
pub struct TableInsert {
    table: Arc<TableDef>,
}

impl Step for TableInsert {
    const NAME: &'static str = "table.insert";
    type Config = Config;
    type Input = Value;
    type Output = Nothing;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let Some(table) = cx.table("table", &config.table) else {
            return cx.finish().and(Err(Vec::new()));
        };
        let values = columns::compile("row", &config.row, table.columns.iter(), cx);
        let key: Vec<_> =
            table.key_columns().filter_map(|column| values.get(&column.name)).collect();
        if key.len() == table.key.len() {
            let names: Vec<String> =
                table.key_columns().map(|column| format!("`{}`", column.name)).collect();
            let what = format!("the key of `{}` ({})", table.name, names.join(", "));
            let first = table.key_columns().next().map_or("", |column| column.name.as_ref());
            let at = Route::root().key("row").key(first);
            unique::check(&what, at, &key, "; or use `table.upsert`", cx);
        }
        let input = cx.finish()?;
        Ok(columns::planned(Verb::Insert, input, &table, Self { table: Arc::clone(&table) }))
    }

    async fn run(&self, cx: &StepContext<'_>, input: Value) -> Result<Nothing, StepError> {
        let row = columns::row(&self.table, &input)?;
        cx.effects.tables().insert(cx.call, &self.table, row).await?;
        Ok(Nothing)
    }
}
