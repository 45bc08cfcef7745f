//! Code shared by the table kinds: checks the settings of a row against the table's columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, closest, codes, did_you_mean};
use oms_engine::effects::{StepError, cause};
use oms_engine::expression::Compiled;
use oms_engine::step::{Effect, InputPlan, PlanContext, Planned, Port, Safety, Verb};
use oms_engine::table::{Column, TableDef};
use oms_engine::value::{NoOutput, Record, Shape, Type, Typed as _, Value};
use serde_json::{Map, Value as Json};

use crate::members::{self, Members};

/// The meaning of a missing value for a nullable column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingValue {
    /// The column is null.
    Null,
    /// The row is invalid.
    Rejected,
}

/// Compiles each value of the map in the setting `field` with the type of its column. Takes other
/// columns from `members`. Records faults for unknown columns, and for missing values that are not
/// allowed.
pub(crate) fn compile<'c>(
    (field, values): (&str, &Map<String, Json>),
    columns: impl Iterator<Item = &'c Column>,
    left_out: MissingValue,
    members: Option<&Members>,
    cx: &mut PlanContext<'_>,
) -> BTreeMap<Arc<str>, Compiled> {
    let columns: Vec<&Column> = columns.collect();
    let route = Route::root().key(field);
    let mut compiled = BTreeMap::new();
    // A column whose name is probably misspelled is not also reported as missing.
    let mut misspelled: Vec<&str> = Vec::new();
    for (name, raw) in values {
        let at = route.key(name);
        let Some(column) = columns.iter().find(|column| column.name.as_ref() == name) else {
            let known = columns.iter().map(|column| column.name.as_ref());
            misspelled.extend(closest(name, known.clone()));
            cx.fault(
                Finding::error(codes::ROW, Place::key(at), format!("unknown column `{name}`"))
                    .help(did_you_mean(name, known)),
            );
            continue;
        };
        if let Some(value) = cx.value(name, &at, raw, Some(&column.ty())) {
            if let Some(finding) = may_not_fit(column, value.ty(), &at, value.constant()) {
                cx.fault(finding);
            }
            compiled.insert(Arc::clone(&column.name), value);
        }
    }
    let missing = columns.iter().filter(|column| {
        let name = column.name.as_ref();
        !misspelled.contains(&name) && !values.contains_key(name)
    });
    let (taken, missing): (Vec<&Column>, Vec<&Column>) =
        missing.copied().partition(|column| members.is_some_and(|members| members.has(column)));
    for (column, members) in taken.into_iter().zip(members.into_iter().cycle()) {
        if let Some(value) = members.value(column, cx) {
            if let Some(finding) =
                may_not_fit(column, value.ty(), &members::route(), value.constant())
            {
                cx.fault(finding);
            }
            compiled.insert(Arc::clone(&column.name), value);
        }
    }
    let (nullable, required): (Vec<&Column>, Vec<&Column>) =
        missing.into_iter().partition(|column| column.nullable);
    if left_out == MissingValue::Rejected
        && let Some(finding) =
            would_become_null(&nullable, &members.map_or(route.clone(), |_| members::route()))
    {
        cx.fault(finding);
    }
    for column in required {
        if let Some(members) = members {
            cx.fault(members.missing(column));
            continue;
        }
        let message = format!("the column `{}` has no value, but must not be null", column.name);
        cx.fault(
            Finding::error(codes::ROW, Place::key(route.clone()), message)
                .help(format!("add `{}:` with a value of type `{column}`", column.name)),
        );
    }
    compiled
}

/// Returns the description of a row's key, the place of its first part, and its parts. Returns
/// `None` if a part is missing or invalid.
pub(crate) fn key<'v>(
    table: &TableDef,
    values_in_file: &Map<String, Json>,
    values: &'v BTreeMap<Arc<str>, Compiled>,
) -> Option<(String, Route, Vec<&'v Compiled>)> {
    let columns = || table.key_columns();
    let parts: Option<Vec<_>> = columns().map(|column| values.get(&column.name)).collect();
    let names: Vec<String> = columns().map(|column| format!("`{}`", column.name)).collect();
    let words = format!("the key of `{}` ({})", table.name, names.join(", "));
    let first = columns().next().map_or("", |column| column.name.as_ref());
    let route = match values_in_file.contains_key(first) {
        true => Route::root().key("row").key(first),
        false => members::route(),
    };
    Some((words, route, parts?))
}

