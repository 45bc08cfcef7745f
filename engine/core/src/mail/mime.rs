//! The pieces of a message: bodies, plain headers and what separates the parts.

use std::borrow::Cow;

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, SinglePart};
use sha2::{Digest as _, Sha256};

/// Returns a boundary that follows from these texts.
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

/// Makes a header whose value is known to be plain ASCII on one short line.
pub(super) fn raw(name: &'static str, value: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value)
}

/// Makes a header with the address that its value, encoded already, ends in.
pub(super) fn raw_from(address: &str, encoded: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("From");
    HeaderValue::dangerous_new_pre_encoded(name, format!("<{address}>"), encoded)
}

/// Makes one body. `lettre` puts the ends of lines in one by one, each of which moves all that follows, so that they are put in here.
pub(super) fn part(content_type: ContentType, body: &str) -> SinglePart {
    let body = unix_lines(body);
    let encoding = encoding_of(&body);
    let body = crlf_lines(&body);
    let encoded = match encoding {
        ContentTransferEncoding::SevenBit => {
            Body::dangerous_pre_encoded(body.into_bytes(), ContentTransferEncoding::SevenBit)
        }
        // Only a text in seven or eight bits could be refused.
        other => Body::new_with_encoding(body, other).unwrap_or_else(|body| {
            Body::dangerous_pre_encoded(body, ContentTransferEncoding::Binary)
        }),
    };
    SinglePart::builder().header(content_type).body(encoded)
}

/// Returns the most bytes that a body takes up in a message.
pub(super) fn bytes_max(body: &str) -> usize {
    let lines = body.bytes().filter(|byte| *byte == b'\n').count();
    let length = body.len() + lines;
    match encoding_of(&unix_lines(body)) {
        ContentTransferEncoding::QuotedPrintable => {
            let plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b' '..=b'~') && *byte != b'=';
            // Three bytes for one, and one more for the space at the end of a line; then three for each line that is divided.
            let encoded = length + 2 * body.bytes().filter(|byte| !plain(byte)).count() + 2 * lines;
            encoded + 3 * (encoded / QUOTED_LINE_MIN + 1)
        }
        ContentTransferEncoding::Base64 => base64_bytes_max(length),
        _ => length,
    }
}

/// Returns the most bytes that so many take up in base64, in lines of 76.
pub(super) const fn base64_bytes_max(length: usize) -> usize {
    let encoded = length.div_ceil(3) * 4;
    encoded + 2 * (encoded / 76 + 1)
}

/// Characters of a line of quoted-printable at least, where it is divided: three of 76 may not fit.
const QUOTED_LINE_MIN: usize = 72;

/// Characters of a line that is sent as it is, with its end.
const PLAIN_LINE_MAX: usize = 76;

/// Returns how a body is written: as it is, or in whichever encoding takes fewer bytes. One with control characters is always quoted-printable,
/// since RFC 5322 has no place for them, nor for a carriage return that does not end a line.
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

/// Returns a text whose lines end in a line feed. A carriage return that ends none stays only where every character is encoded.
fn unix_lines(body: &str) -> Cow<'_, str> {
    if body.contains('\r') {
        Cow::Owned(body.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(body)
    }
}

/// Returns a text whose lines end in CRLF.
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
    fn bodies_take_up_no_more_than_was_reckoned() {
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
    fn lines_end_in_both_characters() {
        assert_eq!(crlf_lines("a\nb\r\n\nc\r"), "a\r\nb\r\n\r\nc\r");
    }
}
