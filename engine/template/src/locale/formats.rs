//! [`Formats`]: the formatters of one locale.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use fixed_decimal::{Decimal as Digits, Sign};
use icu_calendar::Gregorian;
use icu_datetime::FixedCalendarDateTimeFormatter;
use icu_datetime::fieldsets::YMD;
use icu_decimal::DecimalFormatter;
use icu_experimental::dimension::currency::CurrencyCode;
use icu_experimental::dimension::currency::formatter::CurrencyFormatter;
use icu_experimental::displaynames::multi::RegionDisplayNames;
use icu_locale::{Direction, Locale, LocaleDirectionality};
use icu_plurals::{PluralCategory, PluralRules};
use oms_core::money::{Currency, Decimal};

use super::amount::{CldrFormat, Icu4xAmount};
use super::tag::candidates;

/// The maximum number of cached formatters of a thread. The orders determine which locales are
/// used, so the cache must be bounded.
const CACHE_MAX: usize = 64;

thread_local! {
    static CACHE: RefCell<HashMap<Box<str>, Rc<Formats>>> = RefCell::default();
}

/// The formats of a locale.
pub struct Formats {
    tag: Arc<str>,
    right_to_left: bool,
    direction: TextDirection,
    cldr: CldrFormat,
    currency: Option<CurrencyFormatter>,
    decimal: Option<DecimalFormatter>,
    date: Option<FixedCalendarDateTimeFormatter<Gregorian, YMD>>,
    regions: Option<RegionDisplayNames>,
    plurals: Option<PluralRules>,
    /// A cache of formatted amounts. An e-mail contains each amount twice, in HTML and in text, and
    /// orders share prices.
    amounts: RefCell<HashMap<(Decimal, &'static str), Arc<str>>>,
}

/// HTML and CSS keywords for the text direction.
pub struct TextDirection {
    /// `ltr` or `rtl`.
    pub direction: Arc<str>,
    /// `left`, or `right` in a right-to-left locale.
    pub start: Arc<str>,
    /// The opposite of `start`.
    pub end: Arc<str>,
}

impl TextDirection {
    fn of(right_to_left: bool) -> Self {
        let (direction, start, end) =
            if right_to_left { ("rtl", "right", "left") } else { ("ltr", "left", "right") };
        Self { direction: direction.into(), start: start.into(), end: end.into() }
    }
}

/// The maximum number of cached amounts of a locale.
const AMOUNTS_MAX: usize = 512;

impl Formats {
    /// Returns the formats of a language tag (BCP 47). An invalid or unknown tag gets formats
    /// without a language.
    pub fn of(tag: &str) -> Rc<Self> {
        CACHE.with_borrow_mut(|kept| {
            if let Some(formats) = kept.get(tag) {
                return Rc::clone(formats);
            }
            if kept.len() >= CACHE_MAX {
                kept.clear();
            }
            let formats = Rc::new(Self::new(tag));
            kept.insert(tag.into(), Rc::clone(&formats));
            formats
        })
    }

    fn new(tag: &str) -> Self {
        let locale = known_locale(tag).unwrap_or(Locale::UNKNOWN);
        let direction = LocaleDirectionality::new_common().get(&locale.id);
        let right_to_left = direction == Some(Direction::RightToLeft);
        // The data of every locale is built in, with a fallback for no language, so none of these
        // calls fails.
        Self {
            tag: locale.to_string().into(),
            right_to_left,
            direction: TextDirection::of(right_to_left),
            cldr: CldrFormat::of(tag),
            currency: CurrencyFormatter::try_new((&locale).into(), Default::default()).ok(),
            decimal: DecimalFormatter::try_new((&locale).into(), Default::default()).ok(),
            date: FixedCalendarDateTimeFormatter::try_new((&locale).into(), YMD::long()).ok(),
            regions: RegionDisplayNames::try_new((&locale).into(), Default::default()).ok(),
            plurals: PluralRules::try_new_cardinal((&plural_locale(&locale)).into()).ok(),
            amounts: RefCell::default(),
        }
    }

