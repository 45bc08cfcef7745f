//! The positions of labels: byte ranges limited to their text, and lines and columns.

use std::ops::Range;

use oms_engine::diagnostic::Source;
use schemars::JsonSchema;
use serde::Serialize;

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in Unicode characters, from 1.
    pub column: usize,
    /// The byte, from 0.
    pub offset: usize,
}

impl Position {
    fn of(source: &Source, offset: usize) -> Self {
        let (line, column) = source.line_column(offset);
        Self { line, column, offset }
    }
}

/// Returns `span` limited to `text` and extended to whole characters.
pub(super) fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.ceil_char_boundary(span.end).max(start);
    start..end
}

/// Returns the start and the end of `span`. The end is the first position after it.
pub(super) fn positions(source: &Source, span: &Range<usize>) -> (Position, Position) {
    let span = clamp(source.text(), span);
    (Position::of(source, span.start), Position::of(source, span.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_extended_to_whole_characters_and_limited_to_the_text() {
        // "ü" takes the bytes 1 and 2.
        let backwards = Range { start: 3, end: 1 };
        let cases = [(0..2, 0..3), (2..2, 1..3), (2..9, 1..4), (9..9, 4..4), (backwards, 3..3)];
        for (span, expected) in cases {
            assert_eq!(clamp("aüb", &span), expected, "{span:?}");
        }
    }

    #[test]
    fn the_end_of_a_text_has_a_line_and_a_column() {
        let source = Source::new("a: ü\n".into());
        let (start, end) = positions(&source, &(3..99));
        assert_eq!((start.line, start.column, start.offset), (1, 4, 3));
        assert_eq!((end.line, end.column, end.offset), (2, 1, 6));
    }
}
