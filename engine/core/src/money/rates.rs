//! [`RateTable`], an immutable table of exchange rates, and its lookups.
//!
//! A table is either dated (the reference rates of the European Central Bank, with overrides; `ecb`
//! and `overrides` read them) or fixed (written in the pipeline file). It keeps all digits of every
//! quote and never derives one: a cross rate is computed only in `convert`, from two quotes of one
//! row.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dated::Dated;
use super::{Currency, Decimal};

/// The base currency of the European Central Bank's rates.
pub(super) const EURO: &str = "EUR";
const ECB_SOURCE: &str = "European Central Bank, euro foreign exchange reference rates";

/// The direction in which a table quotes its rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quote {
    /// Units of the base currency for one unit of the currency (base USD, CAD 0.79).
    BasePerUnit,
    /// Units of the currency for one unit of the base currency (base EUR, USD 1.1172).
    UnitPerBase,
}

/// An immutable table of exchange rates.
#[derive(Clone, Debug)]
pub struct RateTable {
    source: String,
    quotes: Quotes,
}

#[derive(Clone, Debug)]
enum Quotes {
    Dated(Dated),
    Fixed { base: Currency, quote: Quote, rates: BTreeMap<Currency, Decimal> },
}

/// The quotes of two currencies from one row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatePair {
    /// The date of the row; `None` in a fixed table.
    pub date: Option<Date>,
    /// The quote of the source currency.
    pub from_rate: Decimal,
    /// The quote of the target currency.
    pub to_rate: Decimal,
    /// The sources of the two quotes; `None` for the euro, whose quote is 1 by definition.
    pub sources: [Option<QuoteSource>; 2],
}

/// The source of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteSource {
    /// The table itself or its file.
    Table,
    /// A row of the overrides.
    Override,
    /// The rate at which the euro replaced the currency.
    Changeover,
}

/// The reason why a table has no rate for a pair of currencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRate {
    /// No row of the table quotes the currency.
    #[error("no rate: the table contains no rates for {currency}")]
    NeverQuoted {
        /// The currency without a quote.
        currency: Currency,
    },
    /// All rows that quote both currencies are too old.
    #[error(
        "no rate for {from} to {to} on {on}: the newest row that quotes both is from {newest}, more than {max_age_days} days earlier"
    )]
    TooOld {
        /// The source currency.
        from: Currency,
        /// The target currency.
        to: Currency,
        /// The requested date.
        on: Date,
        /// The newest row on or before `on` that quotes both.
        newest: Date,
        /// The maximum age of a row.
        max_age_days: u32,
    },
    /// No row on or before the date quotes both currencies.
    #[error("no rate for {from} to {to} on {on}: no row on or before that date quotes both")]
    NoRow {
        /// The source currency.
        from: Currency,
        /// The target currency.
        to: Currency,
        /// The requested date.
        on: Date,
    },
}

/// The reason why a fixed table is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FixedTableError {
    /// A rate is zero or negative.
    #[error("the rate of {currency} must be greater than 0")]
    NotPositive {
        /// The currency of the rate.
        currency: Currency,
    },
    /// The table quotes its own base at a rate other than 1.
    #[error("{base} is the base, so its rate must be 1")]
    BaseIsNotOne {
        /// The base currency.
        base: Currency,
    },
}

impl RateTable {
    /// Creates a table without dates. `table` may omit the base, whose rate is 1.
    ///
    /// # Errors
    ///
    /// Returns [`FixedTableError`] if a rate is not positive or the base has a rate other than 1.
    pub fn fixed(
        base: Currency,
        quote: Quote,
        table: BTreeMap<Currency, Decimal>,
    ) -> Result<Self, FixedTableError> {
        let mut rates = table;
        if rates.insert(base, Decimal::ONE).is_some_and(|rate| rate != Decimal::ONE) {
            return Err(FixedTableError::BaseIsNotOne { base });
        }
        if let Some((&currency, _)) = rates.iter().find(|(_, rate)| **rate <= Decimal::ZERO) {
            return Err(FixedTableError::NotPositive { currency });
        }
        Ok(Self { source: "fixed".to_owned(), quotes: Quotes::Fixed { base, quote, rates } })
    }

    pub(super) fn dated(dated: Dated) -> Self {
        Self { source: ECB_SOURCE.to_owned(), quotes: Quotes::Dated(dated) }
    }

    /// Applies the fixed rates of currencies that the euro replaced, from their first day onwards,
    /// whatever the rows quote. Also makes [`RatePair::sources`] distinguish overrides from other
    /// quotes. A fixed table does not change.
    #[must_use]
    pub fn with_changeovers(mut self) -> Self {
        if let Some(dated) = self.as_dated_mut() {
            dated.changeovers = true;
        }
        self
    }

    /// Returns whether [`Self::with_changeovers`] is in effect.
    pub fn has_changeovers(&self) -> bool {
        self.as_dated().is_some_and(|dated| dated.changeovers)
    }

