//! A violation of the file's schema, in words of ours and at the right token.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value as Json;

use crate::diagnostic::{Finding, Place, Route, Segment, codes, did_you_mean, one_of};
use crate::document::{Document, NodeValue};

/// Turns a violation into findings: one for each unexpected key.
pub(super) fn findings(
    error: &ValidationError<'_>,
    document: &Document,
    schema: &Json,
) -> Vec<Finding> {
    let route = route(document, &error.instance_path().to_string());
    let schema_path = error.schema_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = properties(schema, &schema_path);
            unexpected
                .iter()
                .map(|key| {
                    let names = known.iter().map(String::as_str);
                    Finding::error(
                        codes::UNKNOWN_KEY,
                        Place::key(route.key(key)),
                        format!("unknown key `{key}`"),
                    )
                    .help(did_you_mean(key, names))
                })
                .collect()
        }
        ValidationErrorKind::FalseSchema => {
            let key = last_key(&route);
            vec![
                Finding::error(
                    codes::UNKNOWN_KEY,
                    Place::key(route),
                    format!("`{key}` has no meaning here"),
                )
                .help("other settings beside it exclude it; see `oms schema`".to_owned()),
            ]
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let at = match last_key(&route) {
                key if key.is_empty() => "the pipeline".to_owned(),
                key => format!("`{key}`"),
            };
            let message = format!("{at} lacks the key `{key}`");
            vec![
                Finding::error(codes::MISSING_KEY, Place::key(route), message)
                    .help(format!("add `{key}:`")),
            ]
        }
        ValidationErrorKind::Type { kind } => vec![wrong_type(error, route, kind)],
        ValidationErrorKind::OneOfNotValid { .. } if last_key(&route) == "uses" => {
            vec![unknown_kind(error, route, schema, &schema_path)]
        }
        ValidationErrorKind::Enum { options } => {
            let names: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let found = error.instance().as_str().unwrap_or_default();
            let message = format!("`{}` cannot be {}", last_key(&route), shown(error.instance()));
            vec![
                Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)
                    .help(did_you_mean(found, names)),
            ]
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default().to_owned();
            vec![bad_name(route.key(&name), &name)]
        }
        ValidationErrorKind::Pattern { .. } if last_key(&route) == "name" => {
            let name = error.instance().as_str().unwrap_or_default().to_owned();
            vec![
                Finding::error(codes::BAD_NAME, Place::value(route), format!("`{name}` is not a pipeline name"))
                    .help("a pipeline name has small letters, digits and `-`, begins with a letter and has at most 63 characters".to_owned()),
            ]
        }
        ValidationErrorKind::Pattern { .. } if last_key(&route) == "path" => {
            vec![
                Finding::error(
                    codes::INTAKE_PATH,
                    Place::value(route),
                    "this is not an intake path",
                )
                .help(
                    "a path begins with `/` and ends in `/{key}`, such as `/order/{key}`"
                        .to_owned(),
                ),
            ]
        }
        _ => {
            let message = format!("`{}` is not allowed here: {}", last_key(&route), error.masked());
            vec![Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)]
        }
    }
}

fn bad_name(route: Route, name: &str) -> Finding {
    let in_table =
        route.segments().iter().any(|segment| *segment == Segment::Key("tables".to_owned()));
    let help = if name.starts_with("oms_") {
        "names that begin with `oms_` are kept for the engine's own tables and columns"
    } else if in_table {
        "a table or column name has small letters, digits and `_`, and begins with a letter"
    } else {
        "a name has small letters, digits, `_` and `-`, begins with a letter and has at most 63 characters"
    };
    Finding::error(codes::BAD_NAME, Place::key(route), format!("`{name}` is not allowed as a name"))
        .help(help.to_owned())
}

fn unknown_kind(
    error: &ValidationError<'_>,
    route: Route,
    schema: &Json,
    schema_path: &str,
) -> Finding {
    let found = error.instance().as_str().unwrap_or_default();
    let kinds: Vec<&str> = schema
        .pointer(schema_path)
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|case| case.get("const").and_then(Json::as_str))
        .collect();
    Finding::error(
        codes::UNKNOWN_KIND,
        Place::value(route),
        format!("there is no step kind `{found}`"),
    )
    .help(did_you_mean(found, kinds.iter().copied()).or_else(|| one_of(kinds.iter().copied())))
}

fn wrong_type(error: &ValidationError<'_>, route: Route, kind: &TypeKind) -> Finding {
    let names: Vec<&str> = match kind {
        TypeKind::Single(name) => vec![name.as_str()],
        TypeKind::Multiple(names) => names.iter().map(|name| name.as_str()).collect(),
    };
    let wanted: Vec<&str> = names.iter().map(|name| in_words(name)).collect();
    let key = last_key(&route);
    let found = in_words(match error.instance().as_ref() {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    });
    if matches!(error.instance().as_ref(), Json::Number(_)) && names.contains(&"string") {
        return Finding::error(
            codes::NUMBER_FOR_DECIMAL,
            Place::value(route),
            format!("`{key}` is a bare number, and must be text"),
        )
        .help("put it in quotes, so that no reader takes it for a float".to_owned());
    }
    let message = format!("`{key}` must be {}, not {found}", wanted.join(" or "));
    Finding::error(codes::WRONG_SHAPE, Place::value(route), message)
}

fn in_words(name: &str) -> &'static str {
    match name {
        "null" => "empty",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        _ => "a map",
    }
}

/// Returns a short value as it may be shown in a message; the file's own text is no secret.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

/// Returns the route of a JSON pointer into the document.
fn route(document: &Document, pointer: &str) -> Route {
    Route::from_pointer(pointer, |route| {
        document
            .root()
            .find(route)
            .is_some_and(|(node, _)| matches!(node.value, NodeValue::List(_)))
    })
}

fn last_key(route: &Route) -> String {
    route
        .segments()
        .iter()
        .rev()
        .find_map(|segment| match segment {
            Segment::Key(key) => Some(key.clone()),
            Segment::Index(_) => None,
        })
        .unwrap_or_default()
}

/// Returns the names that the schema beside an `additionalProperties` keyword allows.
fn properties(schema: &Json, schema_path: &str) -> Vec<String> {
    let beside = schema_path.rsplit_once('/').map_or("", |(parent, _)| parent);
    schema
        .pointer(&format!("{beside}/properties"))
        .and_then(Json::as_object)
        .map(|map| map.keys().cloned().collect())
        .unwrap_or_default()
}
