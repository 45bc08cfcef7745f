//! From the decoded text of a scalar back to its source: which bytes of the file a part of a text
//! was written with.
//!
//! [`locate`] decodes the source again, noting where each byte came from. Only if what comes out is
//! exactly the text that the reader gave is a place returned, so a place is never wrong.

use std::ops::Range;

/// Returns the bytes of `file` that make the bytes `within` of the text of a scalar, which takes up
/// the bytes `whole`. Those of a block begin after its header and the first line's indentation.
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
    // Empty lines at the beginning belong to the text, and not to what it takes up.
    let length = text.len();
    let text = text.trim_start_matches('\n');
    let empty = length - text.len();
    let within = within.start.checked_sub(empty)?..within.end.checked_sub(empty)?;
    [false, true].into_iter().find_map(|folded| {
        let found = block(file.get(line..)?, indent, folded)?.range(text, &within)?;
        Some(line + found.start..line + found.end)
    })
}

/// A decoded text with the source of each of its bytes.
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

    /// Takes back white space before a line end, down to what must stay.
    fn trim_blanks(&mut self, keep: usize) {
        while self.text.len() > keep && self.text.ends_with([' ', '\t']) {
            self.text.pop();
            self.from.pop();
        }
    }

    /// Line ends at the end depend on how a block is chomped, and no part of an expression is
    /// there.
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

/// What an escape stands for, and how many bytes it takes: nothing where a line is continued.
type Escape = (Option<char>, usize);

/// Decodes text in quotes.
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

/// Decodes a text in flow style, in which a line end is a space and an empty line is a line end.
/// `special` knows what has a meaning of its own; it gives `Some(None)` for what cannot be read.
fn flow(
    source: &str,
    start: usize,
    end: usize,
    special: impl Fn(&str) -> Option<Option<Escape>>,
) -> Option<Decoded> {
    let mut decoded = Decoded::default();
    let mut at = start;
    // White space that was escaped stays, even before a line end.
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

/// Returns the length of a line end that a text begins with.
fn line_end(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n' | b'\r', ..] => Some(1),
        _ => None,
    }
}

/// Reads an escape of a text in double quotes.
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

/// A line of a block, without its indentation.
struct Line<'s> {
    text: &'s str,
    at: usize,
    /// The line with its end.
    end: usize,
}

/// Decodes the lines of a block: literal (`|`) or folded (`>`).
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
            // The block is over.
            break;
        }
        lines.push(Line { text: text.get(cut..)?, at: at + cut, end: at + whole.len() });
        at += whole.len();
    }
    while lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    let mut decoded = Decoded::default();
    // A line that begins with white space keeps its line ends, and so do those beside it.
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
    fn a_part_of_a_text_is_found_however_it_is_written() {
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
    fn what_cannot_be_told_is_the_whole_text() {
        assert_eq!(super::locate("order", &(0..5), "other", &(0..5)), None);
        assert_eq!(super::locate("'order'", &(0..7), "other", &(0..5)), None);
    }
}
