//! Tables: those of the layout flow, those that are tables to their readers are aligned. One that is too wide for its words becomes a list, with the
//! head of each column before its values.

use super::flow::Flow;
use super::tree::Element;
use super::wrap::{width, width_min, wrapped};

/// Columns between two cells.
const GAP: usize = 2;
/// Cells of a row that are aligned; a table with more flows.
const CELLS_MAX: usize = 50;
/// Columns of a cell before the table is laid out.
const UNBOUNDED: usize = usize::MAX;

/// A cell of a table that is aligned.
struct Cell {
    lines: Vec<String>,
    span: usize,
    is_head: bool,
    at_end: bool,
}

impl Cell {
    /// Returns the lines in a width.
    fn wrapped(&self, columns: usize) -> Vec<String> {
        self.lines.iter().flat_map(|line| wrapped(line, columns)).collect()
    }

    fn width(&self) -> usize {
        self.lines.iter().map(|line| width(line)).max().unwrap_or(0)
    }

    fn width_min(&self) -> usize {
        self.lines.iter().map(|line| width_min(line)).max().unwrap_or(0)
    }

    fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.trim().is_empty())
    }
}

type Row = Vec<Cell>;

/// Writes a table.
pub(super) fn table(flow: &mut Flow<'_>, table: &Element) {
    let rows = rows(table);
    for caption in table.elements().filter(|inner| inner.name == "caption") {
        if !flow.is_hidden(caption) {
            flow.paragraph();
            flow.nodes(&caption.children);
        }
    }
    flow.paragraph();
    if is_layout(table, &rows) {
        for row in rows {
            for cell in cells(row) {
                if !flow.is_hidden(row) && !flow.is_hidden(cell) {
                    flow.nodes(&cell.children);
                    flow.paragraph();
                }
            }
        }
        return;
    }
    let mut read: Vec<Row> = Vec::new();
    for row in rows {
        if !flow.is_hidden(row) {
            let shown = cells(row).filter(|cell| !flow.is_hidden(cell)).collect::<Vec<_>>();
            read.push(shown.into_iter().map(|cell| self::read(flow, cell)).collect());
        }
    }
    read.retain(|row: &Row| !row.iter().all(Cell::is_empty));
    let lines = aligned(&read, flow.columns()).unwrap_or_else(|| listed(&read, flow.columns()));
    flow.block(lines);
}

/// Returns the rows of a table, not those of tables in it.
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

/// Tells whether a table is only there for its looks: it says so (WAI-ARIA, `presentation`), holds tables or whole blocks of text, or has no two
/// cells beside each other.
fn is_layout(table: &Element, rows: &[&Element]) -> bool {
    matches!(table.attribute("role"), Some("presentation" | "none"))
        || holds_table(table)
        || rows.iter().any(|row| cells(row).any(holds_blocks))
        || rows.iter().all(|row| cells(row).count() < 2)
        || rows.iter().any(|row| cells(row).map(span).sum::<usize>() > CELLS_MAX)
}

