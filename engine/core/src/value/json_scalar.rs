//! Validates single values: the formats of strings and numbers for decimals, dates, addresses and
//! so on.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::data::Value;
use super::email::is_email;
use super::json_messages;
use super::json_node::{JsonKind, JsonNode};
use super::json_problem::ProblemKind;
use super::types::DateFormat;
use crate::money::{Currency, CurrencyError, Decimal, DecimalError};

/// Why a single value is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalarError {
    /// The kind of the problem.
    pub kind: ProblemKind,
    /// The message.
    pub message: String,
}

impl ScalarError {
    pub(super) const fn digits(message: String) -> Self {
        Self { kind: ProblemKind::Digits, message }
    }
}

impl<S: Into<String>> From<S> for ScalarError {
    fn from(message: S) -> Self {
        Self { kind: ProblemKind::Shape, message: message.into() }
    }
}

/// Validates a number.
pub(super) fn number(decimal: Decimal, node: &JsonNode) -> Result<Value, ScalarError> {
    match &node.kind {
        JsonKind::Int { min, max } => {
            let whole = decimal.rescale(0).ok_or("must be an integer")?;
            let value = whole
                .to_string()
                .parse::<i64>()
                .map_err(|_| format!("must be an integer from {} to {}", i64::MIN, i64::MAX))?;
            if value < *min {
                return Err(format!("must be at least {min}").into());
            }
            if value > *max {
                return Err(format!("must be at most {max}").into());
            }
            Ok(Value::Int(value))
        }
        JsonKind::Decimal { integer_digits, scale, .. } => {
            check_digits(decimal, *integer_digits, *scale).map(Value::Decimal)
        }
        _ => Err(format!("must be {}", node.expected()).into()),
    }
}

/// Converts a number that was accepted before, ignoring the current bounds.
pub(super) fn accepted_number(decimal: Decimal, node: &JsonNode) -> Option<Value> {
    match &node.kind {
        JsonKind::Int { .. } => decimal.rescale(0)?.to_string().parse().ok().map(Value::Int),
        JsonKind::Decimal { .. } => Some(Value::Decimal(decimal)),
        _ => None,
    }
}

/// Validates a text.
pub(super) fn text(text: &str, node: &JsonNode) -> Result<Value, ScalarError> {
    let type_error = || format!("must be {}", node.expected());
    match &node.kind {
        JsonKind::Decimal { integer_digits, scale, .. } => {
            decimal(text, *integer_digits, *scale).map(Value::Decimal)
        }
        JsonKind::Text { chars_min, chars_max, values } => {
            if let Some(values) = values {
                // Shares the allowed value instead of copying the text.
                return values
                    .iter()
                    .find(|value| value.as_ref() == text)
                    .map(|value| Value::Text(Arc::clone(value)))
                    .ok_or_else(|| type_error().into());
            }
            let count = || text.chars().count() as u64;
            if *chars_min > 0 && count() < *chars_min {
                return Err(json_messages::characters_at_least(*chars_min).into());
            }
            if let Some(max) = chars_max
                && text.len() as u64 > *max
                && count() > *max
            {
                return Err(json_messages::characters_at_most(*max).into());
            }
            Ok(Value::text(text))
        }
        JsonKind::Currency => match Currency::parse(text) {
            Ok(_) => Ok(Value::text(text)),
            Err(error) => Err(currency_error(text, error).into()),
        },
        JsonKind::Email if is_email(text) => Ok(Value::text(text)),
        JsonKind::Uri if is_uri(text) => Ok(Value::text(text)),
        JsonKind::Date(format) => {
            read_date(text, *format).map(Value::Date).map_err(|error| match error {
                DateError::Form => type_error().into(),
                DateError::Day => format!("{}; this date does not exist", type_error()).into(),
            })
        }
        JsonKind::Timestamp { fine } => {
            let instant = if *fine { read_instant(text) } else { read_timestamp(text) };
            instant.map(Value::Timestamp).map_err(|error| match error {
                TimestampError::Form => type_error().into(),
                error => error.to_string().into(),
            })
        }
        _ => Err(type_error().into()),
    }
}

