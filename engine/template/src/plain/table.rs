//! Tables: the cells of layout tables become paragraphs, and data tables are aligned. A data table
//! that is too wide becomes a list with the column header before each value.

use super::flow::{COLUMNS, Flow};
use super::grid::{Cell, GAP, Row, drop_empty_columns, drop_repeated_images, place, widths};
use super::tree::{Element, Node};
use super::wrap::{width, wrapped};

/// Maximum number of columns of an aligned table. The cells of a wider table become paragraphs.
const CELLS_MAX: usize = 50;
/// Maximum number of rows that a cell can span.
const ROWS_MAX: usize = 1_000;
/// Width of a cell before the column widths are known.
const UNBOUNDED: usize = usize::MAX;
/// Maximum number of characters of a number with its unit.
const NUMBER_CHARS_MAX: usize = 20;

/// Writes a table.
pub(super) fn table(flow: &mut Flow<'_, '_>, table: &Element) {
    let rows = rows(table);
    for caption in table.elements().filter(|inner| inner.name == "caption") {
        if !caption.is_hidden {
            flow.paragraph();
            flow.nodes(&caption.children);
        }
    }
    flow.paragraph();
    if is_layout(table, &rows) {
        for row in rows {
            for cell in cells(row) {
                if !row.is_hidden && !cell.is_hidden {
                    flow.nodes(&cell.children);
                    flow.paragraph();
                }
            }
        }
        return;
    }
    let mut read: Vec<Row> = Vec::new();
    for row in rows.into_iter().filter(|row| !row.is_hidden) {
        let shown = cells(row).filter(|cell| !cell.is_hidden);
        read.push(shown.map(|cell| self::read(flow, cell)).collect());
    }
    place(&mut read);
    drop_repeated_images(&mut read);
    drop_empty_columns(&mut read);
    read.retain(|row: &Row| !row.iter().all(Cell::is_empty));
    // The width inside a cell is unbounded. Without this limit, a nested table would grow with the
    // product of its longest text and its rows.
    let columns = flow.columns().min(COLUMNS);
    let lines = aligned(&read, columns).unwrap_or_else(|| listed(&read, columns));
    flow.block(lines);
}

/// Returns the rows of a table, without those of nested tables.
fn rows(table: &Element) -> Vec<&Element> {
    let mut rows = Vec::new();
    for inner in table.elements() {
        match inner.name.as_str() {
            "tr" => rows.push(inner),
            "thead" | "tbody" | "tfoot" => {
                rows.extend(inner.elements().filter(|row| row.name == "tr"));
            }
            _ => {}
        }
    }
    rows
}

fn cells(row: &Element) -> impl Iterator<Item = &Element> {
    row.elements().filter(|cell| matches!(cell.name.as_str(), "td" | "th"))
}

/// Returns whether a table is used for layout. Such a table has the role `presentation` (WAI-ARIA),
/// no row with two cells, or more than [`CELLS_MAX`] columns. A table that contains tables or
/// blocks of text and does not look like a data table is used for layout, too.
fn is_layout(table: &Element, rows: &[&Element]) -> bool {
    matches!(table.attribute("role"), Some("presentation" | "none"))
        || rows.iter().all(|row| cells(row).count() < 2)
        || rows.iter().any(|row| cells(row).map(span).sum::<usize>() > CELLS_MAX)
        || (contains_table(table) || rows.iter().any(|row| cells(row).any(contains_blocks)))
            && !has_headers(rows)
            && !ends_in_numbers(rows)
}

/// Returns whether the table has both header cells and data cells. A table that has only header
/// cells may be used for layout.
fn has_headers(rows: &[&Element]) -> bool {
    let mut all = rows.iter().flat_map(|row| cells(row));
    let first = all.next().map(|cell| cell.name.as_str());
    all.any(|cell| Some(cell.name.as_str()) != first)
}

/// Returns whether each row ends in a number, such as an amount.
fn ends_in_numbers(rows: &[&Element]) -> bool {
    let is_figure = |row: &&Element| {
        let mut text = String::new();
        if let Some(last) = cells(row).last() {
            collect(last, &mut text);
        }
        let text = text.trim();
        text.contains(|char: char| char.is_numeric()) && text.chars().count() <= NUMBER_CHARS_MAX
    };
    rows.len() > 1 && rows.iter().all(is_figure)
}

