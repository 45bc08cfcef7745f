//! Parses a [`Decimal`] from text, digit by digit.
//!
//! There are two grammars: plain notation, which pipelines and orders use, and the JSON number.
//! Neither rounds: a number that does not fit is an error. Parsing takes time linear in the length
//! of the text, whatever the exponent is.

use super::Decimal;
use super::decimal::{DIGITS_MAX, MANTISSA_LIMIT};

/// The reason why a text is not a [`Decimal`] or an operation has no result. Messages never repeat
/// the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not in plain notation.
    #[error(
        "not a decimal number in plain notation, such as `-12.30` (digits, at most one decimal point, no spaces, no leading zeros)"
    )]
    NotPlain,
    /// The text is not a JSON number.
    #[error("not a JSON number")]
    NotJson,
    /// More than [`DIGITS_MAX`] digits follow the decimal point, including zeros.
    #[error("more than {DIGITS_MAX} decimal places")]
    TooManyDecimals,
    /// The number needs more than [`DIGITS_MAX`] digits.
    #[error("more than {DIGITS_MAX} digits")]
    TooManyDigits,
    /// The divisor is zero.
    #[error("division by zero")]
    DivisionByZero,
}

impl Decimal {
    /// Parses plain notation: `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, ASCII only.
    ///
    /// The scale is kept as written. Trailing zero decimals are dropped only if there are more than
    /// [`DIGITS_MAX`] digits with them.
    ///
    /// # Errors
    ///
    /// Returns [`DecimalError::NotPlain`], or `TooManyDecimals` or `TooManyDigits` if the number
    /// would have to be rounded.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (number, rest) = Literal::read(text.as_bytes()).ok_or(DecimalError::NotPlain)?;
        if !rest.is_empty() {
            return Err(DecimalError::NotPlain);
        }
        number.value(0)
    }

    /// Parses a JSON number exactly, including its exponent: `1e2` is 100, `1.5E-3` is 0.0015.
    ///
    /// # Errors
    ///
    /// Returns [`DecimalError::NotJson`], or `TooManyDecimals` or `TooManyDigits` if the number
    /// would have to be rounded.
    pub fn from_json_number(text: &str) -> Result<Self, DecimalError> {
        let (number, rest) = Literal::read(text.as_bytes()).ok_or(DecimalError::NotJson)?;
        number.value(exponent(rest).ok_or(DecimalError::NotJson)?)
    }
}

/// The digits of a number as written, without its exponent.
struct Literal {
    negative: bool,
    /// The significant digits without the last `zeros` zeros; meaningless if `too_long`.
    mantissa: u128,
    /// The number of trailing zeros that are not in `mantissa`. It may be arbitrarily large.
    zeros: i64,
    /// The number of digits after the decimal point.
    decimals: i64,
    too_long: bool,
}

impl Literal {
    /// Parses sign, integer part and fraction. Returns them and the remaining bytes.
    fn read(text: &[u8]) -> Option<(Self, &[u8])> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let mut number = Self { negative, mantissa: 0, zeros: 0, decimals: 0, too_long: false };
        let (integer, rest) = digits(text);
        if integer.is_empty() || matches!(integer, [b'0', _, ..]) {
            return None;
        }
        number.push(integer);
        let [b'.', rest @ ..] = rest else { return Some((number, rest)) };
        let (fraction, rest) = digits(rest);
        if fraction.is_empty() {
            return None;
        }
        number.push(fraction);
        number.decimals = i64::try_from(fraction.len()).ok()?;
        Some((number, rest))
    }

    fn push(&mut self, digits: &[u8]) {
        // The fast path for nearly every amount and rate. It may keep zeros in the mantissa,
        // because so few digits always fit.
        if let Ok(start @ ..1_000_000_000) = u64::try_from(self.mantissa)
            && self.zeros == 0
            && digits.len() <= 9
        {
            let mantissa = digits.iter().fold(start, |sum, byte| sum * 10 + u64::from(byte - b'0'));
            self.mantissa = mantissa.into();
            return;
        }
        for byte in digits {
            if self.too_long {
                return;
            }
            if *byte == b'0' {
                // A zero counts only between other digits.
                self.zeros += i64::from(self.mantissa != 0);
                continue;
            }
            let shifted = u32::try_from(self.zeros + 1)
                .ok()
                .and_then(|places| 10u128.checked_pow(places))
                .and_then(|power| self.mantissa.checked_mul(power))
                .and_then(|mantissa| mantissa.checked_add(u128::from(byte - b'0')))
                .filter(|mantissa| *mantissa < MANTISSA_LIMIT);
            self.zeros = 0;
            match shifted {
                Some(mantissa) => self.mantissa = mantissa,
                None => self.too_long = true,
            }
        }
    }

    fn value(&self, exponent: i64) -> Result<Decimal, DecimalError> {
        if self.too_long {
            return Err(DecimalError::TooManyDigits);
        }
        let written = self.decimals.saturating_sub(exponent);
        let scale = u32::try_from(written.max(0))
            .ok()
            .filter(|scale| *scale <= DIGITS_MAX)
            .ok_or(DecimalError::TooManyDecimals)?;
        if self.mantissa == 0 {
            return Decimal::from_parts(0, scale).ok_or(DecimalError::TooManyDigits);
        }
        // At the written scale the mantissa ends with this many zeros. Dropping decimals removes
        // some of them.
        let zeros = self.zeros.saturating_add(written.saturating_neg().max(0));
        if zeros == 0 {
            return self.with_mantissa(self.mantissa, scale);
        }
        let room = i64::from(DIGITS_MAX - 1 - self.mantissa.ilog10());
        let dropped = u32::try_from(zeros.saturating_sub(room).max(0))
            .ok()
            .filter(|dropped| *dropped <= scale)
            .ok_or(DecimalError::TooManyDigits)?;
        let mantissa = u32::try_from(zeros - i64::from(dropped))
            .ok()
            .and_then(|zeros| self.mantissa.checked_mul(10u128.checked_pow(zeros)?))
            .ok_or(DecimalError::TooManyDigits)?;
        self.with_mantissa(mantissa, scale - dropped)
    }

    fn with_mantissa(&self, mantissa: u128, scale: u32) -> Result<Decimal, DecimalError> {
        let magnitude = i128::try_from(mantissa).map_err(|_| DecimalError::TooManyDigits)?;
        let mantissa = if self.negative { -magnitude } else { magnitude };
        Decimal::from_parts(mantissa, scale).ok_or(DecimalError::TooManyDigits)
    }
}