/// Tells whether a cell holds what no cell of data does: a heading, a list, or several paragraphs.
fn holds_blocks(cell: &Element) -> bool {
    let named = |names: &[&str]| {
        cell.elements().filter(|inner| names.contains(&inner.name.as_str())).count()
    };
    named(&["h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "hr", "form"]) > 0
        || named(&["p", "div"]) > 1
}

fn holds_table(element: &Element) -> bool {
    element.elements().any(|inner| inner.name == "table" || holds_table(inner))
}

fn span(cell: &Element) -> usize {
    let span = cell.attribute("colspan").and_then(|span| span.trim().parse().ok());
    span.unwrap_or(1).clamp(1, CELLS_MAX + 1)
}

fn read(flow: &mut Flow<'_>, cell: &Element) -> Cell {
    let style = cell.attribute("style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
    let align = cell.attribute("align").unwrap_or_default().to_ascii_lowercase();
    Cell {
        lines: flow.within(&cell.children, UNBOUNDED),
        span: span(cell),
        is_head: cell.name == "th",
        at_end: align == "right"
            || ["text-align:right", "text-align:end"].iter().any(|end| style.contains(end)),
    }
}

/// Returns the lines of a table with its columns below each other, unless its words are too wide for that.
fn aligned(rows: &[Row], columns: usize) -> Option<Vec<String>> {
    let widths = widths(rows, columns)?;
    let mut lines = Vec::new();
    for row in rows {
        let mut at = 0;
        let mut parts = Vec::new();
        for cell in row {
            let spanned = widths.get(at..at + cell.span).unwrap_or_default();
            let width = spanned.iter().sum::<usize>() + GAP * cell.span.saturating_sub(1);
            parts.push((cell.wrapped(width), width, cell.at_end));
            at += cell.span;
        }
        let height = parts.iter().map(|(lines, ..)| lines.len()).max().unwrap_or(0);
        for position in 0..height {
            let mut line = String::new();
            for (part, (lines, column, at_end)) in parts.iter().enumerate() {
                let text = lines.get(position).map_or("", String::as_str);
                let fill = " ".repeat(column.saturating_sub(width(text)));
                let gap = if part > 0 { " ".repeat(GAP) } else { String::new() };
                let (before, behind) =
                    if *at_end { (fill.as_str(), "") } else { ("", fill.as_str()) };
                line.extend([gap.as_str(), before, text, behind]);
            }
            lines.push(line.trim_end().to_owned());
        }
    }
    Some(lines)
}

/// Returns the width of each column, if none has to be narrower than its widest word.
fn widths(rows: &[Row], columns: usize) -> Option<Vec<usize>> {
    let count = rows.iter().map(|row| row.iter().map(|cell| cell.span).sum()).max().unwrap_or(0);
    let mut least = vec![0_usize; count];
    let mut most = vec![0_usize; count];
    // Cells over several columns come last: they only widen the last of theirs.
    let mut spans: Vec<(usize, &Cell)> = Vec::new();
    for row in rows {
        let mut at = 0;
        for cell in row {
            spans.push((at, cell));
            at += cell.span;
        }
    }
    spans.sort_by_key(|(_, cell)| cell.span);
    for (at, cell) in spans {
        let widen = |widths: &mut Vec<usize>, wanted: usize| {
            let spanned = widths.get(at..at + cell.span).unwrap_or_default();
            let there = spanned.iter().sum::<usize>() + GAP * (cell.span - 1);
            if let Some(last) = widths.get_mut(at + cell.span - 1) {
                *last += wanted.saturating_sub(there);
            }
        };
        widen(&mut least, cell.width_min());
        // Words over several columns are divided rather than make these wider.
        widen(&mut most, if cell.span == 1 { cell.width() } else { cell.width_min() });
    }
    let gaps = GAP * count.saturating_sub(1);
    let left = columns.checked_sub(gaps + least.iter().sum::<usize>())?;
    let wanted: usize = most.iter().zip(&least).map(|(most, least)| most - least).sum();
    let share = |(most, least): (&usize, &usize)| match wanted <= left {
        true => *most,
        // Rounded down, so that the sum fits.
        false => least + (most - least) * left / wanted,
    };
    Some(most.iter().zip(&least).map(share).collect())
}

/// Returns the lines of a table as a list: the cells of a row below each other, each behind the head of its column or of its row.
fn listed(rows: &[Row], columns: usize) -> Vec<String> {
    let is_head = |row: &Row| row.iter().all(|cell| cell.is_head);
    let (heads, rows) = match rows {
        [first, rest @ ..] if is_head(first) && !rest.is_empty() => (first.as_slice(), rest),
        rows => (&[][..], rows),
    };
    let mut names: Vec<String> = Vec::new();
    for head in heads {
        names.extend(std::iter::repeat_n(head.lines.join(" "), head.span));
    }
    let mut lines = Vec::new();
    for row in rows {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut at = 0;
        let mut row_head: Option<String> = None;
        for cell in row {
            let name = row_head.take().or_else(|| names.get(at).cloned()).unwrap_or_default();
            at += cell.span;
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
