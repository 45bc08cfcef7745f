//! Values between words of the other direction, kept in their own order by the Unicode Bidirectional Algorithm (UAX #9): an isolate goes around
//! each, as the W3C advises ("Inline markup and bidirectional text in HTML").

use std::borrow::Cow;

/// Which values are isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolating {
    /// None, since programs read the text.
    Nothing,
    /// Those that turn words from the left.
    Turning,
    /// All, since the words around them are written from right to left.
    All,
}

impl Isolating {
    /// Returns which values are isolated between words of a direction.
    pub(super) const fn within(right_to_left: bool) -> Self {
        if right_to_left { Self::All } else { Self::Turning }
    }

    /// Tells whether a value is isolated.
    pub(super) fn takes(self, value: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Turning => turns(value),
            Self::All => !value.is_empty(),
        }
    }
}

/// How an isolate is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// As control characters.
    Characters,
    /// As an element.
    Element,
}

impl Marks {
    /// Returns what goes before and behind a value.
    pub(super) const fn around(self) -> (&'static str, &'static str) {
        match self {
            // First strong isolate, and what ends it.
            Self::Characters => ("\u{2068}", "\u{2069}"),
            Self::Element => ("<bdi>", "</bdi>"),
        }
    }
}

/// Tells whether a value has letters that are written from right to left, or characters that change a direction. One without either keeps its
/// order between words from the left.
fn turns(value: &str) -> bool {
    !value.is_ascii() && value.chars().any(|char| is_right_to_left(char) || is_embedding(char))
}

/// Returns a value without what would reach beyond its isolate: explicit embeddings, overrides and isolates.
pub(super) fn contained(value: &str) -> Cow<'_, str> {
    if value.is_ascii() || !value.contains(is_embedding) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.chars().filter(|char| !is_embedding(*char)).collect())
}

/// Tells whether a character begins or ends an embedding, an override or an isolate (UAX #9, 2.1 to 2.5).
const fn is_embedding(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Tells whether a character is in a block whose letters are written from right to left (Unicode, `DerivedBidiClass.txt`, the defaults of R and
/// AL), or is one of the marks with that direction.
const fn is_right_to_left(char: char) -> bool {
    matches!(
        char,
        '\u{590}'..='\u{8ff}'
            | '\u{200f}'
            | '\u{fb1d}'..='\u{fdff}'
            | '\u{fe70}'..='\u{feff}'
            | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_turn_the_text_are_isolated_between_words_from_the_left() {
        for (value, turning) in [
            ("2026-001", false),
            ("Zoë 注文", false),
            ("محمد", true),
            ("דנה", true),
            ("x\u{202e}y", true),
            ("\u{1e900}", true),
        ] {
            assert_eq!(turns(value), turning, "{value}");
        }
    }

    #[test]
    fn no_value_reaches_beyond_its_isolate() {
        assert_eq!(contained("a\u{202e}b\u{2069}c\u{200f}"), "abc\u{200f}");
        assert_eq!(contained("2026-001"), "2026-001");
    }
}
