//! Values in the order schema that do not have the intended meaning: values that no order can have,
//! and numbers with too many digits.

use oms_core::diagnostic::{Finding, Place, Route, Segment, Severity, codes};
use oms_core::document::{Document, Node, NodeValue};

use super::sink::Sink;
use crate::schema::{
    OrderSchema, SchemaProblem, SchemaProblemKind, impossible_values, in_schema, is_exact, place_in,
};

/// Keywords whose numbers affect validation.
const ASSERTED: [&str; 7] =
    ["const", "enum", "exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"];

/// Checks the values of the schema at `base` in the pipeline file.
pub(super) fn inline(schema: &OrderSchema, base: &Route, sink: &mut Sink<'_>) {
    for problem in impossible_values(schema.source()) {
        let place = place_in(sink.document, base, &problem);
        sink.add(Finding::warning(codes::UNFIT_VALUE, place, problem.message).help(problem.help));
    }
    for place in report_inexact(sink.document, base) {
        let (message, help) = digits_lost(sink.document, &place);
        sink.add(
            Finding::error(codes::ORDER_SCHEMA, place, message).help(help).ignored_in_bundles(),
        );
    }
}

/// Checks the values of a schema in a separate file.
pub(super) fn in_file(schema: &OrderSchema, document: &Document, sink: &mut Sink<'_>) {
    if sink.bundle {
        return;
    }
    let mut found = Vec::new();
    for problem in impossible_values(schema.source()) {
        found.push(in_schema(document, codes::UNFIT_VALUE, Severity::Warning, problem));
    }
    for place in report_inexact(document, &Route::root()) {
        let (message, help) = digits_lost(document, &place);
        let problem = SchemaProblem {
            kind: SchemaProblemKind::Invalid,
            pointer: String::new(),
            on_key: false,
            message,
            help: Some(help),
        };
        let mut diagnostic = in_schema(document, codes::ORDER_SCHEMA, Severity::Error, problem);
        for label in &mut diagnostic.labels {
            label.span = document.span(&place);
        }
        found.push(diagnostic);
    }
    if !found.is_empty() {
        sink.report.add_source(document.path(), document.text());
        found.into_iter().for_each(|diagnostic| sink.report.push(diagnostic));
    }
}

/// Finds the numbers below a route whose parsed value differs from the written one.
fn report_inexact(document: &Document, base: &Route) -> Vec<Place> {
    let mut found = Vec::new();
    if let Some((node, _)) = document.root().find(base) {
        search(document, node, base, &mut found);
    }
    found
}

fn search(document: &Document, node: &Node, route: &Route, found: &mut Vec<Place>) {
    match &node.value {
        NodeValue::Float(number) => {
            let is_asserted = route.segments().iter().any(
                |segment| matches!(segment, Segment::Key(key) if ASSERTED.contains(&key.as_ref())),
            );
            let place = Place::value(route.clone());
            let written = document.text().get(document.span(&place)).unwrap_or_default();
            if is_asserted && number.is_finite() && !is_exact(*number, written) {
                found.push(place);
            }
        }
        NodeValue::List(elements) => {
            for (at, element) in elements.iter().enumerate() {
                search(document, element, &route.index(at), found);
            }
        }
        NodeValue::Map(entries) => {
            for entry in entries {
                search(document, &entry.node, &route.key(&entry.key), found);
            }
        }
        _ => {}
    }
}

fn digits_lost(document: &Document, place: &Place) -> (String, String) {
    let written = document.text().get(document.span(place)).unwrap_or_default();
    (
        format!("the number `{written}` has too many digits to be exact"),
        "write at most 15 digits, or an integer of at most 64 bits".to_owned(),
    )
}
