//! The formats of single values: what a string or a number must be to stand for a decimal, a date, an address.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::data::Value;
use super::email::is_email;
use super::json_node::{JsonKind, JsonNode};
use super::json_words;
use super::types::DateFormat;
use crate::money::{Currency, CurrencyError, Decimal, DecimalError};

/// Checks a number against what is wanted.
pub(super) fn number(decimal: Decimal, node: &JsonNode) -> Result<Value, String> {
    match &node.kind {
        JsonKind::Int { min, max } => {
            let whole = decimal.rescale(0).ok_or("must be a whole number")?;
            let value = whole
                .to_string()
                .parse::<i64>()
                .map_err(|_| format!("must be a whole number from {} to {}", i64::MIN, i64::MAX))?;
            if value < *min {
                return Err(format!("must be at least {min}"));
            }
            if value > *max {
                return Err(format!("must be at most {max}"));
            }
            Ok(Value::Int(value))
        }
        JsonKind::Decimal { integer_digits, scale, .. } => {
            sized(decimal, *integer_digits, *scale).map(Value::Decimal)
        }
        _ => Err(format!("must be {}", node.wanted())),
    }
}

/// Reads a number that was accepted before, whatever bounds there are now.
pub(super) fn revived_number(decimal: Decimal, node: &JsonNode) -> Option<Value> {
    match &node.kind {
        JsonKind::Int { .. } => decimal.rescale(0)?.to_string().parse().ok().map(Value::Int),
        JsonKind::Decimal { .. } => Some(Value::Decimal(decimal)),
        _ => None,
    }
}

/// Checks a text against what is wanted.
pub(super) fn text(text: &str, node: &JsonNode) -> Result<Value, String> {
    let unfit = || format!("must be {}", node.wanted());
    match &node.kind {
        JsonKind::Decimal { integer_digits, scale, .. } => {
            decimal(text, *integer_digits, *scale).map(Value::Decimal)
        }
        JsonKind::Text { chars_min, chars_max, values } => {
            if let Some(values) = values {
                // The allowed value itself is shared rather than copied.
                return values
                    .iter()
                    .find(|value| value.as_ref() == text)
                    .map(|value| Value::Text(Arc::clone(value)))
                    .ok_or_else(unfit);
            }
            let count = || text.chars().count() as u64;
            if *chars_min > 0 && count() < *chars_min {
                return Err(json_words::characters_at_least(*chars_min));
            }
            if let Some(max) = chars_max
                && text.len() as u64 > *max
                && count() > *max
            {
                return Err(json_words::characters_at_most(*max));
            }
            Ok(Value::text(text))
        }
        JsonKind::Currency => match Currency::parse(text) {
            Ok(_) => Ok(Value::text(text)),
            Err(error) => Err(not_a_currency(text, error)),
        },
        JsonKind::Email if is_email(text) => Ok(Value::text(text)),
        JsonKind::Uri if is_uri(text) => Ok(Value::text(text)),
        JsonKind::Date(format) => {
            read_date(text, *format).map(Value::Date).map_err(|error| match error {
                NotADate::Form => unfit(),
                NotADate::Day => format!("{}, and the day must exist", unfit()),
            })
        }
        JsonKind::Timestamp { fine } => {
            let instant = if *fine { read_instant(text) } else { read_timestamp(text) };
            instant.map(Value::Timestamp).map_err(|error| match error {
                NotATimestamp::Form => unfit(),
                error => error.to_string(),
            })
        }
        _ => Err(unfit()),
    }
}

