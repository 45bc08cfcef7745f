//! Exact arithmetic for the cost table, and the format of its numbers.

use oms_engine::money::{Decimal, Rounding};

/// Decimal places of quotients.
const PLACES: u32 = 6;
/// Decimal places of the quantities that are shown.
const PLACES_SHOWN: u32 = 8;

/// The cost cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// The template has no number under this name. This is a bug in the generator.
    #[error("cannot compute the cost: the template has no number `{0}`")]
    Parameter(&'static str),
    /// A result has too many digits for a decimal number.
    #[error("cannot compute the cost: a price or an assumption has too many digits")]
    Digits,
}

pub(crate) type Result<T> = std::result::Result<T, CostError>;

pub(crate) fn product<const N: usize>(factors: [Decimal; N]) -> Result<Decimal> {
    let product = factors.into_iter().try_fold(Decimal::ONE, Decimal::checked_mul);
    product.map(Decimal::normalized).ok_or(CostError::Digits)
}

pub(crate) fn sum<const N: usize>(terms: [Decimal; N]) -> Result<Decimal> {
    total(terms)
}

pub(crate) fn total(terms: impl IntoIterator<Item = Decimal>) -> Result<Decimal> {
    let sum = terms.into_iter().try_fold(Decimal::ZERO, Decimal::checked_add);
    sum.ok_or(CostError::Digits)
}

/// Returns the value divided by a power of ten.
pub(crate) fn shift(value: Decimal, places: u32) -> Result<Decimal> {
    Decimal::from_parts(value.mantissa(), value.scale() + places).ok_or(CostError::Digits)
}

pub(crate) fn divide(value: Decimal, divisor: Decimal) -> Result<Decimal> {
    let quotient = value.div(divisor, PLACES, Rounding::HalfEven);
    quotient.map(Decimal::normalized).map_err(|_| CostError::Digits)
}

pub(crate) fn count(number: usize) -> Result<Decimal> {
    i64::try_from(number).map(Decimal::from_int).map_err(|_| CostError::Digits)
}

/// Returns an amount in USD, rounded to cents.
pub(crate) fn format_money(amount: Decimal) -> String {
    let cent = Decimal::from_parts(1, 2).unwrap_or(Decimal::ONE);
    if !amount.is_zero() && amount < cent {
        return "<0.01".to_owned();
    }
    grouped(amount.round(2, Rounding::HalfEven))
}

/// Returns a quantity with its significant decimals.
pub(crate) fn format_quantity(value: Decimal) -> String {
    grouped(value.round(PLACES_SHOWN, Rounding::HalfEven).normalized())
}

/// Returns a number with a comma between thousands.
pub(crate) fn grouped(value: Decimal) -> String {
    let text = value.to_string();
    let (digits, decimals) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + decimals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn an_amount_is_rounded_to_cents_and_a_positive_one_is_never_shown_as_zero() {
        for (amount, shown) in [
            ("0", "0.00"),
            ("0.0000001", "<0.01"),
            ("0.0099", "<0.01"),
            ("0.01", "0.01"),
            ("0.015", "0.02"),
            ("0.025", "0.02"),
            ("999.999", "1,000.00"),
            ("1234567.5", "1,234,567.50"),
        ] {
            assert_eq!(format_money(decimal(amount)), shown, "{amount}");
        }
    }

    #[test]
    fn numbers_have_a_comma_between_thousands() {
        for (number, shown) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("0.5", "0.5")] {
            assert_eq!(grouped(decimal(number)), shown);
        }
        assert_eq!(format_quantity(decimal("0.466667000")), "0.466667");
    }

    #[test]
    fn a_result_with_too_many_digits_is_an_error() {
        let long = decimal("0.123456789012345");
        assert!(product([long, long]).is_err());
        assert!(shift(long, 20).is_err() && divide(long, Decimal::ZERO).is_err());
        assert_eq!(shift(decimal("250"), 3).ok(), Some(decimal("0.25")));
    }
}
