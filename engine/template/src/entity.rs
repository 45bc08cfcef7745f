//! Decodes the HTML character references that can hide the scheme of a URL: numeric references and
//! the names of punctuation and whitespace characters.

use std::str::Chars;

/// Names of characters that can occur at the start of a URL.
const NAMES: [(&str, char); 12] = [
    ("amp", '&'),
    ("apos", '\''),
    ("colon", ':'),
    ("gt", '>'),
    ("lt", '<'),
    ("nbsp", '\u{a0}'),
    ("NewLine", '\n'),
    ("num", '#'),
    ("quot", '"'),
    ("sol", '/'),
    ("Tab", '\t'),
    ("period", '.'),
];

/// Returns the characters of a text with its character references decoded. Unknown references stay
/// as they are.
pub(super) fn decoded(text: &str) -> impl Iterator<Item = char> {
    let mut chars = text.chars();
    std::iter::from_fn(move || {
        let char = chars.next()?;
        if char != '&' {
            return Some(char);
        }
        match reference(&chars) {
            Some((char, rest)) => {
                chars = rest;
                Some(char)
            }
            None => Some('&'),
        }
    })
}

/// Decodes the reference after an `&`. Returns the character and the rest of the text.
fn reference<'t>(chars: &Chars<'t>) -> Option<(char, Chars<'t>)> {
    let text = chars.as_str();
    let (char, length) = match text.strip_prefix('#') {
        Some(number) => {
            let (digits, radix) = match number.strip_prefix(['x', 'X']) {
                Some(digits) => (digits, 16),
                None => (number, 10),
            };
            let length = digits.find(|char: char| !char.is_digit(radix)).unwrap_or(digits.len());
            let code = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
            (char::from_u32(code)?, text.len() - digits.len() + length)
        }
        None => {
            let named = |(name, _): &&(&str, char)| text.starts_with(name);
            let (name, char) = NAMES.iter().find(named)?;
            (*char, name.len())
        }
    };
    let rest = text.get(length..)?;
    Some((char, rest.strip_prefix(';').unwrap_or(rest).chars()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_and_named_references_are_decoded() {
        for (text, read) in [
            ("a&amp;b", "a&b"),
            ("&#106;&#x6A;&#X6a&#58", "jjj:"),
            ("&colon;&Tab;&unknown; & &", ":\t&unknown; & &"),
            ("&#xD800;&#99999999999;", "&#xD800;&#99999999999;"),
        ] {
            assert_eq!(decoded(text).collect::<String>(), read, "{text}");
        }
    }
}