/// Reads a text that was accepted before, whatever is asserted of it now.
pub(super) fn revived_text(text: &str, node: &JsonNode) -> Value {
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

/// Reads a decimal in plain notation with at most these digits before and after the point.
///
/// # Errors
/// What is wrong with it.
pub fn decimal(text: &str, integer_digits: u32, scale: u32) -> Result<Decimal, String> {
    let decimal = Decimal::parse(text).map_err(|error| match error {
        DecimalError::TooManyDecimals | DecimalError::TooManyDigits => {
            format!("must not have {error}")
        }
        _ => "must be a decimal in plain notation, such as `-12.30`".to_owned(),
    })?;
    sized(decimal, integer_digits, scale)
}

/// Checks how many digits a decimal has before and after the point.
///
/// # Errors
/// Which of the two are too many.
pub fn sized(decimal: Decimal, integer_digits: u32, scale: u32) -> Result<Decimal, String> {
    if decimal.integer_digits() > integer_digits {
        let digits = json_words::counted(integer_digits.into(), "digit", "digits");
        return Err(format!("must have at most {digits} before the point"));
    }
    if decimal.scale() > scale {
        let digits = json_words::counted(scale.into(), "digit", "digits");
        return Err(format!("must have at most {digits} after the point"));
    }
    Ok(decimal)
}

/// Says why a text is not a currency code, and which one was probably meant.
fn not_a_currency(text: &str, error: CurrencyError) -> String {
    if error == CurrencyError::NoMinorUnits {
        return "must be a currency that amounts can be in; this code has no minor units"
            .to_owned();
    }
    let mut message = "must be a currency code of ISO 4217 in upper case".to_owned();
    match Currency::meant(text) {
        Some(currency) => message.push_str(&format!("; did you mean `{}`?", currency.code())),
        None => message.push_str(", such as `EUR`"),
    }
    message
}

/// Tells whether a text is an absolute URI (RFC 3986).
pub fn is_uri(text: &str) -> bool {
    fluent_uri::Uri::parse(text).is_ok()
}

/// Why a text is not a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotADate {
    /// It is not written in the declared form.
    Form,
    /// The calendar has no such day.
    Day,
}

/// Reads a date in one of the declared forms; each form has exactly one way to write a date.
pub fn parse_date(text: &str, format: DateFormat) -> Option<Date> {
    read_date(text, format).ok()
}

fn read_date(text: &str, format: DateFormat) -> Result<Date, NotADate> {
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        part.and_then(|part| part.parse::<i16>().ok()).ok_or(NotADate::Form)
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
        _ => return Err(NotADate::Form),
    };
    let part = |number: i16| i8::try_from(number).map_err(|_| NotADate::Day);
    Date::new(year, part(month)?, part(day)?).map_err(|_| NotADate::Day)
}

/// Why a text is not an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NotATimestamp {
    /// It is not written as RFC 3339 prescribes.
    #[error("must be a date and time (RFC 3339)")]
    Form,
    /// It has no offset from UTC.
    #[error("must end with an offset from UTC, such as `Z` or `+02:00`")]
    Offset,
    /// The calendar has no such day.
    #[error("must be on a day that exists")]
    Day,
    /// The clock has no such time.
    #[error("must have a time of day from 00:00:00 to 23:59:59")]
    Time,
    /// It is a leap second.
    #[error("must not be a leap second: write the second before or after it")]
    LeapSecond,
    /// Its fraction of a second is too fine.
    #[error("must have at most 9 digits after the second")]
    Fraction,
    /// It is outside of the instants that can be stored.
    #[error("must be an instant from year 0 to 9999-12-30T22:00:00Z")]
    Range,
}

/// Reads an instant: RFC 3339 `date-time` with an offset. What is finer than a millisecond is cut off, since journals and tables keep
/// milliseconds, and an instant has to be the same before and after a restart. Stricter than the parser below it, which also knows
/// ISO 8601's other spellings, a second of 60 (there is no such instant in UTC's usual arithmetic) and time zone names.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    read_timestamp(text).ok()
}

fn read_timestamp(text: &str) -> Result<Timestamp, NotATimestamp> {
    let instant = read_instant(text)?;
    let millisecond = instant.as_nanosecond().div_euclid(1_000_000);
    let cut = i64::try_from(millisecond).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    Ok(cut.unwrap_or(instant))
}

