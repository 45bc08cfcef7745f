//! Splits a text into orders: a single JSON document, an array of documents, or a sequence of
//! documents (NDJSON).
//!
//! The content decides which form it is. A file named `.ndjson` or `.jsonl` that does not begin
//! with `[` contains one order per line, so a malformed line never hides the next order. Only the
//! order being read is kept in memory.

mod text;

use std::io::{self, BufRead};

use text::Text;

/// The form of a text of orders, as far as it is known before reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderForm {
    /// One order per line, or an array.
    Lines,
    /// One or more orders.
    Documents,
    /// Any number of orders, including none.
    Stream,
}

impl OrderForm {
    /// Returns the form of a file, judged by the extension of its name.
    pub fn of_file(name: &str) -> Self {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if matches!(extension, Some("ndjson" | "jsonl")) { Self::Lines } else { Self::Documents }
    }
}

/// The text of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderText {
    /// The name of the source, followed by a number if the source may contain several orders.
    pub name: String,
    /// The bytes. An order that is too large is cut to one byte more than the maximum, so that it
    /// is rejected as too large.
    pub body: Vec<u8>,
    /// The line on which the order begins, numbered from 1.
    pub line: u64,
    /// The column in which the order begins, in characters, numbered from 1.
    pub column: u64,
}

/// Receives an order and returns whether to continue.
type Each<'e> = dyn FnMut(OrderText) -> bool + 'e;

/// Calls `each` for every order in a text until it returns false. Text that is not an order is
/// passed on too, so that the parser of orders reports the fault.
///
/// # Errors
/// Returns an error if the text cannot be read.
pub fn read_orders(
    input: &mut dyn BufRead,
    form: OrderForm,
    name: &str,
    bytes_max: usize,
    each: &mut Each<'_>,
) -> io::Result<()> {
    let mut orders = Orders { text: Text::new(input, bytes_max)?, name, each };
    match orders.text.skip_blank()? {
        None if form == OrderForm::Stream => Ok(()),
        Some(b'[') => orders.array(),
        _ if form == OrderForm::Lines => orders.lines(),
        _ => orders.documents(),
    }
}

/// The orders of one source.
struct Orders<'o, 'e> {
    text: Text<'o>,
    name: &'o str,
    each: &'o mut Each<'e>,
}

impl Orders<'_, '_> {
    fn emit(&mut self, name: String, body: Vec<u8>, (line, column): (u64, u64)) -> bool {
        (self.each)(OrderText { name, body, line, column })
    }

    /// Reads one order per line. The name of an order ends with its line number.
    fn lines(&mut self) -> io::Result<()> {
        while self.text.skip_blank()?.is_some() {
            let place = self.text.place();
            let mut body = Vec::new();
            self.text.line(&mut body)?;
            trim_end(&mut body);
            if !self.emit(format!("{}-{}", self.name, place.0), body, place) {
                break;
            }
        }
        Ok(())
    }

    /// Reads one or more documents. A single document has the name of the source. If there are
    /// several, their names end with their line numbers.
    fn documents(&mut self) -> io::Result<()> {
        let (mut first, mut by_line) = (true, None);
        loop {
            let place = self.text.place();
            let is_object = self.text.peek()? == Some(b'{');
            let mut body = Vec::new();
            self.document(&mut body)?;
            if is_object {
                // If the first order is on a single line, the text is NDJSON. Then a malformed line
                // must not hide the next order.
                by_line.get_or_insert(self.text.place().0 == place.0 + 1);
            }
            let more = self.text.blank(&mut body)?.is_some();
            let name = if first && !more {
                // A single document is kept byte for byte.
                self.name.to_owned()
            } else {
                trim_end(&mut body);
                format!("{}-{}", self.name, place.0)
            };
            if !self.emit(name, body, place) || !more {
                return Ok(());
            }
            if by_line == Some(true) {
                return self.lines();
            }
            first = false;
        }
    }

    /// Reads an object to the end of its last line, or a comment to the end of its line. Anything
    /// else is not an order, so the rest of the text is read at once and causes a single finding.
    fn document(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        match self.text.peek()? {
            Some(b'{') => {
                self.text.value(body, false)?;
                self.text.line(body)
            }
            Some(b'/' | b'#') => self.text.line(body),
            _ => self.text.rest(body),
        }
    }

    /// Reads the elements of an array, numbered from 1. Text after the array is read line by line.
    fn array(&mut self) -> io::Result<()> {
        self.text.advance()?;
        let mut number = 0_u64;
        // Whether a comma was read last. An element must follow it.
        let mut pending = false;
        loop {
            let next = self.text.skip_blank()?;
            let place = self.text.place();
            if next == Some(b']') && !pending {
                self.text.advance()?;
                return self.lines();
            }
            if matches!(next, None | Some(b',' | b']')) {
                // An element or the closing bracket is missing. The parser of orders reports that.
                let body = next.into_iter().collect();
                let goes_on = self.emit(self.name.to_owned(), body, place);
                pending = next == Some(b',');
                if !goes_on || next.is_none() {
                    return Ok(());
                }
                if pending {
                    self.text.advance()?;
                }
                continue;
            }
            let mut body = Vec::new();
            let whole = self.text.value(&mut body, true)?;
            trim_end(&mut body);
            number += 1;
            if !self.emit(format!("{}-{number}", self.name), body, place) || !whole {
                return Ok(());
            }
            pending = self.text.skip_blank()? == Some(b',');
            if pending {
                self.text.advance()?;
            }
        }
    }
}

/// Removes trailing white space, such as a line break.
fn trim_end(body: &mut Vec<u8>) {
    body.truncate(body.trim_ascii_end().len());
}

#[cfg(test)]
mod tests;
