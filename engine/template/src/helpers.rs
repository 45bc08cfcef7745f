//! The helpers that return a value to a template. They cannot fail, because the check has validated
//! their parameters.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use oms_core::money::{Currency, Decimal};
use oms_core::time_zone::TimeZone;
use oms_core::value::{DateFormat, Value, parse_date};

use crate::locale::Formats;

/// Helpers that are called as blocks.
pub(super) const BLOCKS: [&str; 4] = ["each", "if", "unless", "with"];

/// Helpers that return a value.
pub(super) const CALLS: [&str; 15] = [
    "and", "country", "date", "default", "eq", "ge", "gt", "le", "lt", "money", "ne", "not",
    "number", "or", "plural",
];

/// The helper that formats a date, and its option for a time zone.
pub(super) const DATE: &str = "date";
pub(super) const ZONE: &str = "zone";

/// The helper that selects a plural form, and the placeholder for the number in its forms.
pub(super) const PLURAL: &str = "plural";
pub(super) const NUMBER_MARK: char = '#';
/// An escaped number sign in a plural form.
pub(super) const NUMBER_ESCAPED: &str = "##";

/// The helper that prints a text of `texts.yaml`.
pub(super) const TEXT: &str = "t";

/// One of [`CALLS`], except [`DATE`], which depends on a time zone, and [`PLURAL`], which has
/// plural forms.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    And,
    Country,
    Default,
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Money,
    Ne,
    Not,
    Number,
    Or,
}

impl Call {
    /// Returns the helper with a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "and" => Self::And,
            "country" => Self::Country,
            "default" => Self::Default,
            "eq" => Self::Eq,
            "ge" => Self::Ge,
            "gt" => Self::Gt,
            "le" => Self::Le,
            "lt" => Self::Lt,
            "money" => Self::Money,
            "ne" => Self::Ne,
            "not" => Self::Not,
            "number" => Self::Number,
            "or" => Self::Or,
            _ => return None,
        })
    }

    /// Returns the value of a call. Parameters that are not given are [`Value::Missing`].
    pub(super) fn value<'v>(self, params: &[Cow<'v, Value>], formats: &Formats) -> Cow<'v, Value> {
        let param = |at: usize| params.get(at).map_or(&Value::Missing, AsRef::as_ref);
        let order = || compare(param(0), param(1));
        let held = match self {
            Self::Default => {
                let empty = param(0).is_null() || param(0).as_text().is_some_and(|t| t.is_empty());
                let chosen = params.get(usize::from(empty));
                return chosen.cloned().unwrap_or(Cow::Owned(Value::Missing));
            }
            Self::Country | Self::Money | Self::Number => {
                let written = self.written(param(0), param(1), formats);
                return Cow::Owned(written.map_or(Value::Missing, Value::Text));
            }
            Self::And => params.iter().all(|value| is_true(value, false)),
            Self::Or => params.iter().any(|value| is_true(value, false)),
            Self::Not => !is_true(param(0), false),
            Self::Eq => equal(param(0), param(1)),
            Self::Ne => !equal(param(0), param(1)),
            Self::Lt => order() == Some(Ordering::Less),
            Self::Gt => order() == Some(Ordering::Greater),
            Self::Le => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
            Self::Ge => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        };
        Cow::Owned(Value::Bool(held))
    }
}

impl Call {
    /// Formats a value for a locale. Returns `None` if the value does not have the type that the
    /// check requires.
    fn written(self, value: &Value, other: &Value, formats: &Formats) -> Option<Arc<str>> {
        let written = match (self, value) {
            (Self::Money, value) => {
                return Some(
                    formats.money(number(value)?, Currency::parse(other.as_text()?).ok()?),
                );
            }
            (Self::Number, value) => formats.number(number(value)?),
            (_, value) => return Some(Arc::from(formats.country(value.as_text()?))),
        };
        Some(Arc::from(written))
    }
}

