//! Bidirectional isolation of values in right-to-left text (UAX #9), as the W3C recommends ("Inline
//! markup and bidirectional text in HTML").

use std::borrow::Cow;

/// Selects the values that are isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// None: the surrounding text is left-to-right, or the output is machine-readable.
    Nothing,
    /// All: the surrounding text is right-to-left.
    All,
}

impl Isolation {
    /// Returns which values are isolated in text of a direction.
    pub(super) const fn for_direction(right_to_left: bool) -> Self {
        if right_to_left { Self::All } else { Self::Nothing }
    }

    /// Returns whether a value is isolated.
    pub(super) fn applies_to(self, value: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => !value.is_empty(),
        }
    }
}

/// How an isolate is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsolateMarkup {
    /// As control characters.
    Characters,
    /// As an element.
    Element,
}

impl IsolateMarkup {
    /// Returns the markup before and after a value.
    pub(super) const fn around(self) -> (&'static str, &'static str) {
        match self {
            // First strong isolate and pop directional isolate.
            Self::Characters => ("\u{2068}", "\u{2069}"),
            Self::Element => ("<bdi>", "</bdi>"),
        }
    }
}

/// Returns a value without characters that could end its isolate or extend past it: explicit
/// embeddings, overrides and isolates.
pub(super) fn without_bidi_controls(value: &str) -> Cow<'_, str> {
    if value.is_ascii() || !value.contains(is_embedding) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.chars().filter(|char| !is_embedding(*char)).collect())
}

/// Returns whether a character starts or ends an embedding, an override or an isolate (UAX #9, 2.1
/// to 2.5).
const fn is_embedding(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_escape_their_isolate() {
        assert_eq!(without_bidi_controls("a\u{202e}b\u{2069}c\u{200f}"), "abc\u{200f}");
        assert_eq!(without_bidi_controls("2026-001"), "2026-001");
    }
}