    /// Returns the tag in its canonical form, such as `de-CH`.
    pub const fn tag(&self) -> &Arc<str> {
        &self.tag
    }

    /// Returns the HTML and CSS keywords for the text direction.
    pub const fn direction(&self) -> &TextDirection {
        &self.direction
    }

    /// Returns whether the locale is written from right to left.
    pub const fn is_right_to_left(&self) -> bool {
        self.right_to_left
    }

    /// Formats an amount with its currency. It keeps all significant digits, and at least the
    /// decimals of the currency (ISO 4217).
    pub fn money(&self, amount: Decimal, currency: Currency) -> Arc<str> {
        let mut amounts = self.amounts.borrow_mut();
        if let Some(written) = amounts.get(&(amount, currency.code())) {
            return Arc::clone(written);
        }
        if amounts.len() >= AMOUNTS_MAX {
            amounts.clear();
        }
        let written: Arc<str> = self.written(amount, currency).into();
        amounts.insert((amount, currency.code()), Arc::clone(&written));
        written
    }

    fn written(&self, amount: Decimal, currency: Currency) -> String {
        let mut digits = digits(amount);
        digits.absolute.trim_end();
        digits.absolute.pad_end(-i16::try_from(currency.minor_units()).unwrap_or_default());
        match (&self.currency, &self.decimal, currency.code().parse()) {
            (Some(formatter), Some(decimal), Ok(code)) => {
                const NUMBER: &str = "#";
                let is_negative = digits.sign() == Sign::Negative;
                digits.set_sign(Sign::None);
                let code = CurrencyCode(code);
                let mut money = formatter.format_fixed_decimal(&digits, &code).to_string();
                if is_negative || !self.cldr.is_complete(&money) {
                    let signed = decimal.format_sign(Sign::Negative, NUMBER).to_string();
                    let sign = signed.split_once(NUMBER).filter(|_| is_negative);
                    let number = decimal.format(&digits).to_string();
                    let has_fraction = *digits.absolute.magnitude_range().start() < 0;
                    let written =
                        Icu4xAmount { money: &money, number: &number, has_fraction, sign };
                    money = self.cldr.amount(&written);
                }
                if self.right_to_left { with_direction_marks(&money) } else { money }
            }
            _ => format!("{} {digits}", currency.code()),
        }
    }

    /// Formats a number with all its digits except trailing zeros.
    pub fn number(&self, number: Decimal) -> String {
        let mut digits = digits(number);
        digits.absolute.trim_end();
        match &self.decimal {
            Some(formatter) => {
                let has_fraction = *digits.absolute.magnitude_range().start() < 0;
                self.cldr.number(formatter.format(&digits).to_string(), has_fraction)
            }
            None => digits.to_string(),
        }
    }

    /// Returns the plural category of a number, such as `one` or `few` (UTS #35, part 3, "Language
    /// Plural Rules").
    pub fn plural(&self, number: Decimal) -> &'static str {
        let mut digits = digits(number);
        digits.absolute.trim_end();
        let category = self.plurals.as_ref().map(|rules| rules.category_for(&digits));
        category.map_or(PLURAL_OTHER, category_name)
    }

    /// Returns the plural categories of the language.
    pub fn plural_categories(&self) -> Vec<&'static str> {
        let Some(rules) = &self.plurals else { return vec![PLURAL_OTHER] };
        let has = |name: &&str| rules.categories().any(|category| category_name(category) == *name);
        PLURAL_CATEGORIES.into_iter().filter(has).collect()
    }

    /// Formats a date in words, such as `9 March 2026`.
    pub fn date(&self, date: jiff::civil::Date) -> String {
        let (year, month, day) =
            (date.year(), date.month().unsigned_abs(), date.day().unsigned_abs());
        let gregorian = icu_calendar::Date::try_new_gregorian(year.into(), month, day);
        match (&self.date, gregorian) {
            (Some(formatter), Ok(date)) => formatter.format(&date).to_string(),
            _ => date.to_string(),
        }
    }

    /// Returns the name of a country by its code (ISO 3166-1 alpha-2), or the text itself if it is
    /// not a code or has no name.
    pub fn country<'c>(&'c self, code: &'c str) -> &'c str {
        let name = code.parse().ok().and_then(|region| self.regions.as_ref()?.of(region));
        name.unwrap_or(code)
    }
}

