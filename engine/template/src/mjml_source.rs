//! Prepares MJML for its parser. The parser drops the whitespace between two inline elements, and
//! rejects whitespace and comments in positions where MJML allows them. [`prepared`] rewrites such
//! bytes without changing the length of the text, so that positions stay valid. [`restored`]
//! restores the line breaks in the HTML.

use std::ops::Range;

use super::markup::{Element, Piece, VOID, pieces, slice};

/// Elements that contain no text, so that whitespace in them has no effect.
pub(super) const STRUCTURE: [&str; 16] = [
    "mjml",
    "mj-head",
    "mj-body",
    "mj-attributes",
    "mj-html-attributes",
    "mj-selector",
    "mj-section",
    "mj-column",
    "mj-wrapper",
    "mj-group",
    "mj-hero",
    "mj-social",
    "mj-navbar",
    "mj-accordion",
    "mj-accordion-element",
    "mj-carousel",
];
/// Elements in which HTML ignores whitespace.
const WITHOUT_SPACE: [&str; 9] =
    ["mj-table", "table", "thead", "tbody", "tfoot", "tr", "ul", "ol", "select"];
/// Elements in which all whitespace is shown.
const LITERAL: [&str; 2] = ["pre", "textarea"];
/// Elements in which the parser rejects comments. Their comments are removed, so they cannot
/// contain Handlebars tags.
pub(super) const UNCOMMENTED: [&str; 5] =
    ["mj-attributes", "mj-accordion-element", "mj-carousel", "mj-title", "mj-preview"];

/// An MJML element that the parser rejects. `oms validate` warns that it has no effect.
const NOT_RENDERED: &str = "mj-html-attributes";

/// Replaces a line break that the parser would drop. It has one byte, is not whitespace, and is not
/// allowed in HTML.
const BREAK: char = '\u{7f}';

/// Returns a text of the same length that the parser accepts. Handlebars tags in `masked` must be
/// masked.
pub(super) fn prepared(masked: &str) -> String {
    let mut source = Source { text: masked, bytes: masked.as_bytes().to_vec(), open: Vec::new() };
    source.read(&pieces(masked));
    // Only whole characters are replaced, and only with ASCII characters.
    String::from_utf8(source.bytes).unwrap_or_else(|_| masked.to_owned())
}

/// Returns the HTML with the line breaks that [`prepared`] kept.
pub(super) fn restored(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut is_after_break = false;
    for char in html.chars() {
        match char {
            BREAK if is_after_break => {}
            BREAK => out.push('\n'),
            char => out.push(char),
        }
        is_after_break = char == BREAK;
    }
    out
}

struct Source<'t> {
    text: &'t str,
    bytes: Vec<u8>,
    /// Names of the open elements, from the outside in.
    open: Vec<&'t str>,
}

impl<'t> Source<'t> {
    fn read(&mut self, pieces: &[Piece]) {
        let mut skipped_to = 0;
        for (position, piece) in pieces.iter().enumerate() {
            let before = position.checked_sub(1).and_then(|before| pieces.get(before));
            match piece {
                Piece::Start(element) => {
                    let name = slice(self.text, &element.name);
                    if name == NOT_RENDERED && element.name.start >= skipped_to {
                        skipped_to = self.without(element, pieces.get(position..));
                    }
                    if !element.is_closed && !VOID.contains(&name) {
                        self.open.push(name);
                    }
                }
                Piece::End(name) => {
                    let name = slice(self.text, name);
                    if let Some(at) = self.open.iter().rposition(|open| *open == name) {
                        self.open.truncate(at);
                    }
                }
                Piece::Text(span) if self.is_in(&["mj-style"]) => self.style(span.clone()),
                Piece::Text(span) => {
                    let text = slice(self.text, span);
                    if text.chars().all(char::is_whitespace) && span.start >= skipped_to {
                        let is_edge = self.is_edge(before, pieces.get(position + 1));
                        self.space(span.clone(), is_edge);
                    }
                }
                Piece::Comment(span) if self.is_in(&UNCOMMENTED) => {
                    let blank = if self.is_in(&STRUCTURE) { b'\n' } else { b' ' };
                    self.fill(span.clone(), blank);
                }
                Piece::Comment(span) => self.conditional_comment(span.clone()),
            }
        }
    }

    /// Keeps the whitespace between two tags in a conditional comment for Outlook.
    fn conditional_comment(&mut self, span: Range<usize>) {
        let text = slice(self.text, &span);
        if !text.starts_with("<!--[if") {
            return;
        }
        let mut at = 0;
        while let Some(found) = text.get(at..).and_then(|rest| rest.find(">\n")) {
            let start = at + found + 1;
            let rest = text.get(start..).unwrap_or_default();
            let length = rest.len() - rest.trim_ascii_start().len();
            at = start + length;
            if text.get(at..).is_some_and(|rest| rest.starts_with('<')) {
                self.fill(span.start + start..span.start + at, BREAK as u8);
            }
        }
    }