/// Converts a text that was accepted before, ignoring the current constraints.
pub(super) fn accepted_text(text: &str, node: &JsonNode) -> Value {
    let decimal = match &node.kind {
        JsonKind::Decimal { .. } => Decimal::parse(text).ok(),
        _ => None,
    };
    match &node.kind {
        JsonKind::Text { .. } | JsonKind::Currency | JsonKind::Email | JsonKind::Uri => {
            Value::text(text)
        }
        _ => decimal.map_or_else(
            || Value::Json(Arc::new(serde_json::Value::String(text.to_owned()))),
            Value::Decimal,
        ),
    }
}

/// Parses a decimal in plain notation with at most this many digits before and after the decimal
/// point.
///
/// # Errors
/// Returns the first problem.
pub fn decimal(text: &str, integer_digits: u32, scale: u32) -> Result<Decimal, ScalarError> {
    let decimal = Decimal::parse(text).map_err(|error| match error {
        DecimalError::TooManyDecimals | DecimalError::TooManyDigits => {
            ScalarError::digits(format!("must not have {error}"))
        }
        _ => "must be a decimal in plain notation, such as `-12.30`".into(),
    })?;
    check_digits(decimal, integer_digits, scale)
}

/// Checks the number of digits of a decimal before and after the decimal point.
///
/// # Errors
/// Returns the problem of the part with too many digits.
pub fn check_digits(
    decimal: Decimal,
    integer_digits: u32,
    scale: u32,
) -> Result<Decimal, ScalarError> {
    if decimal.integer_digits() > integer_digits {
        let digits = json_messages::counted(integer_digits.into(), "digit", "digits");
        let message = format!("must have at most {digits} before the decimal point");
        return Err(ScalarError::digits(message));
    }
    if decimal.scale() > scale {
        let digits = json_messages::counted(scale.into(), "digit", "digits");
        let message = format!("must have at most {digits} after the decimal point");
        return Err(ScalarError::digits(message));
    }
    Ok(decimal)
}

/// Returns the message for a text that is not a currency code, with the code that was probably
/// meant.
fn currency_error(text: &str, error: CurrencyError) -> String {
    if error == CurrencyError::NoMinorUnits {
        return "must be a currency code with minor units; this code has none".to_owned();
    }
    let mut message = "must be an ISO 4217 currency code in uppercase".to_owned();
    match Currency::suggest(text) {
        Some(currency) => message.push_str(&format!("; did you mean `{}`?", currency.code())),
        None => message.push_str(", such as `EUR`"),
    }
    message
}

/// Returns whether a text is an absolute URI (RFC 3986).
pub fn is_uri(text: &str) -> bool {
    fluent_uri::Uri::parse(text).is_ok()
}

/// The reason why a text is not a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DateError {
    /// It does not have the declared form.
    Form,
    /// The date does not exist.
    Day,
}

/// Parses a date in a declared form. In each form, a date has exactly one representation.
pub fn parse_date(text: &str, format: DateFormat) -> Option<Date> {
    read_date(text, format).ok()
}

fn read_date(text: &str, format: DateFormat) -> Result<Date, DateError> {
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        part.and_then(|part| part.parse::<i16>().ok()).ok_or(DateError::Form)
    };
    let separated = |separator: u8, at: [usize; 2]| {
        text.len() == 10 && at.iter().all(|at| text.as_bytes().get(*at) == Some(&separator))
    };
    let (year, month, day) = match format {
        DateFormat::Iso if separated(b'-', [4, 7]) => {
            (digits(0..4)?, digits(5..7)?, digits(8..10)?)
        }
        DateFormat::MonthDayYear if separated(b'/', [2, 5]) => {
            (digits(6..10)?, digits(0..2)?, digits(3..5)?)
        }
        DateFormat::DayMonthYear if separated(b'/', [2, 5]) => {
            (digits(6..10)?, digits(3..5)?, digits(0..2)?)
        }
        _ => return Err(DateError::Form),
    };
    let part = |number: i16| i8::try_from(number).map_err(|_| DateError::Day);
    Date::new(year, part(month)?, part(day)?).map_err(|_| DateError::Day)
}

