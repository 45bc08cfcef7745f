//! Problems in JSON documents, with their positions.

/// The kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The text is not JSON.
    Syntax,
    /// The JSON does not fit the schema.
    Shape,
    /// A member is not allowed. The offset is that of its name.
    Unknown,
    /// A number has more digits than the schema or a decimal allows.
    Digits,
}

/// A problem in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonProblem {
    /// The kind of the problem.
    pub kind: ProblemKind,
    /// JSON pointer (RFC 6901) to the value; empty for the document.
    pub pointer: String,
    /// Byte offset from the start of the text.
    pub offset: usize,
    /// The message, without the value.
    pub message: String,
}

impl JsonProblem {
    /// Returns the line and the column (in characters) of the problem in its text, both from 1.
    pub fn line_column(&self, text: &[u8]) -> (usize, usize) {
        let before = text.get(..self.offset.min(text.len())).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column =
            String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count();
        (line, column + 1)
    }

    /// Returns the line and the column in a file that contains the text from the line and column
    /// `start` on.
    pub fn line_column_in_file(&self, text: &[u8], start: (u64, u64)) -> (u64, u64) {
        let (line, column) = self.line_column(text);
        let column = column as u64 + if line == 1 { start.1 - 1 } else { 0 };
        (start.0 + line as u64 - 1, column)
    }
}
