//! [`Attachment`]: a file attached to an e-mail.

use lettre::message::SinglePart;
use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};

use super::mime::{base64_bytes_max, crlf_lines};

/// The maximum number of characters of an attachment's name.
pub const NAME_CHARS_MAX: usize = 64;

/// The allowed attachments by file extension, with their media types (RFC 4180 for CSV).
const TYPES: [(&str, &str); 3] =
    [("csv", "text/csv"), ("html", "text/html"), ("txt", "text/plain")];

/// A file attached to an e-mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name, such as `receipt.csv`: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Its content.
    pub content: String,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content is personal data.
        f.debug_struct("Attachment").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Returns the media type for a name; `None` if the name is not allowed for an attachment.
pub fn content_type(name: &str) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let (stem, suffix) = name.rsplit_once('.')?;
    if stem.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(plain) {
        return None;
    }
    TYPES.iter().find(|(known, _)| *known == suffix).map(|(_, media)| *media)
}

impl Attachment {
    /// Returns the maximum number of bytes that it takes up in a message, including its headers.
    pub(super) fn bytes_max(&self) -> usize {
        const HEADERS_MAX: usize = 1024;
        let lines = self.content.bytes().filter(|byte| *byte == b'\n').count();
        HEADERS_MAX + base64_bytes_max(self.content.len() + lines)
    }

    /// Returns it as a part of a message, in base64, with CRLF line endings.
    pub(super) fn part(&self) -> SinglePart {
        let media = content_type(&self.name).unwrap_or("text/plain");
        let media = ContentType::parse(&format!("{media}; charset=utf-8"));
        SinglePart::builder()
            .header(media.unwrap_or(ContentType::TEXT_PLAIN))
            .header(ContentDisposition::attachment(&self.name))
            .header(ContentTransferEncoding::Base64)
            .body(crlf_lines(&self.content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_determines_the_media_type() {
        assert_eq!(content_type("receipt.csv"), Some("text/csv"));
        assert_eq!(content_type("your-order.html"), Some("text/html"));
        for name in ["receipt", ".csv", "receipt.exe", "a\"b.csv", "ü.csv", "a/b.csv", "a\nb.csv"]
        {
            assert_eq!(content_type(name), None, "{name}");
        }
        assert_eq!(content_type(&format!("{}.csv", "x".repeat(NAME_CHARS_MAX))), None);
    }
}