/// The reason why a text is not a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum TimestampError {
    /// It does not have the form of RFC 3339.
    #[error("must be a date and time (RFC 3339)")]
    Form,
    /// It has no UTC offset.
    #[error("must end with an offset from UTC, such as `Z` or `+02:00`")]
    Offset,
    /// The date does not exist.
    #[error("must have a date that exists")]
    Day,
    /// The time of day does not exist.
    #[error("must have a time of day from 00:00:00 to 23:59:59")]
    Time,
    /// It is a leap second.
    #[error("must not be a leap second; use the second before or after it")]
    LeapSecond,
    /// The seconds have too many fractional digits.
    #[error("must have at most 9 fractional digits")]
    Fraction,
    /// It is outside the range that can be stored.
    #[error("must be between year 0 and 9999-12-30T22:00:00Z")]
    Range,
}

/// Parses a timestamp: RFC 3339 `date-time` with an offset. Fractions below a millisecond are
/// dropped, because journals and tables store milliseconds and a timestamp must be the same before
/// and after a restart. It rejects inputs that the underlying parser accepts: other notations of
/// ISO 8601, a leap second (which does not exist in Unix time) and time zone names.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    read_timestamp(text).ok()
}

fn read_timestamp(text: &str) -> Result<Timestamp, TimestampError> {
    let instant = read_instant(text)?;
    let millisecond = instant.as_nanosecond().div_euclid(1_000_000);
    let cut = i64::try_from(millisecond).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    Ok(cut.unwrap_or(instant))
}

