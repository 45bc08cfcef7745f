//! The page of a step kind, generated from its types. `docs/steps/` has the same pages.

use std::fmt::Write as _;

use oms_engine::step::StepKind;
use oms_engine::value::{Shape, Type};
use serde_json::Value as Json;

/// Returns the page of a kind as Markdown: its description, settings and output.
pub fn kind_page(kind: &StepKind) -> String {
    let schema = kind.config_schema();
    let settings = settings(&schema);
    let text = |value: &Json, key: &str| {
        value.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let mut page = format!(
        "# {}\n\n{}\n\n## Settings (`with:`)\n\n",
        kind.name(),
        text(&schema, "description")
    );
    let required: Vec<&str> = settings
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    // Writing to a string cannot fail.
    for (name, setting) in
        settings.get("properties").and_then(Json::as_object).into_iter().flatten()
    {
        let optional = if required.contains(&name.as_str()) { "" } else { " (optional)" };
        let _written = writeln!(
            page,
            "- `{name}`{optional}: {}",
            text(setting, "description").replace('\n', " ")
        );
    }
    page.push_str("\n## Output (`steps.<id>`)\n\n");
    match kind.output_type() {
        None => page.push_str("Depends on the settings.\n"),
        Some(ty) => describe(&ty, &mut page),
    }
    page
}

/// Returns the schema of the settings: the kind's own, or the one that it reuses from another kind.
fn settings(schema: &Json) -> &Json {
    let reference = schema.get("$ref").and_then(Json::as_str);
    reference.and_then(|at| schema.pointer(at.trim_start_matches('#'))).unwrap_or(schema)
}

fn describe(ty: &Type, page: &mut String) {
    let Shape::Record(record) = &ty.shape else {
        let _written = writeln!(page, "{ty}.");
        return;
    };
    if record.fields().is_empty() {
        page.push_str("Nothing.\n");
    }
    for field in record.fields() {
        let _written = writeln!(page, "- `{}`: {}", field.name, field.ty);
    }
}
