//! A violation of the file's schema, in words of ours and at the right token.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value as Json;

use super::shape_help;
use crate::diagnostic::{
    Finding, Place, Route, Segment, closest, codes, did_you_mean, one_of, without_line_break,
};
use crate::document::{Document, NodeValue};
use crate::schema::words::{bound, in_words, type_name, type_names};

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
            unexpected.iter().map(|key| unknown_key(error, &route, key, &known)).collect()
        }
        ValidationErrorKind::FalseSchema => vec![excluded(document, route)],
        ValidationErrorKind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            let at = match last_key(&route) {
                key if key.is_empty() => "the pipeline".to_owned(),
                key => format!("`{key}`"),
            };
            let message = format!("{at} lacks the key `{missing}`");
            vec![
                Finding::error(codes::MISSING_KEY, Place::key(route), message)
                    .help(format!("add `{missing}:`")),
            ]
        }
        ValidationErrorKind::Type { kind } => vec![wrong_type(error, document, route, kind)],
        ValidationErrorKind::OneOfNotValid { .. } if last_key(&route) == "uses" => {
            unknown_kind(error, route, schema, &schema_path)
        }
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. } => {
            vec![one_of_the_values(error, route, schema, &schema_path)]
        }
        ValidationErrorKind::Enum { options } => {
            let names: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            vec![not_one_of(error.instance(), route, names)]
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default().to_owned();
            vec![bad_name(route.key(&name), &name)]
        }
        ValidationErrorKind::Pattern { .. } => vec![bad_text(error, route)],
        // A version that is not even a number has a finding for that.
        ValidationErrorKind::Constant { .. } if !error.instance().is_u64() => Vec::new(),
        ValidationErrorKind::Constant { .. } if last_key(&route) == "oms" => {
            let message = format!(
                "this program reads version 1 of the file format, and this file says {}",
                shown(error.instance())
            );
            vec![
                Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)
                    .help("write `oms: 1`".to_owned()),
            ]
        }
        kind => {
            let what = bound(kind).unwrap_or_else(|| format!("cannot be this: {}", error.masked()));
            let message = format!("`{}` {what}", last_key(&route));
            vec![Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)]
        }
    }
}

fn unknown_key(error: &ValidationError<'_>, route: &Route, key: &str, known: &[String]) -> Finding {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match (shape_help::meant(key, &names), error.instance().get(key)) {
        (Some(meant), Some(value)) => Some(shape_help::of_key(meant, key, value)),
        _ => did_you_mean(key, names),
    };
    let message = format!("unknown key `{key}`");
    Finding::error(codes::UNKNOWN_KEY, Place::key(route.key(key)), message).help(help)
}

/// A key that another one beside it makes meaningless.
fn excluded(document: &Document, route: Route) -> Finding {
    let key = last_key(&route);
    let source = route.parent().map(|above| above.key("source"));
    let source = source.and_then(|source| {
        let (node, _) = document.root().find(&source)?;
        Some((source, node.as_text()?.to_owned()))
    });
    match source {
        Some((place, source)) => {
            let message = format!("`{key}` has no meaning with `source: {source}`");
            Finding::error(codes::UNKNOWN_KEY, Place::key(route), message)
                .also(Place::value(place), "this excludes it")
                .help(format!("drop `{key}`, or change the source"))
        }
        None => {
            let message = format!("`{key}` has no meaning here");
            Finding::error(codes::UNKNOWN_KEY, Place::key(route), message)
                .help(format!("drop `{key}`"))
        }
    }
}