/// Parses a timestamp with nanoseconds.
fn read_instant(text: &str) -> Result<Timestamp, TimestampError> {
    let bytes = text.as_bytes();
    let two = |at: usize| match bytes.get(at..at + 2) {
        Some([a @ b'0'..=b'9', b @ b'0'..=b'9']) => Ok((a - b'0') * 10 + (b - b'0')),
        _ => Err(TimestampError::Form),
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    if !separated {
        return Err(TimestampError::Form);
    }
    let day = text.get(..10).ok_or(TimestampError::Form)?;
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let mut rest = bytes.get(19..).unwrap_or_default();
    if let Some((b'.', fraction)) = rest.split_first() {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match length {
            0 => return Err(TimestampError::Form),
            1..=9 => {}
            _ => return Err(TimestampError::Fraction),
        }
        rest = fraction.get(length..).unwrap_or_default();
    }
    match rest {
        b"Z" | b"z" => {}
        // An offset has at most 23 hours and 59 minutes. The parser would accept more.
        [b'+' | b'-', a @ b'0'..=b'2', b @ b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9']
            if *a != b'2' || *b <= b'3' => {}
        [] => return Err(TimestampError::Offset),
        _ => return Err(TimestampError::Form),
    }
    if second < 60
        && let Ok(instant) = text.parse()
    {
        return Ok(instant);
    }
    Err(match (read_date(day, DateFormat::Iso), hour, minute, second) {
        (Err(DateError::Form), ..) => TimestampError::Form,
        (Err(DateError::Day), ..) => TimestampError::Day,
        (_, 0..=23, 0..=59, 0..=59) => TimestampError::Range,
        (_, 0..=23, 0..=59, 60) => TimestampError::LeapSecond,
        _ => TimestampError::Time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_timestamps_are_parsed() {
        for good in [
            "2025-06-02T10:00:00Z",
            "2025-06-02T10:00:00.123+02:00",
            "2025-06-02T10:00:00-00:00",
            "2025-06-02t10:00:00z",
        ] {
            assert!(parse_timestamp(good).is_some(), "{good}");
        }
        for bad in [
            "2025-06-02",
            "2025-06-02T10:00:00",
            "2025-06-02T24:00:00Z",
            "2025-06-02T10:00:00+25:00",
            "2025-06-02T10:00:00+24:00",
            "2025-06-02T10:00:00+01:60",
            "2025-11-30T23:59:60Z",
            "2025-06-02T10:00Z",
            "20250602T100000Z",
            "2025-02-30T10:00:00Z",
            "2025-06-02T10:00:00Z[Europe/Paris]",
            "2025-06-02T10:00:00.Z",
            "06/02/2025",
        ] {
            assert!(parse_timestamp(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn timestamps_are_truncated_to_milliseconds() {
        for (text, written) in [
            ("2024-01-01T00:00:00.0009999Z", "2024-01-01T00:00:00.000Z"),
            ("2024-01-01T00:00:00.123456789+01:00", "2023-12-31T23:00:00.123Z"),
            ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999Z"),
            ("0000-01-01T00:00:00.0001Z", "0000-01-01T00:00:00.000Z"),
        ] {
            let instant = parse_timestamp(text).unwrap();
            assert_eq!(super::super::format_timestamp(instant), written);
            assert_eq!(parse_timestamp(written), Some(instant), "{text}");
            assert_eq!(super::super::format_timestamp(read_instant(text).unwrap()), written);
        }
    }

    #[test]
    fn errors_name_the_problem_of_a_timestamp_or_date() {
        for (bad, message) in [
            ("2026-02-29T10:00:00Z", "must have a date that exists"),
            ("2026-13-01T10:00:00Z", "must have a date that exists"),
            ("9999-12-31T23:59:59Z", "must be between year 0 and 9999-12-30T22:00:00Z"),
            ("2025-06-02T10:00:00", "must end with an offset from UTC, such as `Z` or `+02:00`"),
            ("2025-06-02T24:00:00Z", "must have a time of day from 00:00:00 to 23:59:59"),
            (
                "2025-11-30T23:59:60Z",
                "must not be a leap second; use the second before or after it",
            ),
            ("2025-06-02T10:00:00.1234567890Z", "must have at most 9 fractional digits"),
        ] {
            let found = read_timestamp(bad).unwrap_err().to_string();
            assert_eq!(found, message, "{bad}");
        }
        assert!(parse_timestamp("9999-12-30T22:00:00Z").is_some());
        assert!(parse_timestamp("0000-01-01T00:00:00Z").is_some());
        assert_eq!(read_date("2025-02-29", DateFormat::Iso), Err(DateError::Day));
        assert_eq!(read_date("29/02/2025", DateFormat::DayMonthYear), Err(DateError::Day));
        assert_eq!(read_date("2025-2-29", DateFormat::Iso), Err(DateError::Form));
    }

    #[test]
    fn only_the_declared_date_form_is_parsed() {
        let date = Date::new(2023, 3, 12).ok();
        assert_eq!(parse_date("03/12/2023", DateFormat::MonthDayYear), date);
        assert_eq!(parse_date("12/03/2023", DateFormat::DayMonthYear), date);
        assert_eq!(parse_date("2023-03-12", DateFormat::Iso), date);
        assert_eq!(parse_date("3/12/2023", DateFormat::MonthDayYear), None);
        assert_eq!(parse_date("13/12/2023", DateFormat::MonthDayYear), None);
        assert_eq!(parse_date("2023-03-12", DateFormat::MonthDayYear), None);
    }

    #[test]
    fn a_message_follows_the_name_of_a_member() {
        let decimal = JsonKind::Decimal { text: true, number: false, integer_digits: 15, scale: 4 };
        for (kind, value) in [
            (decimal.clone(), "thirty-two"),
            (decimal.clone(), "1e2"),
            (decimal, "0.00000000000000000000000000000000001"),
            (JsonKind::Currency, "usd"),
            (JsonKind::Email, "x"),
        ] {
            let found = text(value, &JsonNode { kind, nullable: false }).unwrap_err().message;
            assert!(found.starts_with("must "), "{found}");
            assert!(!found.contains(value), "{found}");
        }
    }

    #[test]
    fn an_address_cannot_contain_a_second_header() {
        assert!(is_email("jane@example.com"));
        for bad in
            ["a@example.com\r\nBcc: b@example.org", "a@b@c", "", "a@example.com,b@example.org"]
        {
            assert!(!is_email(bad), "{bad:?}");
        }
    }
}
