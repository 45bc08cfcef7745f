//! The `order` section: the order schema, the expression of the order key, and ignored members.

use std::sync::Arc;

use oms_core::diagnostic::{Diagnostic, Finding, Place, Route, Severity, codes};
use oms_core::document::{self, Files};
use oms_core::time_zone::TimeZone;
use oms_core::value::{
    Digest, IgnoredMembers, JsonProblem, Parsed, ProblemKind, Record, RecordType, Shape, Type,
    Value,
};
use oms_expression::{Compiled, Env, Root, Scope};
use serde_json::Value as Json;

use super::ignore::{self, Ignored};
use super::schema_values;
use super::semantics::Semantics;
use super::sink::Sink;
use crate::pipeline::{Pipeline, SchemaSource};
use crate::schema::{OrderSchema, TypeRules, in_schema, place_in};

/// The schema and the key of an order.
#[derive(Debug)]
pub struct OrderPlan {
    schema: OrderSchema,
    key: Compiled,
    max_bytes: usize,
    intake: Arc<RecordType>,
    /// The pointers of `ignore`, as written.
    ignore: Vec<String>,
    ignored: Ignored,
}

/// Maximum number of characters in a key.
const KEY_CHARS_MAX: usize = 256;

/// Why a text cannot be the key of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is empty.
    #[error("the key is empty")]
    Empty,
    /// The key is too long.
    #[error("the key has more than {KEY_CHARS_MAX} characters")]
    TooLong,
    /// The key has characters that are not allowed.
    #[error("a key can contain only the characters A-Z a-z 0-9 . _ ~ -")]
    Characters,
    /// The key would refer to a folder.
    #[error("a key cannot be `.` or `..`")]
    Dots,
    /// The key could not be computed.
    #[error("cannot compute the key")]
    Computed,
}

/// Checks the key of a run. A key consists of 1 to 256 unreserved characters (RFC 3986) and is
/// neither `.` nor `..`.
///
/// # Errors
/// Returns an error if the key is invalid.
pub fn valid_key(key: &str) -> Result<(), KeyError> {
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    if key.len() > KEY_CHARS_MAX {
        return Err(KeyError::TooLong);
    }
    if !key.chars().all(is_key_char) {
        return Err(KeyError::Characters);
    }
    if key == "." || key == ".." {
        return Err(KeyError::Dots);
    }
    Ok(())
}

const fn is_key_char(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '~' | '-')
}

impl OrderPlan {
    /// Returns the schema.
    pub const fn schema(&self) -> &OrderSchema {
        &self.schema
    }

    /// Returns the maximum size of an order in bytes.
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns the pointers to ignored members, as written.
    pub(super) fn ignore(&self) -> &[String] {
        &self.ignore
    }

    /// Returns whether orders are compared without some of their members.
    pub fn ignores_members(&self) -> bool {
        !self.ignored.members().is_empty()
    }

    /// Returns the members that do not make it another order.
    pub(crate) const fn ignored(&self) -> &IgnoredMembers {
        self.ignored.members()
    }

    /// Returns the digest of an order without its ignored members, or `None` if no member is
    /// ignored.
    pub(crate) fn reduced_digest(&self, order: &Parsed) -> Option<Digest> {
        self.ignored.reduced_digest(&order.canonical)
    }

    /// Returns the problem of an order that is too large.
    pub(crate) fn too_large(&self) -> JsonProblem {
        let message = larger_than(self.max_bytes);
        JsonProblem { kind: ProblemKind::Shape, pointer: String::new(), offset: 0, message }
    }

    /// Returns the path of the key, such as `order.order_id`, if the key is a single field.
    pub(super) fn key_path(&self) -> Option<&str> {
        self.key.path()
    }

    /// Returns whether the key comes from the request path or file name instead of the order
    /// itself.
    pub fn key_is_name(&self) -> bool {
        self.key.reads().any(|path| path.starts_with("intake."))
    }

    /// Returns whether the key is personal data or is computed from it.
    pub fn key_is_personal(&self) -> bool {
        self.key.ty().contains_pii()
    }

    /// Computes the key of an order that was received under a name.
    ///
    /// # Errors
    /// Returns an error if the result is not a valid key.
    pub fn key(&self, order: &Parsed, name: &str) -> Result<Arc<str>, KeyError> {
        let intake = Record::new(Arc::clone(&self.intake), vec![Value::text(name)]);
        let env = Env {
            order: &order.value,
            intake: Some(&Value::Record(Arc::new(intake))),
            ..Env::empty()
        };
        let value = self.key.eval(&env).map_err(|_| KeyError::Computed)?;
        let key = match value {
            Value::Text(text) => text,
            other => Arc::from(other.display()),
        };
        valid_key(&key)?;
        Ok(key)
    }
}

