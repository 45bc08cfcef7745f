//! Orders from CSV files (RFC 4180). The first row contains the names of the columns. Each other row
//! becomes the JSON text of an order, so that it is validated and stored like any other order.

use std::io::{self, BufRead, Read};

use csv::{ByteRecord, ReaderBuilder};
use oms_engine::document::OrderText;
use oms_engine::value::JsonNode;

use crate::orders::csv_columns::Columns;

/// The byte order mark.
const MARK: &[u8] = b"\xEF\xBB\xBF";
/// Size of the buffer of the CSV parser in bytes.
const BUFFER: usize = 8 * 1024;
/// Maximum size of a row, as a multiple of the maximum size of an order: names of columns are not
/// repeated, but quotation marks may double the size of a cell.
const ROW_FACTOR: usize = 2;

/// A line and a column in a file, in characters from 1.
pub(crate) type Position = (u64, u64);

/// The places of a row's cells, and its fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// The JSON pointer of each column, and the place of its cell.
    cells: Vec<(String, Position)>,
    /// Why the row is not an order.
    pub(crate) fault: Option<(Position, String)>,
}

impl Row {
    fn fault(place: Position, message: impl Into<String>) -> Self {
        Self { cells: Vec::new(), fault: Some((place, message.into())) }
    }

    /// Returns the place of the cell with the value at a JSON pointer, or of the first cell with a
    /// part of the value.
    pub(crate) fn place(&self, pointer: &str) -> Option<Position> {
        let find = |is: &dyn Fn(&str) -> bool| {
            self.cells.iter().find(|(known, _)| is(known)).map(|(_, place)| *place)
        };
        let below = format!("{pointer}/");
        find(&|known| known == pointer)
            .or_else(|| find(&|known| !pointer.is_empty() && known.starts_with(&below)))
    }
}

/// Calls `each` with every order of a CSV file, until it returns false. A row that is not an order
/// has an empty body and a fault.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(crate) fn read_csv(
    input: &mut dyn BufRead,
    name: &str,
    (order, bytes_max): (&JsonNode, usize),
    each: &mut dyn FnMut(OrderText, Row) -> bool,
) -> io::Result<()> {
    if input.fill_buf()?.starts_with(MARK) {
        input.consume(MARK.len());
    }
    let row_max = bytes_max.saturating_mul(ROW_FACTOR) + BUFFER;
    let recorded = Recorded { input, raw: Vec::new(), start: 0, row_max, is_cut: false };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(BUFFER)
        .from_reader(recorded);
    let (mut record, mut line) = (ByteRecord::new(), 1);
    let mut columns: Option<Columns> = None;
    let faulty = |(line, column): Position, message: String| {
        let text = OrderText { name: format!("{name}-{line}"), body: Vec::new(), line, column };
        (text, Row::fault((line, column), message))
    };
    while reader.read_byte_record(&mut record)? {
        let end = reader.position().byte();
        let raw = reader.get_mut();
        let (places, next_line) = field_places(raw.row(end), line);
        let is_cut = raw.is_cut;
        raw.forget(end);
        line = next_line;
        let first = places.first().copied().unwrap_or((line, 1));
        if is_cut {
            let message =
                format!("the row is larger than {row_max} bytes; a quotation mark may be missing");
            let (text, row) = faulty(first, message);
            each(text, row);
            return Ok(());
        }
        let place_of = |cell: usize| places.get(cell).copied().unwrap_or(first);
        let Some(columns) = &columns else {
            match Columns::new(&record, order) {
                Ok(known) => columns = Some(known),
                Err((cell, message)) => {
                    let (text, row) = faulty(place_of(cell), message);
                    each(text, row);
                    return Ok(());
                }
            }
            continue;
        };
        let (text, row) = match columns.order(&record) {
            Ok(body) => {
                let name = format!("{name}-{}", first.0);
                let text = OrderText { name, body, line: first.0, column: first.1 };
                let cells = columns.pointers().map(str::to_owned).zip(places).collect();
                (text, Row { cells, fault: None })
            }
            Err((cell, message)) => {
                let place = place_of(cell);
                let (text, row) = faulty(place, message);
                (OrderText { line: first.0, column: first.1, ..text }, row)
            }
        };
        if !each(text, row) {
            return Ok(());
        }
    }
    if columns.is_none() {
        let (text, row) =
            faulty((1, 1), "the file has no row with the names of columns".to_owned());
        each(text, row);
    }
    Ok(())
}

/// A file whose latest bytes are kept, to find the places of cells.
struct Recorded<'r> {
    input: &'r mut dyn BufRead,
    /// The bytes since the end of the last row.
    raw: Vec<u8>,
    /// The position of the first of these bytes in the file.
    start: u64,
    row_max: usize,
    /// Whether a row was cut because it is too large.
    is_cut: bool,
}

impl Recorded<'_> {
    /// Returns the bytes from the end of the last row to a position.
    fn row(&self, end: u64) -> &[u8] {
        self.raw.get(..self.length(end)).unwrap_or(&self.raw)
    }

    fn forget(&mut self, end: u64) {
        let length = self.length(end).min(self.raw.len());
        self.raw.drain(..length);
        self.start += length as u64;
    }

    fn length(&self, end: u64) -> usize {
        usize::try_from(end.saturating_sub(self.start)).unwrap_or(usize::MAX)
    }
}

impl Read for Recorded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.row_max.saturating_sub(self.raw.len()).min(buffer.len());
        let buffer = buffer.get_mut(..left).unwrap_or_default();
        let count = self.input.read(buffer)?;
        self.is_cut |= left == 0 && !self.input.fill_buf()?.is_empty();
        self.raw.extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Returns the place of each field of a row, and the line after it. `raw` begins at the end of the
/// last row, on line `line`.
fn field_places(raw: &[u8], mut line: u64) -> (Vec<Position>, u64) {
    let mut places = Vec::new();
    // Whether the field began with a quotation mark, and whether the quoted text is open. Two
    // quotation marks close and open it again.
    let (mut is_quoted, mut is_open) = (false, false);
    let (mut column, mut begins) = (1, true);
    for byte in raw {
        let is_blank = places.is_empty() && matches!(byte, b'\r' | b'\n');
        if begins && !is_blank {
            places.push((line, column));
            (begins, is_quoted, is_open) = (false, *byte == b'"', *byte == b'"');
        } else if *byte == b'"' {
            is_open = is_quoted && !is_open;
        }
        begins |= *byte == b',' && !is_open;
        match byte {
            b'\n' => (line, column) = (line + 1, 1),
            // UTF-8 continuation bytes do not start a new character.
            byte if byte & 0xC0 != 0x80 => column += 1,
            _ => {}
        }
    }
    if begins && !places.is_empty() {
        places.push((line, column));
    }
    (places, line)
}

#[cfg(test)]
mod tests;
