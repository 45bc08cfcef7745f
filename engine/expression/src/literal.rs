//! Literal texts where a stricter type is expected: a currency, a date, an amount.

use oms_core::diagnostic::{Code, codes, without_line_break};
use oms_core::money::{Currency, CurrencyError, Decimal};
use oms_core::value::{DateFormat, Shape, Value, is_email, is_uri, parse_date, parse_timestamp};

/// The problem of a literal.
pub(super) struct LiteralError {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: Option<String>,
}

/// Parses a text as a value of the shape. Returns `None` if the shape is text, or is not written as
/// text.
pub(super) fn read(text: &str, shape: &Shape) -> Option<Result<Value, LiteralError>> {
    let line = text.trim_end_matches(['\n', '\r']);
    if line.len() < text.len() && matches!(read(line, shape), Some(Ok(_))) {
        return Some(Err(LiteralError {
            code: codes::VALUE_NOT_ALLOWED,
            message: format!("{shape} must not have a line break"),
            label: "has a line break",
            help: Some(without_line_break(text).to_owned()),
        }));
    }
    let same = || Value::text(text);
    let read = match shape {
        Shape::Currency => match Currency::parse(text) {
            Ok(_) => Ok(same()),
            Err(error) => return Some(Err(currency_error(text, error))),
        },
        Shape::Decimal { .. } => Decimal::parse(text).ok().map(Value::Decimal).ok_or("`12.30`"),
        // The pipeline file has one form for dates, whatever form the order uses.
        Shape::Date(_) => parse_date(text, DateFormat::Iso).map(Value::Date).ok_or("`2025-12-31`"),
        Shape::Timestamp => {
            parse_timestamp(text).map(Value::Timestamp).ok_or("`2025-12-31T12:00:00Z`")
        }
        Shape::Email => is_email(text).then(same).ok_or("`name@example.com`"),
        Shape::Uri => is_uri(text).then(same).ok_or("`https://example.com/`"),
        _ => return None,
    };
    Some(read.map_err(|example| LiteralError {
        code: codes::WRONG_TYPE,
        message: format!("`{text}` is not {shape}"),
        label: "invalid",
        help: Some(format!("write it like {example}")),
    }))
}

fn currency_error(text: &str, error: CurrencyError) -> LiteralError {
    if error == CurrencyError::NoMinorUnits {
        return LiteralError {
            code: codes::CURRENCY_UNKNOWN,
            message: format!("`{text}` has no minor units, so no amount can have this currency"),
            label: "not a currency for amounts",
            help: Some("use a currency with minor units, such as `EUR`".to_owned()),
        };
    }
    let upper = text.to_uppercase();
    let help = if upper != text && Currency::parse(&upper).is_ok() {
        format!("did you mean `{upper}`?")
    } else {
        "use an ISO 4217 code, such as `EUR`".to_owned()
    };
    LiteralError {
        code: codes::CURRENCY_UNKNOWN,
        message: format!("`{text}` is not a currency"),
        label: "unknown code",
        help: Some(help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_texts_are_parsed() {
        let decimal = Shape::Decimal { integer_digits: 15, scale: 4 };
        let date = Shape::Date(DateFormat::Iso);
        for (shape, text, fine) in [
            (&Shape::Currency, "EUR", true),
            (&Shape::Currency, "eur", false),
            (&decimal, "1.10", true),
            (&decimal, "1,10", false),
            (&date, "2025-02-28", true),
            (&date, "2025-02-30", false),
            (&date, "20250228", false),
            (&Shape::Timestamp, "2025-02-28T10:00:00Z", true),
            (&Shape::Timestamp, "2025-02-28", false),
            (&Shape::Email, "a@example.com", true),
            (&Shape::Email, "a.example.com", false),
            (&Shape::Uri, "https://example.com/a?b=c", true),
            (&Shape::Uri, "/a", false),
            (&Shape::Uri, "https://a b", false),
        ] {
            assert_eq!(read(text, shape).unwrap().is_ok(), fine, "{text} as {shape}");
        }
        assert!(read("x", &Shape::Bool).is_none());
    }
}
