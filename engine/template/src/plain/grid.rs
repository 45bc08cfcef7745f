//! The cells of a table in their columns, and the widths of the columns.

use super::image::{image_alt, mentions};
use super::wrap::{width, width_min, wrapped};

/// Number of spaces between two cells.
pub(super) const GAP: usize = 2;
/// Maximum number of columns. If the `rowspan`s of a table need more, they are ignored.
const COLUMNS_MAX: usize = 100;

/// Maximum size in bytes of an image's `alt` that is compared with the other cells of its row.
const ALT_BYTES_MAX: usize = 500;

/// A cell of an aligned table.
pub(super) struct Cell {
    pub(super) lines: Vec<String>,
    /// Its first column, and the number of columns and rows that it spans.
    pub(super) column: usize,
    pub(super) span: usize,
    pub(super) rows: usize,
    pub(super) is_head: bool,
    pub(super) at_end: bool,
    /// Whether its lines are wrapped only if the table does not fit otherwise.
    pub(super) is_whole: bool,
}

impl Cell {
    /// Returns the lines, wrapped to a width.
    pub(super) fn wrapped(&self, columns: usize) -> Vec<String> {
        self.lines.iter().flat_map(|line| wrapped(line, columns)).collect()
    }

    fn width(&self) -> usize {
        self.lines.iter().map(|line| width(line)).max().unwrap_or(0)
    }

    fn width_min(&self) -> usize {
        self.lines.iter().map(|line| width_min(line)).max().unwrap_or(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.trim().is_empty())
    }
}

pub(super) type Row = Vec<Cell>;

/// Assigns each cell the first column that is not covered by another cell of its row or by a cell
/// from above.
pub(super) fn place(rows: &mut [Row]) {
    if !try_place(rows, true) {
        let _placed = try_place(rows, false);
    }
}

fn try_place(rows: &mut [Row], with_row_spans: bool) -> bool {
    // For each column, the number of rows that a cell from above still spans.
    let mut covered: Vec<usize> = Vec::new();
    for row in rows {
        let mut at = 0;
        let mut below: Vec<(usize, usize, usize)> = Vec::new();
        for cell in row {
            while covered.get(at).is_some_and(|rows| *rows > 0) {
                at += 1;
            }
            cell.column = at;
            if with_row_spans && cell.rows > 1 {
                below.push((at, cell.span, cell.rows));
            }
            at += cell.span;
        }
        if with_row_spans && at > COLUMNS_MAX {
            return false;
        }
        covered.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
        for (at, span, rows) in below {
            covered.resize(covered.len().max(at + span), 0);
            if let Some(columns) = covered.get_mut(at..at + span) {
                columns.fill(rows - 1);
            }
        }
    }
    true
}

/// Removes the columns that are empty in every row.
pub(super) fn drop_empty_columns(rows: &mut [Row]) {
    let count = column_count(rows);
    let mut kept = vec![false; count];
    let full = |cell: &&Cell| !cell.is_empty();
    for cell in rows.iter().flatten().filter(full).filter(|cell| cell.span == 1) {
        kept.iter_mut().skip(cell.column).take(1).for_each(|kept| *kept = true);
    }
    for cell in rows.iter().flatten().filter(full) {
        let covered = kept.iter_mut().skip(cell.column).take(cell.span);
        let mut columns: Vec<&mut bool> = covered.collect();
        if columns.iter().all(|kept| !**kept)
            && let Some(last) = columns.last_mut()
        {
            **last = true;
        }
    }
    if kept.iter().all(|kept| *kept) {
        return;
    }
    let before = |at: usize| kept.iter().take(at).filter(|kept| **kept).count();
    for row in rows {
        for cell in row.iter_mut() {
            let end = before(cell.column + cell.span);
            cell.column = before(cell.column);
            cell.span = end - cell.column;
        }
        row.retain(|cell| cell.span > 0);
    }
}

/// Clears cells that contain only an image whose `alt` repeats the text of another cell in the row.
pub(super) fn drop_repeated_images(rows: &mut [Row]) {
    for row in rows {
        for position in 0..row.len() {
            let Some([line]) = row.get(position).map(|cell| cell.lines.as_slice()) else {
                continue;
            };
            let alt = image_alt(line).filter(|_| line.len() <= ALT_BYTES_MAX);
            let Some(alt) = alt else { continue };
            let mentions_alt = |text: &String| image_alt(text).is_none() && mentions(text, alt);
            let mut others = row.iter().enumerate().filter(|(other, _)| *other != position);
            let is_repeated = others.any(|(_, cell)| cell.lines.iter().any(mentions_alt));
            if let Some(cell) = row.get_mut(position).filter(|_| is_repeated) {
                cell.lines.clear();
            }
        }
    }
}

