//! [`Currency`], a currency that an amount can have.
//!
//! The accepted codes are those of ISO 4217 list one that have minor units, and those that the euro
//! replaced, because old orders contain them. The tables are next to this file (`iso4217.md` names
//! their sources). Only this module can construct a value, so every value has an accepted code.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::OnceLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const LIST_ONE: &str = include_str!("iso4217.csv");
const REPLACED_BY_EURO: &str = include_str!("iso4217-euro-replaced.csv");

/// A currency of ISO 4217 that has minor units, or one that the euro replaced. Ordered by code.
#[derive(Clone, Copy)]
pub struct Currency(&'static Entry);

/// Describes a currency code, for messages.
pub(super) const EXPECTED_CODE: &str =
    "an ISO 4217 currency code (three uppercase letters, such as `EUR`)";

/// The reason why a text is not a [`Currency`]. Messages never repeat the text. They complete the
/// sentence "… is".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    /// The text is neither a code of list one nor the code of a currency that the euro replaced.
    #[error("not {EXPECTED_CODE}")]
    Unknown,
    /// The code stands for a metal, a unit of account, a test or no currency.
    #[error("an ISO 4217 code without minor units, so no amount can have this currency")]
    NoMinorUnits,
    /// The code is correct except for its case.
    #[error("not an uppercase currency code; write `{code}`")]
    NotUpperCase {
        /// The code in uppercase.
        code: Currency,
    },
}

impl Currency {
    /// Parses a code, which must be in uppercase and without spaces.
    ///
    /// # Errors
    ///
    /// Returns [`CurrencyError`] if the code is unknown, has no minor units or is not in upper
    /// case.
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        if let Some(entry) = find(text) {
            return Self::of(entry);
        }
        // The length check bounds the work for long texts.
        if text.len() != 3 {
            return Err(CurrencyError::Unknown);
        }
        let upper = find(&text.to_ascii_uppercase()).ok_or(CurrencyError::Unknown)?;
        Err(CurrencyError::NotUpperCase { code: Self::of(upper)? })
    }

    /// Returns the currency that a text probably means: a code in another case or with surrounding
    /// spaces, a name, or a symbol.
    pub fn suggest(text: &str) -> Option<Self> {
        const NAMES: [(&str, &str); 6] = [
            ("EURO", "EUR"),
            ("EUROS", "EUR"),
            ("€", "EUR"),
            ("£", "GBP"),
            ("US$", "USD"),
            ("STG", "GBP"),
        ];
        // Longer than every name. It bounds the work for long texts.
        const LENGTH_MAX: usize = 80;
        if text.len() > LENGTH_MAX {
            return None;
        }
        let upper = text.trim().to_uppercase();
        let code = NAMES.iter().find(|(name, _)| *name == upper).map_or(&*upper, |(_, code)| code);
        Self::parse(code)
            .ok()
            .or_else(|| Self::all().find(|currency| currency.name().to_uppercase() == upper))
    }

    /// Returns the code, three uppercase letters.
    pub fn code(self) -> &'static str {
        self.0.code
    }

    /// Returns the number of decimals of an amount: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn minor_units(self) -> u32 {
        // No `Currency` refers to an entry without minor units.
        self.0.minor_units.unwrap_or_default()
    }

    /// Returns the English name in ISO 4217.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Returns whether the euro has replaced this currency.
    pub fn is_replaced_by_euro(self) -> bool {
        self.0.replaced_by_euro
    }

    /// Returns every accepted currency, ordered by code.
    pub fn all() -> impl Iterator<Item = Self> {
        entries().iter().filter_map(|entry| Self::of(entry).ok())
    }

    fn of(entry: &'static Entry) -> Result<Self, CurrencyError> {
        entry.minor_units.map(|_| Self(entry)).ok_or(CurrencyError::NoMinorUnits)
    }
}

struct Entry {
    code: &'static str,
    minor_units: Option<u32>,
    name: &'static str,
    replaced_by_euro: bool,
}

fn find(code: &str) -> Option<&'static Entry> {
    let entries = entries();
    let at = entries.binary_search_by(|entry| entry.code.cmp(code)).ok()?;
    entries.get(at)
}

/// Returns both tables merged and sorted by code. They are parsed once.
fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let mut entries: Vec<Entry> =
            read(LIST_ONE, false).chain(read(REPLACED_BY_EURO, true)).collect();
        entries.sort_unstable_by_key(|entry| entry.code);
        entries
    })
}