/// A text that is not of the form that is wanted: each form in words.
fn bad_text(error: &ValidationError<'_>, route: Route) -> Finding {
    let text = error.instance().as_str().unwrap_or_default().to_owned();
    let key = last_key(&route);
    if text.contains('\n') {
        return line_break(route, &text);
    }
    let place = Place::value(route.clone());
    let with_help = |code, message: String, help: &str| {
        Finding::error(code, place.clone(), message).help(help.to_owned())
    };
    match key.as_str() {
        "name" => with_help(
            codes::BAD_NAME,
            format!("`{text}` is not a pipeline name"),
            "a pipeline name has small letters, digits and `-`, begins with a letter and has at most 63 characters",
        ),
        "path" if route == Route::root().key("intake").key("path") => with_help(
            codes::INTAKE_PATH,
            "this is not an intake path".to_owned(),
            "a path begins with `/` and ends in `/{key}`, such as `/order/{key}`",
        ),
        "as" => with_help(
            codes::BAD_NAME,
            format!("`{text}` is not allowed as the name of an element"),
            "an element's name has small letters, digits and `_`, begins with a letter, and means nothing else in an expression",
        ),
        "locale" => with_help(
            codes::VALUE_NOT_ALLOWED,
            format!("`{text}` is not a language tag"),
            "write a tag of BCP 47, such as `en` or `de-AT`",
        ),
        "bucket" => with_help(
            codes::VALUE_NOT_ALLOWED,
            format!("`{text}` is not a bucket name"),
            "a bucket name has 3 to 63 small letters, digits, `-` and `.`, and begins and ends with a letter or digit",
        ),
        "topic" => with_help(
            codes::VALUE_NOT_ALLOWED,
            format!("`{text}` is not a topic name"),
            "a topic name has 1 to 200 letters, digits, `-` and `_`",
        ),
        _ => Finding::error(
            codes::VALUE_NOT_ALLOWED,
            place,
            format!("`{key}` does not have the form that is wanted: {}", error.masked()),
        ),
    }
}

fn bad_name(route: Route, name: &str) -> Finding {
    let segments: Vec<&str> = route
        .segments()
        .iter()
        .map(|segment| match segment {
            Segment::Key(key) => key.as_str(),
            Segment::Index(_) => "",
        })
        .collect();
    let help = match segments.as_slice() {
        ["tables", ..] if name.starts_with("oms_") => {
            "names that begin with `oms_` are kept for the engine's own tables and columns"
        }
        ["tables", _] if name.starts_with("sqlite_") => {
            "names that begin with `sqlite_` are kept by the database"
        }
        ["tables", ..] => {
            "a table or column name has small letters, digits and `_`, begins with a letter and has at most 63 characters"
        }
        ["steps", ..] => {
            "a step's id has small letters, digits and `_`, begins with a letter and has at most 63 characters"
        }
        ["handlers", ..] => {
            "a handler's name has letters, digits, `-` and `_`, begins with a letter and has at most 64 characters"
        }
        _ => {
            "a name has small letters, digits, `_` and `-`, begins with a letter and has at most 63 characters"
        }
    };
    Finding::error(codes::BAD_NAME, Place::key(route), format!("`{name}` is not allowed as a name"))
        .help(help.to_owned())
}

/// A value that is none of the alternatives: those that are constants are listed.
fn one_of_the_values(
    error: &ValidationError<'_>,
    route: Route,
    schema: &Json,
    schema_path: &str,
) -> Finding {
    let cases = schema.pointer(schema_path).and_then(Json::as_array);
    let mut names: Vec<&str> = Vec::new();
    for case in cases.into_iter().flatten() {
        names.extend(case.get("const").and_then(Json::as_str));
        let listed = case.get("enum").and_then(Json::as_array);
        names.extend(listed.into_iter().flatten().filter_map(Json::as_str));
    }
    if names.is_empty() {
        let message = format!("`{}` cannot be this: {}", last_key(&route), error.masked());
        return Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message);
    }
    not_one_of(error.instance(), route, names)
}

fn not_one_of(found: &Json, route: Route, names: Vec<&str>) -> Finding {
    let key = last_key(&route);
    let Some(text) = found.as_str() else {
        let message = format!("`{key}` must be text, not {}", in_words(type_name(found)));
        return Finding::error(codes::WRONG_SHAPE, Place::value(route), message)
            .help(one_of(names));
    };
    let message = format!("`{key}` cannot be `{text}`");
    Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)
        .help(did_you_mean(text, names))
}