/// Splits off the leading ASCII digits.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Parses the exponent of a JSON number, saturating. Returns 0 for an empty text, and `None` if the
/// text is not an exponent.
fn exponent(text: &[u8]) -> Option<i64> {
    let text = match text {
        [] => return Some(0),
        [b'e' | b'E', rest @ ..] => rest,
        _ => return None,
    };
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (digits, rest) = digits(text);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let magnitude = digits
        .iter()
        .fold(0i64, |sum, byte| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, DecimalError> {
        Decimal::parse(text).map(|value| value.to_string())
    }

    fn json(text: &str) -> Result<String, DecimalError> {
        Decimal::from_json_number(text).map(|value| value.to_string())
    }

    #[test]
    fn plain_notation_keeps_every_digit() {
        for text in [
            "0",
            "0.0",
            "10.00",
            "-12.30",
            "100",
            "0.0000000000000000000000000001",
            "9999999999999999999999999999",
            "-0.9999999999999999999999999999",
            "1000000000000000000000000000",
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(text));
        }
        assert_eq!(parsed("-0").as_deref(), Ok("0"));
    }

    #[test]
    fn text_in_other_notations_is_rejected() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "00",
            "-01.5",
            ".5",
            "5.",
            "1.2.3",
            "1e2",
            "1E2",
            " 1",
            "1 ",
            "1,00",
            "1_000",
            "--1",
            "NaN",
            "-inf",
            "0x10",
            "１０.００",
            "1\u{0}",
            "€1",
            "1.e",
            "−1",
        ] {
            assert_eq!(parsed(text), Err(DecimalError::NotPlain), "{text:?}");
        }
        // A wrong character is reported as such even after too many digits.
        assert_eq!(parsed(&format!("{}x", "9".repeat(40))), Err(DecimalError::NotPlain));
    }

    #[test]
    fn a_number_that_would_need_rounding_is_rejected() {
        assert_eq!(parsed("10000000000000000000000000000"), Err(DecimalError::TooManyDigits));
        assert_eq!(parsed("1.0000000000000000000000000001"), Err(DecimalError::TooManyDigits));
        assert_eq!(parsed("0.00000000000000000000000000001"), Err(DecimalError::TooManyDecimals));
        assert_eq!(parsed(&format!("10.{}", "0".repeat(300))), Err(DecimalError::TooManyDecimals));
        assert_eq!(parsed(&"9".repeat(10_000)), Err(DecimalError::TooManyDigits));
        assert_eq!(parsed(&format!("1{}", "0".repeat(100_000))), Err(DecimalError::TooManyDigits));
    }

    #[test]
    fn trailing_zero_decimals_are_dropped_if_they_do_not_fit() {
        assert_eq!(
            parsed("1234567890123456789012345678.00").as_deref(),
            Ok("1234567890123456789012345678")
        );
        assert_eq!(parsed("10.0000000000000000000000000000").map(|text| text.len()), Ok(29));
    }

    #[test]
    fn json_numbers_are_exact() {
        for (text, value) in [
            ("500", "500"),
            ("12.30", "12.30"),
            ("1e2", "100"),
            ("1.5E-3", "0.0015"),
            ("1.50e1", "15.0"),
            ("-1000e-2", "-10.00"),
            ("1E+2", "100"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("0e999999999", "0"),
            ("1e27", "1000000000000000000000000000"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("123.456e0002", "12345.6"),
        ] {
            assert_eq!(json(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn json_numbers_with_a_huge_exponent_are_rejected_quickly() {
        for text in ["1e28", "1e999999999", "1e99999999999999999999999999", "12e27"] {
            assert_eq!(json(text), Err(DecimalError::TooManyDigits), "{text}");
        }
        for text in ["1e-29", "1e-400", "1e-99999999999999999999999999", "0e-29"] {
            assert_eq!(json(text), Err(DecimalError::TooManyDecimals), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_a_json_number_is_rejected() {
        for text in
            ["", "-", "+1", "01", ".5", "5.", "1e", "1e+", "1e1.5", "1ee1", "0x1", "1 ", "Infinity"]
        {
            assert_eq!(json(text), Err(DecimalError::NotJson), "{text:?}");
        }
    }
}
