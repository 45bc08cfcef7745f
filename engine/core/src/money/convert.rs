//! [`convert`], the only rule for converting an amount to another currency.
//!
//! The amount is multiplied by the quotient of two quotes from one row of a [`RateTable`], as exact
//! rational numbers. The result is rounded once, to the minor units of the target currency. No
//! intermediate result may be rounded: even a cross rate with eight decimals makes some orders
//! wrong by a cent.

use jiff::civil::Date;

use super::arithmetic::{Rounded, mul_div};
use super::{Currency, Decimal, NoRate, Quote, QuoteSource, RateTable, Rounding};

/// The number of decimals of [`Conversion::rate`].
pub const RATE_PLACES: u32 = 12;

/// A converted amount and the rates used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The amount, with the number of decimals of the target currency (ISO 4217).
    pub amount: Decimal,
    /// Target units for one source unit, rounded half-even to [`RATE_PLACES`] decimals. It is only
    /// for display: the amount was not computed from it.
    pub rate: Decimal,
    /// The quote of the source currency in the table.
    pub from_rate: Decimal,
    /// The quote of the target currency in the table.
    pub to_rate: Decimal,
    /// The date of the row used; `None` in a fixed table.
    pub rate_date: Option<Date>,
    /// Whether the rounded amount is exact.
    pub exact: bool,
    /// The sources of the two quotes; `None` for a quote that is 1 by definition.
    pub sources: [Option<QuoteSource>; 2],
}

/// The reason why an amount could not be converted. Messages never contain the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// The table has no rate for the two currencies on that date.
    #[error(transparent)]
    NoRate(#[from] NoRate),
    /// The amount or the rate has more digits than a [`Decimal`] can hold.
    #[error("the amount in {to}, or its rate, has too many digits")]
    OutOfRange {
        /// The target currency.
        to: Currency,
    },
}

