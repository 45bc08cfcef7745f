//! The rows of a dated rate table, and the search for the row that counts.
//!
//! A row quotes any number of currencies in units for 1 euro. Rows are compact and sorted, so that
//! a look-up is a binary search and a few steps back.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Date;

use super::rates::EURO;
use super::{Currency, Decimal, NoRate, RatePair};

/// Rows by date, each with a cell for every currency: units of the currency for 1 euro.
#[derive(Clone, Debug)]
pub(super) struct Dated {
    /// Sorted by date, one a date.
    pub(super) rows: Vec<Row>,
    /// The cell of each currency that some row quotes.
    columns: BTreeMap<Currency, usize>,
    /// How many cells the longest row has: the next currency goes behind them.
    width: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) date: Date,
    /// May be shorter than the table is wide: the cells that are missing quote nothing.
    pub(super) cells: Vec<Option<Decimal>>,
}

/// Where a row has the quote of a currency.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Euro,
    Cell(usize),
}

impl Row {
    fn quote(&self, column: Column) -> Option<Decimal> {
        match column {
            Column::Euro => Some(Decimal::ONE),
            Column::Cell(at) => self.cells.get(at).copied().flatten(),
        }
    }
}

impl Dated {
    /// Takes rows in any order, but only one a date, and the currency of each cell in them.
    pub(super) fn new(mut rows: Vec<Row>, cells: &[Currency]) -> Self {
        rows.sort_unstable_by_key(|row| row.date);
        let quoted =
            |at: usize| rows.iter().any(|row| row.cells.get(at).is_some_and(Option::is_some));
        let columns = cells
            .iter()
            .enumerate()
            .filter(|(at, _)| quoted(*at))
            .map(|(at, currency)| (*currency, at))
            .collect();
        Self { rows, columns, width: cells.len() }
    }

    /// Adds or replaces one quote, with a row and a column of its own where there is none.
    pub(super) fn set(&mut self, date: Date, currency: Currency, per_euro: Decimal) {
        let at = *self.columns.entry(currency).or_insert(self.width);
        self.width = self.width.max(at + 1);
        let position = self.rows.partition_point(|row| row.date < date);
        if self.rows.get(position).is_none_or(|row| row.date != date) {
            self.rows.insert(position, Row { date, cells: Vec::new() });
        }
        let Some(row) = self.rows.get_mut(position) else { return };
        if row.cells.len() <= at {
            row.cells.resize(at + 1, None);
        }
        if let Some(cell) = row.cells.get_mut(at) {
            *cell = Some(per_euro);
        }
    }

    pub(super) fn column(&self, currency: Currency) -> Result<Column, NoRate> {
        if currency.code() == EURO {
            return Ok(Column::Euro);
        }
        let at = self.columns.get(&currency).ok_or(NoRate::NeverQuoted { currency })?;
        Ok(Column::Cell(*at))
    }

    pub(super) fn lookup(
        &self,
        from: Currency,
        to: Currency,
        on: Date,
        max_age_days: u32,
    ) -> Result<RatePair, NoRate> {
        let (from_column, to_column) = (self.column(from)?, self.column(to)?);
        let oldest = on.saturating_sub(SignedDuration::from_hours(24 * i64::from(max_age_days)));
        let end = self.rows.partition_point(|row| row.date <= on);
        // Rows too old are walked as well, but only when the answer is an error that names the
        // newest of them.
        let newest = self
            .rows
            .get(..end)
            .unwrap_or_default()
            .iter()
            .rev()
            .find_map(|row| Some((row.date, row.quote(from_column)?, row.quote(to_column)?)));
        match newest {
            Some((date, from_rate, to_rate)) if date >= oldest => {
                Ok(RatePair { date: Some(date), from_rate, to_rate })
            }
            Some((newest, ..)) => Err(NoRate::TooOld { from, to, on, newest, max_age_days }),
            None => Err(NoRate::NoRow { from, to, on }),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::RateTable;
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    /// A Thursday, a Friday without a quote of the lev, and a Monday.
    fn table() -> RateTable {
        let row = |date, usd, bgn: Option<&str>| Row {
            date,
            cells: vec![Some(decimal(usd)), bgn.map(decimal), None],
        };
        let rows = vec![
            row(date(2026, 1, 5), "1.1664", None),
            row(date(2025, 12, 31), "1.1750", Some("1.9558")),
            row(date(2026, 1, 2), "1.1721", None),
        ];
        RateTable::dated(Dated::new(rows, &["USD", "BGN", "CYP"].map(currency)))
    }

    #[test]
    fn the_newest_row_that_quotes_both_is_taken() {
        let table = table();
        let found = |from: &str, to: &str, on| {
            table.lookup(currency(from), currency(to), on, 7).map(|pair| pair.date.unwrap())
        };
        assert_eq!(found("EUR", "USD", date(2026, 1, 2)), Ok(date(2026, 1, 2)));
        assert_eq!(found("EUR", "USD", date(2026, 1, 4)), Ok(date(2026, 1, 2)));
        assert_eq!(found("BGN", "USD", date(2026, 1, 4)), Ok(date(2025, 12, 31)));
        assert_eq!(found("USD", "EUR", date(2026, 1, 12)), Ok(date(2026, 1, 5)));
        let pair = table.lookup(currency("BGN"), currency("USD"), date(2026, 1, 7), 7).unwrap();
        assert_eq!(pair.from_rate.to_string(), "1.9558");
        assert_eq!(pair.to_rate.to_string(), "1.1750");
    }

    #[test]
    fn a_missing_rate_says_what_is_missing() {
        let table = table();
        let message = |from: &str, on, max_age_days| {
            table.lookup(currency(from), currency("USD"), on, max_age_days).unwrap_err().to_string()
        };
        assert_eq!(message("CYP", date(2026, 1, 2), 7), "no rate: the table never quotes CYP");
        assert_eq!(
            message("BGN", date(2026, 1, 8), 7),
            "no rate for BGN to USD on 2026-01-08: the newest row that quotes both is of 2025-12-31, more than 7 days before"
        );
        assert_eq!(
            message("EUR", date(2025, 12, 30), u32::MAX),
            "no rate for EUR to USD on 2025-12-30: no row on or before that date quotes both"
        );
        assert!(table.lookup(currency("BGN"), currency("USD"), date(2026, 1, 2), 1).is_err());
        assert!(table.lookup(currency("EUR"), currency("USD"), date(2026, 1, 5), 0).is_ok());
        assert!(table.lookup(currency("EUR"), currency("USD"), Date::MAX, u32::MAX).is_ok());
    }

    #[test]
    fn a_table_knows_what_it_serves() {
        let table = table();
        assert_eq!(table.currencies(), ["BGN", "EUR", "USD"].map(currency));
        assert!(table.serves(currency("EUR")) && !table.serves(currency("CYP")));
        assert_eq!(table.first_date(), Some(date(2025, 12, 31)));
        assert_eq!(table.last_date(), Some(date(2026, 1, 5)));
        assert_eq!(table.row_count(), 3);
        assert_eq!(table.with_source("branch desk").source(), "branch desk");
    }
}
