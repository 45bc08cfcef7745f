//! A tolerant tokenizer for information that the CEL parser does not provide: the `}}` that ends an
//! expression, the nesting of its brackets, and the byte ranges of syntax nodes. It accepts any
//! text, and must never decide the meaning of an expression.

use std::ops::Range;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A text. `closed` is true if it has a closing quote.
    Text {
        closed: bool,
    },
    Open,
    Close,
    Other,
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
    /// The position of the matching bracket.
    pub(super) mate: Option<usize>,
}

/// The tokens of an expression.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    text: &'t str,
    list: Vec<Token>,
}

impl<'t> Tokens<'t> {
    /// Reads all tokens.
    pub(super) fn read(text: &'t str) -> Self {
        let mut list = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut at = 0;
        while let Some((kind, range)) = next(text, at) {
            at = range.end;
            let mut mate = None;
            if kind == Kind::Open {
                open.push(list.len());
            } else if kind == Kind::Close
                && let Some(opening) = open.pop()
            {
                mate = Some(opening);
                let position = list.len();
                if let Some(Token { mate, .. }) = list.get_mut(opening) {
                    *mate = Some(position);
                }
            }
            list.push(Token { kind, range, mate });
        }
        Self { text, list }
    }

    /// Returns the tokens in order.
    pub(super) fn list(&self) -> &[Token] {
        &self.list
    }

    /// Returns the text of a token.
    pub(super) fn text(&self, position: usize) -> &'t str {
        self.list.get(position).and_then(|token| self.text.get(token.range.clone())).unwrap_or("")
    }

    /// Returns the position of the token that contains the byte `at`, or of the next token.
    pub(super) fn find(&self, at: usize) -> usize {
        self.list.partition_point(|token| token.range.end <= at)
    }

    /// Returns the byte range of a token, or an empty range at the end of the text if the token
    /// does not exist.
    pub(super) fn range(&self, position: usize) -> Range<usize> {
        self.list
            .get(position)
            .map_or(self.text.len()..self.text.len(), |token| token.range.clone())
    }

    /// Extends a range by the parentheses that directly enclose it.
    pub(super) fn with_parentheses(&self, range: Range<usize>) -> Range<usize> {
        let mut range = range;
        loop {
            let after = self.find(range.end);
            let Some(opening) = self.list.get(after).and_then(|token| token.mate) else {
                return range;
            };
            if self.text(after) != ")" || opening + 1 != self.find(range.start) {
                return range;
            }
            range = self.range(opening).start..self.range(after).end;
        }
    }

    /// Returns the nesting depth of brackets and conditionals, which determines the recursion depth
    /// of the parser.
    pub(super) fn depth(&self) -> usize {
        let mut deepest = 0;
        let mut questions = vec![0_usize];
        for position in 0..self.list.len() {
            match self.text(position) {
                "(" | "[" | "{" => questions.push(0),
                ")" | "]" | "}" if questions.len() > 1 => {
                    questions.pop();
                }
                "?" => {
                    if let Some(last) = questions.last_mut() {
                        *last += 1;
                    }
                }
                "," => {
                    if let Some(last) = questions.last_mut() {
                        *last = 0;
                    }
                }
                _ => continue,
            }
            deepest = deepest.max(questions.len() - 1 + questions.iter().sum::<usize>());
        }
        deepest
    }
}

/// Returns the position of the `}}` that ends the expression that begins at `from`. Ignores `}}`
/// within a text and the braces that close maps.
pub(super) fn expression_end(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    let mut braces = 0_usize;
    while let Some((kind, range)) = next_token(text, at, false) {
        match text.as_bytes().get(range.start) {
            Some(b'{') => braces += 1,
            Some(b'}') if braces > 0 => braces -= 1,
            Some(b'}') if text.as_bytes().get(range.end) == Some(&b'}') => {
                return Some(range.start);
            }
            _ if kind == (Kind::Text { closed: false }) => return None,
            _ => {}
        }
        at = range.end;
    }
    None
}

fn next(text: &str, at: usize) -> Option<(Kind, Range<usize>)> {
    next_token(text, at, true)
}

