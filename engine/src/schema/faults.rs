//! Turns the validator's errors about an order into problems in our own words: one problem for each
//! fault, with its place and without values.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use oms_core::money::{Decimal, DecimalError};
use oms_core::value::{JsonProblem, PROBLEMS_MAX, ProblemKind, json_messages, locate, locate_name};
use serde_json::Value as Json;

use super::bounds::DIGITS;
use super::formats;
use super::messages::type_names;

/// A fault with a rank. Of several faults of a scalar, only the one with the lowest rank is
/// reported.
struct Fault {
    pointer: String,
    kind: ProblemKind,
    /// The name of a member that is not allowed.
    name: Option<String>,
    message: String,
    rank: Rank,
    scalar: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Type,
    Values,
    Form,
    Bound,
    Alternatives,
}

/// Returns the problems that the reader found in an order, and the additional problems that the
/// validator found.
pub(super) fn problems<'e>(
    body: &[u8],
    read: Vec<JsonProblem>,
    errors: impl Iterator<Item = ValidationError<'e>>,
) -> Vec<JsonProblem> {
    let mut faults = Vec::new();
    for error in errors {
        collect(&error, &mut faults);
    }
    faults.sort_by_key(|fault| fault.rank);
    let mut problems = read;
    for fault in faults {
        if problems.iter().any(|known| is_duplicate(known, &fault)) {
            continue;
        }
        let Fault { pointer, kind, name, message, .. } = fault;
        let offset = match name {
            Some(name) => locate_name(body, &pointer, &name),
            None => locate(body, &pointer),
        };
        problems.push(JsonProblem { kind, pointer, offset, message });
    }
    problems.sort_by_key(|problem| problem.offset);
    problems.truncate(PROBLEMS_MAX);
    problems
}

fn is_duplicate(known: &JsonProblem, fault: &Fault) -> bool {
    if known.pointer == fault.pointer {
        return fault.scalar || fault.rank == Rank::Type || known.message == fault.message;
    }
    // A fault within a value explains why it matches no alternative.
    let below = known.pointer.strip_prefix(fault.pointer.as_str());
    fault.rank == Rank::Alternatives && below.is_some_and(|below| below.starts_with('/'))
}

fn collect(error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
    let pointer = error.instance_path().to_string();
    let scalar = !matches!(error.instance().as_ref(), Json::Array(_) | Json::Object(_));
    let mut add = |rank: Rank, message: String| {
        let (pointer, kind) = (pointer.clone(), problem_kind(error));
        faults.push(Fault { pointer, kind, name: None, message, rank, scalar });
    };
    match error.kind() {
        Kind::Type { kind } => {
            let expected: Vec<&str> = type_names(kind).into_iter().map(type_description).collect();
            let null = if error.instance().is_null() { ", not null" } else { "" };
            add(Rank::Type, format!("must be {}{null}", expected.join(" or ")));
        }
        Kind::Constant { expected_value } => add(Rank::Values, format!("must be {expected_value}")),
        Kind::Enum { options } => add(Rank::Values, one_of(options)),
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            add(Rank::Form, json_messages::missing_member(name));
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                let (pointer, kind) = (pointer.clone(), ProblemKind::Unknown);
                let message = json_messages::not_allowed(name);
                let name = Some(name.clone());
                faults.push(Fault { pointer, kind, name, message, rank: Rank::Form, scalar });
            }
        }
        Kind::AdditionalItems { .. } | Kind::UnevaluatedItems { .. } => {
            add(Rank::Form, "has elements that the schema does not allow".to_owned());
        }
        Kind::AnyOf { context } => {
            alternatives(error, context, "must match a schema in `anyOf`", faults);
        }
        Kind::OneOfNotValid { context } => {
            alternatives(error, context, "must match a schema in `oneOf`", faults);
        }
        Kind::OneOfMultipleValid { .. } => add(
            Rank::Alternatives,
            "must match exactly one schema in `oneOf`, but matches several".to_owned(),
        ),
        Kind::PropertyNames { error: inner } => {
            let mut of_name = Vec::new();
            collect(inner, &mut of_name);
            let name = inner.instance().as_str().unwrap_or_default().to_owned();
            let why = of_name.first().map_or("is not allowed", |fault| &fault.message);
            let shown = json_messages::shown(&name);
            let message = format!("has a member `{shown}` whose name {why}");
            let (kind, rank) = (ProblemKind::Unknown, Rank::Form);
            faults.push(Fault { pointer, kind, name: Some(name), message, rank, scalar });
        }
        kind => add(rank(kind), message(error)),
    }
}

