//! The elements of HTML and MJML, with the positions of their parts. Handlebars tags in the text
//! must be masked, so that a quote in a tag does not end an attribute.

use std::ops::Range;

/// A piece of markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A start tag.
    Start(Element),
    /// An end tag.
    End(Range<usize>),
    /// Text between tags.
    Text(Range<usize>),
    /// A comment from `<!--` to `-->`. Conditional comments for Outlook are included.
    Comment(Range<usize>),
}

/// A start tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Position of the name.
    pub(super) name: Range<usize>,
    /// Its attributes.
    pub(super) attributes: Vec<Attribute>,
    /// Whether it ends with `/>`.
    pub(super) is_closed: bool,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// Position of the name.
    pub(super) name: Range<usize>,
    /// Position of the value, without quotes. An attribute without a value has an empty range after
    /// the name.
    pub(super) value: Range<usize>,
}

impl Element {
    /// Returns the position of an attribute's value.
    pub(super) fn attribute(&self, text: &str, wanted: &str) -> Option<Range<usize>> {
        let named =
            |attribute: &&Attribute| slice(text, &attribute.name).eq_ignore_ascii_case(wanted);
        self.attributes.iter().find(named).map(|attribute| attribute.value.clone())
    }
}

/// Returns the text of a range of bytes.
pub(super) fn slice<'t>(text: &'t str, span: &Range<usize>) -> &'t str {
    text.get(span.clone()).unwrap_or_default()
}

/// Splits a text into its pieces.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut scanner = Scanner { text, at: 0 };
    let mut pieces = Vec::new();
    while scanner.at < text.len() {
        let start = scanner.at;
        scanner.at = scanner.find("<").unwrap_or(text.len());
        if start < scanner.at {
            pieces.push(Piece::Text(start..scanner.at));
        }
        let tag = scanner.at;
        if scanner.skips("<!--") {
            scanner.at = scanner.find("-->").map_or(text.len(), |end| end + "-->".len());
            pieces.push(Piece::Comment(tag..scanner.at));
        } else if scanner.skips("</") {
            let name = scanner.name();
            scanner.at = scanner.find(">").map_or(text.len(), |end| end + 1);
            pieces.push(Piece::End(name));
        } else if scanner.skips("<!") || scanner.skips("<?") {
            scanner.at = scanner.find(">").map_or(text.len(), |end| end + 1);
        } else if scanner.skips("<") {
            let name = scanner.name();
            if name.is_empty() {
                pieces.push(Piece::Text(name.start - 1..name.start));
                continue;
            }
            let element = scanner.element(name);
            // The content of these elements is not markup.
            let closing = match slice(text, &element.name) {
                "style" | "mj-style" | "script" if !element.is_closed => {
                    Some(format!("</{}", slice(text, &element.name)))
                }
                _ => None,
            };
            pieces.push(Piece::Start(element));
            if let Some(closing) = closing {
                let start = scanner.at;
                scanner.at = scanner.find(&closing).unwrap_or(text.len());
                pieces.push(Piece::Text(start..scanner.at));
            }
        }
    }
    pieces
}

/// Returns an element that is nested in `depth_max` or more others. The parsers of markup are
/// recursive, so the depth must be limited.
pub(super) fn too_deep(text: &str, depth_max: usize) -> Option<Range<usize>> {
    let mut open: Vec<&str> = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Start(element) => {
                let name = slice(text, &element.name);
                if element.is_closed || VOID.contains(&name) {
                    continue;
                }
                if open.len() >= depth_max {
                    return Some(element.name);
                }
                open.push(name);
            }
            Piece::End(name) => {
                let name = slice(text, &name);
                if let Some(at) = open.iter().rposition(|open| *open == name) {
                    open.truncate(at);
                }
            }
            Piece::Text(_) | Piece::Comment(_) => {}
        }
    }
    None
}

