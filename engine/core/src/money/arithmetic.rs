//! Arithmetic with [`Decimal`]s: exact, or rounded once with an explicit mode.
//!
//! All operations work on integer mantissas: in 128 bits if the result fits, otherwise in big
//! integers. The operations of the underlying number type are not used, because it silently rounds
//! a product that has too many decimals. The division of the conversion rule (a × b / c, rounded
//! once) is here too.

use std::cmp::Ordering;
use std::ops::Neg;

use num_bigint::{BigInt, BigUint};

use super::decimal::MANTISSA_LIMIT;
use super::{DIGITS_MAX, Decimal, DecimalError, Rounding};

impl Decimal {
    /// Returns the exact sum with the larger of both scales, or `None` if it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale().max(other.scale());
        let aligned =
            |value: Self| value.mantissa().checked_mul(10i128.checked_pow(scale - value.scale())?);
        let small = || aligned(self)?.checked_add(aligned(other)?);
        match small() {
            Some(mantissa) => Self::from_parts(mantissa, scale),
            None => {
                let aligned = |value: Self| {
                    BigInt::from(value.mantissa()) * BigInt::from(10).pow(scale - value.scale())
                };
                from_big_parts(aligned(self) + aligned(other), scale)
            }
        }
    }

    /// Returns the exact difference with the larger of both scales, or `None` if it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
    }

    /// Returns the exact product, or `None` if it does not fit.
    ///
    /// Its scale is the sum of both scales. If the product does not fit with this scale, trailing
    /// zero decimals are dropped.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let scale = self.scale() + other.scale();
        match self.mantissa().checked_mul(other.mantissa()) {
            Some(mantissa) => Self::from_parts(mantissa, scale),
            None => from_big_parts(
                BigInt::from(self.mantissa()) * BigInt::from(other.mantissa()),
                scale,
            ),
        }
    }

    /// Returns the quotient, rounded once to exactly `places` decimals.
    ///
    /// # Errors
    ///
    /// Returns [`DecimalError::DivisionByZero`]; [`DecimalError::TooManyDecimals`] if `places` is
    /// more than [`DIGITS_MAX`]; [`DecimalError::TooManyDigits`] if the result does not fit with
    /// that many decimals.
    pub fn div(self, divisor: Self, places: u32, mode: Rounding) -> Result<Self, DecimalError> {
        if divisor.is_zero() {
            return Err(DecimalError::DivisionByZero);
        }
        if places > DIGITS_MAX {
            return Err(DecimalError::TooManyDecimals);
        }
        mul_div(self, Self::ONE, divisor, places, mode)
            .map(|rounded| rounded.value)
            .ok_or(DecimalError::TooManyDigits)
    }

    /// Returns the value with exactly `places` decimals, rounded or padded with zeros.
    ///
    /// If that many decimals do not fit, it is padded as far as possible. Its value stays exact.
    #[must_use]
    pub fn round(self, places: u32, mode: Rounding) -> Self {
        if places < self.scale() {
            // A value with fewer digits always fits, so the fallback is never used.
            return mul_div(self, Self::ONE, Self::ONE, places, mode)
                .map_or(self, |rounded| rounded.value);
        }
        let digits = self.mantissa().unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
        let padding = (places.min(DIGITS_MAX) - self.scale()).min(DIGITS_MAX - digits);
        self.padded(padding).unwrap_or(self)
    }

    /// Returns the value with exactly `places` decimals, or `None` if it would lose a digit or does
    /// not fit.
    pub fn rescale(self, places: u32) -> Option<Self> {
        let rescaled = self.round(places, Rounding::Down);
        (rescaled.scale() == places && rescaled == self).then_some(rescaled)
    }

    fn padded(self, zeros: u32) -> Option<Self> {
        Self::from_parts(self.mantissa().checked_mul(10i128.pow(zeros))?, self.scale() + zeros)
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        // A mantissa of at most 28 digits fits with either sign, so the fallback is never used.
        Self::from_parts(-self.mantissa(), self.scale()).unwrap_or(self)
    }
}

/// A result that was rounded once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounded {
    pub(super) value: Decimal,
    /// Whether rounding did not change the value.
    pub(super) exact: bool,
}

