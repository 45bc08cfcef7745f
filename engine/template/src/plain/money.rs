//! Recognizes amounts of money that contain an ordinary space, at which a line must not break.

use oms_core::money::Currency;

/// Names of currencies that are neither ISO 4217 codes nor Unicode currency signs.
const NAMES: [&str; 8] = ["kr", "kr.", "zł", "Kč", "Ft", "lei", "Fr.", "лв."];
/// Maximum length of a currency in bytes, such as `CFPF`, `HK$`, or a sign within bidirectional
/// isolates.
const BYTES_MAX: usize = 12;

/// Returns whether two words are a number and its currency, in either order.
pub(super) fn is_amount(left: &str, right: &str) -> bool {
    let is_digit = |char: Option<char>| char.is_some_and(|char| char.is_numeric());
    is_digit(right.trim_start_matches(['-', '+', '−']).chars().next()) && is_currency(left)
        || is_digit(left.chars().next_back())
            && is_currency(
                right.trim_end_matches(|char: char| {
                    matches!(char, ',' | ';' | ':' | '!' | '?' | ')')
                }),
            )
}

fn is_currency(word: &str) -> bool {
    let word = word.trim_start_matches('(');
    if word.is_empty() || word.len() > BYTES_MAX {
        return false;
    }
    let is_sign = |char: char| {
        matches!(char, '$' | '£' | '¥' | '¢' | '฿' | '﷼' | '￥' | '\u{20a0}'..='\u{20cf}')
    };
    let word = if NAMES.contains(&word) { word } else { word.trim_end_matches('.') };
    word.ends_with(is_sign) || NAMES.contains(&word) || Currency::parse(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_its_currency_is_an_amount() {
        for (left, right, amount) in [
            ("€", "1,112.50", true),
            ("(US$", "5)", true),
            ("EUR", "-5", true),
            ("1.112,50", "€", true),
            ("12", "kr.", true),
            ("12", "USD.", true),
            ("of", "12", false),
            ("2", "pcs", false),
            ("a", "€", false),
            ("", "", false),
        ] {
            assert_eq!(is_amount(left, right), amount, "{left} {right}");
        }
    }
}
