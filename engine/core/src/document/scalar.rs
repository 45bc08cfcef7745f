//! Maps a part of a scalar's decoded text back to its bytes in the file.
//!
//! [`locate`] decodes the source again and records the origin of each byte. It returns a range only
//! if the decoded text equals the reader's text, so that a returned range is never wrong.

use std::ops::Range;

/// Returns the bytes of `file` that encode the bytes `within` of a scalar's text. The scalar is at
/// `whole`. For a block scalar, `whole` begins after the header and the indentation of the first
/// line.
pub(super) fn locate(
    file: &str,
    whole: &Range<usize>,
    text: &str,
    within: &Range<usize>,
) -> Option<Range<usize>> {
    let file = file.get(..whole.end)?;
    let source = file.get(whole.start..)?;
    let in_quotes = match source.as_bytes().first()? {
        b'"' => quoted(source, true),
        b'\'' => quoted(source, false),
        _ => flow(source, 0, source.trim_end().len(), |_| None),
    };
    let found = in_quotes.and_then(|decoded| decoded.range(text, within));
    if let Some(found) = found {
        return Some(whole.start + found.start..whole.start + found.end);
    }
    let line = file.get(..whole.start)?.rfind('\n').map_or(0, |end| end + 1);
    let before = file.get(line..whole.start)?;
    if before.contains(|letter| letter != ' ') {
        return None;
    }
    let indent = (!before.is_empty()).then_some(before.len());
    // Leading empty lines belong to the text, but not to its span.
    let length = text.len();
    let text = text.trim_start_matches('\n');
    let empty = length - text.len();
    let within = within.start.checked_sub(empty)?..within.end.checked_sub(empty)?;
    [false, true].into_iter().find_map(|folded| {
        let found = block(file.get(line..)?, indent, folded)?.range(text, &within)?;
        Some(line + found.start..line + found.end)
    })
}

/// A decoded text, with the source range of each byte.
#[derive(Default)]
struct Decoded {
    text: String,
    from: Vec<Range<usize>>,
}

impl Decoded {
    fn push(&mut self, letter: char, from: Range<usize>) {
        self.text.push(letter);
        self.from.extend(std::iter::repeat_n(from, letter.len_utf8()));
    }

    /// Removes trailing white space, but keeps the first `min_len` bytes.
    fn trim_blanks(&mut self, min_len: usize) {
        while self.text.len() > min_len && self.text.ends_with([' ', '\t']) {
            self.text.pop();
            self.from.pop();
        }
    }

    /// Returns the source range of `within`, if the decoded text is `text`. Trailing line breaks
    /// are ignored: they depend on the block's chomping and are never part of an expression.
    fn range(&self, text: &str, within: &Range<usize>) -> Option<Range<usize>> {
        if self.text.trim_end_matches('\n') != text.trim_end_matches('\n') {
            return None;
        }
        let first = self.from.get(within.start)?;
        let last = match within.end.checked_sub(1) {
            Some(last) if last >= within.start => self.from.get(last)?,
            _ => return Some(first.start..first.start),
        };
        Some(first.start..last.end)
    }
}

/// The character of an escape sequence and the sequence's length in bytes. A line continuation has
/// no character.
type Escape = (Option<char>, usize);

/// Decodes a quoted text.
fn quoted(source: &str, double: bool) -> Option<Decoded> {
    let end = source.len().checked_sub(1).filter(|end| *end > 0)?;
    if double {
        flow(source, 1, end, |rest| rest.starts_with('\\').then(|| escape(rest)))
    } else {
        flow(source, 1, end, |rest| {
            rest.starts_with('\'').then(|| rest.starts_with("''").then_some((Some('\''), 2)))
        })
    }
}

/// Decodes a text in flow style, in which a line break is a space and an empty line is a line
/// break. `special` recognizes escape sequences. It returns `Some(None)` for an invalid one.
fn flow(
    source: &str,
    start: usize,
    end: usize,
    special: impl Fn(&str) -> Option<Option<Escape>>,
) -> Option<Decoded> {
    let mut decoded = Decoded::default();
    let mut at = start;
    // Escaped white space is kept, even before a line break.
    let mut keep = 0;
    while at < end {
        let rest = source.get(at..end)?;
        if let Some(found) = special(rest) {
            let (letter, length) = found?;
            if let Some(letter) = letter {
                decoded.push(letter, at..at + length);
            }
            keep = decoded.text.len();
            at += length;
            continue;
        }
        let Some(length) = line_end(rest) else {
            let letter = rest.chars().next()?;
            decoded.push(letter, at..at + letter.len_utf8());
            at += letter.len_utf8();
            continue;
        };
        decoded.trim_blanks(keep);
        let first = at;
        at += length;
        let mut empty = 0;
        loop {
            let rest = source.get(at..end)?;
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            at += blank;
            let Some(length) = line_end(source.get(at..end)?) else { break };
            at += length;
            empty += 1;
        }
        for letter in std::iter::repeat_n('\n', empty).chain((empty == 0).then_some(' ')) {
            decoded.push(letter, first..at);
        }
        keep = decoded.text.len();
    }
    Some(decoded)
}

