//! Reads the reference rates of the European Central Bank, from its history file or its daily file.
//!
//! The history file has ISO dates, and `N/A` where no rate was quoted. The daily file has spaces
//! after the commas, and dates such as `30 October 2026`. In both, each line ends with a comma.
//! Rates keep all their digits.

use std::collections::BTreeSet;

use super::dated::{Dated, Row};
use super::rate_file::{Cell, Line, lines, read_date};
use super::rates::EURO;
use super::{Currency, FILE_ROWS_MAX, RateFileCause, RateFileError, RateTable};

/// The text of a cell without a quote.
const NOT_QUOTED: &str = "N/A";

impl RateTable {
    /// Reads a CSV file of the European Central Bank: the history file or the daily file.
    ///
    /// Rates keep all their digits. Columns of currencies that no longer exist (ROL, TRL) are
    /// ignored.
    ///
    /// # Errors
    ///
    /// Returns [`RateFileError`] for the first error in the file.
    pub fn ecb(text: &str) -> Result<Self, RateFileError> {
        let mut lines = lines(text)?;
        let header = lines.next().unwrap_or(Line { number: 1, text: "" });
        let columns = Columns::read(header)?;
        let mut rows = Vec::new();
        let mut dates = BTreeSet::new();
        for line in lines {
            if rows.len() == FILE_ROWS_MAX {
                return Err(line.fault(0, RateFileCause::TooManyRows));
            }
            let row = columns.read_row(line)?;
            if !dates.insert(row.date) {
                return Err(line.fault(0, RateFileCause::DuplicateDate { date: row.date }));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(header.fault(0, RateFileCause::NoRow));
        }
        Ok(Self::dated(Dated::new(rows, &columns.kept)))
    }
}

/// The columns of a file of the European Central Bank.
struct Columns {
    /// The cell of a [`Row`] for each column after the date; `None` for an unknown currency.
    targets: Vec<Option<usize>>,
    /// The currency of each cell of a [`Row`].
    kept: Vec<Currency>,
}

impl Columns {
    fn read(header: Line<'_>) -> Result<Self, RateFileError> {
        let expected = "`Date` and currency codes, as in the files of the European Central Bank";
        let mut cells = header.cells();
        if cells.next().is_none_or(|cell| cell.text != "Date") {
            return Err(header.fault(0, RateFileCause::Header { expected }));
        }
        let (mut targets, mut kept, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut cells = cells.peekable();
        while let Some(cell) = cells.next() {
            if cell.text.is_empty() && cells.peek().is_none() {
                break;
            }
            if cell.text.len() != 3 || !cell.text.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(header.fault(cell.offset, RateFileCause::HeaderCode));
            }
            if cell.text == EURO {
                return Err(header.fault(cell.offset, RateFileCause::Base));
            }
            if !seen.insert(cell.text) {
                return Err(header.fault(cell.offset, RateFileCause::DuplicateColumn));
            }
            targets.push(Currency::parse(cell.text).ok().map(|currency| {
                kept.push(currency);
                kept.len() - 1
            }));
        }
        if targets.is_empty() {
            return Err(header.fault(0, RateFileCause::Header { expected }));
        }
        Ok(Self { targets, kept })
    }

    fn read_row(&self, line: Line<'_>) -> Result<Row, RateFileError> {
        let mut cells = line.cells().peekable();
        let date = cells
            .next()
            .and_then(|cell| read_date(cell.text))
            .ok_or_else(|| line.fault(0, RateFileCause::Date))?;
        let mut row = Row { date, cells: vec![None; self.kept.len()] };
        for target in &self.targets {
            let cell = cells.next().ok_or_else(|| self.cell_count(line))?;
            if cell.text.is_empty() && cells.peek().is_none() {
                return Err(self.cell_count(line));
            }
            let Some(quote) = target.and_then(|at| row.cells.get_mut(at)) else { continue };
            if cell.text != NOT_QUOTED {
                *quote = Some(line.rate(cell)?);
            }
        }
        // The comma at the end of the line adds an empty cell.
        let end = (cells.next(), cells.next());
        if !matches!(end, (None | Some(Cell { text: "", .. }), None)) {
            return Err(self.cell_count(line));
        }
        Ok(row)
    }