/// Returns the day of a value: a date itself, or the day of a timestamp in a time zone.
pub(super) fn day(value: &Value, time_zone: &TimeZone) -> Option<jiff::civil::Date> {
    match value {
        Value::Timestamp(instant) => Some(time_zone.day(*instant)),
        value => date(value),
    }
}

/// Returns whether a condition holds: the value is present, not empty and not false. A decimal zero
/// is true, an integer zero only if `zero_is_true` is set.
pub(super) fn is_true(value: &Value, zero_is_true: bool) -> bool {
    match value {
        Value::Missing | Value::Null => false,
        Value::Bool(value) => *value,
        Value::Int(value) => *value != 0 || zero_is_true,
        Value::Decimal(_) | Value::Date(_) | Value::Timestamp(_) => true,
        Value::Text(text) => !text.is_empty(),
        Value::List(elements) => !elements.is_empty(),
        Value::Record(record) => record.iter().any(|(_, value)| !matches!(value, Value::Missing)),
        Value::Json(_) => true,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    left == right || compare(left, right) == Some(Ordering::Equal)
}

/// Compares numbers by value, and dates and timestamps by time. Text is parsed if the other value
/// is a number, a date or a timestamp.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Date(left), _) => Some(left.cmp(&date(right)?)),
        (_, Value::Date(right)) => Some(date(left)?.cmp(right)),
        (Value::Timestamp(left), _) => Some(left.cmp(&instant(right)?)),
        (_, Value::Timestamp(right)) => Some(instant(left)?.cmp(right)),
        (Value::Text(_), Value::Text(_)) => None,
        _ => number(left)?.partial_cmp(&number(right)?),
    }
}

pub(super) fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(value) => Some(Decimal::from_int(*value)),
        Value::Decimal(value) => Some(*value),
        Value::Text(text) => Decimal::parse(text).ok(),
        _ => None,
    }
}

fn date(value: &Value) -> Option<jiff::civil::Date> {
    match value {
        Value::Date(date) => Some(*date),
        Value::Text(text) => parse_date(text, DateFormat::Iso),
        _ => None,
    }
}

fn instant(value: &Value) -> Option<jiff::Timestamp> {
    match value {
        Value::Timestamp(instant) => Some(*instant),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Value {
        Value::Decimal(Decimal::parse(text).unwrap())
    }

    #[test]
    fn decimals_compare_as_numbers_and_dates_as_times() {
        let held = |call: &str, left: &Value, right: &Value| {
            let params = [Cow::Borrowed(left), Cow::Borrowed(right)];
            Call::named(call).unwrap().value(&params, &Formats::of("en")).into_owned()
                == Value::Bool(true)
        };
        let (a, b, n) = (decimal("9.50"), decimal("10"), Value::Int(3));
        let (d, s) = (Value::Date(jiff::civil::date(2025, 1, 31)), Value::text("x"));
        for (call, left, right, holds) in [
            ("lt", &a, &b, true),
            ("gt", &b, &a, true),
            ("eq", &a, &Value::text("9.5"), true),
            ("eq", &a, &decimal("9.5"), true),
            ("le", &a, &decimal("9.5"), true),
            ("ge", &n, &Value::Int(4), false),
            ("ne", &n, &Value::Int(3), false),
            ("lt", &d, &Value::text("2025-02-01"), true),
            ("eq", &d, &Value::text("2025-01-31"), true),
            ("eq", &s, &Value::text("x"), true),
            ("eq", &Value::text("1.0"), &Value::text("1"), false),
            ("eq", &Value::Missing, &Value::Null, true),
            ("eq", &Value::Null, &Value::text(""), false),
            ("and", &a, &s, true),
            ("and", &a, &Value::Null, false),
            ("or", &Value::Null, &s, true),
            ("not", &Value::Null, &Value::Null, true),
            ("not", &s, &Value::Null, false),
        ] {
            assert_eq!(held(call, left, right), holds, "{call} {left:?} {right:?}");
        }
    }
}
