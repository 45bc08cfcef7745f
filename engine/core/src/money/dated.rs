//! The rows of a dated rate table, and the lookup of the applicable row.
//!
//! A row quotes any number of currencies in units for 1 euro. Rows are compact and sorted, so a
//! lookup is a binary search and a few steps back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::civil::Date;

use super::euro::changeover;
use super::rates::EURO;
use super::{Currency, Decimal, NoRate, QuoteSource, RatePair};

/// Rows by date, each with a cell for every currency: units of the currency for 1 euro.
#[derive(Clone, Debug)]
pub(super) struct Dated {
    /// Sorted by date, one row for each date.
    pub(super) rows: Vec<Row>,
    /// The cell index of each currency that at least one row quotes.
    columns: BTreeMap<Currency, usize>,
    /// The number of cells of the longest row, and the index of the next new currency.
    width: usize,
    /// The cells that overrides added or replaced: the dates of their rows, and their indexes.
    overridden: BTreeSet<(Date, usize)>,
    /// Whether the fixed euro changeover rates apply.
    pub(super) changeovers: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) date: Date,
    /// May have fewer cells than the table: the missing cells quote nothing.
    pub(super) cells: Vec<Option<Decimal>>,
}

/// The location of a currency's quote.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Euro,
    Cell(usize),
    /// No cell: the rate at which the euro replaced the currency, and its first day.
    Fixed(Date, Decimal),
}

impl Column {
    /// Returns a quote that does not depend on a row, and its first day.
    fn without_row(self) -> Option<(Date, Decimal)> {
        match self {
            Self::Euro => Some((Date::MIN, Decimal::ONE)),
            Self::Fixed(since, per_euro) => Some((since, per_euro)),
            Self::Cell(_) => None,
        }
    }
}

impl Row {
    fn quote(&self, column: Column) -> Option<Decimal> {
        match column {
            Column::Cell(at) => self.cells.get(at).copied().flatten(),
            column => column.without_row().map(|(_, quote)| quote),
        }
    }
}

