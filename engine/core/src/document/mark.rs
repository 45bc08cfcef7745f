//! The byte order mark that some programs write at the start of a file. It is no part of the content.

/// The mark in UTF-8.
pub(super) const MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns the content of a text file.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
