//! Quotes: finds the extent of an unquoted value in a line, and writes the value in quotes.

use std::ops::Range;

use super::flow;

/// Writes a text as a quoted YAML scalar: in double quotes, or in single quotes if the text
/// contains double quotes or backslashes.
pub fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

/// The delimiters of an expression, and those that other languages use.
const OPENINGS: [(&str, &str); 2] = [("${{", "}}"), ("${", "}")];

/// Returns the bytes of the unquoted value in which the reader stopped at `at`, if the value
/// certainly needs quotes. It does if it contains an expression or begins with a YAML indicator, or
/// if the reader stopped at a colon in it (`at_colon`).
pub(super) fn unquoted_value(text: &str, at: usize, at_colon: bool) -> Option<Range<usize>> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?.trim_end();
    let at = at - start;
    let in_flow = flow::is_open(text.get(..start)?);
    let values = values(line, in_flow, &OPENINGS);
    let value = values.into_iter().find(|value| value.start <= at && at <= value.end)?;
    let source = line.get(value.clone())?;
    let begins = |letters: &[char]| source.starts_with(letters);
    let has_expression = source.contains("${");
    // The value is already quoted, or is a list or a map. Then the fault is a different one.
    if begins(&['"', '\'']) || (begins(&['[', '{']) && !has_expression) {
        return None;
    }
    let needs_quotes = has_expression
        || at_colon && value.start < at
        || at == value.start && begins(&['@', '`', '%', '*', '-', '?', '|', '>', '&', '!']);
    needs_quotes.then(|| start + value.start..start + value.end)
}

/// Returns the bytes of a multi-line expression in which the reader stopped at `at`.
pub(super) fn open_expression(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?;
    let open = before.rfind("${{")?;
    let line = before.get(..open)?.rfind('\n').map_or(0, |end| end + 1);
    let is_open = !before.get(open..)?.contains("}}") && before.get(open..)?.contains('\n');
    let is_value = line + value_start(text.get(line..)?.lines().next()?) == open;
    let close = open + text.get(open..)?.find("}}")? + 2;
    // The closing braces must not belong to a later value.
    let is_whole = !text.get(open + 3..close)?.contains("${{")
        && text.get(close..)?.lines().next().is_none_or(|rest| rest.trim().is_empty());
    (is_open && is_value && is_whole).then_some(open..close)
}

/// Returns the bytes of an expression that is used as the key of a map, in the line in which the
/// reader stopped at `at`.
pub(super) fn expression_key(text: &str, at: usize) -> Option<Range<usize>> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    line.match_indices("${{").find_map(|(open, _)| {
        let before = line.get(..open)?.trim_end();
        let close = open + line.get(open..)?.find("}}")? + 2;
        let is_key = before.ends_with(['{', ',']) && line.get(close..)?.starts_with(':');
        is_key.then(|| start + open..start + close)
    })
}

/// Returns the bytes of the value in the line in which the reader stopped at `at`. This is the
/// whole text after the key or, within `{ }` or `[ ]`, only the value itself.
pub(super) fn whole_value(text: &str, at: usize) -> Option<Range<usize>> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?.trim_end();
    let value = value_start(line);
    let source = line.get(value..)?;
    if flow::is_whole(source) {
        let mut values = values(line, false, &[("{{", "}}")]).into_iter();
        let value = values.find(|value| {
            let has_value = line.get(value.clone()).is_some_and(|value| value.contains("{{"));
            has_value && start + value.start <= at && at <= start + value.end
        })?;
        return Some(start + value.start..start + value.end);
    }
    let in_quotes = source.starts_with(['"', '\'']);
    let is_here = value > 0 && start + value <= at;
    (is_here && !source.is_empty() && !in_quotes).then(|| start + value..start + line.len())
}

/// Writes a quoted text with the other kind of quotes, if the text contains the same quotes that
/// surround it and therefore ends early.
pub(super) fn requoted(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    let before = line.get(..at - start)?;
    // The reader stopped directly after the quote that ended the text.
    let quote = before.trim_end().chars().next_back().filter(|last| matches!(last, '"' | '\''))?;
    let is_open = |open: &usize| !before.get(*open..).unwrap_or_default().contains("}}");
    if let Some(open) = before.rfind("${{").filter(is_open) {
        let begin = before.get(..open)?.rfind(quote)?;
        let rest = line.get(begin + 1..)?;
        let close = rest.find(&format!("}}}}{quote}")).map(|close| close + 2)?;
        return rest.get(..close).map(quoted);
    }
    let value = line.get(value_start(line)..)?.trim_end();
    let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
    inner.contains(quote).then(|| quoted(inner))
}

