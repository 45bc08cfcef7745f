//! The byte order mark, which some programs write at the start of a file. It is not part of the
//! content.

/// The byte order mark in UTF-8.
pub(super) const MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns a text without a byte order mark at its start.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
