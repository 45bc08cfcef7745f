//! The common parts of the rate file readers: limits, errors, and the cells of a line.
//!
//! `ecb` and `overrides` read the two kinds of file. Cells are borrowed from the text. A reader
//! rejects the whole file at the first error and reports its line and column.

use std::borrow::Cow;
use std::str::FromStr;

use jiff::civil::Date;

use super::currency::EXPECTED_CODE;
use super::{Currency, CurrencyError, Decimal, DecimalError};

/// The maximum size of a rate file in bytes. The ECB's full history since 1999 is about 2 MiB.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The maximum number of data rows in a rate file: about 75 years of working days.
pub const FILE_ROWS_MAX: usize = 20_000;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// An error in a rate file, with its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {cause}")]
pub struct RateFileError {
    /// The line, counted from 1.
    pub line: usize,
    /// The character of the line where the cell begins, counted from 1.
    pub column: usize,
    /// The error.
    pub cause: RateFileCause,
}

/// The kind of an error in a rate file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateFileCause {
    /// The file has more than [`FILE_BYTES_MAX`] bytes.
    #[error("the file is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file has more than [`FILE_ROWS_MAX`] rows.
    #[error("the file has more than {FILE_ROWS_MAX} rows")]
    TooManyRows,
    /// The first line is not a header of this format.
    #[error("the header must be {expected}")]
    Header {
        /// The expected header.
        expected: &'static str,
    },
    /// A column name in the header is not a currency code.
    #[error("a column name must be a currency code of three uppercase letters")]
    HeaderCode,
    /// Two columns have the same code.
    #[error("the header has two columns for the same currency")]
    DuplicateColumn,
    /// The file quotes the euro, whose rate is 1 by definition.
    #[error("EUR is the base of the table and cannot have a rate")]
    Base,
    /// The file has only a header.
    #[error("the file has no rows")]
    NoRow,
    /// A row has more or fewer cells than the header.
    #[error("the row has {found} cells, but the header has {expected}")]
    CellCount {
        /// The number of cells in the header.
        expected: usize,
        /// The number of cells in the row.
        found: usize,
    },
    /// The cell is not a date.
    #[error("not {EXPECTED_DATE}")]
    Date,
    /// An earlier row has the same date.
    #[error("the file has two rows for {date}")]
    DuplicateDate {
        /// The duplicate date.
        date: Date,
    },
    /// The cell is not a currency that an amount can have.
    #[error(transparent)]
    Currency(CurrencyError),
    /// The cell is neither a number nor `N/A`.
    #[error("not a rate: {0}")]
    Number(DecimalError),
    /// The rate is zero or negative.
    #[error("a rate must be greater than 0")]
    NotPositive,
    /// The same currency is overridden twice on one date.
    #[error("the file has two rates of {currency} for {date}")]
    DuplicateQuote {
        /// The date of both rates.
        date: Date,
        /// The currency of both rates.
        currency: Currency,
    },
    /// Overrides were given to a table without dates.
    #[error("a fixed table cannot have overrides")]
    NotDated,
}

/// Describes a date in a rate file, for messages.
const EXPECTED_DATE: &str = "a date, such as `2026-10-30` or `30 October 2026`";

impl RateFileCause {
    /// Returns the expected content of the cell, if the cause is a cell with other content. It
    /// completes the sentence "… is not".
    pub fn expected(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Date => Some(EXPECTED_DATE.into()),
            Self::Currency(CurrencyError::Unknown) => Some(EXPECTED_CODE.into()),
            Self::Number(error) => Some(format!("a rate: {error}").into()),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) text: &'a str,
}

#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    /// The text without surrounding spaces.
    pub(super) text: &'a str,
    /// The offset of the text in the line, in bytes.
    pub(super) offset: usize,
}

/// Returns the non-blank lines of a file, without a byte order mark.
pub(super) fn lines(text: &str) -> Result<impl Iterator<Item = Line<'_>>, RateFileError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Line { number: 1, text: "" }.fault(0, RateFileCause::TooLarge));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let numbered = text.lines().zip(1..).map(|(text, number)| Line { number, text });
    Ok(numbered.filter(|line| !line.text.trim().is_empty()))
}

impl<'a> Line<'a> {
    pub(super) fn cells(self) -> impl Iterator<Item = Cell<'a>> {
        let mut next = 0;
        self.text.split(',').map(move |raw| {
            let text = raw.trim_ascii_start();
            let offset = next + raw.len() - text.len();
            next += raw.len() + 1;
            Cell { text: text.trim_ascii_end(), offset }
        })
    }

    pub(super) fn rate(self, cell: Cell<'_>) -> Result<Decimal, RateFileError> {
        let rate = Decimal::parse(cell.text)
            .map_err(|error| self.fault(cell.offset, RateFileCause::Number(error)))?;
        if rate.is_zero() || rate.is_negative() {
            return Err(self.fault(cell.offset, RateFileCause::NotPositive));
        }
        Ok(rate)
    }

    pub(super) fn fault(self, offset: usize, cause: RateFileCause) -> RateFileError {
        let column = self.text.get(..offset).map_or(0, |before| before.chars().count()) + 1;
        RateFileError { line: self.number, column, cause }
    }
}

/// Parses `2026-10-30` or `30 October 2026`.
pub(super) fn read_date(text: &str) -> Option<Date> {
    let iso = parts(text, '-').filter(|parts| parts.map(str::len) == [4, 2, 2]);
    if let Some([year, month, day]) = iso {
        return Date::new(number(year)?, number(month)?, number(day)?).ok();
    }
    let [day, month, year] = parts(text, ' ')?;
    if year.len() != 4 || !(1..=2).contains(&day.len()) {
        return None;
    }
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    Date::new(number(year)?, month, number(day)?).ok()
}

fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

/// Parses digits. Rejects a sign, which `FromStr` would accept.
fn number<T: FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_date_is_iso_or_the_long_form_of_the_ecb() {
        assert_eq!(read_date("2024-02-29"), Some(date(2024, 2, 29)));
        assert_eq!(read_date("30 October 2026"), Some(date(2026, 10, 30)));
        assert_eq!(read_date("1 May 2026"), Some(date(2026, 5, 1)));
        for text in [
            "",
            "2026-02-30",
            "2026-1-2",
            "02/01/2026",
            "+026-01-02",
            "2026-01-02T00:00:00",
            "30 Oktober 2026",
            "100 May 2026",
            "1 May 26",
            "31 April 2026",
            "-1 May 2026",
        ] {
            assert_eq!(read_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_column_counts_characters_and_skips_spaces_before_the_cell() {
        let line = Line { number: 7, text: "ä ,\t é,x" };
        let places: Vec<_> =
            line.cells().map(|cell| line.fault(cell.offset, RateFileCause::Date).column).collect();
        assert_eq!(places, [1, 6, 8]);
    }
}
