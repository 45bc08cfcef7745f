//! The range of a number. It limits warnings about sizes to values that can actually be that large.

use crate::money::{DIGITS_MAX, Decimal, Rounding};

/// All numbers between two bounds, both included. An expression fails if a [`Decimal`] cannot hold
/// its result, so intervals do not include such results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    min: Decimal,
    max: Decimal,
}

impl Interval {
    /// Returns the interval between two numbers, or `None` if it is empty.
    pub fn new(min: Decimal, max: Decimal) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    /// Returns the interval of a single number.
    pub const fn only(value: Decimal) -> Self {
        Self { min: value, max: value }
    }

    /// Returns the interval of all 64-bit integers.
    pub fn whole() -> Self {
        Self { min: Decimal::from_int(i64::MIN), max: Decimal::from_int(i64::MAX) }
    }

    /// Returns the interval of all decimals with at most this many digits before and after the
    /// decimal point.
    pub fn of_digits(integer_digits: u32, scale: u32) -> Self {
        let integer_digits = integer_digits.min(DIGITS_MAX);
        let scale = scale.min(DIGITS_MAX - integer_digits);
        let mantissa = 10_i128.pow(integer_digits + scale) - 1;
        let max = Decimal::from_parts(mantissa, scale).unwrap_or(Decimal::ZERO);
        Self { min: -max, max }
    }

    /// Returns the smallest number.
    pub const fn min(self) -> Decimal {
        self.min
    }

    /// Returns the largest number.
    pub const fn max(self) -> Decimal {
        self.max
    }

    /// Returns whether it contains a number.
    pub fn contains(self, number: Decimal) -> bool {
        self.min <= number && number <= self.max
    }

    /// Returns the maximum number of digits before the decimal point.
    pub fn integer_digits(self) -> u32 {
        self.min.integer_digits().max(self.max.integer_digits())
    }

    /// Returns whether it contains a negative number.
    pub fn has_negative(self) -> bool {
        self.min.is_negative()
    }

    /// Returns the smallest interval that contains both.
    #[must_use]
    pub fn enclosing(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// Returns the intersection, or `None` if it is empty.
    pub fn within(self, other: Self) -> Option<Self> {
        Self::new(self.min.max(other.min), self.max.min(other.max))
    }

    /// Returns the interval of the sums.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let ends = (self.min.checked_add(other.min), self.max.checked_add(other.max));
        match ends {
            (Some(min), Some(max)) => Self { min, max },
            _ => Self::of_digits(DIGITS_MAX, 0),
        }
    }

    /// Returns the interval of the differences.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    /// Returns the interval of the products.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        self.extremes(other, Decimal::checked_mul)
    }

    /// Returns the interval of the negated numbers.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { min: -self.max, max: -self.min }
    }

    /// Returns the interval of the sums of at most `count` numbers.
    #[must_use]
    pub fn summed(self, count: u64) -> Self {
        let count = Decimal::from_int(i64::try_from(count).unwrap_or(i64::MAX));
        self.times(Self { min: Decimal::ZERO, max: count })
    }

    /// Returns the interval of the rounded numbers.
    #[must_use]
    pub fn rounded(self, places: u32, mode: Rounding) -> Self {
        Self { min: self.min.round(places, mode), max: self.max.round(places, mode) }
    }

    /// Returns the interval of the rounded quotients. The divisors are the numbers other than zero
    /// with at most `scale` decimals.
    #[must_use]
    pub fn divided(self, divisor: Self, scale: u32, places: u32, mode: Rounding) -> Self {
        let smallest = Decimal::from_parts(1, scale).unwrap_or(Decimal::ZERO);
        let ends = [divisor.min, -smallest, smallest, divisor.max].into_iter();
        let divisors =
            ends.filter(|end| !end.is_zero() && divisor.min <= *end && *end <= divisor.max);
        let quotient = |a: Decimal, b: Decimal| a.div(b, places, mode).ok();
        divisors
            .map(|divisor| self.extremes(Self::only(divisor), quotient))
            .reduce(Self::enclosing)
            .unwrap_or(Self::only(Decimal::ZERO))
    }

    /// Returns the interval of the remainders of integers.
    #[must_use]
    pub fn remainders(self, divisor: Self) -> Self {
        let largest = |interval: Self| interval.max.max(-interval.min);
        let zero = Decimal::ZERO;
        let below = largest(divisor).checked_sub(Decimal::ONE).unwrap_or(zero);
        let most = largest(self).min(below).max(zero);
        let min = if self.min.is_negative() { -most } else { zero };
        let max = if self.max > zero { most } else { zero };
        Self { min, max }
    }

    /// Returns the interval that encloses the results of an operation on the bounds of both. The
    /// operation must be monotonic in each operand, and its result must have the sign of a product.
    fn extremes(
        self,
        other: Self,
        operation: impl Fn(Decimal, Decimal) -> Option<Decimal>,
    ) -> Self {
        let of = |a: Decimal, b: Decimal| {
            operation(a, b).map_or_else(
                || {
                    let all = Self::of_digits(DIGITS_MAX, 0);
                    let negative = a.is_negative() != b.is_negative();
                    if negative {
                        Self { max: Decimal::ZERO, ..all }
                    } else {
                        Self { min: Decimal::ZERO, ..all }
                    }
                },
                Self::only,
            )
        };
        of(self.min, other.min)
            .enclosing(of(self.min, other.max))
            .enclosing(of(self.max, other.min))
            .enclosing(of(self.max, other.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(min: &str, max: &str) -> Interval {
        let decimal = |text| Decimal::parse(text).unwrap();
        Interval::new(decimal(min), decimal(max)).unwrap()
    }

    #[test]
    fn every_result_is_in_the_interval_of_the_operation() {
        let numbers = |interval: Interval| {
            let halves = (-20..=20).map(|half| Decimal::from_parts(half * 5, 1).unwrap());
            halves.filter(move |number| Interval::only(*number).within(interval).is_some())
        };
        let intervals = ["-4 3", "0 6", "-7 -1", "2 2", "0.5 1.5"].map(|text| {
            let (min, max) = text.split_once(' ').unwrap();
            between(min, max)
        });
        let check = |result: Decimal, interval: Interval| {
            assert!(Interval::only(result).within(interval).is_some(), "{result} {interval:?}");
        };
        for a in intervals {
            for b in intervals {
                for (x, y) in numbers(a).flat_map(|x| numbers(b).map(move |y| (x, y))) {
                    check(x.checked_add(y).unwrap(), a.plus(b));
                    check(x.checked_sub(y).unwrap(), a.minus(b));
                    check(x.checked_mul(y).unwrap(), a.times(b));
                    for mode in Rounding::ALL {
                        check(x.round(0, mode), a.rounded(0, mode));
                        if let Ok(quotient) = x.div(y, 1, mode) {
                            check(quotient, a.divided(b, 1, 1, mode));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn remainders_have_the_sign_of_the_dividend() {
        for (a, b, min, max) in
            [("0", "100", "0", "4"), ("-9", "0", "-4", "0"), ("-2", "1", "-2", "2")]
        {
            let expected = between(min, max);
            assert_eq!(between(a, b).remainders(between("3", "5")), expected);
        }
    }

    #[test]
    fn intervals_are_bounded_by_the_range_of_decimals() {
        let all = Interval::of_digits(28, 28);
        assert_eq!(all.times(all), all);
        assert_eq!(all.plus(all), all);
        assert_eq!(all.integer_digits(), 28);
        assert_eq!(Interval::of_digits(8, 2).summed(100).integer_digits(), 10);
    }
}