/// HTML elements without content.
pub(super) const VOID: [&str; 8] = ["br", "hr", "img", "input", "link", "meta", "col", "wbr"];

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn find(&self, wanted: &str) -> Option<usize> {
        self.rest().find(wanted).map(|at| self.at + at)
    }

    fn skips(&mut self, wanted: &str) -> bool {
        let is_there = self.rest().starts_with(wanted);
        self.at += if is_there { wanted.len() } else { 0 };
        is_there
    }

    /// Consumes characters while they fit, and returns their range.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> Range<usize> {
        let length = self.rest().find(|char| !fits(char)).unwrap_or(self.rest().len());
        self.at += length;
        self.at - length..self.at
    }

    /// Consumes the name of an element.
    fn name(&mut self) -> Range<usize> {
        if !self.rest().starts_with(|char: char| char.is_ascii_alphabetic()) {
            return self.at..self.at;
        }
        self.take(|char| char.is_alphanumeric() || matches!(char, '-' | ':' | '_'))
    }

    /// Consumes the rest of a start tag.
    fn element(&mut self, name: Range<usize>) -> Element {
        let mut element = Element { name, attributes: Vec::new(), is_closed: false };
        loop {
            self.take(char::is_whitespace);
            if self.at >= self.text.len() || self.skips(">") {
                return element;
            }
            if self.skips("/") {
                element.is_closed = true;
                continue;
            }
            element.is_closed = false;
            let ends = |char: char| char.is_whitespace() || matches!(char, '=' | '>' | '/');
            let mut name = self.take(|char| !ends(char));
            if name.is_empty() {
                // Skips an unexpected character.
                self.at += self.rest().chars().next().map_or(0, char::len_utf8);
                name.end = self.at;
            }
            let value = self.value();
            element.attributes.push(Attribute { name, value });
        }
    }

    /// Consumes the value of an attribute, if there is a value.
    fn value(&mut self) -> Range<usize> {
        let none = self.at..self.at;
        self.take(char::is_whitespace);
        if !self.skips("=") {
            self.at = none.end;
            return none;
        }
        self.take(char::is_whitespace);
        let quote = self.rest().chars().next().filter(|char| matches!(char, '"' | '\''));
        match quote {
            Some(quote) => {
                self.at += 1;
                let value = self.take(|char| char != quote);
                self.at = (self.at + 1).min(self.text.len());
                value
            }
            None => self.take(|char| !char.is_whitespace() && char != '>'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_right_positions() {
        let text = "<!doctype html>a<p class='x > y' ID = \"n\" hidden><!-- <b> --><br/>1 < 2</p><style>p > b {}</style><a href=x>";
        let shown: Vec<String> = pieces(text)
            .iter()
            .map(|piece| match piece {
                Piece::Start(element) => {
                    let attributes: Vec<String> = element
                        .attributes
                        .iter()
                        .map(|a| format!("{}={}", slice(text, &a.name), slice(text, &a.value)))
                        .collect();
                    let end = if element.is_closed { "/" } else { "" };
                    format!("<{} {}{end}>", slice(text, &element.name), attributes.join(","))
                }
                Piece::End(name) => format!("</{}>", slice(text, name)),
                Piece::Text(span) | Piece::Comment(span) => slice(text, span).to_owned(),
            })
            .collect();
        let wanted = [
            "a",
            "<p class=x > y,ID=n,hidden=>",
            "<!-- <b> -->",
            "<br />",
            "1 ",
            "<",
            " 2",
            "</p>",
            "<style >",
            "p > b {}",
            "</style>",
            "<a href=x>",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn only_open_elements_count_toward_the_depth() {
        let text = "<a><br><b></b><c/><d><e>";
        assert_eq!(too_deep(text, 3), None);
        assert_eq!(too_deep(text, 2).map(|span| slice(text, &span)), Some("e"));
    }

    #[test]
    fn scanning_broken_markup_terminates() {
        for text in [
            "<", "<p", "<p a", "<p a=", "<p a='", "</", "</p", "<!--", "<p /", "<p =>", "<p =",
            "<style>", "<é",
        ] {
            let _pieces = pieces(text);
        }
    }
}
