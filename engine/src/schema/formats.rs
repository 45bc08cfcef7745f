//! The asserted formats: our own ones, those of the specification that `oms` checks more strictly,
//! and the other formats of the specification.

use jsonschema::json::Json;
use jsonschema::{Retrieve, ValidationOptions};
use oms_core::money::Currency;
use oms_core::value::{DateFormat, is_email, is_uri, parse_date, parse_timestamp};

/// The formats, each with a description of a valid text.
const FORMATS: [(&str, &str); 21] = [
    ("currency", "an ISO 4217 currency code in uppercase, such as `EUR`"),
    ("date", "a date that exists, such as 2025-12-31"),
    ("date-time", "a date and time with an offset, such as 2025-12-31T23:59:59Z (RFC 3339)"),
    ("decimal", "a decimal in plain notation, such as `-12.30`"),
    ("duration", "a duration, such as `P3D` (ISO 8601)"),
    ("email", "an e-mail address"),
    ("hostname", "a host name"),
    ("idn-email", "an e-mail address"),
    ("idn-hostname", "a host name"),
    ("ipv4", "an IPv4 address"),
    ("ipv6", "an IPv6 address"),
    ("iri", "an absolute IRI"),
    ("iri-reference", "an IRI or a relative reference"),
    ("json-pointer", "a JSON pointer (RFC 6901)"),
    ("regex", "a regular expression"),
    ("relative-json-pointer", "a relative JSON pointer"),
    ("time", "a time with an offset, such as 23:59:59Z (RFC 3339)"),
    ("uri", "an absolute URI"),
    ("uri-reference", "a URI or a relative reference"),
    ("uri-template", "a URI template (RFC 6570)"),
    ("uuid", "a UUID (RFC 4122)"),
];

/// The values of `x-date-format`.
const DATE_FORMATS: [(&str, DateFormat); 3] = [
    ("YYYY-MM-DD", DateFormat::Iso),
    ("MM/DD/YYYY", DateFormat::MonthDayYear),
    ("DD/MM/YYYY", DateFormat::DayMonthYear),
];

/// Returns the names of the formats.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    FORMATS.iter().map(|(name, _)| *name)
}

/// Returns a description of a valid text of a format.
pub(super) fn expected(format: &str) -> String {
    if let Some(written) = format.strip_prefix("date:") {
        return format!("a date that exists, written {written}");
    }
    let known = FORMATS.iter().find(|(name, _)| *name == format);
    known.map_or_else(
        || format!("text of the format `{format}`"),
        |(_, expected)| (*expected).into(),
    )
}

/// Returns the date format with a name.
pub(super) fn date_format(name: &str) -> Option<DateFormat> {
    DATE_FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
}

/// Returns the name under which a date format is registered in the validator.
pub(super) fn date_in(written: &str) -> String {
    format!("date:{written}")
}

/// Registers our own formats in a validator, and makes it assert all formats.
pub(super) fn register<F: Json>(
    options: ValidationOptions<'_, std::sync::Arc<dyn Retrieve>, F>,
) -> ValidationOptions<'_, std::sync::Arc<dyn Retrieve>, F> {
    let mut options = options
        .should_validate_formats(true)
        .with_format("currency", |text: &str| Currency::parse(text).is_ok())
        .with_format("email", is_email)
        .with_format("uri", is_uri)
        .with_format("date", |text: &str| parse_date(text, DateFormat::Iso).is_some())
        .with_format("date-time", |text: &str| parse_timestamp(text).is_some());
    for (name, format) in DATE_FORMATS {
        options = options
            .with_format(date_in(name), move |text: &str| parse_date(text, format).is_some());
    }
    options
}

#[cfg(test)]
mod tests {
    use jsonschema::Draft;

    use super::*;

    #[test]
    fn every_format_is_asserted() {
        let options = register(jsonschema::options());
        for name in names().filter(|name| *name != "decimal") {
            assert!(options.is_known_format(Draft::Draft202012, name), "{name}");
        }
    }
}