/// Returns the kind of a problem that the validator found in a value.
fn problem_kind(error: &ValidationError<'_>) -> ProblemKind {
    let is_number = match error.instance().as_ref() {
        Json::String(text) => Decimal::parse(text) != Err(DecimalError::NotPlain),
        _ => true,
    };
    match error.kind() {
        Kind::Custom { keyword, .. } if keyword == DIGITS && is_number => ProblemKind::Digits,
        _ => ProblemKind::Shape,
    }
}

const fn rank(kind: &Kind) -> Rank {
    match kind {
        Kind::FalseSchema => Rank::Type,
        Kind::Format { .. } | Kind::Pattern { .. } | Kind::Custom { .. } => Rank::Form,
        _ => Rank::Bound,
    }
}

/// Reports the faults of the only plausible alternative, or else that no alternative matches.
fn alternatives(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    none: &str,
    faults: &mut Vec<Fault>,
) {
    let here = error.instance_path();
    // An alternative with another type, constant or tag is not plausible.
    let other = |error: &ValidationError<'_>| match error.kind() {
        Kind::Type { .. } | Kind::Enum { .. } | Kind::FalseSchema => error.instance_path() == here,
        Kind::Constant { .. } => true,
        _ => false,
    };
    let mut matching = context.iter().filter(|errors| !errors.iter().any(other));
    if let (Some(errors), None) = (matching.next(), matching.next()) {
        for error in errors {
            collect(error, faults);
        }
        return;
    }
    let types: Option<Vec<&str>> = context
        .iter()
        .map(|errors| match errors.as_slice() {
            [only] if only.instance_path() == here => match only.kind() {
                Kind::Type { kind } => Some(type_names(kind)),
                _ => None,
            },
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .map(|types| types.concat());
    let (message, rank) = match types {
        Some(types) => {
            let expected: Vec<&str> = types.into_iter().map(type_description).collect();
            (format!("must be {}", expected.join(" or ")), Rank::Type)
        }
        None => (none.to_owned(), Rank::Alternatives),
    };
    let scalar = !matches!(error.instance().as_ref(), Json::Array(_) | Json::Object(_));
    let (pointer, kind) = (here.to_string(), ProblemKind::Shape);
    faults.push(Fault { pointer, kind, name: None, message, rank, scalar });
}

fn message(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Custom { message, .. } => message.clone(),
        Kind::Format { format } => format!("must be {}", formats::expected(format)),
        Kind::Pattern { pattern } => format!("must match the pattern `{pattern}`"),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "takes too long to match against the pattern".to_owned()
        }
        Kind::MinLength { limit } => json_messages::characters_at_least(*limit),
        Kind::MaxLength { limit } => json_messages::characters_at_most(*limit),
        Kind::MinItems { limit } => json_messages::elements_at_least(*limit),
        Kind::MaxItems { limit } => json_messages::elements_at_most(*limit),
        Kind::MinProperties { limit } => {
            format!("has fewer than {}", json_messages::counted(*limit, "member", "members"))
        }
        Kind::MaxProperties { limit } => {
            format!("has more than {}", json_messages::counted(*limit, "member", "members"))
        }
        Kind::UniqueItems => "must not have duplicate elements".to_owned(),
        Kind::Contains => match error.schema_path().to_string().rsplit('/').next() {
            Some("maxContains") => "has too many elements that match `contains`".to_owned(),
            Some("minContains") => "has too few elements that match `contains`".to_owned(),
            _ => "must have an element that matches `contains`".to_owned(),
        },
        Kind::FalseSchema => "is not allowed by the schema".to_owned(),
        Kind::Not { .. } => "must not match the schema in `not`".to_owned(),
        _ => format!("does not match `{}` of the schema", error.kind().keyword()),
    }
}

fn one_of(options: &Json) -> String {
    const SHOWN_MAX: usize = 12;
    let options: Vec<String> =
        options.as_array().into_iter().flatten().map(Json::to_string).collect();
    match options.get(SHOWN_MAX..) {
        None | Some([]) => format!("must be one of {}", options.join(", ")),
        Some(more) => {
            let shown = options.get(..SHOWN_MAX).unwrap_or_default();
            format!("must be one of {} and {} others", shown.join(", "), more.len())
        }
    }
}

/// Returns the name of a JSON type in words.
fn type_description(name: &str) -> &'static str {
    match name {
        "null" => "null",
        "boolean" => "true or false",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "text",
        "array" => "an array",
        _ => "an object",
    }
}