/// Returns a finding for a row that replaces another one and would clear columns that the file does
/// not mention.
fn would_become_null(left_out: &[&Column], row: &Route) -> Option<Finding> {
    let first = left_out.first()?;
    let names: Vec<String> = left_out.iter().map(|column| format!("`{}`", column.name)).collect();
    let (columns, become_null) = match left_out {
        [_] => ("column", "becomes null"),
        _ => ("columns", "become null"),
    };
    let message = format!(
        "the row has no value for the {columns} {}, which {become_null} if the row exists",
        names.join(", ")
    );
    let help = format!(
        "add a value for each, or `{}: null` to clear it; `table.update` changes only some columns",
        first.name
    );
    Some(
        Finding::error(codes::ROW, Place::key(row.clone()), message)
            .help(help)
            .ignored_in_bundles(),
    )
}

/// The other options for a value that may not fit its column.
const ALLOW_HELP: &str = "or widen the column; if you know that the value fits, end the line with `# oms: allow OMS0416`";

fn round_to(scale: u32) -> String {
    format!("round it: `round(…, {scale}, \"half_even\")`")
}

/// Returns a finding if a value may not fit its column.
pub(crate) fn may_not_fit(
    column: &Column,
    ty: &Type,
    at: &Route,
    constant: Option<&Value>,
) -> Option<Finding> {
    if let Some(constant) = constant {
        let error = column.fit(constant.clone()).err()?;
        return Some(Finding::error(codes::ROW, Place::value(at.clone()), error.to_string()));
    }
    let holds = column.ty();
    let (found, help) = match (&holds.shape, &ty.shape) {
        (
            Shape::Decimal { integer_digits, scale },
            Shape::Decimal { integer_digits: more, scale: finer },
        ) if more > integer_digits || finer > scale => (
            format!(
                "a decimal with up to {more} digits before the decimal point and {finer} after it"
            ),
            match (finer > scale, more > integer_digits) {
                (true, false) => format!(
                    "{}, limit it in the order schema (`x-scale`), or widen the column",
                    round_to(*scale)
                ),
                (true, true) => format!(
                    "{} and limit it in the order schema (`maximum`, `x-precision`, `maxItems`), or widen the column",
                    round_to(*scale)
                ),
                (false, _) => {
                    format!(
                        "limit it in the order schema (`maximum`, `x-precision`, `maxItems`), {ALLOW_HELP}"
                    )
                }
            },
        ),
        (Shape::Text { chars_max: Some(most), .. }, _)
            if ty.chars_max().is_none_or(|chars| chars > *most) =>
        {
            let found = ty.chars_max().map_or_else(
                || "text of any length".to_owned(),
                |chars| format!("text of up to {chars} characters"),
            );
            (found, format!("limit it in the order schema (`maxLength`), {ALLOW_HELP}"))
        }
        _ => return None,
    };
    Some(
        Finding::warning(
            codes::MAY_NOT_FIT,
            Place::value(at.clone()),
            format!("`{}` may be too large for its column", column.name),
        )
        .label(format!("{found} for `{column}`"))
        .help(help),
    )
}

/// Returns the plan of a step that writes a row and has no output.
pub(crate) fn plan_of_write<S>(
    verb: Verb,
    input: InputPlan,
    table: &TableDef,
    step: S,
) -> Planned<S> {
    let effect = Effect {
        port: Port::Tables,
        verb,
        resource: Arc::clone(&table.name),
        safety: Safety::Idempotent,
    };
    Planned {
        step,
        input,
        output: NoOutput::ty().unwrap_or_else(Type::text),
        effects: vec![effect],
    }
}

/// Returns the values of the table's key columns, fitted to their columns.
pub(crate) fn key_values(table: &TableDef, input: &Value) -> Result<Vec<Value>, StepError> {
    let given = input.as_record();
    let value = |column: &Column| {
        let value = given.and_then(|record| record.get(&column.name)).cloned();
        column.fit(value.unwrap_or(Value::Null)).map_err(|error| {
            StepError::permanent(cause::OUT_OF_RANGE, format!("table `{}`: {error}", table.name))
        })
    };
    table.key_columns().map(value).collect()
}

/// Returns a row of the table, with each value fitted to its column.
pub(crate) fn row(table: &TableDef, input: &Value) -> Result<Value, StepError> {
    let given = input.as_record();
    let mut values = Vec::with_capacity(table.columns.len());
    for field in table.row.fields() {
        let value =
            given.and_then(|record| record.get(&field.name)).cloned().unwrap_or(Value::Null);
        let fitted = match table.column(&field.name) {
            Some(column) => column.fit(value),
            None => Ok(value),
        };
        values.push(fitted.map_err(|error| {
            StepError::permanent(cause::OUT_OF_RANGE, format!("table `{}`: {error}", table.name))
        })?);
    }
    Ok(Value::Record(Arc::new(Record::new(Arc::clone(&table.row), values))))
}
