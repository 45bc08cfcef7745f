//! The formats of single values: what a string or a number must be to stand for a decimal, a date, an address.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::json_node::{JsonKind, JsonNode};
use super::types::DateFormat;
use super::value::Value;
use crate::money::{Currency, Decimal, DecimalError};

/// Checks a number against what is wanted.
pub(super) fn number(decimal: Decimal, node: &JsonNode) -> Result<Value, String> {
    match &node.kind {
        JsonKind::Int { min, max } => {
            let value = decimal
                .rescale(0)
                .and_then(|whole| whole.to_string().parse::<i64>().ok())
                .ok_or_else(|| "must be a whole number of at most 18 digits".to_owned())?;
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

/// Checks a text against what is wanted.
pub(super) fn text(text: &str, node: &JsonNode) -> Result<Value, String> {
    let unfit = || format!("must be {}", node.wanted());
    match &node.kind {
        JsonKind::Decimal { integer_digits, scale, .. } => {
            let decimal = Decimal::parse(text).map_err(|error| match error {
                DecimalError::TooManyDecimals | DecimalError::TooManyDigits => {
                    format!("must not have {error}")
                }
                _ => "must be a decimal in plain notation, such as `-12.30`".to_owned(),
            })?;
            sized(decimal, *integer_digits, *scale).map(Value::Decimal)
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
                return Err(format!("must have at least {chars_min} characters"));
            }
            if let Some(max) = chars_max
                && text.len() as u64 > *max
                && count() > *max
            {
                return Err(format!("must have at most {max} characters"));
            }
            Ok(Value::text(text))
        }
        JsonKind::Currency => match Currency::parse(text) {
            Ok(_) => Ok(Value::text(text)),
            Err(_) => Err("must be a currency code of ISO 4217, such as `EUR`".to_owned()),
        },
        JsonKind::Email if is_email(text) => Ok(Value::text(text)),
        JsonKind::Uri if is_uri(text) => Ok(Value::text(text)),
        JsonKind::Date(format) => parse_date(text, *format).map(Value::Date).ok_or_else(unfit),
        JsonKind::Timestamp => parse_timestamp(text).map(Value::Timestamp).ok_or_else(unfit),
        _ => Err(unfit()),
    }
}

fn sized(decimal: Decimal, integer_digits: u32, scale: u32) -> Result<Decimal, String> {
    if decimal.integer_digits() > integer_digits {
        return Err(format!("must have at most {integer_digits} digits before the point"));
    }
    if decimal.scale() > scale {
        return Err(format!("must have at most {scale} digits after the point"));
    }
    Ok(decimal)
}

/// Tells whether a text is one e-mail address that mail can be sent to: a mailbox of RFC 5321, without name, comments or line breaks.
pub fn is_email(text: &str) -> bool {
    const LENGTH_MAX: usize = 254;
    text.len() <= LENGTH_MAX
        && !text.chars().any(char::is_control)
        && text.parse::<lettre::Address>().is_ok()
}

/// Tells whether a text is an absolute URI (RFC 3986).
pub fn is_uri(text: &str) -> bool {
    fluent_uri::Uri::parse(text).is_ok()
}

/// Reads a date in one of the declared forms; each form has exactly one way to write a date.
pub fn parse_date(text: &str, format: DateFormat) -> Option<Date> {
    let digits = |range: std::ops::Range<usize>| -> Option<i16> {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
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
        _ => return None,
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Reads an instant: RFC 3339 `date-time` with an offset. Stricter than the parser below it, which also knows
/// ISO 8601's other spellings, a second of 60 (there is no such instant in UTC's usual arithmetic) and time zone names.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| {
        bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let shaped = digits(0, 4)
        && is(4, b"-")
        && digits(5, 7)
        && is(7, b"-")
        && digits(8, 10)
        && is(10, b"Tt ")
        && digits(11, 13)
        && is(13, b":")
        && digits(14, 16)
        && is(16, b":")
        && digits(17, 19)
        && !is(17, b"6");
    if !shaped {
        return None;
    }
    let mut rest = bytes.get(19..)?;
    if let Some((b'.', fraction)) = rest.split_first() {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 || length > 9 {
            return None;
        }
        rest = fraction.get(length..)?;
    }
    let zoned = match rest {
        b"Z" | b"z" => true,
        [b'+' | b'-', a, b, b':', c, d] => {
            let digits = [a, b, c, d].iter().all(|byte| byte.is_ascii_digit());
            digits && (*a, *b) < (b'2', b'4') && *c < b'6'
        }
        _ => false,
    };
    if zoned { text.parse().ok() } else { None }
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
