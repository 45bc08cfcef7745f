//! `table.insert`: adds a row. If the same step repeats the insert, the first row stays unchanged.
//! A row that another run, step or element wrote with the same key is a conflict.

use std::sync::Arc;

use oms_engine::effects::StepError;
use oms_engine::step::{Faults, PlanContext, Planned, Step, StepContext, Verb, WrittenItem};
use oms_engine::table::TableDef;
use oms_engine::value::{NoOutput, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::columns::{self, MissingValue};
use crate::members;
use crate::unique;

/// Adds a row to a table.
///
/// If the same step repeats the insert, the first row stays unchanged. A row of another run, step
/// or element with the same key is a conflict. Therefore, the key must be unique for each order,
/// and with `for_each` also for each element. To use the index of the element in the key, add
/// `index: i` to `for_each`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the table.
    pub(crate) table: String,
    /// The row: a value for each column. In `table.insert`, a nullable column without a value is
    /// null.
    #[serde(default)]
    pub(crate) row: Map<String, Json>,
    /// A record, such as `${{ order }}`. Each column that is not in `row` takes the value of the
    /// record's member of the same name.
    #[schemars(with = "Option<String>")]
    pub(crate) from: Option<Json>,
}

/// The planned step.
pub struct TableInsert {
    table: Arc<TableDef>,
}

impl Step for TableInsert {
    const NAME: &'static str = "table.insert";
    type Config = Config;
    type Input = Value;
    type Output = NoOutput;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let Some(table) = cx.table("table", &config.table) else {
            return cx.finish().and(Err(Vec::new()));
        };
        let members = members::compile(config.from.as_ref(), cx);
        if config.from.is_some() && members.is_none() {
            return cx.finish().and(Err(Vec::new()));
        }
        let (row, columns) = (("row", &config.row), table.columns.iter());
        let values = columns::compile(row, columns, MissingValue::Null, members.as_ref(), cx);
        if let Some((what, at, key)) = columns::key(&table, &config.row, &values) {
            unique::check(&what, at, &key, "; or use `table.upsert`", cx);
        }
        let input = cx.finish()?;
        Ok(columns::plan_of_write(Verb::Insert, input, &table, Self { table: Arc::clone(&table) }))
    }

    fn written_item(&self, input: &Value) -> Option<WrittenItem> {
        // A row that does not match its table is not written.
        columns::row(&self.table, input).ok().map(|row| WrittenItem::row(&self.table, &row))
    }

    async fn run(&self, cx: &StepContext<'_>, input: Value) -> Result<NoOutput, StepError> {
        let row = columns::row(&self.table, &input)?;
        cx.effects.tables().insert(cx.call, &self.table, row).await?;
        Ok(NoOutput)
    }
}
