//! Checks whether a value fits the expected type, and describes the problem if not.

use std::ops::Range;

use oms_core::diagnostic::{Code, Route, codes, did_you_mean};
use oms_core::money::Currency;
use oms_core::value::{Mismatch, Shape, Type, Value};

use super::check::{Checked, coerce};
use super::node::Node;
use super::problem::{Problem, ProblemSeverity};
use super::scope::Scope;
use super::{guard, literal, widen};

/// The position of a value.
pub(super) struct SourcePosition<'t> {
    pub(super) route: Route,
    /// Its byte range in the scalar, if it is only a part of it.
    pub(super) within: Option<Range<usize>>,
    /// The expression; `None` for a literal value.
    pub(super) code: Option<&'t str>,
}

impl SourcePosition<'_> {
    pub(super) fn problem(
        &self,
        code: Code,
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) -> Problem {
        Problem {
            code,
            route: self.route.clone(),
            within: self.within.clone(),
            on_key: false,
            message: message.into(),
            label: label.into(),
            help,
            origin: None,
            severity: ProblemSeverity::Error,
        }
    }
}

/// Converts a value to the expected type, or returns the problem.
pub(super) fn convert_to(
    checked: Checked,
    expected: &Type,
    at: &SourcePosition<'_>,
    scope: &Scope,
) -> Result<Checked, Box<Problem>> {
    let Some(found) = &checked.ty else { return Ok(checked) };
    if let Some(text) = checked.constant_text() {
        let text = text.to_owned();
        return constant_text(checked, &text, expected, at);
    }
    if expected.shape == Shape::Currency && !found.nullable && are_currencies(&found.shape) {
        let ty = Some(Type { shape: Shape::Currency, ..found.clone() });
        return Ok(Checked { ty, ..checked });
    }
    if widen::is_empty_list(&found.shape) && matches!(expected.shape, Shape::List(_)) {
        return Ok(Checked { ty: Some(expected.clone().not_null()), ..checked });
    }
    if let Err(mismatch) = expected.accepts(found) {
        let missing = matches!(&mismatch, Mismatch::MayBeMissing { path } if path.is_empty());
        let mut problem = mismatch_problem(mismatch, found, expected, at);
        if let (true, Some(code)) = (missing && found.shape != Shape::Null, at.code) {
            problem.help = Some(guard::help(code, &checked, found, scope, None));
        }
        return Err(Box::new(Problem { origin: checked.origin, ..problem }));
    }
    let (node, ty) = coerce(checked.node.clone(), found, expected);
    Ok(Checked { node, ty: Some(ty), ..checked })
}

fn are_currencies(shape: &Shape) -> bool {
    let Shape::Text { values: Some(values), .. } = shape else { return false };
    values.iter().all(|value| Currency::parse(value).is_ok())
}

fn constant_text(
    checked: Checked,
    text: &str,
    expected: &Type,
    at: &SourcePosition<'_>,
) -> Result<Checked, Box<Problem>> {
    // A text inside an expression is a text. Only a plain text in the file is parsed as an amount.
    let reads = at.code.is_none() || !matches!(expected.shape, Shape::Decimal { .. });
    match literal::read(text, &expected.shape).filter(|_| reads) {
        Some(Ok(value)) => {
            let ty = match &value {
                Value::Decimal(_) => {
                    Type { unit: expected.unit.clone(), ..widen::type_of_literal(&value) }
                }
                _ => Type::of(expected.shape.clone()),
            };
            Ok(Checked { node: Node::Const(value), ty: Some(ty), ..checked })
        }
        Some(Err(bad)) => Err(Box::new(at.problem(bad.code, bad.message, bad.label, bad.help))),
        None => match (&expected.shape, &checked.ty) {
            (Shape::Text { values: Some(values), .. }, _)
                if !values.iter().any(|value| value.as_ref() == text) =>
            {
                let known: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                let help = did_you_mean(text, known.iter().copied());
                let message = format!("`{text}` is not one of the allowed values");
                Err(Box::new(at.problem(codes::WRONG_TYPE, message, "unknown value", help)))
            }
            (_, Some(found)) => match expected.accepts(found) {
                Ok(()) => Ok(checked),
                Err(mismatch) => Err(Box::new(mismatch_problem(mismatch, found, expected, at))),
            },
            _ => Ok(checked),
        },
    }
}

fn mismatch_problem(
    mismatch: Mismatch,
    found: &Type,
    expected: &Type,
    at: &SourcePosition<'_>,
) -> Problem {
    let name = |path: &str| match (at.code, path) {
        (Some(code), "") => format!("`{code}`"),
        (Some(code), path) => format!("`{code}.{path}`"),
        (None, "") => "the value".to_owned(),
        (None, path) => format!("`{path}`"),
    };
    match mismatch {
        Mismatch::MayBeMissing { .. } if found.shape == Shape::Null => at.problem(
            codes::WRONG_TYPE,
            format!("expected {}, found null", expected.shape),
            "null",
            None,
        ),
        Mismatch::MayBeMissing { path } => {
            let message = format!("{} may be missing", name(&path));
            at.problem(codes::MAY_BE_MISSING, message, "must not be missing here", None)
        }
        Mismatch::NoField { path } => at.problem(
            codes::WRONG_TYPE,
            format!("expected a record with the field `{path}`"),
            format!("has no `{path}`"),
            None,
        ),
        Mismatch::Shape { path, expected: words, found: found_words } => {
            let found_words =
                if path.is_empty() { widen::describe(&found.shape) } else { found_words };
            let subject =
                if path.is_empty() { String::new() } else { format!(" in {}", name(&path)) };
            at.problem(
                codes::WRONG_TYPE,
                format!("expected {words}, found {found_words}{subject}"),
                format!("this is {found_words}"),
                if path.is_empty() { conversion_help(found, expected, at.code) } else { None },
            )
        }
    }
}

/// Returns a suggestion for the conversion, if one is possible.
fn conversion_help(found: &Type, expected: &Type, code: Option<&str>) -> Option<String> {
    match (&found.shape, &expected.shape, code) {
        (found, Shape::Text { .. }, Some(code))
            if widen::chars_of(&Type::of(found.clone())).is_some() =>
        {
            Some(format!("convert it with `string({code})`"))
        }
        (found, Shape::Text { .. }, None)
            if widen::chars_of(&Type::of(found.clone())).is_some() =>
        {
            Some("put it in quotes".to_owned())
        }
        (found, Shape::Email, Some(_)) if widen::is_text(found) => {
            Some("declare `format: email` for it in the order schema".to_owned())
        }
        (found, Shape::Currency, Some(_)) if widen::is_text(found) => {
            Some("declare `format: currency` for it in the order schema".to_owned())
        }
        (Shape::Timestamp, Shape::Date(_), Some(code)) => {
            Some(format!("use the calendar date: `date({code})`"))
        }
        (found, Shape::Decimal { .. }, Some(code)) if widen::is_text(found) => Some(format!(
            "declare `format: decimal` for it in the order schema, or convert it with a fallback: `decimal({code}, …)`"
        )),
        _ => None,
    }
}
