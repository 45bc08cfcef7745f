//! Turns violations of the file's schema into findings with exact places.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use oms_core::diagnostic::{
    Finding, Place, Route, Segment, closest, codes, did_you_mean, one_of, without_line_break,
};
use oms_core::document::{Document, NodeValue};
use serde_json::Value as Json;

use super::shape_help;
use crate::schema::messages::{bound, found_description, type_description, type_name, type_names};

/// Turns a violation into findings. Each unknown key has its own finding.
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
            let message = format!("missing key `{missing}` in {at}");
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
        // A version that is not a number already has a finding about its type.
        ValidationErrorKind::Constant { .. } if !error.instance().is_u64() => Vec::new(),
        ValidationErrorKind::Constant { .. } if last_key(&route) == "oms" => {
            let message = format!(
                "unsupported version {} of the file format; this program supports version 1",
                shown(error.instance())
            );
            vec![
                Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)
                    .help("write `oms: 1`".to_owned()),
            ]
        }
        kind => {
            let what = bound(kind).unwrap_or_else(|| format!("is invalid: {}", error.masked()));
            let message = format!("`{}` {what}", last_key(&route));
            vec![Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)]
        }
    }
}

fn unknown_key(error: &ValidationError<'_>, route: &Route, key: &str, known: &[String]) -> Finding {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match (shape_help::known_key(key, &names), error.instance().get(key)) {
        (Some(meant), Some(value)) => Some(shape_help::key_help(meant, key, value)),
        _ => did_you_mean(key, names),
    };
    let message = format!("unknown key `{key}`");
    Finding::error(codes::UNKNOWN_KEY, Place::key(route.key(key)), message).help(help)
}

/// Returns the finding for a key that another key excludes.
fn excluded(document: &Document, route: Route) -> Finding {
    let key = last_key(&route);
    let other = ["source", "scheme"].into_iter().find_map(|other| {
        let place = route.parent()?.key(other);
        let (node, _) = document.root().find(&place)?;
        Some((other, place, node.as_text()?.to_owned()))
    });
    match other {
        Some((other, place, value)) => {
            let message = format!("`{key}` cannot be used with `{other}: {value}`");
            Finding::error(codes::UNKNOWN_KEY, Place::key(route), message)
                .related(Place::value(place), format!("the {other}"))
                .help(format!("remove `{key}`, or change the {other}"))
        }
        None => {
            let message = format!("`{key}` cannot be used here");
            Finding::error(codes::UNKNOWN_KEY, Place::key(route), message)
                .help(format!("remove `{key}`"))
        }
    }
}

/// Returns the finding for a text that does not match the pattern of its key.
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
            format!("invalid pipeline name `{text}`"),
            "use at most 63 lowercase letters, digits and `-`, starting with a letter",
        ),
        "path" if route == Route::root().key("intake").key("path") => with_help(
            codes::INTAKE_PATH,
            "invalid intake path".to_owned(),
            "write a path that begins with `/`, such as `/order/{key}`, or `/shop/orders` for webhooks",
        ),
        "header" => with_help(
            codes::VALUE_NOT_ALLOWED,
            format!("`{text}` is not the name of an HTTP header"),
            "use letters, digits and `-`, such as `X-Signature`",
        ),
        "as" => with_help(
            codes::BAD_NAME,
            format!("invalid element name `{text}`"),
            "use lowercase letters, digits and `_`, starting with a letter; names with a meaning in expressions are reserved",
        ),
        "locale" => with_help(
            codes::VALUE_NOT_ALLOWED,
            format!("invalid language tag `{text}`"),
            "write a BCP 47 language tag, such as `en` or `de-AT`",
        ),
        "bucket" => with_help(
            codes::VALUE_NOT_ALLOWED,
            format!("invalid bucket name `{text}`"),
            "use 3 to 63 lowercase letters, digits, `-` and `.`, starting and ending with a letter or digit",
        ),
        "topic" => with_help(
            codes::VALUE_NOT_ALLOWED,
            format!("invalid topic name `{text}`"),
            "use 1 to 200 letters, digits, `-` and `_`",
        ),
        _ => Finding::error(
            codes::VALUE_NOT_ALLOWED,
            place,
            format!("invalid value of `{key}`: {}", error.masked()),
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
            "choose a name that does not begin with `oms_`, which is reserved for the engine's tables and columns"
        }
        ["tables", _] if name.starts_with("sqlite_") => {
            "choose a name that does not begin with `sqlite_`, which is reserved by the database"
        }
        ["tables", ..] => {
            "use at most 63 lowercase letters, digits and `_`, starting with a letter, for the name of a table or column"
        }
        ["steps", ..] => {
            "use at most 63 lowercase letters, digits and `_`, starting with a letter, for the id of a step"
        }
        ["settings", ..] => {
            "use at most 63 lowercase letters, digits and `_`, starting with a letter, for the name of a setting"
        }
        ["handlers", ..] => {
            "use at most 64 letters, digits, `-` and `_`, starting with a letter, for the name of a handler"
        }
        _ => "use at most 63 lowercase letters, digits, `_` and `-`, starting with a letter",
    };
    Finding::error(codes::BAD_NAME, Place::key(route), format!("invalid name `{name}`"))
        .help(help.to_owned())
}

