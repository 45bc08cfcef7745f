//! `table.update`: changes columns of a row, depending on its current values. If the same step
//! repeats the update, it has no further effect.

use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes, did_you_mean};
use oms_engine::effects::{StepError, Update, cause};
use oms_engine::expression::{Compiled, EvalError, Facts};
use oms_engine::record;
use oms_engine::step::{
    CapturedValues, Captures, Effect, Expr, Faults, PlanContext, Planned, Port, Safety, Step,
    StepContext, Verb,
};
use oms_engine::table::{Column, TableDef};
use oms_engine::value::{Record, Shape, Type, Typed as _, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::columns::{self, MissingValue};

/// Changes columns of an existing row. The other columns keep their values, and the row still
/// belongs to the run that added it.
///
/// `set` and `only_if` can use the current row as `row`, such as `row.pieces`. The row does not
/// change between the read and the write, so concurrent orders and elements can count up or down
/// in the same row. If the same step repeats the update, it has no further effect.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the table.
    table: String,
    /// A value for each column of the table's key.
    key: Map<String, Json>,
    /// The new values of columns, such as `pieces: "${{ row.pieces - item.quantity }}"`.
    #[schemars(extend("minProperties" = 1))]
    set: Map<String, Json>,
    /// A condition for the change, such as `${{ row.pieces >= item.quantity }}`.
    only_if: Option<Expr<bool>>,
    /// What to do if the condition is false. `fail` (default) parks the run. With `skip`, the row
    /// stays as it is.
    otherwise: Option<Otherwise>,
    /// What to do if the row does not exist. `fail` (default) parks the run.
    #[serde(default)]
    missing: Otherwise,
}

/// What to do if the row is not changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Otherwise {
    /// The step fails.
    #[default]
    Fail,
    /// The step succeeds and changes nothing.
    Skip,
}

record! {
    /// The result.
    pub struct Output {
        /// Whether the step changed the row.
        pub changed: bool,
    }
}

/// The planned step.
pub struct TableUpdate(Arc<Change>);

struct Change {
    table: Arc<TableDef>,
    set: Vec<(usize, Compiled)>,
    only_if: Option<Compiled>,
    otherwise: Otherwise,
    missing: Otherwise,
    captures: Captures,
}

impl Step for TableUpdate {
    const NAME: &'static str = "table.update";
    type Config = Config;
    type Input = Value;
    type Output = Output;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let Some(table) = cx.table("table", &config.table) else {
            return cx.finish().and(Err(Vec::new()));
        };
        let key = ("key", &config.key);
        columns::compile(key, table.key_columns(), MissingValue::Null, None, cx);
        let mut captures = Captures::default();
        let row = Type::of(Shape::Record(Arc::clone(&table.row)));
        let only_if = config.only_if.as_ref().and_then(|only_if| {
            let (route, bool) = (Route::root().key("only_if"), bool::ty());
            cx.row_value(&route, only_if.raw(), bool.as_ref(), (&row, None), &mut captures)
        });
        if config.only_if.is_none() && config.otherwise.is_some() {
            let place = Place::key(Route::root().key("otherwise"));
            let message = "`otherwise` has no effect without `only_if`";
            let finding = Finding::error(codes::VALUE_NOT_ALLOWED, place, message);
            cx.fault(finding.help("add `only_if`, or remove `otherwise`".to_owned()));
        }
        let facts = only_if.as_ref().map(Compiled::facts);
        let set = compile_set(&config.set, &table, (&row, facts.as_ref()), &mut captures, cx);
        let input = cx.finish()?;
        let reveals_pii = only_if.as_ref().is_some_and(|only_if| only_if.ty().pii);
        let output = Type::record([("changed", Type::of(Shape::Bool).with_pii(reveals_pii))]);
        let effect = Effect {
            port: Port::Tables,
            verb: Verb::Update,
            resource: Arc::clone(&table.name),
            safety: Safety::Idempotent,
        };
        let otherwise = config.otherwise.unwrap_or_default();
        let missing = config.missing;
        let change = Change { table, set, only_if, otherwise, missing, captures };
        Ok(Planned { input, output, effects: vec![effect], step: Self(Arc::new(change)) })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Value) -> Result<Output, StepError> {
        let table = &self.0.table;
        let key = columns::key_values(table, &input)?;
        let captured = self.0.captures.values(&input);
        let change = Arc::clone(&self.0);
        let update = Update {
            key,
            columns: self.0.set.iter().map(|(column, _)| *column).collect(),
            change: Arc::new(move |row| change.apply(row, &captured)),
        };
        let changed = cx.effects.tables().update(cx.call, table, update).await?;
        Ok(Output { changed })
    }
}