/// Returns the length of the line break at the start of a text.
fn line_end(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n' | b'\r', ..] => Some(1),
        _ => None,
    }
}

/// Reads an escape sequence in a double-quoted text.
fn escape(rest: &str) -> Option<Escape> {
    let letter = rest.chars().nth(1)?;
    let coded = |digits: usize| {
        let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
        Some((Some(char::from_u32(code)?), 2 + digits))
    };
    let letter = match letter {
        'x' => return coded(2),
        'u' => return coded(4),
        'U' => return coded(8),
        '\r' | '\n' => {
            let end = 1 + line_end(rest.get(1..)?)?;
            let below = rest.get(end..)?;
            let blank = below.len() - below.trim_start_matches([' ', '\t']).len();
            return Some((None, end + blank));
        }
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        ' ' | '"' | '/' | '\\' => letter,
        _ => return None,
    };
    Some((Some(letter), 2))
}

/// A line of a block scalar, without its indentation.
struct Line<'s> {
    text: &'s str,
    at: usize,
    /// The end of the line, including the line break.
    end: usize,
}

/// Decodes a block scalar: literal (`|`) or folded (`>`).
fn block(source: &str, mut indent: Option<usize>, folded: bool) -> Option<Decoded> {
    let mut lines = Vec::new();
    let mut at = 0;
    for whole in source.split_inclusive('\n') {
        let text = whole.trim_end_matches(['\n', '\r']);
        let spaces = text.len() - text.trim_start_matches(' ').len();
        let blank = spaces == text.len();
        let indent = match indent {
            None if blank => spaces,
            None => *indent.insert(spaces),
            Some(indent) => indent,
        };
        let cut = indent.min(spaces);
        if !blank && spaces < indent {
            // The block ends here.
            break;
        }
        lines.push(Line { text: text.get(cut..)?, at: at + cut, end: at + whole.len() });
        at += whole.len();
    }
    while lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    let mut decoded = Decoded::default();
    // The line breaks before and after a line that begins with white space are kept.
    let is_set = |line: &Line<'_>| line.text.starts_with([' ', '\t']);
    for (position, line) in lines.iter().enumerate() {
        for (offset, letter) in line.text.char_indices() {
            decoded.push(letter, line.at + offset..line.at + offset + letter.len_utf8());
        }
        let here = line.at + line.text.len()..line.end;
        let joined = |next: &Line<'_>| !line.text.is_empty() && !is_set(line) && !is_set(next);
        let next = lines.get(position + 1);
        let after = lines.iter().skip(position + 1).find(|line| !line.text.is_empty());
        match (folded, next, after) {
            (true, Some(next), Some(after)) if joined(after) => {
                if !next.text.is_empty() {
                    decoded.push(' ', here);
                }
            }
            (_, Some(_), _) => decoded.push('\n', here),
            (_, None, _) => {}
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Place, Route};
    use crate::document::parse;

    /// Checks that the word `order` in the text of `a` is found at the last `order` of the source.
    fn check(source: &str) {
        let document = parse(&"p.yaml".into(), source.as_bytes()).unwrap();
        let route = Route::root().key("a");
        let text = document.root().get("a").unwrap().node.as_text().unwrap().to_owned();
        let start = text.rfind("order").unwrap();
        let span = document.span(&Place::text(route, start..start + 5));
        let expected = source.rfind("order").unwrap();
        assert_eq!(span, expected..expected + 5, "{source:?} gives {text:?}");
    }

    #[test]
    fn a_part_of_a_text_is_found_in_every_scalar_style() {
        for source in [
            "a: x order\n",
            "a: order x\n  and\n\n  order # c\n",
            "a: \"order \\u00e4\\t\\\"\\x41 order\"\n",
            "a: \"order \\\n    more\n\n   \\ x order \"\n",
            "a: 'order it''s order'\n",
            "a: 'order\n  it''s\n  order'\n",
            "a: |\n  order ü\n    more\n\n  order\nb: 1\n",
            "a: |-\n\n  order\n  order",
            "a: >\n  order ü\n  more\n\n  x\n    set\n\n    set\n\n  order\nb: 1\n",
            "a: >-\n  order\n  order\n",
            "a: |\r\n  order\r\n  order\r\n",
            "a: |2\n   order\n",
            "a: |\n  \"order\n  order\n",
            "\u{feff}a: \"order \\\"order\"\r\n",
            "{ a: \"ü order order\" }\n",
        ] {
            check(source);
        }
    }

    #[test]
    fn a_text_that_differs_from_its_source_has_no_place() {
        assert_eq!(super::locate("order", &(0..5), "other", &(0..5)), None);
        assert_eq!(super::locate("'order'", &(0..7), "other", &(0..5)), None);
    }
}
