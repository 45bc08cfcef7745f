//! Formats numbers, durations and timestamps, and encodes parts of URLs.

use jiff::Timestamp;
use oms_engine::value::{format_count, format_quantity, format_timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are encoded in a part of a URL: all but the unreserved characters of RFC
/// 3986.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes a part of a URL.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// Formats an instant with milliseconds.
pub(crate) fn instant(at: Timestamp) -> String {
    format_timestamp(at)
}

/// Formats a number with thousands separators.
pub(crate) fn count(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", format_count(number.unsigned_abs()))
}

/// Formats a number of runs.
pub(crate) fn runs(number: usize) -> String {
    of(number, "run")
}

/// Formats a number with a noun in the singular or plural.
pub(crate) fn of(number: usize, what: &str) -> String {
    format_quantity(number as u64, what)
}

/// Formats a duration in milliseconds.
pub(crate) fn millis(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{} min", millis / 60_000),
        3_600_000..86_400_000 => format!("{} h", millis / 3_600_000),
        _ => format!("{} days", millis / 86_400_000),
    }
}

/// Formats a duration in microseconds.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// Formats the number of handled failures. The text is empty for 0.
pub(crate) fn caught(number: u32) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_are_readable() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567, -1_000].map(count),
            ["0", "999", "1,000", "1,234,567", "-1,000"]
        );
        assert_eq!(
            [3, 1_250, 65_000, 7_200_000, 200_000_000].map(millis),
            ["3 ms", "1.2 s", "1 min", "2 h", "2 days"]
        );
        assert_eq!([12, 1_250, 2_500_000].map(micros), ["12 µs", "1.2 ms", "2.5 s"]);
        assert_eq!(part("a b/ä?"), "a%20b%2F%C3%A4%3F");
    }
}