    /// Returns whether overrides were added.
    pub fn has_overrides(&self) -> bool {
        self.as_dated().is_some_and(Dated::has_overrides)
    }

    /// Replaces the name of the source of the rates.
    #[must_use]
    pub fn with_source(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// Returns the name of the source of the rates.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the direction of the quotes.
    pub fn quote(&self) -> Quote {
        match &self.quotes {
            Quotes::Dated(_) => Quote::UnitPerBase,
            Quotes::Fixed { quote, .. } => *quote,
        }
    }

    /// Returns whether the rates have dates.
    pub fn is_dated(&self) -> bool {
        self.as_dated().is_some()
    }

    /// Returns the quotes of two currencies that apply on a date.
    ///
    /// In a dated table they come from the newest row that quotes both, is dated `on` or earlier,
    /// and is at most `max_age_days` days old. A fixed table has the same rates for all dates. With
    /// changeovers, a currency that the euro replaced on or before `on` needs no row. If both
    /// currencies are such currencies, or one is the euro, the date is that of the later
    /// changeover.
    ///
    /// # Errors
    ///
    /// Returns [`NoRate`] if there is no such row, or a currency is not in the table.
    pub fn lookup(
        &self,
        from: Currency,
        to: Currency,
        on: Date,
        max_age_days: u32,
    ) -> Result<RatePair, NoRate> {
        match &self.quotes {
            Quotes::Dated(dated) => dated.lookup(from, to, on, max_age_days),
            Quotes::Fixed { rates, .. } => {
                let rate = |currency| {
                    rates.get(&currency).copied().ok_or(NoRate::NeverQuoted { currency })
                };
                let sources = [Some(QuoteSource::Table); 2];
                Ok(RatePair { date: None, from_rate: rate(from)?, to_rate: rate(to)?, sources })
            }
        }
    }

    /// Returns whether the table has rates for the currency. The base always has a rate. With
    /// changeovers, a currency that the euro replaced needs no row.
    pub fn has_currency(&self, currency: Currency) -> bool {
        match &self.quotes {
            Quotes::Dated(dated) => dated.has_currency(currency),
            Quotes::Fixed { rates, .. } => rates.contains_key(&currency),
        }
    }

    /// Returns every currency for which [`Self::has_currency`] is true, ordered by code.
    pub fn currencies(&self) -> Vec<Currency> {
        Currency::all().filter(|currency| self.has_currency(*currency)).collect()
    }

    /// Returns the base currency of the quotes.
    pub fn base(&self) -> &'static str {
        match &self.quotes {
            Quotes::Dated(_) => EURO,
            Quotes::Fixed { base, .. } => base.code(),
        }
    }

    /// Returns the date of the oldest row; `None` in a fixed table.
    pub fn first_date(&self) -> Option<Date> {
        self.as_dated()?.rows.first().map(|row| row.date)
    }

    /// Returns the date of the newest row; `None` in a fixed table.
    pub fn last_date(&self) -> Option<Date> {
        self.as_dated()?.rows.last().map(|row| row.date)
    }

    /// Returns the number of dated rows; 0 in a fixed table.
    pub fn row_count(&self) -> usize {
        self.as_dated().map_or(0, |dated| dated.rows.len())
    }

    fn as_dated(&self) -> Option<&Dated> {
        match &self.quotes {
            Quotes::Dated(dated) => Some(dated),
            Quotes::Fixed { .. } => None,
        }
    }

    pub(super) fn as_dated_mut(&mut self) -> Option<&mut Dated> {
        match &mut self.quotes {
            Quotes::Dated(dated) => Some(dated),
            Quotes::Fixed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn a_fixed_table_has_the_same_rates_for_all_dates() {
        let rates = BTreeMap::from([(currency("CAD"), decimal("0.79"))]);
        let table = RateTable::fixed(currency("USD"), Quote::BasePerUnit, rates).unwrap();
        let pair = table.lookup(currency("CAD"), currency("USD"), Date::MIN, 0).unwrap();
        assert_eq!((pair.date, pair.from_rate.to_string()), (None, "0.79".to_owned()));
        assert_eq!(table.currencies(), ["CAD", "USD"].map(currency));
        assert!(!table.is_dated() && table.first_date().is_none());
        assert_eq!(
            table.lookup(currency("MXN"), currency("USD"), Date::MIN, 0),
            Err(NoRate::NeverQuoted { currency: currency("MXN") })
        );
    }

    #[test]
    fn a_fixed_table_with_an_invalid_rate_is_rejected() {
        let refused = |code: &str, rate: &str| {
            let rates = BTreeMap::from([(currency(code), decimal(rate))]);
            RateTable::fixed(currency("USD"), Quote::BasePerUnit, rates).map(|_| ()).unwrap_err()
        };
        let base = currency("USD");
        assert_eq!(refused("USD", "1.01"), FixedTableError::BaseIsNotOne { base });
        for rate in ["0", "-0.79"] {
            let currency = currency("CAD");
            assert_eq!(refused("CAD", rate), FixedTableError::NotPositive { currency });
        }
    }
}
