//! Incremental reading of a text, with the current line and column.

use std::io::{self, BufRead, Read as _};

use super::super::mark::MARK;

/// A text that is read in chunks. Only the requested parts are kept in memory.
pub(super) struct Text<'t> {
    input: io::Chain<io::Cursor<Vec<u8>>, &'t mut dyn BufRead>,
    bytes_max: usize,
    line: u64,
    column: u64,
}

impl<'t> Text<'t> {
    /// Begins to read, and skips a byte order mark.
    pub(super) fn new(input: &'t mut dyn BufRead, bytes_max: usize) -> io::Result<Self> {
        let mut start = Vec::new();
        (&mut *input).take(MARK.len() as u64).read_to_end(&mut start)?;
        if start == MARK {
            start.clear();
        }
        let input = io::Cursor::new(start).chain(input);
        Ok(Self { input, bytes_max, line: 1, column: 1 })
    }

    /// Returns the line and the column (in characters) of the next byte, both starting at 1.
    pub(super) const fn place(&self) -> (u64, u64) {
        (self.line, self.column)
    }

    /// Returns the next byte without consuming it.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    /// Skips the next byte.
    pub(super) fn advance(&mut self) -> io::Result<()> {
        self.copy(&mut Vec::new(), |_| 1)
    }

    /// Skips white space and returns the byte that follows.
    pub(super) fn skip_blank(&mut self) -> io::Result<Option<u8>> {
        self.blank(&mut Vec::new())
    }

    /// Appends white space to `body` and returns the byte that follows.
    pub(super) fn blank(&mut self, body: &mut Vec<u8>) -> io::Result<Option<u8>> {
        while let Some(next) = self.peek()? {
            if !next.is_ascii_whitespace() {
                return Ok(Some(next));
            }
            self.copy(body, |bytes| {
                bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
            })?;
        }
        Ok(None)
    }

    /// Reads the rest of the line, including the line break. Text beyond the maximum size is
    /// dropped.
    pub(super) fn line(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        let mut ends = false;
        while !ends && self.peek()?.is_some() {
            self.copy(body, |bytes| {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                ends = end.is_some();
                end.map_or(bytes.len(), |end| end + 1)
            })?;
        }
        Ok(())
    }

    /// Reads the rest of the text. Text beyond the maximum size is dropped.
    pub(super) fn rest(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        while self.peek()?.is_some() {
            self.copy(body, <[u8]>::len)?;
        }
        Ok(())
    }

    /// Reads a JSON value, looking only at brackets and quotes. Outside an array, the value ends
    /// with its closing bracket. Within an array, it ends before the comma or `]` that follows it.
    /// Text beyond the maximum size is dropped. Returns false if the text ends within the value.
    pub(super) fn value(&mut self, body: &mut Vec<u8>, within_array: bool) -> io::Result<bool> {
        let (mut depth, mut quoted, mut escaped, mut ends) = (0_u64, false, false, false);
        while !ends && self.peek()?.is_some() {
            self.copy(body, |bytes| {
                for (at, byte) in bytes.iter().enumerate() {
                    if quoted {
                        quoted = escaped || *byte != b'"';
                        escaped = !escaped && *byte == b'\\';
                        continue;
                    }
                    match byte {
                        b'"' => quoted = true,
                        b'{' | b'[' => depth += 1,
                        b',' | b']' if within_array && depth == 0 => {
                            ends = true;
                            return at;
                        }
                        b'}' | b']' => {
                            depth = depth.saturating_sub(1);
                            ends = depth == 0 && !within_array;
                        }
                        _ => {}
                    }
                    if ends {
                        return at + 1;
                    }
                }
                bytes.len()
            })?;
        }
        Ok(depth == 0 && !quoted)
    }

    /// Consumes as many of the buffered bytes as `count` returns, and appends them to `body` up to
    /// one byte more than the maximum size.
    fn copy(&mut self, body: &mut Vec<u8>, count: impl FnOnce(&[u8]) -> usize) -> io::Result<()> {
        let bytes = self.input.fill_buf()?;
        let count = count(bytes).min(bytes.len());
        let bytes = bytes.get(..count).unwrap_or_default();
        let left = (self.bytes_max + 1).saturating_sub(body.len());
        body.extend_from_slice(bytes.get(..left).unwrap_or(bytes));
        let after = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => {
                self.line += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.column = 1;
                bytes.get(end + 1..).unwrap_or_default()
            }
            None => bytes,
        };
        // UTF-8 continuation bytes do not start a new character.
        self.column += after.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64;
        self.input.consume(count);
        Ok(())
    }
}
