//! Numbers of any length. They are compared exactly, in linear time.

use std::cmp::Ordering;

/// A JSON number: `0.digits` times ten to the power of `point`. The digits have no leading or
/// trailing zeros.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number {
    negative: bool,
    /// ASCII digits. Zero has none.
    digits: Vec<u8>,
    point: i128,
}

/// Returns whether a text has exactly the value of a float's shortest representation.
pub(crate) fn is_exact(float: f64, text: &str) -> bool {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    Number::parse(unsigned).is_some_and(|exact| Number::parse(&float.to_string()) == Some(exact))
}

impl Number {
    /// Parses a JSON number or a decimal in plain notation.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        digits.truncate(digits.len() - digits.iter().rev().take_while(|d| **d == b'0').count());
        if digits.is_empty() {
            return Some(Self { negative: false, digits, point: 0 });
        }
        let point = exponent + whole.len() as i128 - leading as i128;
        Some(Self { negative, digits, point })
    }

    /// Returns whether the number is an integer.
    pub(super) fn is_whole(&self) -> bool {
        self.digits.len() as i128 <= self.point || self.digits.is_empty()
    }

    /// Returns the number as an integer of at most 38 digits.
    pub(super) fn to_i128(&self) -> Option<i128> {
        const DIGITS_MAX: i128 = 38;
        if self.digits.is_empty() {
            return Some(0);
        }
        if !self.is_whole() || self.point > DIGITS_MAX {
            return None;
        }
        let zeros = u32::try_from(self.point - self.digits.len() as i128).ok()?;
        let digits = std::str::from_utf8(&self.digits).ok()?.parse::<i128>().ok()?;
        let number = digits.checked_mul(10i128.checked_pow(zeros)?)?;
        Some(if self.negative { -number } else { number })
    }

    /// Returns whether the number is an integer multiple of `unit`. Returns false if `unit` is zero
    /// or has too many digits for 64 bits.
    pub(super) fn is_multiple_of(&self, unit: &Self) -> bool {
        let Some(divisor) = std::str::from_utf8(&unit.digits).ok().and_then(|d| d.parse().ok())
        else {
            return false;
        };
        if self.digits.is_empty() || divisor == 0 {
            return self.digits.is_empty();
        }
        // Compare both as integers: the digits times ten to the power of `scale`, and the divisor.
        let scale =
            (self.point - self.digits.len() as i128) - (unit.point - unit.digits.len() as i128);
        let Ok(scale) = u128::try_from(scale) else {
            // The last digit is not zero, so the digits are not divisible by a power of ten.
            return false;
        };
        let divisor: u64 = divisor;
        let modulus = u128::from(divisor);
        let rest = self
            .digits
            .iter()
            .fold(0, |rest: u128, digit| (rest * 10 + u128::from(digit - b'0')) % modulus);
        (rest * power_of_ten(scale, modulus)).is_multiple_of(modulus)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        match (sign(self), sign(other)) {
            (-1, -1) => size().reverse(),
            (1, 1) => size(),
            (a, b) => a.cmp(&b),
        }
    }
}

/// Parses an exponent. Very large exponents are clamped, because only their sign matters.
fn parse_exponent(text: &str) -> Option<i128> {
    const LARGE: i128 = 1 << 100;
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits
        .iter()
        .fold(0i128, |power, digit| (power * 10 + i128::from(digit - b'0')).min(LARGE));
    Some(if negative { -power } else { power })
}

/// Returns ten to a power, modulo a number below 2^64.
fn power_of_ten(mut power: u128, modulus: u128) -> u128 {
    let (mut result, mut square) = (1 % modulus, 10 % modulus);
    while power > 0 {
        if power % 2 == 1 {
            result = result * square % modulus;
        }
        square = square * square % modulus;
        power /= 2;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_their_value() {
        for (a, b) in [("100", "1e2"), ("0.0", "-0"), ("12.30", "1.23e1"), ("1E-2", "0.01")] {
            assert_eq!(number(a), number(b));
        }
        let sorted = [
            "-1e400",
            "-12.5",
            "-12",
            "-0.1",
            "0",
            "0.001",
            "9007199254740992",
            "9007199254740993",
            "1e99999999999999999999",
        ];
        for (a, b) in sorted.iter().zip(sorted.iter().skip(1)) {
            assert!(number(a) < number(b), "{a} {b}");
        }
        assert!(
            ["", "-", "1.x", "1e", "e5", "+1", "0x10", "1e+"]
                .iter()
                .all(|bad| Number::parse(bad).is_none())
        );
    }

    #[test]
    fn multiples_are_exact() {
        for (multiple, unit) in [
            ("12.30", "0.01"),
            ("4.35", "0.05"),
            ("1e308", "0.5"),
            ("0", "7"),
            ("12391239123", "1e-8"),
            ("1e400", "2"),
            ("-4.5", "1.5"),
            ("9007199254740993", "3"),
        ] {
            assert!(number(multiple).is_multiple_of(&number(unit)), "{multiple} {unit}");
        }
        for (other, unit) in [
            ("12.305", "0.01"),
            ("0.00751", "0.0001"),
            ("1e308", "0.123456789"),
            ("9007199254740994", "3"),
            ("1", "1e1"),
        ] {
            assert!(!number(other).is_multiple_of(&number(unit)), "{other} {unit}");
        }
    }

    #[test]
    fn integers_are_recognized() {
        assert_eq!(number("1e2").to_i128(), Some(100));
        assert_eq!(number("-7.0").to_i128(), Some(-7));
        assert_eq!(number("0.5").to_i128(), None);
        assert_eq!(number("1e400").to_i128(), None);
        assert!(
            number("1e400").is_whole() && !number("1e-1").is_whole() && number("0.0").is_whole()
        );
    }
}
