//! Validates a schema against the metaschema.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, draft202012};
use oms_core::diagnostic::did_you_mean;
use serde_json::Value as Json;

use super::messages::{bound, found_description, type_description, type_names};
use super::problem::{SchemaProblem, SchemaProblemKind};

/// Validates a schema against the metaschema, so that a keyword with an invalid value is not
/// ignored.
pub(super) fn metaschema_problems(schema: &Json) -> Vec<SchemaProblem> {
    let mut problems: Vec<SchemaProblem> = Vec::new();
    for error in draft202012::meta::validator().iter_errors(schema) {
        let problem = metaschema_problem(&error);
        if !problems.iter().any(|known| known.pointer == problem.pointer) {
            problems.push(problem);
        }
    }
    problems
}

fn metaschema_problem(error: &ValidationError<'_>) -> SchemaProblem {
    const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "object", "array", "null"];
    let pointer = error.instance_path().to_string();
    let names = pointer.rsplit('/').filter(|token| token.parse::<usize>().is_err());
    let key = match names.clone().next() {
        Some(key) if !key.is_empty() => format!("`{}`", key.replace("~1", "/").replace("~0", "~")),
        _ => "the schema".to_owned(),
    };
    let found = error.instance();
    let (message, help) = match (error.kind(), found.as_str()) {
        (ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::Enum { .. }, Some(name))
            if names.clone().next() == Some("type") =>
        {
            (format!("`{name}` is not a JSON Schema type"), did_you_mean(name, TYPES))
        }
        (ValidationErrorKind::AnyOf { .. }, None) if names.clone().next() == Some("type") => {
            let listed = found.as_array().into_iter().flatten();
            let mut strange =
                listed.filter(|name| !name.as_str().is_some_and(|name| TYPES.contains(&name)));
            match strange.next() {
                Some(Json::Null) => (
                    "`null` without quotes is not a JSON Schema type".to_owned(),
                    Some("put it in quotes: `\"null\"`".to_owned()),
                ),
                Some(strange) => (
                    format!(
                        "`{}` is not a JSON Schema type",
                        strange.as_str().map_or_else(|| strange.to_string(), str::to_owned)
                    ),
                    strange.as_str().and_then(|name| did_you_mean(name, TYPES)),
                ),
                None => ("`type` must be a type, or a list of different types".to_owned(), None),
            }
        }
        (ValidationErrorKind::Type { kind }, _) => {
            let names = type_names(kind);
            let found = found_description(found, &names);
            let expected: Vec<&str> = names.into_iter().map(type_description).collect();
            (format!("{key} must be {}, not {found}", expected.join(" or ")), None)
        }
        (kind, _) => {
            let what = bound(kind);
            (
                format!("{key} {}", what.unwrap_or_else(|| "has a value that JSON Schema does not allow".to_owned())),
                None,
            )
        }
    };
    SchemaProblem { kind: SchemaProblemKind::Invalid, pointer, on_key: false, message, help }
}