    fn cell_count(&self, line: Line<'_>) -> RateFileError {
        let found = line.cells().count() - usize::from(line.text.trim_end().ends_with(','));
        line.fault(0, RateFileCause::CellCount { expected: self.targets.len() + 1, found })
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::{Date, date};

    use super::super::{DecimalError, FILE_BYTES_MAX, NoRate};
    use super::*;

    /// Rows of the history file of the European Central Bank, with some of its columns.
    const HISTORY: &str = "\
Date,USD,JPY,BGN,TRL,GBP,
2026-01-02,1.1721,183.74,N/A,N/A,0.87175,
2025-12-31,1.175,184.09,1.9558,N/A,0.8726,
";

    const DAILY: &str = "\
Date, USD, JPY, GBP, \n30 October 2026, 1.1172, 175.68, 0.83380, \n";

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn quoted(table: &RateTable, from: &str, to: &str, on: Date) -> Result<[String; 2], NoRate> {
        table
            .lookup(currency(from), currency(to), on, 7)
            .map(|pair| [pair.from_rate, pair.to_rate].map(|rate| rate.to_string()))
    }

    fn fault(text: &str) -> RateFileError {
        RateTable::ecb(text).map(|_| ()).unwrap_err()
    }

    #[test]
    fn rates_of_the_history_file_keep_all_digits() {
        let table = RateTable::ecb(HISTORY).unwrap();
        assert_eq!(table.row_count(), 2);
        assert_eq!(table.currencies(), ["BGN", "EUR", "GBP", "JPY", "USD"].map(currency));
        assert_eq!(quoted(&table, "BGN", "USD", date(2026, 1, 2)).unwrap(), ["1.9558", "1.175"]);
        assert_eq!(quoted(&table, "EUR", "GBP", date(2026, 1, 2)).unwrap(), ["1", "0.87175"]);
    }

    #[test]
    fn rates_of_the_daily_file_keep_all_digits() {
        let table = RateTable::ecb(DAILY).unwrap();
        assert_eq!(table.last_date(), Some(date(2026, 10, 30)));
        assert_eq!(
            quoted(&table, "GBP", "JPY", date(2026, 10, 31)).unwrap(),
            ["0.83380", "175.68"]
        );
    }

    #[test]
    fn crlf_blank_lines_and_a_byte_order_mark_are_accepted() {
        let text = format!("\u{feff}{}\r\n\r\n", HISTORY.replace('\n', "\r\n"));
        assert_eq!(RateTable::ecb(&text).unwrap().row_count(), 2);
        assert_eq!(RateTable::ecb("Date,USD\n2026-01-02,1.1721").unwrap().row_count(), 1);
    }

    #[test]
    fn each_kind_of_error_has_its_line_and_column() {
        use RateFileCause as Cause;
        let day = date(2026, 1, 2);
        let mut cases = vec![
            ("Date,USD,EUR,\n2026-01-02,1,1,\n", 1, 10, Cause::Base),
            ("Date,USD,US,\n2026-01-02,1,1,\n", 1, 10, Cause::HeaderCode),
            ("Date,USD,,GBP,\n2026-01-02,1,1,1,\n", 1, 10, Cause::HeaderCode),
            ("Date,USD, usd,\n2026-01-02,1,1,\n", 1, 11, Cause::HeaderCode),
            ("Date,TRL,TRL,\n2026-01-02,1,1,\n", 1, 10, Cause::DuplicateColumn),
            ("Date,USD,\n", 1, 1, Cause::NoRow),
            ("Date,USD,\n2026-01-02,1,\n2026-01-02,1,\n", 3, 1, Cause::DuplicateDate { date: day }),
            ("Date,USD,GBP,\n2026-01-02,1,\n", 2, 1, Cause::CellCount { expected: 3, found: 2 }),
            ("Date,USD,TRL,\n2026-01-02,1,\n", 2, 1, Cause::CellCount { expected: 3, found: 2 }),
            ("Date,USD,\n2026-01-02,1,2,\n", 2, 1, Cause::CellCount { expected: 2, found: 3 }),
            ("Date,USD,\n2026-01-02,1,,\n", 2, 1, Cause::CellCount { expected: 2, found: 3 }),
            ("Date,USD,GBP,\n2026-01-02,1, 0,\n", 2, 15, Cause::NotPositive),
            ("Date,USD,\n2026-01-02,-1.1,\n", 2, 12, Cause::NotPositive),
        ];
        for date in [
            "2026-02-30",
            "2026-1-2",
            "02/01/2026",
            "",
            "30 Oktober 2026",
            "+026-01-02",
            "100 May 2026",
            "1 May 26",
        ] {
            let text = format!("Date,USD,\n\n{date},1,\n");
            cases.push((String::leak(text), 3, 1, Cause::Date));
        }
        for number in
            ["1,17", "1e2", "n/a", "1.1.", "+1", "1.17\u{a0}1"].map(|rate| rate.replace(',', ";"))
        {
            let text = format!("Date,JPY,USD,\n2026-01-02,183.74,{number},\n");
            cases.push((String::leak(text), 2, 19, Cause::Number(DecimalError::NotPlain)));
        }
        cases.push(("Date,USD,\n2026-01-02,,\n", 2, 12, Cause::Number(DecimalError::NotPlain)));
        for (text, line, column, cause) in cases {
            assert_eq!(fault(text), RateFileError { line, column, cause }, "{text:?}");
        }
        for text in ["", "\n\n", "Date", "Date,", "date,USD", "\"Date\",USD", "<html>"] {
            assert!(matches!(fault(text).cause, Cause::Header { .. }), "{text:?}");
        }
        let message = fault("Date,USD,\n2026-01-02,-1.1,\n").to_string();
        assert_eq!(message, "line 2, column 12: a rate must be greater than 0");
    }

    #[test]
    fn a_file_over_a_limit_is_rejected() {
        assert_eq!(fault(&" ".repeat(FILE_BYTES_MAX + 1)).cause, RateFileCause::TooLarge);
        let mut text = "Date,USD\n".to_owned();
        for day in date(1980, 1, 1).series(1.day()).take(FILE_ROWS_MAX) {
            text.push_str(&format!("{day},1\n"));
        }
        assert_eq!(RateTable::ecb(&text).unwrap().row_count(), FILE_ROWS_MAX);
        text.push_str("1979-12-31,1\n");
        let error = fault(&text);
        assert_eq!((error.line, error.cause), (FILE_ROWS_MAX + 2, RateFileCause::TooManyRows));
    }
}