/// Parses one of the built-in tables. The tests check that no line is skipped.
fn read(text: &'static str, replaced_by_euro: bool) -> impl Iterator<Item = Entry> {
    data_lines(text).filter_map(move |line| {
        let mut cells = line.splitn(3, ',');
        let (code, minor_units, name) = (cells.next()?, cells.next()?, cells.next()?);
        let minor_units = match minor_units {
            "" => None,
            digits => Some(digits.parse().ok()?),
        };
        Some(Entry { code, minor_units, name, replaced_by_euro })
    })
}

/// Returns the lines after the comments and the header.
fn data_lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#')).skip(1)
}

// Each code has exactly one entry, so comparing codes is enough.
impl PartialEq for Currency {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code()
    }
}

impl Eq for Currency {}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> Ordering {
        self.code().cmp(other.code())
    }
}

impl Hash for Currency {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.code().hash(state);
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({})", self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        Self::parse(text)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(CurrencyVisitor)
    }
}

struct CurrencyVisitor;

impl Visitor<'_> for CurrencyVisitor {
    type Value = Currency;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an ISO 4217 currency code, such as \"EUR\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Currency, E> {
        Currency::parse(text).map_err(E::custom)
    }
}

impl JsonSchema for Currency {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "currency" })
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    #[test]
    fn every_line_of_both_tables_is_one_entry() {
        let (current, replaced) =
            (data_lines(LIST_ONE).count(), data_lines(REPLACED_BY_EURO).count());
        assert_eq!((current, replaced), (178, 21));
        assert_eq!(entries().len(), current + replaced);
        assert!(entries().is_sorted_by(|a, b| a.code < b.code), "a code is in both tables");
        for entry in entries() {
            assert!(
                entry.code.len() == 3 && entry.code.bytes().all(|byte| byte.is_ascii_uppercase())
            );
            assert!(entry.minor_units.is_none_or(|units| units <= 4), "{}", entry.code);
            assert!(!entry.name.is_empty() && !entry.name.contains('"'), "{}", entry.code);
        }
    }

    #[test]
    fn minor_units_match_the_standard() {
        for (code, units) in [
            ("EUR", 2),
            ("USD", 2),
            ("HUF", 2),
            ("IDR", 2),
            ("JPY", 0),
            ("ISK", 0),
            ("KWD", 3),
            ("BHD", 3),
            ("CLF", 4),
            ("UYW", 4),
            ("DEM", 2),
            ("BGN", 2),
            ("ITL", 0),
            ("XCG", 2),
            ("XAF", 0),
        ] {
            assert_eq!(Currency::parse(code).map(Currency::minor_units), Ok(units), "{code}");
        }
    }

    #[test]
    fn currencies_replaced_by_the_euro_are_marked() {
        assert!(Currency::parse("HRK").unwrap().is_replaced_by_euro());
        assert!(!Currency::parse("EUR").unwrap().is_replaced_by_euro());
        assert_eq!(Currency::all().filter(|currency| currency.is_replaced_by_euro()).count(), 21);
        assert_eq!(Currency::parse("BGN").unwrap().name(), "Bulgarian Lev");
    }

    #[test]
    fn an_error_names_its_cause_but_not_the_text() {
        for text in ["XAU", "XXX", "XTS", "XDR", "xau"] {
            assert_eq!(Currency::parse(text), Err(CurrencyError::NoMinorUnits), "{text}");
        }
        for text in
            ["", "BTC", "ZWL", "ANG", "CNH", " EUR", "EUR ", "€", "E€", "EURO", "EEEEEEEEEEEE"]
        {
            assert_eq!(Currency::parse(text), Err(CurrencyError::Unknown), "{text:?}");
        }
        let lower = Currency::parse("eUr").unwrap_err();
        assert_eq!(lower, CurrencyError::NotUpperCase { code: Currency::parse("EUR").unwrap() });
        assert_eq!(lower.to_string(), "not an uppercase currency code; write `EUR`");
        assert!(!Currency::parse("BTC").unwrap_err().to_string().contains("BTC"));
    }

    #[test]
    fn a_currency_is_deserialized_from_its_code() {
        let text: StrDeserializer<'_, Error> = "KWD".into_deserializer();
        assert_eq!(Currency::deserialize(text).unwrap().code(), "KWD");
        let bad: StrDeserializer<'_, Error> = "Ada Lovelace".into_deserializer();
        assert!(!Currency::deserialize(bad).unwrap_err().to_string().contains("Ada"));
        let schema = SchemaGenerator::default().into_root_schema_for::<Currency>();
        assert_eq!(schema.get("format").and_then(|value| value.as_str()), Some("currency"));
    }
}
