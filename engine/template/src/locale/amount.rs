//! CLDR formats for amounts of money that ICU4X does not implement (UTS #35, part 3, "Currencies"):
//!
//! - patterns of negative amounts
//! - separators that differ between amounts and other numbers
//! - the space between an alphabetic currency symbol and the digits

use std::collections::HashMap;
use std::sync::LazyLock;

use super::tag::candidates;

/// CLDR data of one locale that ICU4X does not use. `data/SOURCES.md` names its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CldrFormat {
    /// The pattern of amounts, if it differs from that of ICU4X.
    positive: Option<&'static str>,
    /// The pattern of negative amounts.
    negative: Option<&'static str>,
    /// The decimal separator and the group separator of amounts.
    separators: Option<(char, char)>,
    /// Whether amounts group three digits although other numbers group two.
    threes: bool,
    /// The group separator of all numbers, if it differs from that of ICU4X.
    group: Option<char>,
}

static CLDR_FORMATS: LazyLock<HashMap<&str, CldrFormat>> = LazyLock::new(|| {
    let lines = include_str!("data/money.txt").lines().filter(|line| !line.starts_with('#'));
    let own = |line: &'static str| {
        let mut parts = line.split('\t');
        let locale = parts.next()?;
        let mut pattern = || parts.next().filter(|pattern| !pattern.is_empty());
        let (positive, negative) = (pattern(), pattern());
        let mut separators = parts.next().unwrap_or_default().chars();
        let separators = separators.next().zip(separators.next());
        let threes = parts.next() == Some("3");
        let group = parts.next().and_then(|group| group.chars().next());
        Some((locale, CldrFormat { positive, negative, separators, threes, group }))
    };
    lines.filter_map(own).collect()
});

/// An amount as ICU4X formats it.
pub(super) struct Icu4xAmount<'w> {
    /// The amount without its sign and with its symbol.
    pub(super) money: &'w str,
    /// The number without its symbol, and whether it has decimals.
    pub(super) number: &'w str,
    pub(super) has_fraction: bool,
    /// The text before and after a negative number.
    pub(super) sign: Option<(&'w str, &'w str)>,
}

impl CldrFormat {
    /// Returns the data of a locale.
    pub(super) fn of(tag: &str) -> Self {
        candidates(tag).find_map(|tag| CLDR_FORMATS.get(tag.as_str()).copied()).unwrap_or_default()
    }

    /// Returns whether ICU4X formats this non-negative amount as CLDR does, so that it needs no
    /// change.
    pub(super) fn is_complete(self, money: &str) -> bool {
        let digits = |char: char| char.is_numeric();
        let before = money.split(digits).next().and_then(|symbol| symbol.chars().next_back());
        let after = money.rsplit(digits).next().and_then(|symbol| symbol.chars().next());
        let tight = before.is_some_and(needs_space) || after.is_some_and(needs_space);
        self == Self::default() && !tight && !money.contains(' ')
    }

    /// Formats an amount as CLDR does.
    pub(super) fn amount(self, written: &Icu4xAmount<'_>) -> String {
        let Icu4xAmount { money, number, has_fraction, sign } = written;
        let Some((before, after)) = money.split_once(number) else { return (*money).to_owned() };
        let number = self.with_separators(number, *has_fraction);
        let (minus, end) = sign.unwrap_or_default();
        if let (Some(_), Some(pattern)) = (sign, self.negative) {
            return fill_pattern(pattern, symbol(before, after), &number, minus);
        }
        let money = match self.positive {
            Some(pattern) => {
                let symbol = symbol(before, after);
                // CLDR puts a space between an alphabetic symbol and the digits.
                let beside =
                    pattern.find('¤').zip(pattern.find('#')).map(|(at, digits)| at < digits);
                let letter = match beside {
                    Some(true) => symbol.chars().next_back(),
                    _ => symbol.chars().next(),
                };
                let spaced = letter.is_some_and(needs_space) && !pattern.contains('\u{a0}');
                let pattern =
                    if spaced { pattern.replace('#', "\u{a0}#") } else { pattern.to_owned() };
                fill_pattern(&pattern, symbol, &number, "")
            }
            None => {
                let gap =
                    |char: Option<char>| if char.is_some_and(needs_space) { "\u{a0}" } else { "" };
                let gaps = [gap(before.chars().next_back()), gap(after.chars().next())];
                format!("{before}{}{number}{}{after}", gaps[0], gaps[1])
            }
        };
        // Some symbols contain a space, where a line must not break.
        format!("{minus}{money}{end}").replace(' ', "\u{a0}")
    }

    /// Replaces the group separators in a number that ICU4X formatted.
    pub(super) fn number(self, number: String, has_fraction: bool) -> String {
        let Some(group) = self.group else { return number };
        let digits = |char: char| char.is_numeric();
        let point = number.rfind(|char| !digits(char)).filter(|_| has_fraction);
        let own = |(at, char): (usize, char)| match char {
            // The sign comes before the digits.
            other if !digits(other) && at > 0 && Some(at) != point => group,
            other => other,
        };
        number.char_indices().map(own).collect()
    }