/// All plural categories. The last one is the fallback.
pub const PLURAL_CATEGORIES: [&str; 6] = ["zero", "one", "two", "few", "many", PLURAL_OTHER];
const PLURAL_OTHER: &str = "other";

const fn category_name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => PLURAL_OTHER,
    }
}

/// Parses a tag. ICU4X has no data for some tags with a redundant subtag, such as `zh-Hans-HK`;
/// then the next shorter tag is used.
fn known_locale(tag: &str) -> Option<Locale> {
    // `de_AT`, as POSIX and CLDR write it, names the locale `de-AT`.
    let exact = tag.trim().replace('_', "-").parse::<Locale>().ok()?;
    let has_data =
        |locale: &Locale| RegionDisplayNames::try_new(locale.into(), Default::default()).is_ok();
    if has_data(&exact) {
        return Some(exact);
    }
    let fallbacks = candidates(tag).skip(1).filter_map(|tag| tag.parse().ok());
    Some(fallbacks.into_iter().find(has_data).unwrap_or(exact))
}

/// Returns the locale for plural rules: the language, and for Portuguese the region. ICU4X finds no
/// rules for a tag with a script, such as `sr-Latn`.
fn plural_locale(locale: &Locale) -> Locale {
    let mut plain = locale.clone();
    plain.id.script = None;
    if plain.id.language.as_str() != "pt" {
        plain.id.region = None;
    }
    plain
}

/// Puts left-to-right marks around words with Latin letters and symbols, so `US$` does not become
/// `$US` in right-to-left text.
fn with_direction_marks(money: &str) -> String {
    const LEFT_TO_RIGHT_MARK: char = '\u{200e}';
    let is_number = |char: char| char.is_numeric() || matches!(char, '-' | '\u{2212}' | '\u{61c}');
    let apart = |char: char| char.is_whitespace() || is_number(char) || char == '\u{200f}';
    let mut held = String::with_capacity(money.len() + 6);
    for piece in money.split_inclusive(apart) {
        let word = piece.trim_end_matches(apart);
        let has_letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        if has_letters && !word.chars().all(char::is_alphabetic) {
            held.extend([LEFT_TO_RIGHT_MARK]);
            held.push_str(word);
            held.extend([LEFT_TO_RIGHT_MARK]);
            held.push_str(piece.get(word.len()..).unwrap_or_default());
        } else {
            held.push_str(piece);
        }
    }
    held
}

