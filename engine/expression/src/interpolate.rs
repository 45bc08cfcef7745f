//! Splits a text into expressions in `${{ }}` and the text around them. `$${{` is an escaped `${{`.

use std::ops::Range;

use super::lex;

const OPEN: &str = "${{";

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// Text, with escapes resolved.
    Text(String),
    /// An expression, and the offset of its first byte in the text.
    Code { code: &'t str, at: usize },
}

/// A `${{` without its `}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unclosed(pub(super) Range<usize>);

/// Splits a text. A text without expressions is one part; an empty text has no parts.
pub(super) fn split(text: &str) -> Result<Vec<Part<'_>>, Unclosed> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = 0;
    while let Some(found) = text.get(rest..).and_then(|tail| tail.find(OPEN)) {
        let open = rest + found;
        let before = text.get(rest..open).unwrap_or_default();
        let code_start = open + OPEN.len();
        if let Some(before) = before.strip_suffix('$') {
            plain.push_str(before);
            plain.push_str(OPEN);
            rest = code_start;
            continue;
        }
        plain.push_str(before);
        // A quote that is not closed hides the end of the expression. Parsing the expression will
        // report it.
        let end = lex::expression_end(text, code_start)
            .or_else(|| text.get(code_start..)?.find("}}").map(|end| code_start + end))
            .ok_or(Unclosed(open..text.trim_end().len().max(code_start)))?;
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Code {
            code: text.get(code_start..end).unwrap_or_default(),
            at: code_start,
        });
        rest = end + 2;
    }
    plain.push_str(text.get(rest..).unwrap_or_default());
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    // Ignores the line break at the end of a block scalar.
    if let [Part::Code { .. }, Part::Text(end)] = parts.as_slice()
        && end.chars().all(|c| matches!(c, '\n' | '\r'))
    {
        parts.pop();
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_expressions_alternate() {
        assert_eq!(split("plain"), Ok(vec![Part::Text("plain".into())]));
        assert_eq!(split(""), Ok(vec![]));
        assert_eq!(split("${{ a }}\n"), Ok(vec![Part::Code { code: " a ", at: 3 }]));
        assert_eq!(
            split("x-${{a}}-${{ b }}.json"),
            Ok(vec![
                Part::Text("x-".into()),
                Part::Code { code: "a", at: 5 },
                Part::Text("-".into()),
                Part::Code { code: " b ", at: 12 },
                Part::Text(".json".into()),
            ])
        );
    }

    #[test]
    fn a_doubled_dollar_escapes() {
        assert_eq!(split("a $${{ b }}"), Ok(vec![Part::Text("a ${{ b }}".into())]));
        assert_eq!(
            split("$ ${{ b }}"),
            Ok(vec![Part::Text("$ ".into()), Part::Code { code: " b ", at: 5 }])
        );
    }

    #[test]
    fn an_unclosed_expression_is_rejected() {
        assert_eq!(split("ab ${{ c }"), Err(Unclosed(3..10)));
        assert_eq!(split("${{"), Err(Unclosed(0..3)));
    }
}
