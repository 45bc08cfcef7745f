//! Quotes: which part of a line a value without quotes takes up, and how it is written with them.

use std::ops::Range;

use super::flow;

/// Writes a text in quotes as YAML reads it back: double ones, or single ones if the text has
/// double quotes or backslashes.
pub fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

/// How an expression begins, and how it begins in other languages.
const OPENINGS: [(&str, &str); 2] = [("${{", "}}"), ("${", "}")];

/// Returns the bytes of the value without quotes in which the reader stopped at `at`, where it
/// surely has to be quoted: it has an expression, it begins with a character that means something
/// to YAML, or the reader stopped at a colon in it (`at_colon`).
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
    // In quotes already, or a list or a map: what is wrong is something else.
    if begins(&['"', '\'']) || (begins(&['[', '{']) && !has_expression) {
        return None;
    }
    let needs_quotes = has_expression
        || at_colon && value.start < at
        || at == value.start && begins(&['@', '`', '%', '*', '-', '?', '|', '>', '&', '!']);
    needs_quotes.then(|| start + value.start..start + value.end)
}

/// Returns the bytes of an expression over several lines in which the reader stopped at `at`.
pub(super) fn open_expression(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?;
    let open = before.rfind("${{")?;
    let line = before.get(..open)?.rfind('\n').map_or(0, |end| end + 1);
    let is_open = !before.get(open..)?.contains("}}") && before.get(open..)?.contains('\n');
    let is_value = line + value_start(text.get(line..)?.lines().next()?) == open;
    let close = open + text.get(open..)?.find("}}")? + 2;
    // An expression of its own, not one that a later value ends.
    let is_whole = !text.get(open + 3..close)?.contains("${{")
        && text.get(close..)?.lines().next().is_none_or(|rest| rest.trim().is_empty());
    (is_open && is_value && is_whole).then_some(open..close)
}

/// Returns the bytes of an expression that is the key of a map, in the line in which the reader
/// stopped at `at`.
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

/// Returns the bytes of the value of the line in which the reader stopped at `at`: all that follows
/// the key, or within `{ }` or `[ ]` the value itself.
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

/// Writes a text in the other quotes, where it has quotes within that are like those around it and
/// end it early.
pub(super) fn requoted(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    let before = line.get(..at - start)?;
    // The reader stopped right behind the quote that ended the text.
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

/// Returns the values of a line, each as far as it would reach in quotes: up to the end of the
/// line, and within `{ }` or `[ ]` up to the next comma or bracket that no expression has.
/// `in_flow` tells that a line above opened a bracket.
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

/// Tells whether a colon in a piece stands before the first expression.
fn before_expression(piece: &str, colon: usize, openings: &[(&str, &str)]) -> bool {
    let first = openings.iter().filter_map(|(open, _)| piece.find(open)).min();
    first.is_none_or(|open| colon < open)
}

/// Returns where the value of a line begins: behind the dashes of a list and behind the key.
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

/// Returns where a comment begins behind a value without quotes.
fn comment(line: &str, at: usize) -> Option<usize> {
    line.get(at..)?.find(" #").map(|hash| at + hash)
}

/// Returns how far a piece of a list or a map in flow style reaches: an expression and a text in
/// quotes are a whole.
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
    fn quotes_are_those_that_the_text_does_not_have() {
        assert_eq!(quoted("${{ order.id }}"), r#""${{ order.id }}""#);
        assert_eq!(quoted(r#"${{ x == "a" }}"#), r#"'${{ x == "a" }}'"#);
        assert_eq!(quoted(r#"it's "x""#), r#"'it''s "x"'"#);
    }

    #[test]
    fn the_values_of_a_line_are_told_apart() {
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