/// Compiles the new values of columns, with the position of each column.
fn compile_set(
    set: &Map<String, Json>,
    table: &TableDef,
    row: (&Type, Option<&Facts>),
    captures: &mut Captures,
    cx: &mut PlanContext<'_>,
) -> Vec<(usize, Compiled)> {
    let route = Route::root().key("set");
    let others = || {
        let columns = table.columns.iter().enumerate();
        columns.filter(|(at, _)| !table.key.contains(at)).map(|(_, column)| &*column.name)
    };
    let mut compiled = Vec::new();
    for (name, raw) in set {
        let at = route.key(name);
        let found = table.columns.iter().position(|column| *column.name == **name);
        let Some((position, column)) = found.and_then(|at| Some((at, table.columns.get(at)?)))
        else {
            let message = format!("unknown column `{name}`");
            let finding = Finding::error(codes::ROW, Place::key(at), message);
            cx.fault(finding.help(did_you_mean(name, others())));
            continue;
        };
        if table.key.contains(&position) {
            let message = format!("`{name}` belongs to the key, which cannot change");
            let finding = Finding::error(codes::ROW, Place::key(at), message);
            cx.fault(finding.help("remove it from `set`".to_owned()));
            continue;
        }
        if let Some(value) = cx.row_value(&at, raw, Some(&column.ty()), row, captures) {
            if let Some(finding) = columns::may_not_fit(column, value.ty(), &at, value.constant()) {
                cx.fault(finding);
            }
            compiled.push((position, value));
        }
    }
    compiled
}

impl Change {
    /// Computes the row after the update, or `None` if it stays as it is.
    fn apply(
        &self,
        row: Option<&Value>,
        captured: &CapturedValues,
    ) -> Result<Option<Value>, StepError> {
        let name = &self.table.name;
        let Some(row) = row else {
            return match self.missing {
                Otherwise::Skip => Ok(None),
                Otherwise::Fail => {
                    let message = format!("`{name}` has no row with this key");
                    Err(StepError::permanent(cause::NO_ROW, message))
                }
            };
        };
        let out_of_range = |error: EvalError| {
            let message = format!("table `{name}`: the new row cannot be computed");
            StepError::permanent(cause::OUT_OF_RANGE, message).caused_by(error)
        };
        if let Some(only_if) = &self.only_if
            && captured.eval(only_if, row).map_err(out_of_range)? != Value::Bool(true)
        {
            return match self.otherwise {
                Otherwise::Skip => Ok(None),
                Otherwise::Fail => {
                    let message = format!("the row of `{name}` does not meet `only_if`");
                    Err(StepError::permanent(cause::CONDITION, message))
                }
            };
        }
        let mut new: Vec<(&Column, Value)> = Vec::with_capacity(self.set.len());
        for (position, value) in &self.set {
            let Some(column) = self.table.columns.get(*position) else { continue };
            let value = captured.eval(value, row).map_err(out_of_range)?;
            let value = column.fit(value).map_err(|error| {
                let message = format!("table `{name}`: {error}");
                StepError::permanent(cause::OUT_OF_RANGE, message)
            })?;
            new.push((column, value));
        }
        let record = row.as_record();
        let values = self.table.row.fields().iter().map(|field| {
            let changed = new.iter().find(|(column, _)| column.name == field.name);
            let current = || record.and_then(|record| record.get(&field.name)).cloned();
            changed.map(|(_, value)| value.clone()).or_else(current).unwrap_or(Value::Null)
        });
        Ok(Some(Value::Record(Arc::new(Record::new(
            Arc::clone(&self.table.row),
            values.collect(),
        )))))
    }
}