/// Collects the text of an element, up to the length of a number.
fn collect(element: &Element, text: &mut String) {
    for child in &element.children {
        match child {
            Node::Text(part) if text.len() <= NUMBER_CHARS_MAX * 4 => text.push_str(part.trim()),
            Node::Text(_) => return,
            Node::Element(inner) if inner.is_hidden => {}
            Node::Element(inner) => collect(inner, text),
        }
    }
}

/// Returns whether a cell contains a heading, a list or several paragraphs, which data cells rarely
/// have.
fn contains_blocks(cell: &Element) -> bool {
    let named = |names: &[&str]| {
        cell.elements().filter(|inner| names.contains(&inner.name.as_str())).count()
    };
    named(&["h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "hr", "form"]) > 0
        || named(&["p", "div"]) > 1
}

fn contains_table(element: &Element) -> bool {
    element.elements().any(|inner| inner.name == "table" || contains_table(inner))
}

fn span(cell: &Element) -> usize {
    let span = cell.attribute("colspan").and_then(|span| span.trim().parse().ok());
    span.unwrap_or(1).clamp(1, CELLS_MAX + 1)
}

fn row_span(cell: &Element) -> usize {
    let span = cell.attribute("rowspan").and_then(|span| span.trim().parse().ok());
    span.unwrap_or(1).clamp(1, ROWS_MAX)
}

fn read(flow: &mut Flow<'_, '_>, cell: &Element) -> Cell {
    let style = cell.attribute("style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
    let align = cell.attribute("align").unwrap_or_default().to_ascii_lowercase();
    let mut lines = flow.within(&cell.children, UNBOUNDED);
    lines.retain(|line| !line.is_empty());
    Cell {
        lines,
        column: 0,
        span: span(cell),
        rows: row_span(cell),
        is_head: cell.name == "th",
        at_end: align == "right"
            || ["text-align:right", "text-align:end"].iter().any(|end| style.contains(end)),
        is_whole: cell.attribute("nowrap").is_some() || style.contains("white-space:nowrap"),
    }
}

/// Returns the lines of a table with aligned columns, or `None` if it does not fit.
fn aligned(rows: &[Row], columns: usize) -> Option<Vec<String>> {
    let widths = widths(rows, columns)?;
    let mut lines = Vec::new();
    for row in rows {
        let mut parts = Vec::new();
        for cell in row {
            let offset = widths.iter().take(cell.column).map(|width| width + GAP).sum::<usize>();
            let spanned = widths.get(cell.column..cell.column + cell.span).unwrap_or_default();
            let width = spanned.iter().sum::<usize>() + GAP * cell.span.saturating_sub(1);
            parts.push((cell.wrapped(width), offset, width, cell.at_end));
        }
        let height = parts.iter().map(|(lines, ..)| lines.len()).max().unwrap_or(0);
        for position in 0..height {
            let mut line = String::new();
            let mut used = 0;
            for (lines, offset, column, at_end) in &parts {
                let text = lines.get(position).map_or("", String::as_str);
                let fill = if *at_end { column.saturating_sub(width(text)) } else { 0 };
                let gap = (offset + fill).saturating_sub(used);
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(text);
                used += gap + width(text);
            }
            lines.push(line.trim_end().to_owned());
        }
    }
    Some(lines)
}

/// Returns the lines of a table as a list: one line per cell, each with its column or row header.
fn listed(rows: &[Row], columns: usize) -> Vec<String> {
    let is_head = |row: &Row| row.iter().all(|cell| cell.is_head);
    let (heads, rows) = match rows {
        [first, rest @ ..] if is_head(first) && !rest.is_empty() => (first.as_slice(), rest),
        rows => (&[][..], rows),
    };
    let mut names: Vec<String> = Vec::new();
    for head in heads {
        names.resize(head.column, String::new());
        names.extend(std::iter::repeat_n(head.lines.join(" "), head.span));
    }
    let mut lines = Vec::new();
    for row in rows {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut row_head: Option<String> = None;
        for cell in row {
            let name = row_head.take().or_else(|| names.get(cell.column).cloned());
            let name = name.unwrap_or_default();
            let text = cell.lines.join(" ");
            if cell.is_head && row.len() > 1 {
                row_head = Some(text);
            } else if !cell.is_empty() {
                let named = !name.is_empty() && cell.span == 1;
                let text = if named { format!("{name}: {text}") } else { text };
                lines.extend(wrapped(&text, columns));
            }
        }
        lines.extend(row_head.iter().flat_map(|head| wrapped(head, columns)));
    }
    lines
}