    fn is_in(&self, names: &[&str]) -> bool {
        self.open.last().is_some_and(|open| names.contains(open))
    }

    /// Returns whether a text is the first or last child of an MJML element, where whitespace has
    /// no effect.
    fn is_edge(&self, before: Option<&Piece>, after: Option<&Piece>) -> bool {
        let is_mjml = |name: &Range<usize>| slice(self.text, name).starts_with("mj");
        matches!(before, Some(Piece::Start(element)) if is_mjml(&element.name))
            || matches!(after, Some(Piece::End(name)) if is_mjml(name))
    }

    /// Rewrites whitespace between two tags. The parser drops a whitespace-only text if and only if
    /// it starts with a line break.
    fn space(&mut self, span: Range<usize>, is_edge: bool) {
        let text = slice(self.text, &span);
        if self.open.last().is_none_or(|open| STRUCTURE.contains(open)) {
            self.fill(span, b'\n');
        } else if self.open.iter().any(|open| LITERAL.contains(open)) {
            if text.starts_with('\n') {
                self.fill(span.start..span.start + 1, BREAK as u8);
            }
        } else if text.is_ascii() && text.contains(['\n', '\r']) {
            let is_dropped = is_edge || self.is_in(&WITHOUT_SPACE);
            self.fill(span, if is_dropped { b'\n' } else { BREAK as u8 });
        } else if text.starts_with('\n') {
            self.fill(span.start..span.start + 1, BREAK as u8);
        }
    }

    /// Blanks HTML comments in a style sheet, and `<` in CSS comments.
    fn style(&mut self, span: Range<usize>) {
        let text = slice(self.text, &span);
        for (from, to) in enclosed(text, "<!--", "-->") {
            let inner = text.get(from + "<!--".len()..to).unwrap_or_default();
            let (from, to) = (span.start + from, span.start + to);
            // Some e-mails wrap the whole style sheet in a comment, for very old browsers.
            if inner.contains('{') {
                self.fill(from..from + "<!--".len(), b' ');
                self.fill((to - "-->".len()).max(from)..to, b' ');
            } else {
                self.blank(from..to);
            }
        }
        for (from, to) in enclosed(text, "/*", "*/") {
            for at in span.start + from..span.start + to {
                if self.bytes.get(at) == Some(&b'<') {
                    self.fill(at..at + 1, b' ');
                }
            }
        }
    }

    /// Blanks an element and its content, and returns its end.
    fn without(&mut self, element: &Element, pieces: Option<&[Piece]>) -> usize {
        let name = slice(self.text, &element.name);
        let mut ends = pieces.into_iter().flatten().filter_map(|piece| match piece {
            Piece::End(end) if slice(self.text, end) == name => Some(end.end),
            _ => None,
        });
        let last = element.attributes.last().map_or(element.name.end, |last| last.value.end);
        let end = if element.is_closed { Some(last) } else { ends.next() };
        let Some(end) = end else { return 0 };
        let close = self.text.get(end..).and_then(|rest| rest.find('>'));
        let end = close.map_or(self.text.len(), |close| end + close + 1);
        self.fill(element.name.start - 1..end, b'\n');
        end
    }

    /// Blanks bytes, except for the words that stand for Handlebars tags, because an `{{#if}}` must
    /// keep its `{{/if}}`.
    fn blank(&mut self, span: Range<usize>) {
        let mut from = span.start;
        for word in placeholders(slice(self.text, &span)) {
            self.fill(from..span.start + word.start, b' ');
            from = span.start + word.end;
        }
        self.fill(from..span.end, b' ');
    }

    fn fill(&mut self, span: Range<usize>, with: u8) {
        if let Some(bytes) = self.bytes.get_mut(span) {
            bytes.fill(with);
        }
    }
}

/// Returns the positions of the words that stand for Handlebars tags.
pub(super) fn placeholders(text: &str) -> Vec<Range<usize>> {
    let word = |(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0 && rest.as_bytes().get(digits) == Some(&b'Q')).then(|| at..at + digits + 2)
    };
    text.match_indices('Z').filter_map(word).collect()
}

