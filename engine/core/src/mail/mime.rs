//! The parts of a message: bodies, plain headers and boundaries.

use std::borrow::Cow;

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, SinglePart};
use sha2::{Digest as _, Sha256};

/// Returns a boundary derived from these texts.
pub(super) fn boundary_of(texts: &[&str]) -> String {
    const DIGEST_BYTES: usize = 16;
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    let mut boundary = String::from("oms_");
    for byte in digest.finalize().iter().take(DIGEST_BYTES) {
        let nibbles = [byte >> 4, byte & 0xf].map(u32::from);
        boundary.extend(nibbles.into_iter().filter_map(|nibble| char::from_digit(nibble, 16)));
    }
    boundary
}

/// Creates a header with a value that is plain ASCII on one short line.
pub(super) fn raw(name: &'static str, value: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value)
}

/// Creates a `From` header from its encoded value, which ends with this address.
pub(super) fn raw_from(address: &str, encoded: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("From");
    HeaderValue::dangerous_new_pre_encoded(name, format!("<{address}>"), encoded)
}

/// Creates a body part. `lettre` would insert line endings one by one, and each insertion would
/// move the rest of the text, so they are inserted here.
pub(super) fn part(content_type: ContentType, body: &str) -> SinglePart {
    let body = unix_lines(body);
    let encoding = encoding_of(&body);
    let body = crlf_lines(&body);
    let encoded = match encoding {
        ContentTransferEncoding::SevenBit => {
            Body::dangerous_pre_encoded(body.into_bytes(), ContentTransferEncoding::SevenBit)
        }
        // Encoding fails only for 7bit and 8bit.
        other => Body::new_with_encoding(body, other).unwrap_or_else(|body| {
            Body::dangerous_pre_encoded(body, ContentTransferEncoding::Binary)
        }),
    };
    SinglePart::builder().header(content_type).body(encoded)
}

/// Returns the maximum number of bytes that a body takes up in a message.
pub(super) fn bytes_max(body: &str) -> usize {
    let lines = body.bytes().filter(|byte| *byte == b'\n').count();
    let length = body.len() + lines;
    match encoding_of(&unix_lines(body)) {
        ContentTransferEncoding::QuotedPrintable => {
            let plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b' '..=b'~') && *byte != b'=';
            // An escaped byte takes two more bytes, and so does a space at the end of a line. Each
            // soft line break takes three.
            let encoded = length + 2 * body.bytes().filter(|byte| !plain(byte)).count() + 2 * lines;
            encoded + 3 * (encoded / QUOTED_LINE_MIN + 1)
        }
        ContentTransferEncoding::Base64 => base64_bytes_max(length),
        _ => length,
    }
}

/// Returns the maximum number of bytes that content of this length takes up in base64, in lines of
/// 76.
pub(super) const fn base64_bytes_max(length: usize) -> usize {
    let encoded = length.div_ceil(3) * 4;
    encoded + 2 * (encoded / 76 + 1)
}

/// The minimum number of characters of a quoted-printable line before a soft line break, because an
/// escape of three characters may not fit into 76.
const QUOTED_LINE_MIN: usize = 72;

/// The length at which a line is too long for 7bit, as in `lettre`. The length includes the line
/// feed before the line, if there is one.
const PLAIN_LINE_MAX: usize = 76;

/// Returns the encoding of a body: 7bit for short lines in ASCII, quoted-printable if at most a
/// third of the bytes are not printable ASCII, and otherwise base64. This is the rule of `lettre`.
/// In addition, a body with control characters is always quoted-printable, because 7bit does not
/// allow NUL (RFC 2045, 2.7) and mail servers may change other control characters.
fn encoding_of(body: &str) -> ContentTransferEncoding {
    let plain = |byte: u8| byte >= b' ' && byte != 0x7f || matches!(byte, b'\n' | b'\t');
    if !body.bytes().all(plain) {
        return ContentTransferEncoding::QuotedPrintable;
    }
    let mut lines = body.split('\n');
    let first_fits = lines.next().is_none_or(|line| line.len() < PLAIN_LINE_MAX);
    let fits = first_fits && lines.all(|line| line.len() + 1 < PLAIN_LINE_MAX);
    if body.is_ascii() && fits {
        return ContentTransferEncoding::SevenBit;
    }
    let escaped = body.bytes().filter(|byte| !matches!(byte, b'\t' | b' '..=b'~')).count();
    if escaped <= body.len() / 3 {
        ContentTransferEncoding::QuotedPrintable
    } else {
        ContentTransferEncoding::Base64
    }
}

/// Returns a text with LF line endings. A lone carriage return also becomes a line feed.
fn unix_lines(body: &str) -> Cow<'_, str> {
    if body.contains('\r') {
        Cow::Owned(body.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(body)
    }
}

/// Returns a text with CRLF line endings.
pub(super) fn crlf_lines(body: &str) -> String {
    let mut text = String::with_capacity(body.len() + body.len() / 32);
    for line in body.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(words) if !words.ends_with('\r') => text.extend([words, "\r\n"]),
            _ => text.push_str(line),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_no_larger_than_their_computed_maximum() {
        let long = "x".repeat(1000);
        let spaced = "a \n".repeat(500);
        let signs = "=".repeat(700);
        for body in [
            "",
            "a",
            "a\nb\n",
            "é",
            "ü = 1\n",
            "ご注文を承りました。\n",
            "a\u{0}b\rc\r\nd",
            long.as_str(),
            spaced.as_str(),
            signs.as_str(),
            &"wörter und =\n".repeat(300),
            &"注".repeat(999),
        ] {
            let part = part(ContentType::TEXT_PLAIN, body);
            let empty = self::part(ContentType::TEXT_PLAIN, "").formatted().len();
            let header = "quoted-printable".len();
            let taken = part.formatted().len() - empty;
            assert!(taken <= bytes_max(body) + header, "{taken} {} {body}", bytes_max(body));
        }
    }

    #[test]
    fn lines_end_with_crlf() {
        assert_eq!(crlf_lines("a\nb\r\n\nc\r"), "a\r\nb\r\n\r\nc\r");
    }
}
