//! Tables of plain text.

use comfy_table::{Table, presets};

/// Returns rows as aligned columns with two spaces between them. The lines have no borders and no
/// trailing spaces.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    table_with_gap(rows, 2)
}

/// Returns rows as aligned columns with the given number of spaces between them.
pub(super) fn table_with_gap(rows: &[Vec<String>], gap: u16) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, gap));
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rows: &[&[&str]]) -> String {
        let rows = rows.iter().map(|row| row.iter().map(ToString::to_string).collect());
        table(&rows.collect::<Vec<_>>())
    }

    #[test]
    fn columns_are_aligned_without_trailing_spaces() {
        assert_eq!(shown(&[&["a", "1"], &["long", "2"]]), "a     1\nlong  2\n");
        assert_eq!(shown(&[&["a", ""], &["b", "x"]]), "a\nb  x\n");
    }

    #[test]
    fn rows_may_have_different_lengths() {
        assert_eq!(shown(&[&["a"], &["b", "2", "x"]]), "a\nb  2  x\n");
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(shown(&[&["日本", "1"], &["e\u{301}a", "2"]]), "日本  1\ne\u{301}a    2\n");
    }

    #[test]
    fn indentation_and_empty_cells_are_kept() {
        assert_eq!(shown(&[&["  a", "", "1"], &["", "b", "2"]]), "  a     1\n     b  2\n");
    }
}