/// Returns the start and end of each text between two delimiters, including the delimiters.
fn enclosed(text: &str, open: &str, close: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(from) = text.get(at..).and_then(|rest| rest.find(open)).map(|from| at + from) {
        let inner = from + open.len();
        let end = text.get(inner..).and_then(|rest| rest.find(close));
        at = end.map_or(text.len(), |end| inner + end + close.len());
        found.push((from, at));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::mjml::{Includes, compile};
    use super::*;

    /// Compiles the content of `mj-text`.
    fn text(content: &str) -> String {
        let mjml = format!(
            "<mjml><mj-body><mj-section><mj-column><mj-text>{content}</mj-text></mj-column></mj-section></mj-body></mjml>"
        );
        compile("m", &mjml, &Includes::new()).ok().unwrap().html
    }

    /// Compiles an e-mail with this head.
    fn with_head(head: &str) -> Result<String, String> {
        let mjml = format!("<mjml>{head}<mj-body></mj-body></mjml>");
        let compiled = compile("m", &mjml, &Includes::new());
        compiled.map(|compiled| compiled.html).map_err(|problems| problems[0].message.clone())
    }

    #[test]
    fn whitespace_between_inline_elements_is_kept() {
        let html = text("\n  <b>Total:</b>\n   <span>{{x}}</span>\n\n<i>incl. VAT</i>\n");
        assert!(html.contains("><b>Total:</b>\n<span>{{x}}</span>\n<i>incl. VAT</i><"), "{html}");
        let html = text("<p>\r\n<b>a</b>\r\n<b>b</b></p>");
        assert!(html.contains("<b>a</b>\n<b>b</b>"), "{html}");
        let html = text("<pre>a\n<b>b</b>\n\n  <i>c</i>\n</pre>");
        assert!(html.contains("<pre>a\n<b>b</b>\n\n  <i>c</i>\n</pre>"), "{html}");
        let html = text("<!--[if mso]>\n<b>a</b>\n <i>b</i><![endif]-->");
        assert!(html.contains("<b>a</b>\n<i>b</i><![endif]"), "{html}");
        let html = text("<table>\n<tr>\n<td>a</td>\n<td><b>b</b>\n<i>c</i></td></tr></table>");
        let row = "<table><tr><td>a</td><td><b>b</b>\n<i>c</i></td></tr></table>";
        assert!(html.contains(row), "{html}");
    }

    #[test]
    fn whitespace_between_mjml_elements_has_no_effect() {
        let narrow = with_head("<mj-head><mj-title>a</mj-title></mj-head>").unwrap();
        for space in [" ", "\t\n", "\r\n", " \n ", "\n"] {
            let head = format!("<mj-head>{space}<mj-title>a</mj-title>{space}</mj-head>{space}");
            assert_eq!(with_head(&head).as_ref(), Ok(&narrow), "{space:?}");
        }
        for element in [
            "mj-attributes",
            "mj-social",
            "mj-accordion",
            "mj-accordion-element",
            "mj-navbar",
            "mj-carousel",
        ] {
            let element = format!("<{element}> \r\n </{element}>");
            assert_eq!(prepared(&element), element.replace([' ', '\r'], "\n"));
        }
    }

    #[test]
    fn comments_are_accepted_wherever_mjml_allows_them() {
        for head in [
            "<mj-attributes><!-- c --><mj-all color=\"#000\"/></mj-attributes>",
            "<mj-title><!-- c -->x</mj-title>",
            "<mj-preview>x<!-- c --></mj-preview>",
            "<mj-style>/* <p> */ .a { color: red }</mj-style>",
            "<mj-html-attributes/>",
            "<mj-html-attributes> <mj-selector path=\".a\"> <mj-html-attribute name=\"b\">c</mj-html-attribute> </mj-selector> </mj-html-attributes>",
        ] {
            let html = with_head(&format!("<mj-head>{head}</mj-head>"));
            assert!(html.is_ok(), "{head}: {html:?}");
        }
        let style =
            |css: &str| with_head(&format!("<mj-head><mj-style>{css}</mj-style></mj-head>"));
        let html = style("<!-- c --> .a { color: red }").unwrap();
        assert!(html.contains(".a { color: red }") && !html.contains("c --"), "{html}");
        let html = style("<!-- .a { color: red } -->").unwrap();
        assert!(html.contains(".a { color: red }") && !html.contains("<!-- .a"), "{html}");
        let tag = "<mj-carousel><!-- a {{x}} --></mj-carousel>";
        let body = format!(
            "<mjml><mj-body><mj-section><mj-column>{tag}</mj-column></mj-section></mj-body></mjml>"
        );
        let problems = compile("m", &body, &Includes::new()).err().unwrap();
        assert_eq!(body.get(problems[0].span.clone()), Some("<!-- a {{x}} -->"));
    }

    #[test]
    fn the_length_of_the_text_does_not_change() {
        for text in [
            "",
            "<mj-text>\n\u{a0}\n</mj-text>",
            "<mj-column>\u{a0}é<!-- é --></mj-column>",
            "<mj-title><!-- é</mj-title>",
            "<mj-style><!-- é { <",
            "<mj-style>/* é < é",
            "<mj-html-attributes>é</mj-html-attributes",
            "<mj-html-attributes>",
            "<pre>\n",
        ] {
            assert_eq!(prepared(text).len(), text.len(), "{text}");
        }
    }
}