/// Reads an instant to the nanosecond.
fn read_instant(text: &str) -> Result<Timestamp, NotATimestamp> {
    let bytes = text.as_bytes();
    let two = |at: usize| match bytes.get(at..at + 2) {
        Some([a @ b'0'..=b'9', b @ b'0'..=b'9']) => Ok((a - b'0') * 10 + (b - b'0')),
        _ => Err(NotATimestamp::Form),
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    if !separated {
        return Err(NotATimestamp::Form);
    }
    let day = text.get(..10).ok_or(NotATimestamp::Form)?;
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let mut rest = bytes.get(19..).unwrap_or_default();
    if let Some((b'.', fraction)) = rest.split_first() {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match length {
            0 => return Err(NotATimestamp::Form),
            1..=9 => {}
            _ => return Err(NotATimestamp::Fraction),
        }
        rest = fraction.get(length..).unwrap_or_default();
    }
    match rest {
        b"Z" | b"z" => {}
        // An offset has hours to 23 and minutes to 59; the parser would take more.
        [b'+' | b'-', a @ b'0'..=b'2', b @ b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9']
            if *a != b'2' || *b <= b'3' => {}
        [] => return Err(NotATimestamp::Offset),
        _ => return Err(NotATimestamp::Form),
    }
    if second < 60
        && let Ok(instant) = text.parse()
    {
        return Ok(instant);
    }
    Err(match (read_date(day, DateFormat::Iso), hour, minute, second) {
        (Err(NotADate::Form), ..) => NotATimestamp::Form,
        (Err(NotADate::Day), ..) => NotATimestamp::Day,
        (_, 0..=23, 0..=59, 0..=59) => NotATimestamp::Range,
        (_, 0..=23, 0..=59, 60) => NotATimestamp::LeapSecond,
        _ => NotATimestamp::Time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_instants_are_read() {
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
    fn an_instant_has_milliseconds_as_it_is_written() {
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
    fn what_is_wrong_with_an_instant_or_a_date_is_told() {
        for (bad, message) in [
            ("2026-02-29T10:00:00Z", "must be on a day that exists"),
            ("2026-13-01T10:00:00Z", "must be on a day that exists"),
            ("9999-12-31T23:59:59Z", "must be an instant from year 0 to 9999-12-30T22:00:00Z"),
            ("2025-06-02T10:00:00", "must end with an offset from UTC, such as `Z` or `+02:00`"),
            ("2025-06-02T24:00:00Z", "must have a time of day from 00:00:00 to 23:59:59"),
            (
                "2025-11-30T23:59:60Z",
                "must not be a leap second: write the second before or after it",
            ),
            ("2025-06-02T10:00:00.1234567890Z", "must have at most 9 digits after the second"),
        ] {
            let found = read_timestamp(bad).unwrap_err().to_string();
            assert_eq!(found, message, "{bad}");
        }
        assert!(parse_timestamp("9999-12-30T22:00:00Z").is_some());
        assert!(parse_timestamp("0000-01-01T00:00:00Z").is_some());
        assert_eq!(read_date("2025-02-29", DateFormat::Iso), Err(NotADate::Day));
        assert_eq!(read_date("29/02/2025", DateFormat::DayMonthYear), Err(NotADate::Day));
        assert_eq!(read_date("2025-2-29", DateFormat::Iso), Err(NotADate::Form));
    }

    #[test]
    fn a_declared_date_form_is_the_only_one_read() {
        let date = Date::new(2023, 3, 12).ok();
        assert_eq!(parse_date("03/12/2023", DateFormat::MonthDayYear), date);
        assert_eq!(parse_date("12/03/2023", DateFormat::DayMonthYear), date);
        assert_eq!(parse_date("2023-03-12", DateFormat::Iso), date);
        assert_eq!(parse_date("3/12/2023", DateFormat::MonthDayYear), None);
        assert_eq!(parse_date("13/12/2023", DateFormat::MonthDayYear), None);
        assert_eq!(parse_date("2023-03-12", DateFormat::MonthDayYear), None);
    }

    #[test]
    fn a_message_reads_on_from_the_name_of_a_member() {
        let decimal = JsonKind::Decimal { text: true, number: false, integer_digits: 15, scale: 4 };
        for (kind, value) in [
            (decimal.clone(), "thirty-two"),
            (decimal.clone(), "1e2"),
            (decimal, "0.00000000000000000000000000000000001"),
            (JsonKind::Currency, "usd"),
            (JsonKind::Email, "x"),
        ] {
            let found = text(value, &JsonNode { kind, nullable: false }).unwrap_err();
            assert!(found.starts_with("must "), "{found}");
            assert!(!found.contains(value), "{found}");
        }
    }

    #[test]
    fn an_address_cannot_carry_a_second_header() {
        assert!(is_email("jane@example.com"));
        for bad in
            ["a@example.com\r\nBcc: b@example.org", "a@b@c", "", "a@example.com,b@example.org"]
        {
            assert!(!is_email(bad), "{bad:?}");
        }
    }
}