/// Converts an amount at the rates of a date.
///
/// The rates come from the newest row that quotes both currencies, is dated `on` or earlier, and is
/// at most `max_age_days` days old. The amount is multiplied by R(to) / R(from) and rounded once
/// with `rounding` to the minor units of `to`. R is the rate of a currency in that row, in units
/// per unit of the base currency. For a fixed table that quotes base units per unit, the factor is
/// R(from) / R(to). If both currencies are the same, no row is needed: the rate is 1, and its date
/// is `on`, or `None` for a fixed table.
///
/// # Errors
///
/// Returns [`ConvertError::NoRate`] if the table has no such row, [`ConvertError::OutOfRange`] if
/// the result does not fit.
pub fn convert(
    table: &RateTable,
    amount: Decimal,
    from: Currency,
    to: Currency,
    on: Date,
    max_age_days: u32,
    rounding: Rounding,
) -> Result<Conversion, ConvertError> {
    let out_of_range = ConvertError::OutOfRange { to };
    let places = to.minor_units();
    if from == to {
        let Rounded { value, exact } =
            mul_div(amount, Decimal::ONE, Decimal::ONE, places, rounding).ok_or(out_of_range)?;
        return Ok(Conversion {
            amount: value,
            rate: Decimal::ONE,
            from_rate: Decimal::ONE,
            to_rate: Decimal::ONE,
            rate_date: table.is_dated().then_some(on),
            exact,
            sources: [None; 2],
        });
    }
    let pair = table.lookup(from, to, on, max_age_days)?;
    let (above, below) = match table.quote() {
        Quote::UnitPerBase => (pair.to_rate, pair.from_rate),
        Quote::BasePerUnit => (pair.from_rate, pair.to_rate),
    };
    let Rounded { value, exact } =
        mul_div(amount, above, below, places, rounding).ok_or(out_of_range)?;
    let rate = mul_div(Decimal::ONE, above, below, RATE_PLACES, Rounding::HalfEven)
        .ok_or(out_of_range)?
        .value;
    Ok(Conversion {
        amount: value,
        rate,
        from_rate: pair.from_rate,
        to_rate: pair.to_rate,
        rate_date: pair.date,
        exact,
        sources: pair.sources,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    /// Creates a table with one row that quotes the given currencies.
    fn row(on: &str, quotes: &[(&str, &str)]) -> RateTable {
        let (mut header, mut cells) = ("Date".to_owned(), on.to_owned());
        for (code, rate) in quotes.iter().filter(|(code, _)| *code != "EUR") {
            header.push_str(&format!(",{code}"));
            cells.push_str(&format!(",{rate}"));
        }
        RateTable::ecb(&format!("{header}\n{cells}\n")).unwrap()
    }

    fn both_ways(
        table: &RateTable,
        amount: &str,
        from: &str,
        to: &str,
        on: Date,
    ) -> [Conversion; 2] {
        [Rounding::HalfEven, Rounding::HalfUp].map(|mode| {
            convert(table, decimal(amount), currency(from), currency(to), on, 7, mode).unwrap()
        })
    }

    fn usd_row() -> RateTable {
        row("2024-07-08", &[("USD", "1.0835"), ("BRL", "5.9265"), ("JPY", "174.13")])
    }

    // The expected values were computed with Python's decimal module at 60 digits and checked
    // against exact rationals. The rates are those of the European Central Bank.
    #[test]
    fn conversions_match_precomputed_results() {
        for (amount, code, rate, usd, on, row_date, half_even, half_up) in [
            ("440.00", "EUR", "1", "1.08", "2024-07-04", "2024-07-04", "475.20", "475.20"),
            ("1863.40", "EUR", "1", "1.0824", "2024-07-05", "2024-07-05", "2016.94", "2016.94"),
            ("1552.60", "BRL", "5.9265", "1.0835", "2024-07-08", "2024-07-08", "283.85", "283.85"),
            ("100.00", "EUR", "1", "1.0395", "2024-12-25", "2024-12-24", "103.95", "103.95"),
            ("100.00", "GBP", "0.85873", "1.136", "2025-04-21", "2025-04-17", "132.29", "132.29"),
            ("10000", "JPY", "163.45", "1.0811", "2024-04-01", "2024-03-28", "66.14", "66.14"),
            ("55.55", "NZD", "1.8532", "1.0389", "2024-12-31", "2024-12-31", "31.14", "31.14"),
            ("12345.00", "HUF", "382.8", "1.105", "2023-12-31", "2023-12-29", "35.64", "35.64"),
            ("100.00", "BGN", "1.9558", "1.175", "2026-01-02", "2025-12-31", "60.08", "60.08"),
            ("100.00", "SEK", "10.978", "1.1172", "2026-10-31", "2026-10-30", "10.18", "10.18"),
        ] {
            let table = row(row_date, &[("USD", usd), (code, rate)]);
            let [even, up] = both_ways(&table, amount, code, "USD", on.parse().unwrap());
            assert_eq!([even, up].map(|done| done.amount.to_string()), [half_even, half_up]);
            assert_eq!(even.rate_date, Some(row_date.parse().unwrap()));
            assert_eq!([even.from_rate, even.to_rate].map(|rate| rate.to_string()), [rate, usd]);
        }
    }

    #[test]
    fn the_rounding_mode_determines_how_ties_are_rounded() {
        let table = usd_row();
        for (amount, half_even, half_up) in [
            ("897.505", "897.50", "897.51"),
            ("-677.805", "-677.80", "-677.81"),
            ("701.515", "701.52", "701.52"),
            ("-0.005", "0.00", "-0.01"),
        ] {
            let done = both_ways(&table, amount, "USD", "USD", date(2023, 2, 21));
            assert_eq!(done.map(|done| done.amount.to_string()), [half_even, half_up]);
            assert!(done.iter().all(|done| !done.exact));
        }
        // 10.00 × 1.0835 is 10.835: a tie that arises only in the product.
        let done = both_ways(&table, "10.00", "EUR", "USD", date(2024, 7, 8));
        assert_eq!(done.map(|done| done.amount.to_string()), ["10.84", "10.84"]);
        let done = both_ways(&table, "30.00", "EUR", "USD", date(2024, 7, 8));
        assert_eq!(done.map(|done| done.amount.to_string()), ["32.50", "32.51"]);
    }

    #[test]
    fn the_target_currency_determines_the_decimals() {
        let table = row(
            "2024-07-08",
            &[("USD", "1.0835"), ("JPY", "174.13"), ("KWD", "0.3311"), ("CLF", "0.0271")],
        );
        for (to, expected) in
            [("JPY", "17413"), ("KWD", "33.110"), ("CLF", "2.7100"), ("USD", "108.35")]
        {
            let [done, _] = both_ways(&table, "100", "EUR", to, date(2024, 7, 8));
            assert_eq!((done.amount.to_string().as_str(), done.exact), (expected, true), "{to}");
        }
        let [done, _] = both_ways(&table, "100.50", "JPY", "JPY", date(2024, 7, 8));
        assert_eq!((done.amount.to_string().as_str(), done.exact), ("100", false));
    }

    #[test]
    fn the_rate_has_twelve_decimals() {
        let [done, _] = both_ways(&usd_row(), "1552.60", "BRL", "USD", date(2024, 7, 8));
        assert_eq!(done.rate.to_string(), "0.182822914030");
        assert!(!done.exact);
    }

    #[test]
    fn the_same_currency_needs_no_row() {
        let on = date(2099, 1, 1);
        let [done, _] = both_ways(&usd_row(), "12.3", "DEM", "DEM", on);
        assert_eq!(done.amount.to_string(), "12.30");
        assert_eq!([done.rate, done.from_rate, done.to_rate], [Decimal::ONE; 3]);
        assert_eq!((done.rate_date, done.exact), (Some(on), true));
    }

    #[test]
    fn a_fixed_table_may_be_quoted_either_way() {
        let on = date(2024, 7, 18);
        let rates = [("USD", "1"), ("CAD", "0.79"), ("MXN", "0.05")]
            .map(|(code, rate)| (currency(code), decimal(rate)));
        let table =
            RateTable::fixed(currency("USD"), Quote::BasePerUnit, BTreeMap::from(rates)).unwrap();
        for (amount, from, to, expected) in [
            ("100", "CAD", "USD", "79.00"),
            ("100.80", "MXN", "USD", "5.04"),
            ("79.00", "USD", "CAD", "100.00"),
            ("100", "CAD", "MXN", "1580.00"),
        ] {
            let [done, _] = both_ways(&table, amount, from, to, on);
            assert_eq!(done.amount.to_string(), expected, "{from} to {to}");
            assert_eq!(done.rate_date, None);
        }
        let [done, _] = both_ways(&table, "1", "USD", "USD", on);
        assert_eq!(done.rate_date, None);
        let rates = BTreeMap::from([(currency("CAD"), decimal("1.25"))]);
        let table = RateTable::fixed(currency("USD"), Quote::UnitPerBase, rates).unwrap();
        let [done, _] = both_ways(&table, "100", "CAD", "USD", on);
        assert_eq!((done.amount.to_string().as_str(), done.rate), ("80.00", decimal("0.8")));
    }

    #[test]
    fn a_result_that_does_not_fit_is_not_a_missing_rate() {
        let table = usd_row();
        let on = date(2024, 7, 8);
        let most = decimal("9999999999999999999999999999");
        let mode = Rounding::HalfEven;
        let to = currency("JPY");
        assert_eq!(
            convert(&table, most, currency("USD"), to, on, 7, mode),
            Err(ConvertError::OutOfRange { to })
        );
        let to = currency("USD");
        assert_eq!(
            convert(&table, most, to, to, on, 7, mode),
            Err(ConvertError::OutOfRange { to })
        );
        assert!(matches!(
            convert(&table, Decimal::ONE, currency("KWD"), to, on, 7, mode),
            Err(ConvertError::NoRate(NoRate::NeverQuoted { .. }))
        ));
    }

    #[test]
    fn intermediate_results_beyond_128_bits_are_exact() {
        let table = row(
            "2024-07-08",
            &[("USD", "1.234567890123456789012345678"), ("GBP", "1.234567890123456789012345678")],
        );
        let amount = "12345678901234567890123456.78";
        let [done, _] = both_ways(&table, amount, "GBP", "USD", date(2024, 7, 8));
        assert_eq!((done.amount.to_string().as_str(), done.exact), (amount, true));
    }
}