fn unknown_kind(
    error: &ValidationError<'_>,
    route: Route,
    schema: &Json,
    schema_path: &str,
) -> Vec<Finding> {
    // What is not even text has a finding for that.
    let Some(found) = error.instance().as_str() else { return Vec::new() };
    let kinds: Vec<&str> = schema
        .pointer(schema_path)
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|case| case.get("const").and_then(Json::as_str))
        .collect();
    if found.contains('\n') {
        return vec![line_break(route, found)];
    }
    let message = format!("there is no step kind `{found}`");
    // A verb that a noun does not have is not another verb of it.
    let noun = found.split_once('.').map(|(noun, _)| format!("{noun}."));
    let of_noun = |kind: &&str| noun.as_ref().is_some_and(|noun| kind.starts_with(noun));
    let siblings: Vec<&str> = kinds.iter().copied().filter(of_noun).collect();
    let help = match noun.as_ref().filter(|_| !siblings.is_empty()) {
        Some(noun) => {
            let verb_of = |kind: &str| kind.get(noun.len()..).unwrap_or_default().to_owned();
            let verbs: Vec<String> = siblings.iter().map(|kind| verb_of(kind)).collect();
            match closest(&verb_of(found), verbs.iter().map(String::as_str)) {
                Some(verb) => Some(format!("did you mean `{noun}{verb}`?")),
                None => one_of(siblings),
            }
        }
        None => did_you_mean(found, kinds),
    };
    vec![Finding::error(codes::UNKNOWN_KIND, Place::value(route), message).help(help)]
}

/// A line break in a name.
fn line_break(route: Route, text: &str) -> Finding {
    let message = format!("`{}` must not have a line break", last_key(&route));
    Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)
        .help(without_line_break(text).to_owned())
}

fn wrong_type(
    error: &ValidationError<'_>,
    document: &Document,
    route: Route,
    kind: &TypeKind,
) -> Finding {
    let names = type_names(kind);
    // That a value may be left empty helps nobody who wrote one.
    let wanted: Vec<&str> =
        names.iter().filter(|name| **name != "null").map(|name| in_words(name)).collect();
    let key = last_key(&route);
    let instance = error.instance();
    let place = Place::value(route.clone());
    let digits = document.text().get(document.span(&place)).unwrap_or_default();
    let quoted = (instance.is_number() && names.contains(&"string") && !digits.is_empty())
        .then(|| format!("write it as text: \"{digits}\""));
    if quoted.is_some() && is_amount(&route, &names) {
        let message = format!("`{key}` is a bare number, and must be an exact decimal");
        return Finding::error(codes::NUMBER_FOR_DECIMAL, place, message)
            .label("may have been rounded when it was read")
            .help(quoted);
    }
    let found = match instance.as_ref() {
        Json::Number(number) if number.is_f64() && names.contains(&"integer") => {
            "a number with a fraction"
        }
        other => in_words(type_name(other)),
    };
    let message = format!("`{key}` must be {}, not {found}", wanted.join(" or "));
    let help = quoted.or_else(|| shape_help::of_value(&route, &names, instance));
    Finding::error(codes::WRONG_SHAPE, place, message).help(help)
}

/// Tells whether an exact number is wanted: a rate of a fixed table, or a setting that is a
/// decimal.
fn is_amount(route: &Route, names: &[&str]) -> bool {
    let is = |segment: Option<&Segment>, key: &str| matches!(segment, Some(Segment::Key(found)) if found == key);
    let segments = route.segments();
    let fixed_rate =
        segments.len() == 4 && is(segments.first(), "rates") && is(segments.get(2), "table");
    // An expression that gives a number may be written as text or as a whole number, nothing else
    // may.
    fixed_rate || names.contains(&"integer")
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