fn column_count(rows: &[Row]) -> usize {
    rows.iter().flatten().map(|cell| cell.column + cell.span).max().unwrap_or(0)
}

/// Returns the width of each column, or `None` if a column would have to be narrower than its
/// widest word.
pub(super) fn widths(rows: &[Row], columns: usize) -> Option<Vec<usize>> {
    let has_whole = rows.iter().flatten().any(|cell| cell.is_whole);
    let whole = has_whole.then(|| widths_of(rows, columns, true)).flatten();
    whole.or_else(|| widths_of(rows, columns, false))
}

fn widths_of(rows: &[Row], columns: usize, keeps_whole: bool) -> Option<Vec<usize>> {
    let count = column_count(rows);
    let mut least = vec![0_usize; count];
    let mut most = vec![0_usize; count];
    // Cells that span several columns come last. Each widens only the last column that it spans.
    let mut cells: Vec<&Cell> = rows.iter().flatten().collect();
    cells.sort_by_key(|cell| cell.span);
    for cell in cells {
        let at = cell.column;
        let widen = |widths: &mut Vec<usize>, wanted: usize| {
            let spanned = widths.get(at..at + cell.span).unwrap_or_default();
            let there = spanned.iter().sum::<usize>() + GAP * (cell.span - 1);
            if let Some(last) = widths.get_mut(at + cell.span - 1) {
                *last += wanted.saturating_sub(there);
            }
        };
        let is_whole = keeps_whole && cell.is_whole;
        let width_min = if is_whole { cell.width() } else { cell.width_min() };
        widen(&mut least, width_min);
        // Text that spans several columns is wrapped rather than widening these columns.
        widen(&mut most, if cell.span == 1 { cell.width() } else { width_min });
    }
    for (most, least) in most.iter_mut().zip(&least) {
        *most = (*most).max(*least);
    }
    let room = columns.checked_sub(GAP * count.saturating_sub(1))?;
    if least.iter().sum::<usize>() > room {
        return None;
    }
    let is_narrowed = most.iter().sum::<usize>() > room;
    let widths = narrowed(&least, &most, room);
    Some(if is_narrowed { trimmed(rows, widths) } else { widths })
}

/// Removes unused space at the right of narrowed columns.
fn trimmed(rows: &[Row], widths: Vec<usize>) -> Vec<usize> {
    let mut used = vec![0_usize; widths.len()];
    let mut cells: Vec<&Cell> = rows.iter().flatten().collect();
    cells.sort_by_key(|cell| cell.span);
    for cell in cells {
        let columns = cell.column..cell.column + cell.span;
        let gaps = GAP * (cell.span - 1);
        let sum = |widths: &[usize]| {
            widths.get(columns.clone()).unwrap_or_default().iter().sum::<usize>() + gaps
        };
        let lines = cell.wrapped(sum(&widths));
        let longest = lines.iter().map(|line| width(line)).max().unwrap_or(0);
        let missing = longest.saturating_sub(sum(&used));
        if let Some(last) = used.get_mut(columns.end - 1) {
            *last += missing;
        }
    }
    if used.iter().sum::<usize>() <= widths.iter().sum() { used } else { widths }
}

/// Narrows the widest columns until all columns fit. Narrow columns, such as numbers, units or
/// dates, stay whole.
fn narrowed(least: &[usize], most: &[usize], room: usize) -> Vec<usize> {
    let at = |cap: usize| -> Vec<usize> {
        most.iter().zip(least).map(|(most, least)| cap.clamp(*least, *most)).collect()
    };
    let fits = |widths: &[usize]| widths.iter().sum::<usize>() <= room;
    // Binary search for the largest cap that fits.
    let (mut low, mut high) = (0, most.iter().copied().max().unwrap_or(0));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(&at(middle)) { low = middle } else { high = middle - 1 }
    }
    let mut widths = at(low);
    let mut left = room.saturating_sub(widths.iter().sum());
    for (width, most) in widths.iter_mut().zip(most) {
        if left > 0 && *width < *most {
            *width += 1;
            left -= 1;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_are_narrowed() {
        assert_eq!(narrowed(&[5, 2], &[40, 10], 50), [40, 10]);
        assert_eq!(narrowed(&[5, 2], &[40, 10], 30), [20, 10]);
        assert_eq!(narrowed(&[5, 2, 5], &[40, 3, 40], 30), [14, 3, 13]);
        assert_eq!(narrowed(&[5, 8], &[40, 8], 13), [5, 8]);
    }
}
