//! The pieces of a message: bodies, plain headers and what separates the parts.

use lettre::message::SinglePart;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
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

/// Makes one body. Bodies with control characters are written quoted-printable, since RFC 5322 has no place for
/// them, nor for a carriage return that does not end a line.
pub(super) fn part(content_type: ContentType, body: &str) -> SinglePart {
    let builder = SinglePart::builder().header(content_type);
    let plain = |byte: u8| byte >= b' ' && byte != 0x7f || matches!(byte, b'\n' | b'\t');
    if body.bytes().all(plain) {
        return builder.body(body.to_owned());
    }
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    if body.bytes().all(plain) {
        builder.body(body)
    } else {
        builder.header(ContentTransferEncoding::QuotedPrintable).body(body)
    }
}
