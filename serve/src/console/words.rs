//! Texts of the console: numbers, durations and causes.

use jiff::Timestamp;
use oms_engine::effects::cause;
use oms_engine::value::{format_count, format_quantity, format_timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are encoded in a part of a URL: all but the unreserved characters of RFC 3986.
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

/// Explains causes and their remedies. A run may have several causes.
pub(crate) fn causes(causes: &str) -> String {
    let texts = causes.split(',').map(|one| match one {
        cause::NO_RATE => "The exchange rate is missing for the order's date and the days before it. Add it to the rates file or to the overrides.",
        cause::NO_ROW => "A row that a step reads does not exist. Add it to the table (oms db import).",
        cause::NO_OBJECT => "An object that a step reads does not exist.",
        cause::CONFLICT => "Another run wrote a row or an object with this key.",
        cause::OUT_OF_RANGE => "A value exceeds the limit of its column, e-mail or operation.",
        cause::TIMEOUT => "A step exceeded its timeout on every attempt.",
        cause::UNAVAILABLE => "A service did not respond on any attempt.",
        cause::BAD_ADDRESS => "No e-mail can be sent to this address.",
        cause::REFUSED => "A service rejected a request.",
        cause::UNKNOWN_OUTCOME => "The outcome of an action is unknown, for example whether an e-mail was sent. Check the outcome, then mark the e-mail as sent or resend it. oms does not repeat the action by itself.",
        cause::ENVIRONMENT => "A required table, permission or bucket is missing. Set it up, then retry the run.",
        cause::TEMPLATE => "An e-mail could not be rendered from its template.",
        cause::PLAN => "This version of oms cannot read the pipeline that the run started with.",
        cause::PANIC => "A step kind has a bug. Report it to its authors with the lines that the process wrote to standard error.",
        cause::DAMAGED => "The stored data of the run is damaged. Cancel the run, or restore a backup.",
        cause::RESTORED => "The run was in progress at the time of the backup from which the state was restored. Check whether its e-mails were sent since, then retry it.",
        _ => "A step failed.",
    });
    texts.collect::<Vec<_>>().join(" ")
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