/// Returns the values of a line, each with the extent that it would have in quotes. A value extends
/// to the end of the line or, within `{ }` or `[ ]`, to the next comma or bracket outside
/// expressions. `in_flow` is true if a line above opened a bracket.
fn values(line: &str, in_flow: bool, openings: &[(&str, &str)]) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    let mut at = value_start(line);
    let in_flow = in_flow || line.get(at..).is_some_and(|rest| rest.starts_with(['{', '[']));
    if !in_flow {
        let end = comment(line, at).unwrap_or(line.len());
        let end = line.get(..end).unwrap_or_default().trim_end().len();
        values.push(at..end.max(at));
        return values;
    }
    while at < line.len() {
        let end = at + flow_end(line.get(at..).unwrap_or_default(), openings);
        let piece = line.get(at..end).unwrap_or_default();
        // `key: value`, or an element of a list.
        let value = match piece.find(": ") {
            Some(colon) if before_expression(piece, colon, openings) => at + colon + 2,
            _ => at,
        };
        let value = value + blank(line, value);
        let length = line.get(value..end).unwrap_or_default().trim_end().len();
        if length > 0 {
            values.push(value..value + length);
        }
        at = end + 1;
    }
    values
}

/// Returns whether a colon comes before the first expression.
fn before_expression(piece: &str, colon: usize, openings: &[(&str, &str)]) -> bool {
    let first = openings.iter().filter_map(|(open, _)| piece.find(open)).min();
    first.is_none_or(|open| colon < open)
}

/// Returns the start of the value in a line, after the dashes of a list and after the key.
fn value_start(line: &str) -> usize {
    let mut at = blank(line, 0);
    while line.get(at..).is_some_and(|rest| rest.starts_with("- ")) {
        at += 2;
    }
    if let Some(colon) = line.get(at..).and_then(|rest| rest.find(": ")) {
        let key = line.get(at..at + colon).unwrap_or_default();
        if !key.contains(['{', '[']) {
            at += colon + 2;
        }
    }
    at + blank(line, at)
}

fn blank(line: &str, at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    rest.len() - rest.trim_start().len()
}

/// Returns the start of a comment after an unquoted value.
fn comment(line: &str, at: usize) -> Option<usize> {
    line.get(at..)?.find(" #").map(|hash| at + hash)
}

/// Returns the length of an item of a list or a map in flow style. Commas and brackets within
/// expressions and quoted texts do not end the item.
fn flow_end(rest: &str, openings: &[(&str, &str)]) -> usize {
    let mut at = 0;
    while let Some(piece) = rest.get(at..) {
        let opened = openings.iter().find(|(open, _)| piece.starts_with(open));
        if let Some((open, close)) = opened {
            let inner = piece.get(open.len()..).unwrap_or_default();
            at += inner.find(close).map_or(piece.len(), |end| open.len() + end + close.len());
            continue;
        }
        match piece.chars().next() {
            None => break,
            Some(quote @ ('"' | '\'')) => {
                let inner = piece.get(1..).unwrap_or_default();
                at += inner.find(quote).map_or(piece.len(), |close| close + 2);
            }
            Some(',' | '{' | '}' | '[' | ']') => break,
            Some(letter) => at += letter.len_utf8(),
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_double_quotes_is_put_in_single_quotes() {
        assert_eq!(quoted("${{ order.id }}"), r#""${{ order.id }}""#);
        assert_eq!(quoted(r#"${{ x == "a" }}"#), r#"'${{ x == "a" }}'"#);
        assert_eq!(quoted(r#"it's "x""#), r#"'it''s "x"'"#);
    }

    #[test]
    fn the_values_of_a_line_are_found() {
        let of = |line: &'static str| -> Vec<&str> {
            values(line, false, &OPENINGS)
                .into_iter()
                .map(|value| line.get(value).unwrap())
                .collect()
        };
        assert_eq!(of("  a: ${{ x ? y : z }} # c"), ["${{ x ? y : z }}"]);
        assert_eq!(of("- - a: x ${{ y }} z"), ["x ${{ y }} z"]);
        assert_eq!(of("- [${{ a }}, ${{ f(b, c) }} ]"), ["${{ a }}", "${{ f(b, c) }}"]);
        assert_eq!(
            of("row: { a: ${{ b }}, c: \"d, e\", f: { g: x ${{ h }} } }"),
            ["${{ b }}", "\"d, e\"", "x ${{ h }}"]
        );
    }
}
