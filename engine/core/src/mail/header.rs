//! Encodes header texts that an e-mail program could misread or whose lines would be too long.
//!
//! `lettre` writes ASCII words unchanged. An e-mail program would decode a word that looks like an
//! encoded word (RFC 2047, 2). A word that is longer than a line (RFC 5322, 2.1.1) cannot be
//! folded. A text with such a word is written completely as encoded words.

/// The maximum number of bytes of an unchanged word, so its line has at most 998 bytes (RFC 5322).
const WORD_BYTES_MAX: usize = 900;

/// The maximum number of characters of a line with an encoded word, and of the encoded word (RFC
/// 2047, 2).
const LINE_CHARS_MAX: usize = 76;
const ENCODED_CHARS_MAX: usize = 75;

/// The start and the end of an encoded word. In `q`, a byte is itself or `=` and two digits (RFC
/// 2047, 4.2).
const OPEN: &str = "=?utf-8?q?";
const CLOSE: &str = "?=";

/// Returns whether a text must be completely written as encoded words.
pub(super) fn must_be_encoded(text: &str) -> bool {
    // White space between two encoded words is dropped when they are decoded (RFC 2047, 6.2).
    let loses_spaces = !text.is_ascii() && text.contains("  ");
    loses_spaces || text.contains("=?") || text.split(' ').any(|word| word.len() > WORD_BYTES_MAX)
}

/// Returns a text as encoded words, folded for a header of this name. No character is split (RFC
/// 2047, 5).
pub(super) fn encoded(name: &str, text: &str) -> String {
    let mut folded = String::with_capacity(text.len() * 3);
    let mut left = LINE_CHARS_MAX.saturating_sub(name.len() + ": ".len());
    let mut word = String::from(OPEN);
    for char in text.chars() {
        let mut bytes = [0; 4];
        let written: String = char.encode_utf8(&mut bytes).bytes().map(Encoded).collect();
        if word.len() + written.len() + CLOSE.len() > left.min(ENCODED_CHARS_MAX) {
            folded.push_str(&word);
            folded.push_str(CLOSE);
            folded.push_str("\r\n ");
            word.truncate(OPEN.len());
            left = LINE_CHARS_MAX - " ".len();
        }
        word.push_str(&written);
    }
    folded.push_str(&word);
    folded.push_str(CLOSE);
    folded
}

/// A byte as written in an encoded word. Only the bytes that are also allowed in display names stay
/// unchanged (RFC 2047, 5).
struct Encoded(u8);

impl FromIterator<Encoded> for String {
    fn from_iter<I: IntoIterator<Item = Encoded>>(bytes: I) -> Self {
        let mut text = Self::new();
        for Encoded(byte) in bytes {
            match byte {
                b' ' => text.push('_'),
                byte if byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte) => {
                    text.push(char::from(byte));
                }
                byte => text.push_str(&format!("={byte:02X}")),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_that_would_be_misread_are_completely_encoded() {
        for (text, encoded) in [
            ("Order NW-10248", false),
            ("Größe", false),
            ("Größe  Ω", true),
            ("a  b", false),
            ("a = b?", false),
            ("=?utf-8?q?You_won!?=", true),
            ("x=?", true),
            (&"x ".repeat(499), false),
            (&"x".repeat(901), true),
        ] {
            assert_eq!(must_be_encoded(text), encoded, "{text}");
        }
    }

    #[test]
    fn encoded_words_fit_their_lines_and_split_no_character() {
        assert_eq!(encoded("Subject", "=?a b?="), "=?utf-8?q?=3D=3Fa_b=3F=3D?=");
        let text = "注=?x".repeat(60);
        let folded = encoded("Subject", &text);
        let mut read = String::new();
        for (position, line) in folded.split("\r\n").enumerate() {
            let first = if position == 0 { "Subject: ".len() } else { 0 };
            assert!(first + line.len() <= LINE_CHARS_MAX, "{line}");
            let word = line.trim_start().strip_prefix(OPEN).unwrap().strip_suffix(CLOSE).unwrap();
            assert!(word.len() + OPEN.len() + CLOSE.len() <= ENCODED_CHARS_MAX, "{line}");
            let mut bytes = Vec::new();
            let mut rest = word.bytes();
            while let Some(byte) = rest.next() {
                if byte == b'=' {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    let digits = std::str::from_utf8(&digits).unwrap().to_owned();
                    bytes.push(u8::from_str_radix(&digits, 16).unwrap());
                } else {
                    bytes.push(if byte == b'_' { b' ' } else { byte });
                }
            }
            read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        assert_eq!(read, text);
    }
}
