//! `table.get`: reads a row by its key.

use std::sync::Arc;

use oms_engine::effects::{StepError, cause};
use oms_engine::step::{
    Effect, Faults, PlanContext, Planned, Port, Safety, Step, StepContext, Verb,
};
use oms_engine::table::TableDef;
use oms_engine::value::{Shape, Type, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::columns::{self, MissingValue};

/// Reads a row of a table by its key. The output has the columns of the row.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the table.
    table: String,
    /// A value for each column of the table's key.
    key: Map<String, Json>,
    /// What to do if the row does not exist. `fail` (default) parks the run. With `null`, the
    /// output is null, so expressions that use it need a guard.
    #[serde(default)]
    missing: Missing,
}

/// What to do if the row or the object does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The run is parked.
    #[default]
    Fail,
    /// The output is null.
    Null,
}

impl<'de> Deserialize<'de> for Missing {
    /// Accepts `null` with and without quotes, because YAML reads it as a value and not as text.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("null") => Ok(Self::Null),
            Some("fail") => Ok(Self::Fail),
            Some(_) => Err(serde::de::Error::custom("must be `fail` or `null`")),
        }
    }
}

impl JsonSchema for Missing {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Missing".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": ["fail", "null", null] })
    }
}

impl Missing {
    pub(crate) fn apply(self, ty: Type) -> Type {
        match self {
            Self::Fail => ty,
            Self::Null => ty.or_null(),
        }
    }

    pub(crate) fn result(
        self,
        cause: &str,
        message: impl FnOnce() -> String,
    ) -> Result<Value, StepError> {
        match self {
            Self::Fail => Err(StepError::permanent(cause, message())),
            Self::Null => Ok(Value::Null),
        }
    }
}

/// The planned step.
pub struct TableGet {
    table: Arc<TableDef>,
    missing: Missing,
}

impl Step for TableGet {
    const NAME: &'static str = "table.get";
    type Config = Config;
    type Input = Value;
    type Output = Value;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let Some(table) = cx.table("table", &config.table) else {
            return cx.finish().and(Err(Vec::new()));
        };
        let key = ("key", &config.key);
        columns::compile(key, table.key_columns(), MissingValue::Null, None, cx);
        let input = cx.finish()?;
        Ok(Planned {
            input,
            output: config.missing.apply(Type::of(Shape::Record(Arc::clone(&table.row)))),
            effects: vec![Effect {
                port: Port::Tables,
                verb: Verb::Get,
                resource: Arc::clone(&table.name),
                safety: Safety::Read,
            }],
            step: Self { table, missing: config.missing },
        })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Value) -> Result<Value, StepError> {
        let key = columns::key_values(&self.table, &input)?;
        match cx.effects.tables().get(cx.call, &self.table, key).await? {
            Some(row) => Ok(row),
            None => self.missing.result(cause::NO_ROW, || {
                format!("`{}` has no row with this key", self.table.name)
            }),
        }
    }
}