fn digits(number: Decimal) -> Digits {
    let mut digits = Digits::from(number.mantissa());
    digits.multiply_pow10(-i16::try_from(number.scale()).unwrap_or_default());
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(tag: &str, amount: &str, code: &str) -> String {
        // CLDR uses different spaces that look the same.
        let written =
            Formats::of(tag).money(Decimal::parse(amount).unwrap(), Currency::parse(code).unwrap());
        written.replace(['\u{a0}', '\u{202f}'], " ")
    }

    #[test]
    fn amounts_are_formatted_for_the_locale() {
        for (tag, amount, code, written) in [
            ("en", "1234567.5", "USD", "$1,234,567.50"),
            ("de", "1234567.5", "EUR", "1.234.567,50 €"),
            ("de-CH", "1234567.5", "CHF", "CHF 1'234'567.50"),
            ("fr", "-0.1", "EUR", "-0,10 €"),
            ("fr-CH", "1234567.5", "CHF", "1 234 567.50 CHF"),
            ("de-AT", "1234567.5", "CHF", "CHF 1.234.567,50"),
            ("nl", "-1234.5", "EUR", "€ -1.234,50"),
            ("de-CH", "-1234.5", "EUR", "EUR-1'234.50"),
            ("en-ZA", "1234567.5", "CHF", "CHF 1 234 567,50"),
            ("es", "1234.00", "EUR", "1234,00 €"),
            ("ja", "1234567", "JPY", "￥1,234,567"),
            ("ja", "1234.00", "JPY", "￥1,234"),
            ("en", "12.345", "KWD", "KWD 12.345"),
            ("en", "12.3", "KWD", "KWD 12.300"),
            ("en-IN", "1234567", "INR", "₹12,34,567.00"),
            ("en", "0.1234", "EUR", "€0.1234"),
            ("en", "99999999999999999.99", "USD", "$99,999,999,999,999,999.99"),
        ] {
            assert_eq!(money(tag, amount, code), written, "{tag}");
        }
    }

    #[test]
    fn symbols_keep_their_order_in_right_to_left_text() {
        for (amount, code, written) in [
            ("1234.5", "USD", "\u{200f}1,234.50 \u{200e}US$\u{200e}"),
            ("-5", "JPY", "\u{200f}\u{200e}-5 \u{200e}JP¥\u{200e}"),
            ("5", "EUR", "\u{200f}5.00 €"),
            ("5", "CHF", "\u{200f}5.00 CHF"),
        ] {
            assert_eq!(money("ar", amount, code), written, "{code}");
        }
    }

    #[test]
    fn plural_categories_match_the_language() {
        for (tag, categories, number, category) in [
            ("en", "one other", "1", "one"),
            ("en", "one other", "1.5", "other"),
            // Trailing zeros are not formatted and do not count.
            ("en", "one other", "1.00", "one"),
            ("ar", "zero one two few many other", "11", "many"),
            ("ru", "one few many other", "22", "few"),
            ("sr-Latn-ME", "one few other", "2", "few"),
            ("pt-PT", "one many other", "0", "other"),
            ("pt", "one many other", "0", "one"),
            ("zh-Hans-HK", "other", "1", "other"),
            ("no locale", "other", "1", "other"),
        ] {
            let formats = Formats::of(tag);
            assert_eq!(formats.plural_categories().join(" "), categories, "{tag}");
            assert_eq!(formats.plural(Decimal::parse(number).unwrap()), category, "{tag} {number}");
        }
        assert_eq!(money("zh-Hans-HK", "1234", "EUR"), "€1,234.00");
    }

    #[test]
    fn numbers_dates_and_countries_are_formatted_for_the_locale() {
        let date = jiff::civil::date(2026, 3, 9);
        for (tag, number, day, country, right_to_left) in [
            ("en", "1,234.5", "March 9, 2026", "Germany", false),
            ("en-GB", "1,234.5", "9 March 2026", "Germany", false),
            ("de", "1.234,5", "9. März 2026", "Deutschland", false),
            ("ja", "1,234.5", "2026年3月9日", "ドイツ", false),
            ("ar", "1,234.5", "9 مارس 2026", "ألمانيا", true),
            ("fr-CH", "1 234,5", "9 mars 2026", "Allemagne", false),
            ("no locale", "1,234.5", "2026 M03 9", "DE", false),
        ] {
            let formats = Formats::of(tag);
            let shown = formats.number(Decimal::parse("1234.50").unwrap());
            assert_eq!(shown.replace(['\u{a0}', '\u{202f}'], " "), number, "{tag}");
            assert_eq!(formats.date(date), day, "{tag}");
            assert_eq!(formats.country("DE"), country, "{tag}");
            assert_eq!(formats.country("nowhere"), "nowhere");
            assert_eq!(formats.is_right_to_left(), right_to_left, "{tag}");
        }
    }
}
