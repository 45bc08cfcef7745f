//! Numbers, times and causes as people read them.

use jiff::Timestamp;
use oms_engine::effects::cause;
use oms_engine::value::format_timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is encoded in a part of an address: all but the unreserved characters of RFC 3986.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Writes a part of an address.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// Writes an instant to the millisecond.
pub(crate) fn instant(at: Timestamp) -> String {
    format_timestamp(at)
}

/// Writes a number with its thousands set apart.
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// Writes a number of runs.
pub(crate) fn runs(number: usize) -> String {
    of(number, "run")
}

/// Writes a number of something.
pub(crate) fn of(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", count(i64::try_from(number).unwrap_or(i64::MAX))),
    }
}

/// Writes how long something took, given in milliseconds.
pub(crate) fn millis(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{} min", millis / 60_000),
        3_600_000..86_400_000 => format!("{} h", millis / 3_600_000),
        _ => format!("{} days", millis / 86_400_000),
    }
}

/// Writes how long something took, given in microseconds.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// Writes how many failures were caught; nothing if none was.
pub(crate) fn caught(number: u32) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// Says what causes mean, and what to do; a run may have several.
pub(crate) fn causes(causes: &str) -> String {
    let texts = causes.split(',').map(|one| match one {
        cause::NO_RATE => "There is no exchange rate on or shortly before the order's day: add it to the file of rates, or to the overrides.",
        cause::NO_ROW => "A row that a step looks for is not there: add it to the table (oms db import).",
        cause::NO_OBJECT => "An object that a step looks for is not there.",
        cause::CONFLICT => "Another run wrote a row or an object with that key.",
        cause::OUT_OF_RANGE => "A value is larger than its column, its mail or its operation allows.",
        cause::TIMEOUT => "A step took longer than it may, on every attempt.",
        cause::UNAVAILABLE => "A service did not answer, on every attempt.",
        cause::BAD_ADDRESS => "No mail can be sent to that address.",
        cause::REFUSED => "A service refused what it was asked for.",
        cause::UNKNOWN_OUTCOME => "It is not known whether something was done, such as a mail sent: find out, then say so. It is not done again by itself.",
        cause::ENVIRONMENT => "Something that somebody has to set up is not there: a table, a right, a bucket.",
        cause::TEMPLATE => "A mail could not be made from its template.",
        cause::PLAN => "The pipeline that the run began with cannot be read by this program.",
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
    fn numbers_and_times_are_for_people() {
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
