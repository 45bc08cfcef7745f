//! The sample orders: finds the files and validates them against the order schema.

use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::document::{Files, OrderForm, OrderText, read_orders, without_mark};
use oms_core::value::JsonProblem;

use super::order::OrderPlan;
use super::sink::{InFile, Sink};
use crate::pipeline::Pipeline;

/// Maximum number of sample files.
const SAMPLES_MAX: usize = 1_000;

pub(super) fn check(
    pipeline: &Pipeline,
    order: Option<&OrderPlan>,
    sink: &mut Sink<'_>,
    files: &dyn Files,
) -> Vec<String> {
    let patterns =
        pipeline.order.as_ref().map(|section| section.samples.as_slice()).unwrap_or_default();
    let mut found = Vec::new();
    for (position, pattern) in patterns.iter().enumerate() {
        let place = Place::value(Route::root().key("order").key("samples").index(position));
        let matching = matching(pattern, files);
        if matching.is_empty() {
            let message = format!("no file matches `{pattern}`");
            sink.add(
                Finding::error(codes::FILE_UNREADABLE, place, message)
                    .help("use a path relative to the pipeline file".to_owned()),
            );
        }
        found.extend(matching);
    }
    found.truncate(SAMPLES_MAX);
    if let Some(order) = order {
        for path in &found {
            check_file(path, order, sink, files);
        }
    }
    found
}

/// Returns the files that match a pattern. `*` matches any characters in its last part.
fn matching(pattern: &str, files: &dyn Files) -> Vec<String> {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
    let Some((before, after)) = name.split_once('*') else {
        return if files.read(pattern).is_ok() { vec![pattern.to_owned()] } else { Vec::new() };
    };
    files
        .list(folder)
        .into_iter()
        .filter(|name| {
            name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
                && !name.ends_with('/')
        })
        .map(|name| if folder == "." { name } else { format!("{folder}/{name}") })
        .collect()
}

fn check_file(path: &str, order: &OrderPlan, sink: &mut Sink<'_>, files: &dyn Files) {
    let shown = files.shown(path);
    let Ok(bytes) = files.read(path) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let text: Arc<str> = Arc::from(without_mark(&text));
    let mut add = |found: &OrderText, problem: &JsonProblem| {
        let start = (found.line, found.column);
        let (line, column) = problem.line_column_in_file(&found.body, start);
        let subject = match problem.pointer.as_str() {
            "" => "the order".to_owned(),
            pointer => format!("`{pointer}`"),
        };
        sink.add_in_file(InFile {
            code: codes::SAMPLE,
            path: &shown,
            text: &text,
            private: true,
            line: usize::try_from(line).unwrap_or(usize::MAX),
            column: usize::try_from(column).unwrap_or(usize::MAX),
            length: 1,
            message: format!("sample order: {subject} {}", problem.message),
            help: None,
        });
    };
    let mut each = |found: OrderText| {
        if found.body.len() > order.max_bytes() {
            add(&found, &order.too_large());
            return true;
        }
        for problem in order.schema().read(&found.body).err().into_iter().flatten() {
            add(&found, &problem);
        }
        true
    };
    // Reading from memory cannot fail.
    let _read = read_orders(
        &mut text.as_bytes(),
        OrderForm::of_file(path),
        "",
        order.max_bytes(),
        &mut each,
    );
}