    /// Replaces the separators in an amount with those of the locale's amounts.
    fn with_separators(self, number: &str, has_fraction: bool) -> String {
        let number =
            if self.threes { grouped_by_three(number, has_fraction) } else { number.to_owned() };
        let Some((decimal, group)) = self.separators else { return number };
        let point = number.rfind(|char: char| !char.is_numeric()).filter(|_| has_fraction);
        let own = |(at, char): (usize, char)| match char {
            digit if digit.is_numeric() => digit,
            _ if Some(at) == point => decimal,
            _ => group,
        };
        number.char_indices().map(own).collect()
    }
}

/// Fills in a pattern.
fn fill_pattern(pattern: &str, symbol: &str, number: &str, minus: &str) -> String {
    pattern.chars().fold(String::new(), |mut amount, char| {
        match char {
            '¤' => amount.push_str(symbol),
            '#' => amount.push_str(number),
            '-' => amount.push_str(minus),
            other => amount.push(other),
        }
        amount
    })
}

/// Groups digits in threes.
fn grouped_by_three(number: &str, has_fraction: bool) -> String {
    let is_sign = |char: char| !char.is_numeric();
    let point = number.rfind(is_sign).filter(|_| has_fraction).unwrap_or(number.len());
    let (whole, fraction) = number.split_at(point);
    let Some(group) = whole.chars().find(|char| is_sign(*char)) else { return number.to_owned() };
    let digits: Vec<char> = whole.chars().filter(|char| !is_sign(*char)).collect();
    let mut written = String::with_capacity(number.len());
    for (at, digit) in digits.iter().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(group);
        }
        written.push(*digit);
    }
    written + fraction
}

/// Returns the currency symbol from the text around the digits.
fn symbol<'w>(before: &'w str, after: &'w str) -> &'w str {
    let around = |char: char| char.is_whitespace() || matches!(char, '\u{200e}' | '\u{200f}');
    let first = before.trim_matches(around);
    if first.is_empty() { after.trim_start_matches(around).trim_end() } else { first }
}

/// Returns whether CLDR puts a space between this character and the digits: it is neither a symbol
/// nor a space (`[[:^S:]&[:^Z:]]`).
fn needs_space(char: char) -> bool {
    const SYMBOLS: &str = "$+<=>^`|~";
    char.is_alphanumeric() || char.is_ascii_punctuation() && !SYMBOLS.contains(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(tag: &str, money: &str, number: &str, negative: bool) -> String {
        let sign = negative.then_some(("-", ""));
        let has_fraction = number.contains([',', '.']);
        CldrFormat::of(tag).amount(&Icu4xAmount { money, number, has_fraction, sign })
    }

    #[test]
    fn patterns_and_separators_match_the_locale() {
        for (tag, money, number, negative, amount) in [
            ("nl", "€\u{a0}1.234,50", "1.234,50", true, "€\u{a0}-1.234,50"),
            ("nl-BE", "€\u{a0}1.234,50", "1.234,50", true, "€\u{a0}-1.234,50"),
            ("de-CH", "CHF\u{a0}1’234.50", "1’234.50", true, "CHF-1’234.50"),
            (
                "fr-CH",
                "1\u{202f}234,50\u{a0}CHF",
                "1\u{202f}234,50",
                false,
                "1\u{202f}234.50\u{a0}CHF",
            ),
            ("de-AT", "CHF\u{a0}1\u{a0}234,50", "1\u{a0}234,50", false, "CHF\u{a0}1.234,50"),
            ("en-ZA", "CHF1\u{a0}234,50", "1\u{a0}234,50", false, "CHF\u{a0}1\u{a0}234,50"),
            ("en", "$5.00", "5.00", true, "-$5.00"),
            (
                "ar",
                "\u{200f}5.00\u{a0}د.إ.\u{200f}",
                "5.00",
                true,
                "\u{200f}-5.00\u{a0}د.إ.\u{200f}",
            ),
            ("ar-EG", "\u{200f}5.00\u{a0}€", "5.00", true, "-\u{200f}5.00\u{a0}€"),
            ("ml", "€12,34,567.50", "12,34,567.50", false, "€1,234,567.50"),
            ("fa", "\u{200e}€\u{a0}۱٬۲۳۴", "۱٬۲۳۴", false, "\u{200e}€۱٬۲۳۴"),
            ("fa", "\u{200e}CHF\u{a0}۱", "۱", true, "-\u{200e}CHF\u{a0}۱"),
            ("sd", "€\u{a0}۱", "۱", false, "۱\u{a0}€"),
            ("fy", "€\u{a0}5,00", "5,00", true, "€\u{a0}5,00-"),
        ] {
            assert_eq!(written(tag, money, number, negative), amount, "{tag}");
        }
    }
}
