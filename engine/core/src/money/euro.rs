//! The fixed rates at which the euro replaced currencies. Each is valid from its first day onwards.
//!
//! The eleven currencies replaced on the first day, 1 January 1999 ((EC) No 2866/98), are not
//! included. The European Central Bank's rates begin later and never quoted them, and an amount in
//! Deutsche Mark is more likely an error than a real amount.
//!
//! | regulation of the Council | fixes the rates of |
//! | --- | --- |
//! | (EC) No 1478/2000 | GRD |
//! | (EC) No 1086/2006 | SIT |
//! | (EC) No 1134/2007 | MTL |
//! | (EC) No 1135/2007 | CYP |
//! | (EC) No 694/2008 | SKK |
//! | (EU) No 671/2010 | EEK |
//! | (EU) No 870/2013 | LVL |
//! | (EU) No 851/2014 | LTL |
//! | (EU) 2022/1208 | HRK |
//! | (EU) 2025/1409 | BGN |
//!
//! Each amends (EC) No 2866/98. Regulation (EC) No 1103/97, article 4, requires that the rates are
//! used with all their digits, and that conversions between two of these currencies go through the
//! euro.

use jiff::civil::{Date, date};

use super::{Currency, Decimal};

/// The rate at which the euro replaced a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changeover {
    /// The first day of the rate.
    pub(super) since: Date,
    /// Units of the currency for 1 euro.
    pub(super) per_euro: Decimal,
}

/// Code, units for 1 euro, and the first day.
const RATES: [(&str, &str, Date); 10] = [
    ("BGN", "1.95583", date(2026, 1, 1)),
    ("CYP", "0.585274", date(2008, 1, 1)),
    ("EEK", "15.6466", date(2011, 1, 1)),
    ("GRD", "340.750", date(2001, 1, 1)),
    ("HRK", "7.53450", date(2023, 1, 1)),
    ("LTL", "3.45280", date(2015, 1, 1)),
    ("LVL", "0.702804", date(2014, 1, 1)),
    ("MTL", "0.429300", date(2008, 1, 1)),
    ("SIT", "239.640", date(2007, 1, 1)),
    ("SKK", "30.1260", date(2009, 1, 1)),
];

/// Returns the rate at which the euro replaced a currency, if it did.
pub(super) fn changeover(currency: Currency) -> Option<Changeover> {
    let at = RATES.binary_search_by(|(code, ..)| (*code).cmp(currency.code())).ok()?;
    let (_, per_euro, since) = RATES.get(at)?;
    Some(Changeover { since: *since, per_euro: Decimal::parse(per_euro).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_currency_replaced_after_1999_has_a_rate_of_six_digits() {
        let replaced = Currency::all().filter(|currency| currency.is_replaced_by_euro());
        let first: Vec<&str> = replaced
            .filter(|currency| changeover(*currency).is_none())
            .map(Currency::code)
            .collect();
        assert_eq!(first.join(" "), "ATS BEF DEM ESP FIM FRF IEP ITL LUF NLG PTE");
        for (code, per_euro, since) in RATES {
            let found = changeover(Currency::parse(code).unwrap()).unwrap();
            assert_eq!((found.per_euro.to_string(), found.since), (per_euro.to_owned(), since));
            // Regulation (EC) No 1103/97, article 4: six significant figures.
            let digits = per_euro.replace('.', "");
            assert_eq!(digits.trim_start_matches('0').len(), 6, "{code}");
        }
    }
}