fn next_token(text: &str, at: usize, comments: bool) -> Option<(Kind, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut start = at;
    loop {
        match bytes.get(start)? {
            byte if byte.is_ascii_whitespace() => start += 1,
            b'/' if comments && bytes.get(start + 1) == Some(&b'/') => {
                start += bytes.iter().skip(start).take_while(|byte| **byte != b'\n').count();
            }
            _ => break,
        }
    }
    let first = *bytes.get(start)?;
    let count = |from: usize, belongs: fn(u8) -> bool| {
        from + bytes.iter().skip(from).take_while(|byte| belongs(**byte)).count()
    };
    let (kind, end) = match first {
        b'"' | b'\'' => quoted(bytes, start, start, false),
        b'r' | b'R' if matches!(bytes.get(start + 1), Some(b'"' | b'\'')) => {
            quoted(bytes, start, start + 1, true)
        }
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
            (Kind::Name, count(start, |byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        }
        b'0'..=b'9' => {
            let mut end = count(start, |byte| byte.is_ascii_alphanumeric());
            if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
                end = count(end + 1, |byte| byte.is_ascii_alphanumeric());
            }
            let signed = matches!(bytes.get(end), Some(b'+' | b'-'))
                && end.checked_sub(1).and_then(|last| bytes.get(last)).is_some_and(|last| {
                    matches!(last, b'e' | b'E')
                        && !text.get(start..end).is_some_and(|t| t.starts_with("0x"))
                });
            (Kind::Number, if signed { count(end + 1, |byte| byte.is_ascii_digit()) } else { end })
        }
        b'.' if bytes.get(start + 1).is_some_and(u8::is_ascii_digit) => {
            (Kind::Number, count(start + 1, |byte| byte.is_ascii_alphanumeric()))
        }
        b'(' | b'[' | b'{' => (Kind::Open, start + 1),
        b')' | b']' | b'}' => (Kind::Close, start + 1),
        _ => {
            let two = matches!(
                bytes.get(start..start + 2),
                Some(b"==" | b"!=" | b"<=" | b">=" | b"&&" | b"||")
            );
            let width =
                text.get(start..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            (Kind::Other, start + if two { 2 } else { width })
        }
    };
    Some((kind, start..end))
}

/// Reads a text whose opening quote is at `quote` and whose prefix begins at `start`.
fn quoted(bytes: &[u8], start: usize, quote: usize, raw: bool) -> (Kind, usize) {
    let mark = bytes.get(quote).copied().unwrap_or_default();
    let triple = bytes.get(quote..quote + 3).is_some_and(|three| three.iter().all(|b| *b == mark));
    let mut at = quote + if triple { 3 } else { 1 };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if !raw => at += 2,
            b'\n' if !triple => break,
            byte if *byte == mark => {
                if !triple {
                    return (Kind::Text { closed: true }, at + 1);
                }
                if bytes.get(at..at + 3).is_some_and(|three| three.iter().all(|b| *b == mark)) {
                    return (Kind::Text { closed: true }, at + 3);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    (Kind::Text { closed: false }, at.min(bytes.len()).max(start + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_in_maps_and_texts_do_not_end_an_expression() {
        for text in [
            r#"{"a": {"b": 1}} }} rest"#,
            r#" "}}" + '}}' }} rest"#,
            r#" """a "}}" b""" }} rest"#,
            r" r'\' }} rest",
            r" 'it\'s }}' }} rest",
        ] {
            let end = expression_end(text, 0).unwrap();
            assert_eq!(text.get(end..), Some("}} rest"), "{text}");
        }
        assert_eq!(expression_end(r#" "}} "#, 0), None);
        assert_eq!(expression_end(" a }", 0), None);
    }

    #[test]
    fn depth_counts_brackets_and_conditionals() {
        for (text, depth) in [
            ("a.b + c", 0),
            ("(a)[0]", 1),
            ("f((a))", 2),
            ("a ? b : c ? d : e", 2),
            ("[a ? b : c, d ? e : f]", 2),
        ] {
            assert_eq!(Tokens::read(text).depth(), depth, "{text}");
        }
    }

    #[test]
    fn parentheses_that_directly_enclose_a_range_are_found() {
        let tokens = Tokens::read("x * ((a + b))");
        assert_eq!(tokens.with_parentheses(6..11), 4..13);
        assert_eq!(tokens.with_parentheses(6..7), 6..7);
    }

    #[test]
    fn numbers_include_their_exponent_and_texts_their_prefix() {
        let tokens = Tokens::read("1.5e-3-2 r'a\\' // b");
        let texts: Vec<&str> = (0..tokens.list().len()).map(|i| tokens.text(i)).collect();
        assert_eq!(texts, ["1.5e-3", "-", "2", "r'a\\'"]);
    }
}