/// Returns `a` × `b` / `divisor`, rounded once to exactly `places` decimals; `None` if it does not
/// fit or the divisor is zero.
pub(super) fn mul_div(
    a: Decimal,
    b: Decimal,
    divisor: Decimal,
    places: u32,
    mode: Rounding,
) -> Option<Rounded> {
    if divisor.is_zero() || places > DIGITS_MAX {
        return None;
    }
    let negative = a.is_negative() ^ b.is_negative() ^ divisor.is_negative();
    let factors = [a, b].map(|factor| factor.mantissa().unsigned_abs());
    let below = divisor.mantissa().unsigned_abs();
    let (raise, lower) = (places + divisor.scale(), a.scale() + b.scale());
    let shift = Shift { up: raise.saturating_sub(lower), down: lower.saturating_sub(raise) };
    let (quotient, tail) =
        divide_small(factors, below, shift).or_else(|| divide_big(factors, below, shift))?;
    let steps =
        tail.is_some_and(|tail| mode.rounds_away_from_zero(negative, quotient % 2 == 1, tail));
    let magnitude = quotient.checked_add(u128::from(steps))?;
    if magnitude >= MANTISSA_LIMIT {
        return None;
    }
    let mantissa = i128::try_from(magnitude).ok()?;
    let value = Decimal::from_parts(if negative { -mantissa } else { mantissa }, places)?;
    Some(Rounded { value, exact: tail.is_none() })
}

/// The powers of ten to multiply the dividend (`up`) and the divisor (`down`) by.
#[derive(Clone, Copy)]
struct Shift {
    up: u32,
    down: u32,
}

/// The quotient truncated to an integer, and the comparison of the dropped part with one half;
/// `None` if nothing was dropped.
type Truncated = (u128, Option<Ordering>);

fn divide_small(factors: [u128; 2], divisor: u128, shift: Shift) -> Option<Truncated> {
    let [a, b] = factors;
    let dividend = a.checked_mul(b)?.checked_mul(10u128.checked_pow(shift.up)?)?;
    let divisor = divisor.checked_mul(10u128.checked_pow(shift.down)?)?;
    let quotient = dividend.checked_div(divisor)?;
    let remainder = dividend - quotient * divisor;
    // Compares twice the remainder with the divisor without an overflow.
    Some((quotient, (remainder != 0).then(|| remainder.cmp(&(divisor - remainder)))))
}

fn divide_big(factors: [u128; 2], divisor: u128, shift: Shift) -> Option<Truncated> {
    let [a, b] = factors.map(BigUint::from);
    let dividend = a * b * BigUint::from(10u8).pow(shift.up);
    let divisor = BigUint::from(divisor) * BigUint::from(10u8).pow(shift.down);
    let quotient = &dividend / &divisor;
    let remainder = dividend - &quotient * &divisor;
    let tail = (remainder != BigUint::ZERO).then(|| (remainder * 2u8).cmp(&divisor));
    Some((u128::try_from(quotient).ok()?, tail))
}