impl Dated {
    /// Creates a table from rows in any order, with distinct dates, and the currency of each cell.
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
        let width = cells.len();
        Self { rows, columns, width, overridden: BTreeSet::new(), changeovers: false }
    }

    /// Adds or replaces one quote. Adds the row and the column if they do not exist.
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
        self.overridden.insert((date, at));
    }

    /// Returns whether a row quotes the currency, or a fixed changeover rate applies to it.
    pub(super) fn has_currency(&self, currency: Currency) -> bool {
        self.column(currency).is_ok() || self.changeovers && changeover(currency).is_some()
    }

    /// Returns whether quotes were added or replaced.
    pub(super) fn has_overrides(&self) -> bool {
        !self.overridden.is_empty()
    }

    /// Returns the column of a currency on a date.
    fn column_on(&self, currency: Currency, on: Date) -> Result<Column, NoRate> {
        let changeover = changeover(currency).filter(|fixed| self.changeovers && fixed.since <= on);
        match changeover {
            Some(fixed) => Ok(Column::Fixed(fixed.since, fixed.per_euro)),
            None => self.column(currency),
        }
    }

    fn source(&self, row: Date, column: Column) -> Option<QuoteSource> {
        match column {
            Column::Euro => None,
            Column::Fixed(..) => Some(QuoteSource::Changeover),
            Column::Cell(at) if self.changeovers && self.overridden.contains(&(row, at)) => {
                Some(QuoteSource::Override)
            }
            Column::Cell(_) => Some(QuoteSource::Table),
        }
    }

    fn column(&self, currency: Currency) -> Result<Column, NoRate> {
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
        let (from_column, to_column) = (self.column_on(from, on)?, self.column_on(to, on)?);
        let sources = |row| [from_column, to_column].map(|column| self.source(row, column));
        let changeovers = [from_column, to_column].map(Column::without_row);
        if let [Some((from_since, from_rate)), Some((to_since, to_rate))] = changeovers {
            // Both rates are fixed, so no row is needed.
            let date = from_since.max(to_since);
            return Ok(RatePair { date: Some(date), from_rate, to_rate, sources: sources(date) });
        }
        let oldest = on.saturating_sub(SignedDuration::from_hours(24 * i64::from(max_age_days)));
        let end = self.rows.partition_point(|row| row.date <= on);
        // The search also visits rows that are too old, but only if the result is an error that
        // names the newest of them.
        let newest = self
            .rows
            .get(..end)
            .unwrap_or_default()
            .iter()
            .rev()
            .find_map(|row| Some((row.date, row.quote(from_column)?, row.quote(to_column)?)));
        match newest {
            Some((date, from_rate, to_rate)) if date >= oldest => {
                Ok(RatePair { date: Some(date), from_rate, to_rate, sources: sources(date) })
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

    /// A Wednesday, a Friday without a quote of the lev, and a Monday.
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
    fn the_newest_row_that_quotes_both_is_used() {
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
    fn the_error_for_a_missing_rate_names_what_is_missing() {
        let table = table();
        let message = |from: &str, on, max_age_days| {
            table.lookup(currency(from), currency("USD"), on, max_age_days).unwrap_err().to_string()
        };
        assert_eq!(
            message("CYP", date(2026, 1, 2), 7),
            "no rate: the table contains no rates for CYP"
        );
        assert_eq!(
            message("BGN", date(2026, 1, 8), 7),
            "no rate for BGN to USD on 2026-01-08: the newest row that quotes both is from 2025-12-31, more than 7 days earlier"
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
    fn a_currency_replaced_by_the_euro_has_a_fixed_rate_from_that_day_on() {
        let row = |date, usd, hrk: Option<&str>| Row {
            date,
            cells: vec![Some(decimal(usd)), hrk.map(decimal)],
        };
        let rows = vec![
            row(date(2022, 12, 30), "1.0666", Some("7.5365")),
            row(date(2023, 1, 3), "1.0545", None),
        ];
        let mut dated = Dated::new(rows, &["USD", "HRK"].map(currency));
        dated.set(date(2023, 1, 3), currency("XOF"), decimal("655.957"));
        let before = RateTable::dated(dated);
        let table = before.clone().with_changeovers();
        let found = |table: &RateTable, from: &str, to: &str, on| {
            let pair = table.lookup(currency(from), currency(to), on, 7).ok()?;
            let rates = [pair.from_rate, pair.to_rate].map(|rate| rate.to_string());
            Some((pair.date.unwrap(), rates.join(" "), pair.sources))
        };
        use QuoteSource::{Changeover, Override, Table};
        let (last, first) = (date(2022, 12, 31), date(2023, 1, 1));
        let row = |at, rates: &str, from, to| Some((at, rates.to_owned(), [from, to]));
        for (from, to, on, wanted) in [
            (
                "HRK",
                "USD",
                last,
                row(date(2022, 12, 30), "7.5365 1.0666", Some(Table), Some(Table)),
            ),
            (
                "HRK",
                "USD",
                first,
                row(date(2022, 12, 30), "7.53450 1.0666", Some(Changeover), Some(Table)),
            ),
            (
                "USD",
                "HRK",
                date(2023, 1, 3),
                row(date(2023, 1, 3), "1.0545 7.53450", Some(Table), Some(Changeover)),
            ),
            ("HRK", "EUR", date(2030, 1, 1), row(first, "7.53450 1", Some(Changeover), None)),
            (
                "SKK",
                "HRK",
                date(2030, 1, 1),
                row(first, "30.1260 7.53450", Some(Changeover), Some(Changeover)),
            ),
            (
                "XOF",
                "EUR",
                date(2023, 1, 3),
                row(date(2023, 1, 3), "655.957 1", Some(Override), None),
            ),
            (
                "XOF",
                "HRK",
                date(2023, 1, 3),
                row(date(2023, 1, 3), "655.957 7.53450", Some(Override), Some(Changeover)),
            ),
            ("HRK", "USD", date(2023, 6, 1), None),
            ("BGN", "USD", date(2023, 1, 3), None),
            ("DEM", "EUR", date(2023, 1, 3), None),
        ] {
            assert_eq!(found(&table, from, to, on), wanted, "{from} {to} {on}");
        }
        assert!(table.has_currency(currency("SKK")) && !before.has_currency(currency("SKK")));
        // Without `with_changeovers`.
        let earlier = row(date(2022, 12, 30), "7.5365 1.0666", Some(Table), Some(Table));
        assert_eq!(found(&before, "HRK", "USD", date(2023, 1, 3)), earlier);
        let earlier = row(date(2023, 1, 3), "655.957 1", Some(Table), None);
        assert_eq!(found(&before, "XOF", "EUR", date(2023, 1, 3)), earlier);
    }

    #[test]
    fn a_table_lists_its_currencies_and_dates() {
        let table = table();
        assert_eq!(table.currencies(), ["BGN", "EUR", "USD"].map(currency));
        assert!(table.has_currency(currency("EUR")) && !table.has_currency(currency("CYP")));
        assert_eq!(table.first_date(), Some(date(2025, 12, 31)));
        assert_eq!(table.last_date(), Some(date(2026, 1, 5)));
        assert_eq!(table.row_count(), 3);
        assert_eq!(table.with_source("own rates").source(), "own rates");
    }
}