/// Returns the finding for a value that matches no alternative. It lists the alternatives that are
/// constants.
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
        let message = format!("invalid value of `{}`: {}", last_key(&route), error.masked());
        return Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message);
    }
    not_one_of(error.instance(), route, names)
}

fn not_one_of(found: &Json, route: Route, names: Vec<&str>) -> Finding {
    let key = last_key(&route);
    let Some(text) = found.as_str() else {
        let message = format!("`{key}` must be text, not {}", type_description(type_name(found)));
        return Finding::error(codes::WRONG_SHAPE, Place::value(route), message)
            .help(one_of(names));
    };
    let message = format!("invalid value `{text}` of `{key}`");
    Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message)
        .help(did_you_mean(text, names))
}

fn unknown_kind(
    error: &ValidationError<'_>,
    route: Route,
    schema: &Json,
    schema_path: &str,
) -> Vec<Finding> {
    // A value that is not text already has a finding about its type.
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
    let message = format!("unknown step kind `{found}`");
    // For `table.delete`, suggest only kinds of `table`. Of these, suggest a single one only if the
    // verbs are similar.
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

/// Returns the finding for a line break in a name.
fn line_break(route: Route, text: &str) -> Finding {
    let message = format!("`{}` must not contain a line break", last_key(&route));
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
    // `null` is allowed for a missing value, which is no help for a value of the wrong type.
    let expected: Vec<&str> =
        names.iter().filter(|name| **name != "null").map(|name| type_description(name)).collect();
    let key = last_key(&route);
    let instance = error.instance();
    let place = Place::value(route.clone());
    let digits = document.text().get(document.span(&place)).unwrap_or_default();
    let quoted = (instance.is_number() && names.contains(&"string") && !digits.is_empty())
        .then(|| format!("write it as text: \"{digits}\""));
    if quoted.is_some() && is_amount(&route, &names) {
        let message = format!("`{key}` must be an exact decimal, not a number");
        return Finding::error(codes::NUMBER_FOR_DECIMAL, place, message)
            .label("may have been rounded when the file was read")
            .help(quoted);
    }
    let found = found_description(instance, &names);
    let message = format!("`{key}` must be {}, not {found}", expected.join(" or "));
    let help = quoted.or_else(|| shape_help::value_help(&route, &names, instance));
    Finding::error(codes::WRONG_SHAPE, place, message).help(help)
}

/// Returns whether an exact decimal is expected: for a rate of a fixed table and for a setting that
/// is a decimal.
fn is_amount(route: &Route, names: &[&str]) -> bool {
    let is = |segment: Option<&Segment>, key: &str| matches!(segment, Some(Segment::Key(found)) if found == key);
    let segments = route.segments();
    let fixed_rate =
        segments.len() == 4 && is(segments.first(), "rates") && is(segments.get(2), "table");
    // Only the schema of a decimal setting allows both texts and integers.
    fixed_rate || names.contains(&"integer")
}

/// Returns the form of a short value in a message. The content of a pipeline file is not secret.
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

/// Returns the names in `properties` next to an `additionalProperties` keyword.
fn properties(schema: &Json, schema_path: &str) -> Vec<String> {
    let beside = schema_path.rsplit_once('/').map_or("", |(parent, _)| parent);
    schema
        .pointer(&format!("{beside}/properties"))
        .and_then(Json::as_object)
        .map(|map| map.keys().cloned().collect())
        .unwrap_or_default()
}
