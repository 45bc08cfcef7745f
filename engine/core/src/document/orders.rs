//! The orders in a text: one JSON document, an array of them, or documents one after the other (NDJSON).
//!
//! The content decides which of these it is. Only `.ndjson` and `.jsonl` promise one order per line, so there a broken line never hides the next
//! one. Nothing is held in memory but the order that is read.

mod text;

use std::io::{self, BufRead};

use text::Text;

/// What is known of a text of orders before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderForm {
    /// One order per line.
    Lines,
    /// One order or several, and at least one.
    Documents,
    /// One order, several or none.
    Stream,
}

impl OrderForm {
    /// Returns the form of a file by its name.
    pub fn of_file(name: &str) -> Self {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if matches!(extension, Some("ndjson" | "jsonl")) { Self::Lines } else { Self::Documents }
    }
}

/// An order that was found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderText {
    /// The name of the text, with a number if the text may hold several orders.
    pub name: String,
    /// The bytes. If there are more than an order may have, one byte more is kept, so that it is refused as too large.
    pub body: Vec<u8>,
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The column in which it begins, in characters from 1.
    pub column: u64,
}

/// Receives an order; returns whether to go on.
type Each<'e> = dyn FnMut(OrderText) -> bool + 'e;

/// Calls `each` with every order of a text until it returns false. What is no order is given as well, so that its reader finds the fault.
///
/// # Errors
/// When the text cannot be read.
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
    fn give(&mut self, name: String, body: Vec<u8>, (line, column): (u64, u64)) -> bool {
        (self.each)(OrderText { name, body, line, column })
    }

    /// Reads one order per line, named by its line.
    fn lines(&mut self) -> io::Result<()> {
        while self.text.skip_blank()?.is_some() {
            let place = self.text.place();
            let mut body = Vec::new();
            self.text.line(&mut body)?;
            trim_end(&mut body);
            if !self.give(format!("{}-{}", self.name, place.0), body, place) {
                break;
            }
        }
        Ok(())
    }

    /// Reads one document, or several if more than one is there. One alone has the name of the source, several are named by their lines.
    fn documents(&mut self) -> io::Result<()> {
        let (mut first, mut by_line) = (true, None);
        loop {
            let place = self.text.place();
            let is_object = self.text.peek()? == Some(b'{');
            let mut body = Vec::new();
            self.document(&mut body)?;
            if is_object {
                // If the first order fits on one line, this is NDJSON, where a broken line does not hide the next one.
                by_line.get_or_insert(self.text.place().0 == place.0 + 1);
            }
            let more = self.text.blank(&mut body)?.is_some();
            let name = if first && !more {
                // One alone stays as it is, byte for byte.
                self.name.to_owned()
            } else {
                trim_end(&mut body);
                format!("{}-{}", self.name, place.0)
            };
            if !self.give(name, body, place) || !more {
                return Ok(());
            }
            if by_line == Some(true) {
                return self.lines();
            }
            first = false;
        }
    }

    /// Reads an object up to the end of the line on which it ends, a comment up to the end of its line, and anything else to the end: that is no
    /// order, and one finding is enough for it.
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

    /// Reads the elements of an array, numbered from 1. What follows the array is read by line.
    fn array(&mut self) -> io::Result<()> {
        self.text.advance()?;
        let mut number = 0_u64;
        // Whether a comma was read last, which an element must follow.
        let mut pending = false;
        loop {
            let next = self.text.skip_blank()?;
            let place = self.text.place();
            if next == Some(b']') && !pending {
                self.text.advance()?;
                return self.lines();
            }
            if matches!(next, None | Some(b',' | b']')) {
                // An element or the closing bracket is missing here: the reader of the order says so.
                let body = next.into_iter().collect();
                let goes_on = self.give(self.name.to_owned(), body, place);
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
            if !self.give(format!("{}-{number}", self.name), body, place) || !whole {
                return Ok(());
            }
            pending = self.text.skip_blank()? == Some(b',');
            if pending {
                self.text.advance()?;
            }
        }
    }
}

/// Drops white space at the end, such as that of a line.
fn trim_end(body: &mut Vec<u8>) {
    body.truncate(body.trim_ascii_end().len());
}

#[cfg(test)]
mod tests;
