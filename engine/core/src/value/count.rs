//! Formats numbers for display.

/// Formats a number with thousands separators: "1,234,567".
pub fn format_count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number with its noun: "1 order", "2,000 orders".
pub fn format_quantity(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", format_count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let numbers = [0, 999, 1_000, 999_999, 1_234_567, u64::MAX];
        let texts = ["0", "999", "1,000", "999,999", "1,234,567", "18,446,744,073,709,551,615"];
        assert_eq!(numbers.map(format_count), texts);
    }

    #[test]
    fn only_one_is_singular() {
        let quantities = [0, 1, 2_000].map(|number| format_quantity(number, "order"));
        assert_eq!(quantities, ["0 orders", "1 order", "2,000 orders"]);
    }
}