/// Does the same as [`Decimal::from_parts`] for a mantissa of any size.
fn from_big_parts(mantissa: BigInt, scale: u32) -> Option<Decimal> {
    let (mut mantissa, mut scale) = (mantissa, scale);
    loop {
        if let Ok(small) = i128::try_from(&mantissa) {
            return Decimal::from_parts(small, scale);
        }
        let shorter = &mantissa / 10;
        if scale == 0 || &shorter * 10 != mantissa {
            return None;
        }
        mantissa = shorter;
        scale -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn text(value: Option<Decimal>) -> Option<String> {
        value.map(|value| value.to_string())
    }

    const MAX: &str = "9999999999999999999999999999";
    const MIN_STEP: &str = "0.0000000000000000000000000001";

    #[test]
    fn sums_and_products_keep_all_decimals() {
        assert_eq!(text(decimal("1.10").checked_add(decimal("2.205"))).as_deref(), Some("3.305"));
        assert_eq!(text(decimal("1.10").checked_sub(decimal("1.1"))).as_deref(), Some("0.00"));
        assert_eq!(text(decimal("-1.50").checked_mul(decimal("2.0"))).as_deref(), Some("-3.000"));
        assert_eq!((-decimal("0.00")).to_string(), "0.00");
        assert_eq!((-decimal("-12.30")).to_string(), "12.30");
    }

    #[test]
    fn an_inexact_result_is_none() {
        assert_eq!(decimal(MAX).checked_add(Decimal::ONE), None);
        assert_eq!(decimal("1").checked_add(decimal(MIN_STEP)), None);
        assert_eq!(decimal(MAX).checked_add(decimal(MIN_STEP)), None);
        assert_eq!(decimal(MIN_STEP).checked_mul(decimal("0.1")), None);
        assert_eq!(decimal("0.123456789012345").checked_mul(decimal("0.123456789012345")), None);
        assert_eq!(decimal(MAX).checked_mul(decimal("10")), None);
        assert_eq!(decimal(MAX).checked_mul(decimal(MAX)), None);
    }

    #[test]
    fn trailing_zero_decimals_are_dropped_to_fit() {
        // 2^60 × 5^39 has 46 digits, which exceeds 128 bits, but only 19 digits without the
        // trailing zeros.
        let fives = decimal("1818989403545.856475830078125");
        let twos = decimal("11529215046.06846976");
        let product = decimal("20971520000000000000000.0");
        assert_eq!(fives.checked_mul(twos), Some(product));
        assert_eq!(
            decimal(MAX).checked_mul(decimal("1.0000000000000000")).map(Decimal::scale),
            Some(0)
        );
        let zero = decimal("0.0000000000000000000000000000");
        assert_eq!(text(decimal(MAX).checked_add(zero)).as_deref(), Some(MAX));
    }

    #[test]
    fn each_mode_rounds_in_its_direction() {
        let modes = Rounding::ALL;
        for (value, expected) in [
            ("2.5", ["2", "3", "2", "3", "2", "3"]),
            ("3.5", ["4", "4", "3", "4", "3", "4"]),
            ("-2.5", ["-2", "-3", "-2", "-3", "-3", "-2"]),
            ("2.51", ["3", "3", "2", "3", "2", "3"]),
            ("-2.49", ["-2", "-2", "-2", "-3", "-3", "-2"]),
            ("-0.4", ["0", "0", "0", "-1", "-1", "0"]),
            ("2.00", ["2", "2", "2", "2", "2", "2"]),
        ] {
            let rounded = modes.map(|mode| decimal(value).round(0, mode).to_string());
            assert_eq!(rounded, expected, "{value}");
        }
    }

    #[test]
    fn rounding_pads_to_the_requested_places() {
        let padded =
            |text: &str, places| decimal(text).round(places, Rounding::HalfEven).to_string();
        assert_eq!(padded("5", 2), "5.00");
        assert_eq!(padded("0", 40), format!("0.{}", "0".repeat(28)));
        assert_eq!(padded(MAX, 2), MAX);
        assert_eq!(padded("999999999999999999999999999.9", 0), "1000000000000000000000000000");
    }

    #[test]
    fn division_rounds_once() {
        let div = |a: &str, b: &str, places| decimal(a).div(decimal(b), places, Rounding::HalfEven);
        assert_eq!(div("1", "3", 4), Ok(decimal("0.3333")));
        assert_eq!(div("-2", "3", 0), Ok(decimal("-1")));
        assert_eq!(div("0.045", "1", 2), Ok(decimal("0.04")));
        assert_eq!(div("10", "4", 2).map(|value| value.to_string()), Ok("2.50".to_owned()));
        assert_eq!(div(MAX, MAX, 27).map(Decimal::scale), Ok(27));
        assert_eq!(div("1", MAX, 28), Ok(decimal(MIN_STEP)));
        assert_eq!(div("1", "0.00", 2), Err(DecimalError::DivisionByZero));
        assert_eq!(div(MAX, MIN_STEP, 0), Err(DecimalError::TooManyDigits));
        assert_eq!(div("1", "1", 28), Err(DecimalError::TooManyDigits));
        assert_eq!(div("1", "3", 29), Err(DecimalError::TooManyDecimals));
    }

    #[test]
    fn both_divisions_agree() {
        let shift = Shift { up: 6, down: 2 };
        for a in [0u128, 1, 5, 14_999, 15_000, 123_456_789_012_345] {
            for divisor in [1u128, 3, 8, 20_000, 97_654_321] {
                let small = divide_small([a, 11_172], divisor, shift);
                assert_eq!(small, divide_big([a, 11_172], divisor, shift), "{a} / {divisor}");
                assert!(small.is_some());
            }
        }
    }

    #[test]
    fn a_change_of_scale_never_loses_a_digit() {
        assert_eq!(text(decimal("5").rescale(2)).as_deref(), Some("5.00"));
        assert_eq!(text(decimal("5.1000").rescale(1)).as_deref(), Some("5.1"));
        assert_eq!(decimal("5.15").rescale(1), None);
        assert_eq!(decimal(MAX).rescale(1), None);
        assert_eq!(decimal("0").rescale(29), None);
    }
}