pub(super) fn check(
    pipeline: &Pipeline,
    time_zone: &TimeZone,
    sink: &mut Sink<'_>,
    files: &dyn Files,
    semantics: Semantics,
) -> Option<OrderPlan> {
    let section = pipeline.order.as_ref()?;
    let route = Route::root().key("order");
    let type_rules =
        if semantics.types_null_unions() { TypeRules::Current } else { TypeRules::First };
    let schema = match &section.schema {
        SchemaSource::Inline(json) => Some(inline(json, type_rules, &route.key("schema"), sink)),
        SchemaSource::File(path) => from_file(path, type_rules, &route.key("schema"), sink, files),
    };
    let schema = schema.filter(OrderSchema::is_usable)?;
    let mut scope = Scope::new(time_zone.clone());
    scope.define(Root::Order, schema.ty().clone());
    let intake = Type::record([("name", Type::text())]);
    let intake_record = intake.as_record().cloned().unwrap_or_default();
    scope.define(Root::Intake, intake);
    let place = route.key("key");
    let compiled =
        match oms_expression::compile_value(&Json::String(section.key.clone()), None, &scope) {
            Ok(mut key) => {
                let notes = key.take_notes();
                (Some(key), notes)
            }
            Err(problems) => (None, problems),
        };
    let (key, problems) = compiled;
    let mut expression = None;
    for problem in problems {
        if problem.code == codes::MISSING_BRACES {
            expression = problem.help;
        } else {
            sink.add(problem.into_finding(&place));
        }
    }
    let key = key?;
    let may_be_broken = key.ty().nullable && sink.has_error(codes::ORDER_SCHEMA);
    let fault = if key.is_broken() || may_be_broken {
        // The part of the schema to which the key refers has its own finding.
        None
    } else if key.constant().is_some() {
        Some("is the same for every order".to_owned())
    } else if key.ty().nullable {
        Some("may be missing".to_owned())
    } else if !matches!(
        key.ty().shape,
        Shape::Text { .. } | Shape::Int | Shape::Email | Shape::Currency
    ) {
        Some(format!("is {}", key.ty().shape))
    } else {
        None
    };
    if let Some(fault) = fault {
        sink.add(
            Finding::error(codes::ORDER_KEY, Place::value(place), format!("the order key {fault}"))
                .help(expression.unwrap_or_else(|| "use a required field of the order that is text or an integer and unique for each order, or `${{ intake.name }}`".to_owned())),
        );
        return None;
    }
    if let Some(message) = fixed_fault(&key) {
        let help = "keep only the characters A-Z a-z 0-9 . _ ~ - in the fixed text";
        let finding = Finding::error(codes::ORDER_KEY, Place::value(place), message);
        sink.add(finding.help(help.to_owned()).ignored_in_bundles());
        return None;
    }
    if key.ty().contains_pii() {
        let message = "the order key is personal data, but keys are never masked";
        sink.add(Finding::warning(codes::PERSONAL_KEY, Place::value(place), message).help(
            "use a key without personal data, such as an order number, or remove `x-pii` if the member is not personal data".to_owned(),
        ));
    }
    let max_bytes = usize::try_from(section.max_bytes).unwrap_or(usize::MAX);
    let ignored = ignore::check(&section.ignore, &schema, &key, sink);
    let ignore = section.ignore.clone();
    Some(OrderPlan { schema, key, max_bytes, intake: intake_record, ignore, ignored })
}

/// Returns a message about fixed text in the order key that makes every key invalid, such as the
/// line break at the end of a YAML block scalar.
fn fixed_fault(key: &Compiled) -> Option<String> {
    let chars: usize = key.fixed_texts().map(|text| text.chars().count()).sum();
    if chars > KEY_CHARS_MAX {
        return Some(format!("the order key has more than {KEY_CHARS_MAX} characters"));
    }
    let invalid = key.fixed_texts().flat_map(str::chars).find(|letter| !is_key_char(*letter))?;
    Some(match invalid {
        '\n' => "the order key contains a line break, which is not allowed in keys".to_owned(),
        letter => {
            format!("the order key contains {letter:?}, which is not allowed in keys")
        }
    })
}

fn inline(json: &Json, type_rules: TypeRules, route: &Route, sink: &mut Sink<'_>) -> OrderSchema {
    let (schema, problems) = OrderSchema::compile(json, type_rules);
    for problem in problems {
        let place = place_in(sink.document, route, &problem);
        // The version that stored a bundle accepted its schema, so all findings in it are new.
        sink.add(
            Finding::error(codes::ORDER_SCHEMA, place, problem.message)
                .help(problem.help)
                .ignored_in_bundles(),
        );
    }
    schema_values::inline(&schema, route, sink);
    schema
}

fn from_file(
    path: &str,
    type_rules: TypeRules,
    route: &Route,
    sink: &mut Sink<'_>,
    files: &dyn Files,
) -> Option<OrderSchema> {
    let shown = files.shown(path);
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            sink.unreadable(Place::value(route.clone()), &shown, &error);
            return None;
        }
    };
    // JSON is a subset of YAML, so the YAML reader also provides the places in a JSON file.
    let document = match document::parse(&shown, &bytes) {
        Ok(document) => document,
        Err((text, diagnostic)) => {
            sink.report.add_source(&shown, &text);
            let message = match diagnostic.message.split_once(": ") {
                Some((_, why)) if diagnostic.code == codes::YAML_SYNTAX => {
                    format!("the order schema is neither JSON nor YAML: {why}")
                }
                _ => diagnostic.message.clone(),
            };
            sink.report.push(Diagnostic { code: codes::ORDER_SCHEMA, message, ..*diagnostic });
            return None;
        }
    };
    let (schema, problems) = OrderSchema::compile(&document.root().to_json(), type_rules);
    if !problems.is_empty() && !sink.bundle {
        sink.report.add_source(&shown, document.text());
        for problem in problems {
            let (code, severity) = (codes::ORDER_SCHEMA, Severity::Error);
            sink.report.push(in_schema(&document, code, severity, problem));
        }
    }
    schema_values::in_file(&schema, &document, sink);
    Some(schema)
}

/// Completes the message "the order …" for an order of more than `max` bytes.
pub(crate) fn larger_than(max: usize) -> String {
    format!("is larger than {max} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_escape_its_folder() {
        for good in ["A1", "NW-10248", "a.b_c~d", "..."] {
            assert_eq!(valid_key(good), Ok(()), "{good}");
        }
        let long = "A".repeat(257);
        for bad in ["", ".", "..", "a/b", "a b", "заказ", "a%2e", "A\0", "A\n", long.as_str()]
        {
            assert!(valid_key(bad).is_err(), "{bad:?}");
        }
    }
}
