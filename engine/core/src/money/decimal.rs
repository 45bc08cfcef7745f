//! [`Decimal`], an exact decimal number that keeps its scale as written.
//!
//! This file contains the type, its order and its serialization. The grammar is in `parse`, and the
//! operations are in `arithmetic`. A value is never converted to binary floating point and is never
//! rounded implicitly.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::DecimalError;

/// The maximum number of digits of a [`Decimal`], and also of its decimal places.
pub const DIGITS_MAX: u32 = 28;

/// The first mantissa that has too many digits.
pub(super) const MANTISSA_LIMIT: u128 = 10u128.pow(DIGITS_MAX);

/// An exact decimal number of at most [`DIGITS_MAX`] digits.
///
/// Equality, order and hash are numerical (10.0 equals 10.00), but `Display` prints the decimals as
/// written. There is no negative zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(rust_decimal::Decimal);

impl Decimal {
    /// Zero, without decimals.
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);
    /// One, without decimals.
    pub const ONE: Self = Self(rust_decimal::Decimal::ONE);

    /// Returns the integer, without decimals.
    pub fn from_int(value: i64) -> Self {
        Self(rust_decimal::Decimal::from(value))
    }

    /// Returns `mantissa` / 10^`scale`, or `None` if it does not fit.
    ///
    /// Trailing zero decimals are dropped only if the value does not fit with them. No other digit
    /// is dropped.
    pub fn from_parts(mantissa: i128, scale: u32) -> Option<Self> {
        let (mut mantissa, mut scale) = (mantissa, scale);
        while scale > DIGITS_MAX || mantissa.unsigned_abs() >= MANTISSA_LIMIT {
            if mantissa == 0 {
                scale = DIGITS_MAX;
            } else if scale == 0 || mantissa % 10 != 0 {
                return None;
            } else {
                mantissa /= 10;
                scale -= 1;
            }
        }
        // An integer has no negative zero, so none can arise here.
        rust_decimal::Decimal::try_from_i128_with_scale(mantissa, scale).ok().map(Self)
    }

    /// Returns the digits as an integer: the value is `mantissa` / 10^[`scale`](Self::scale).
    pub fn mantissa(self) -> i128 {
        self.0.mantissa()
    }

    /// Returns the number of decimals, at most [`DIGITS_MAX`].
    pub fn scale(self) -> u32 {
        self.0.scale()
    }

    /// Returns the number of digits before the decimal point, without a leading zero: 0 for 0.75, 3
    /// for 100.00.
    pub fn integer_digits(self) -> u32 {
        let digits = self.mantissa().unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
        digits.saturating_sub(self.scale())
    }

    /// Returns whether the value is zero, at any scale.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Returns whether the value is less than zero.
    pub fn is_negative(self) -> bool {
        self.mantissa() < 0
    }

    /// Returns the same value without trailing zero decimals.
    #[must_use]
    pub fn normalized(self) -> Self {
        Self(self.0.normalize())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text)
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::from_int(value)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number as text, such as \"12.30\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        Decimal::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Decimal, E> {
        Ok(Decimal::from_int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Decimal, E> {
        Ok(Decimal(value.into()))
    }

    // The default implementation would put the number into the message.
    fn visit_f64<E: Error>(self, _: f64) -> Result<Decimal, E> {
        Err(E::custom("a decimal number must be text, such as \"12.30\""))
    }
}

impl JsonSchema for Decimal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "decimal" })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::de::IntoDeserializer;
    use serde::de::value::{
        Error, F64Deserializer, I64Deserializer, StrDeserializer, U64Deserializer,
    };

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn equality_order_and_hash_ignore_the_scale() {
        assert_eq!(decimal("10.0"), decimal("10.00"));
        assert_eq!(decimal("-0.00"), Decimal::ZERO);
        assert!(decimal("-2") < decimal("-1.999"));
        assert!(
            decimal("9999999999999999999999999999") > decimal("0.0000000000000000000000000001")
        );
        let set = HashSet::from([decimal("1"), decimal("1.000"), decimal("0"), decimal("-0.0")]);
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn zero_has_no_sign_and_keeps_its_scale() {
        assert_eq!(decimal("-0.00").to_string(), "0.00");
        assert!(!decimal("-0.00").is_negative());
        assert_eq!(decimal("-0.00").normalized().to_string(), "0");
        assert_eq!(decimal("-10.500").normalized().to_string(), "-10.5");
    }

    #[test]
    fn digits_before_the_point_are_counted() {
        for (text, digits) in [("0", 0), ("0.75", 0), ("-0.05", 0), ("1.5", 1), ("-100.00", 3)] {
            assert_eq!(decimal(text).integer_digits(), digits, "{text}");
        }
        assert_eq!(decimal("999999999999999.9999").integer_digits(), 15);
    }

    #[test]
    fn parts_that_do_not_fit_drop_only_zero_decimals() {
        assert_eq!(Decimal::from_parts(10i128.pow(30), 5).unwrap().scale(), 2);
        assert_eq!(Decimal::from_parts(10i128.pow(28), 0), None);
        assert_eq!(Decimal::from_parts(1, 29), None);
        assert_eq!(Decimal::from_parts(i128::MIN, 40), None);
        assert_eq!(Decimal::from_parts(0, u32::MAX), Some(Decimal::ZERO));
        assert_eq!(Decimal::from_parts(-1250, 2).unwrap().to_string(), "-12.50");
    }

    #[test]
    fn text_and_integers_are_deserialized_but_floats_are_rejected() {
        let text: StrDeserializer<'_, Error> = "12.30".into_deserializer();
        assert_eq!(Decimal::deserialize(text).unwrap().to_string(), "12.30");
        let signed: I64Deserializer<Error> = i64::MIN.into_deserializer();
        assert_eq!(Decimal::deserialize(signed).unwrap().to_string(), i64::MIN.to_string());
        let unsigned: U64Deserializer<Error> = u64::MAX.into_deserializer();
        assert_eq!(Decimal::deserialize(unsigned).unwrap().to_string(), u64::MAX.to_string());
        let float: F64Deserializer<Error> = 77.25.into_deserializer();
        let message = Decimal::deserialize(float).unwrap_err().to_string();
        assert!(!message.contains("77"), "{message}");
        let bad: StrDeserializer<'_, Error> = "77,25".into_deserializer();
        let message = Decimal::deserialize(bad).unwrap_err().to_string();
        assert!(!message.contains("77"), "{message}");
    }

    #[test]
    fn the_schema_is_a_string_of_format_decimal() {
        let schema = SchemaGenerator::default().into_root_schema_for::<Decimal>();
        assert_eq!(schema.get("type").and_then(|value| value.as_str()), Some("string"));
        assert_eq!(schema.get("format").and_then(|value| value.as_str()), Some("decimal"));
    }
}
