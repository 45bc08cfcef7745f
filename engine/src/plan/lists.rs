//! Lists of the order that steps iterate over, but that the schema allows to be longer than the
//! steps can process.

use std::collections::BTreeMap;

use oms_core::diagnostic::{Finding, Route, Severity, codes};
use oms_core::document::{self, Files};
use oms_expression::ELEMENTS_MAX;

use super::checked::PlannedStep;
use super::order::OrderPlan;
use super::sink::Sink;
use crate::pipeline::{Pipeline, SchemaSource};
use crate::schema::{ListBound, SchemaProblem, SchemaProblemKind, in_schema, list_bound, place_in};

/// Warns about each list that may be too long, once, at its place in the schema.
pub(super) fn check(
    pipeline: &Pipeline,
    order: &OrderPlan,
    steps: &[PlannedStep],
    sink: &mut Sink<'_>,
    files: &dyn Files,
) {
    let mut used: BTreeMap<String, &str> = BTreeMap::new();
    for step in steps {
        for list in lists_of(step, order) {
            used.entry(list).or_insert(&step.id);
        }
    }
    let problems: BTreeMap<String, SchemaProblem> =
        used.iter().filter_map(|(list, step)| list_problem(order, list, step)).collect();
    let Some(section) = &pipeline.order else { return };
    let route = Route::root().key("order").key("schema");
    match &section.schema {
        SchemaSource::Inline(_) => {
            for problem in problems.into_values() {
                let place = place_in(sink.document, &route, &problem);
                sink.add(
                    Finding::warning(codes::LIST_LIMIT, place, problem.message).help(problem.help),
                );
            }
        }
        SchemaSource::File(path) => {
            let shown = files.shown(path);
            let Ok(bytes) = files.read(path) else { return };
            let Ok(document) = document::parse(&shown, &bytes) else { return };
            for problem in problems.into_values() {
                sink.report.add_source(&shown, document.text());
                let (code, severity) = (codes::LIST_LIMIT, Severity::Warning);
                sink.report.push(in_schema(&document, code, severity, problem));
            }
        }
    }
}

/// Returns the lists of the order that a step iterates over.
fn lists_of(step: &PlannedStep, order: &OrderPlan) -> Vec<String> {
    let ty = order.schema().ty();
    let items = step.for_each.as_ref().map(|each| &each.items);
    let own = items.into_iter().flat_map(|items| items.lists_as_items(ty));
    let when = step.when.iter().flat_map(|when| when.lists(ty, None));
    let input = step.input.fields().chain(step.input.late());
    let input = input.flat_map(|field| field.lists(ty, items));
    own.chain(when).chain(input).collect()
}

/// Returns a problem for a list that may be too long, with the pointer to its schema.
fn list_problem(order: &OrderPlan, list: &str, step: &str) -> Option<(String, SchemaProblem)> {
    let ListBound { pointer, max } = list_bound(order.schema().source(), list)?;
    let limit = ELEMENTS_MAX as u64;
    if max.is_some_and(|max| max <= limit) {
        return None;
    }
    let message = format!(
        "`order.{list}` may have more elements than the {limit} that the step `{step}` can process"
    );
    let verb = if max.is_some() { "write" } else { "add" };
    let help = Some(format!("{verb} `maxItems: {limit}`, so that the schema rejects longer lists"));
    Some((
        pointer.clone(),
        SchemaProblem { kind: SchemaProblemKind::Invalid, pointer, on_key: true, message, help },
    ))
}
