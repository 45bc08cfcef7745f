//! Overrides: the user's own quotes, which are added to a dated table or replace its quotes.
//!
//! They are for corrections and for currencies that the European Central Bank does not quote. The
//! file is CSV, `date,currency,per_eur`. Applying it creates a new table.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::rate_file::{Line, lines, read_date};
use super::rates::EURO;
use super::{Currency, Decimal, FILE_ROWS_MAX, RateFileCause, RateFileError, RateTable};

impl RateTable {
    /// Returns the table with quotes added or replaced by the rows of a file
    /// `date,currency,per_eur`.
    ///
    /// The header is required. Blank lines and lines that begin with `#` are ignored. The row of a
    /// date contains the quotes of both the table and the overrides. An override for a date in the
    /// table can therefore be combined with the table's quotes of that date. An override for any
    /// other date starts a new row, which is only useful for a conversion if it quotes both
    /// currencies.
    ///
    /// # Errors
    ///
    /// Returns [`RateFileError`] for the first error in the file, or if this is a fixed table.
    pub fn with_overrides(mut self, text: &str) -> Result<Self, RateFileError> {
        let Some(dated) = self.as_dated_mut() else {
            return Err(Line { number: 1, text }.fault(0, RateFileCause::NotDated));
        };
        for ((date, currency), per_euro) in overrides(text)? {
            dated.set(date, currency, per_euro);
        }
        Ok(self)
    }
}

type Overrides = BTreeMap<(Date, Currency), Decimal>;

fn overrides(text: &str) -> Result<Overrides, RateFileError> {
    let expected = "`date,currency,per_eur`";
    let names = ["date", "currency", "per_eur"];
    let mut lines = lines(text)?.filter(|line| !line.text.trim_start().starts_with('#'));
    let header = lines.next().unwrap_or(Line { number: 1, text: "" });
    if !header.cells().map(|cell| cell.text).eq(names) {
        return Err(header.fault(0, RateFileCause::Header { expected }));
    }
    let mut quotes = Overrides::new();
    for line in lines {
        if quotes.len() == FILE_ROWS_MAX {
            return Err(line.fault(0, RateFileCause::TooManyRows));
        }
        let mut cells = line.cells();
        let (Some(date), Some(code), Some(rate), None) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            let (expected, found) = (names.len(), line.cells().count());
            return Err(line.fault(0, RateFileCause::CellCount { expected, found }));
        };
        let quoted =
            read_date(date.text).ok_or_else(|| line.fault(date.offset, RateFileCause::Date))?;
        let currency = Currency::parse(code.text)
            .map_err(|error| line.fault(code.offset, RateFileCause::Currency(error)))?;
        if currency.code() == EURO {
            return Err(line.fault(code.offset, RateFileCause::Base));
        }
        let per_euro = line.rate(rate)?;
        if quotes.insert((quoted, currency), per_euro).is_some() {
            let cause = RateFileCause::DuplicateQuote { date: quoted, currency };
            return Err(line.fault(0, cause));
        }
    }
    Ok(quotes)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::{CurrencyError, DecimalError, NoRate, Quote};
    use super::*;

    /// Rows of the history file of the European Central Bank, with some of its columns.
    const HISTORY: &str = "\
Date,USD,JPY,BGN,TRL,GBP,
2026-01-02,1.1721,183.74,N/A,N/A,0.87175,
2025-12-31,1.175,184.09,1.9558,N/A,0.8726,
";

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn quoted(table: &RateTable, from: &str, to: &str, on: Date) -> Result<[String; 2], NoRate> {
        table
            .lookup(currency(from), currency(to), on, 7)
            .map(|pair| [pair.from_rate, pair.to_rate].map(|rate| rate.to_string()))
    }

    #[test]
    fn an_override_joins_the_row_of_its_date() {
        let overrides = "\
# Central bank of Venezuela.

date,currency,per_eur
2025-12-31,VES,353.40
2025-12-31,GBP,0.9
2026-01-04,ARS,1710.5
2026-01-04,USD,1.18
2026-01-05,CYP,0.585274
";
        let table = RateTable::ecb(HISTORY).unwrap().with_source("ECB and own rates");
        let table = table.with_overrides(overrides).unwrap();
        assert_eq!(table.source(), "ECB and own rates");
        assert_eq!(table.row_count(), 4);
        // The table quotes USD on that date. One currency is added, one is replaced.
        assert_eq!(quoted(&table, "VES", "USD", date(2025, 12, 31)).unwrap(), ["353.40", "1.175"]);
        assert_eq!(quoted(&table, "GBP", "JPY", date(2025, 12, 31)).unwrap(), ["0.9", "184.09"]);
        // A row that has only overrides is used for the currencies it quotes and skipped for
        // others.
        assert_eq!(quoted(&table, "ARS", "USD", date(2026, 1, 4)).unwrap(), ["1710.5", "1.18"]);
        assert_eq!(quoted(&table, "GBP", "USD", date(2026, 1, 4)).unwrap(), ["0.87175", "1.1721"]);
        assert!(matches!(
            quoted(&table, "CYP", "USD", date(2026, 1, 5)),
            Err(NoRate::NoRow { .. })
        ));
        assert_eq!(quoted(&table, "CYP", "EUR", date(2026, 1, 5)).unwrap(), ["0.585274", "1"]);
    }

    #[test]
    fn each_kind_of_error_has_its_line_and_column() {
        use RateFileCause as Cause;
        let (day, ves) = (date(2026, 1, 2), currency("VES"));
        for (rows, line, column, cause) in [
            ("2026-01-02,VES\n", 2, 1, Cause::CellCount { expected: 3, found: 2 }),
            ("2026-01-02,VES,1,\n", 2, 1, Cause::CellCount { expected: 3, found: 4 }),
            ("2026-13-02,VES,1\n", 2, 1, Cause::Date),
            ("2026-01-02,XAU,1\n", 2, 12, Cause::Currency(CurrencyError::NoMinorUnits)),
            ("2026-01-02,EUR,1\n", 2, 12, Cause::Base),
            ("#\n2026-01-02, VES, N/A\n", 3, 18, Cause::Number(DecimalError::NotPlain)),
            ("2026-01-02,VES,0.00\n", 2, 16, Cause::NotPositive),
            (
                "2026-01-02,VES,1\n2026-01-02,VES,1\n",
                3,
                1,
                Cause::DuplicateQuote { date: day, currency: ves },
            ),
        ] {
            let text = format!("date,currency,per_eur\n{rows}");
            let error = RateTable::ecb(HISTORY).unwrap().with_overrides(&text).unwrap_err();
            assert_eq!(error, RateFileError { line, column, cause }, "{rows:?}");
        }
        let without_header = RateTable::ecb(HISTORY).unwrap().with_overrides("2026-01-02,VES,1\n");
        assert!(matches!(without_header.unwrap_err().cause, Cause::Header { .. }));
        let fixed = RateTable::fixed(currency("USD"), Quote::BasePerUnit, BTreeMap::new()).unwrap();
        let error = fixed.with_overrides("date,currency,per_eur\n").unwrap_err();
        assert_eq!(error.cause, Cause::NotDated);
    }
}
