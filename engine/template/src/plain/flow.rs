//! Lays out block elements: paragraphs, lists, quotations. Blocks that HTML separates by a margin
//! are separated by a blank line.

use super::hidden;
use super::image::{CLOSE, OPEN, may_follow_image, without_leading_image};
use super::links::Links;
use super::table;
use super::tree::{Element, Node, read};
use super::wrap::wrapped;
use crate::isolation::IsolateMarkup;

/// Line width of the text part (RFC 5322, 2.1.1).
pub(super) const COLUMNS: usize = 78;
/// Line width below which nested blocks are not indented any further.
const COLUMNS_MIN: usize = 30;

/// Elements with a blank line before and after.
const PARAGRAPHS: [&str; 13] =
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "blockquote", "pre", "figure"];
/// Elements that start on a new line.
const LINES: [&str; 20] = [
    "address",
    "article",
    "aside",
    "body",
    "caption",
    "center",
    "dd",
    "div",
    "dt",
    "fieldset",
    "figcaption",
    "footer",
    "form",
    "header",
    "html",
    "legend",
    "li",
    "main",
    "nav",
    "section",
];

/// Returns the text part for an HTML body.
pub(crate) fn text_of(html: &str) -> String {
    let mut document = read(html);
    hidden::mark(&mut document);
    let mut links = Links::of(&document);
    let mut flow = Flow::new(&mut links, COLUMNS);
    flow.nodes(&document.children);
    let mut text = flow.finished().join("\n").replace(OPEN, "[").replace(CLOSE, "]");
    links.write_notes(&mut text);
    text.push('\n');
    text
}

/// The separator between two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    Nothing,
    Line,
    Blank,
}

/// A text under construction.
pub(super) struct Flow<'f, 'd> {
    pub(super) links: &'f mut Links<'d>,
    columns: usize,
    pub(super) lines: Vec<String>,
    /// The current paragraph, with the line breaks from the HTML.
    pub(super) inline: String,
    /// Whether the inline text ends with an image, so that a space must follow.
    pub(super) is_after_image: bool,
    pub(super) gap: Gap,
}

impl<'f, 'd> Flow<'f, 'd> {
    pub(super) fn new(links: &'f mut Links<'d>, columns: usize) -> Self {
        let (lines, inline) = (Vec::new(), String::new());
        Self { links, columns, lines, inline, is_after_image: false, gap: Gap::Nothing }
    }

    /// Returns the lines.
    pub(super) fn finished(mut self) -> Vec<String> {
        self.end(Gap::Nothing);
        self.lines
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(text) => self.text(text),
                Node::Element(element) => self.element(element),
            }
        }
    }

    /// Returns the lines of an element's contents at another width.
    pub(super) fn within(&mut self, nodes: &[Node], columns: usize) -> Vec<String> {
        let mut inner = Flow::new(self.links, columns);
        inner.nodes(nodes);
        inner.finished()
    }

    /// Adds preformatted lines with a blank line before and after.
    pub(super) fn block(&mut self, lines: Vec<String>) {
        self.end(Gap::Blank);
        if lines.iter().all(|line| line.trim().is_empty()) {
            return;
        }
        self.space();
        self.lines.extend(lines);
        self.gap = Gap::Blank;
    }

    /// Ends the current block.
    pub(super) fn paragraph(&mut self) {
        self.end(Gap::Blank);
    }

    fn element(&mut self, element: &Element) {
        if element.is_hidden {
            return;
        }
        match element.name.as_str() {
            "br" => {
                self.inline.truncate(self.inline.trim_end_matches(' ').len());
                self.inline.push('\n');
            }
            "hr" => self.block(vec!["-".repeat(self.columns.min(40))]),
            "img" => {
                let alt = element.attribute("alt").unwrap_or_default().trim();
                if !alt.is_empty() {
                    self.image(alt);
                }
            }
            "a" => self.link(element),
            "s" | "del" | "strike" => self.enclosed(element, "~~", "~~"),
            "q" => self.enclosed(element, "“", "”"),
            "span" if is_struck(element) => self.enclosed(element, "~~", "~~"),
            "bdi" => {
                let (before, after) = IsolateMarkup::Characters.around();
                self.inline.push_str(before);
                self.nodes(&element.children);
                self.inline.push_str(after);
            }
            "table" => table::table(self, element),
            "ul" | "ol" => self.list(element),
            "blockquote" => {
                let before = if self.columns > COLUMNS_MIN { "> " } else { "" };
                let columns = self.columns.saturating_sub(before.len());
                let lines = self.within(&element.children, columns);
                self.block(lines.into_iter().map(|line| format!("{before}{line}")).collect());
            }
            "pre" => {
                let mut text = String::new();
                literal(&element.children, &mut text);
                self.block(text.trim_matches('\n').split('\n').map(str::to_owned).collect());
            }
            name => {
                let gap = match name {
                    name if PARAGRAPHS.contains(&name) => Gap::Blank,
                    name if LINES.contains(&name) => Gap::Line,
                    _ => return self.nodes(&element.children),
                };
                self.end(gap);
                self.nodes(&element.children);
                self.end(gap);
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        for char in text.chars() {
            if std::mem::take(&mut self.is_after_image) && !may_follow_image(char) {
                self.inline.push(' ');
            }
            match char {
                // A soft hyphen is visible only at a line break.
                '\u{ad}' | OPEN | CLOSE => {}
                char if char.is_ascii_whitespace() => {
                    if !self.inline.is_empty() && !self.inline.ends_with([' ', '\n']) {
                        self.inline.push(' ');
                    }
                }
                char => self.inline.push(char),
            }
        }
    }

    /// Writes inline content between two marks.
    fn enclosed(&mut self, element: &Element, before: &str, after: &str) {
        let (start, lines) = (self.inline.len(), self.lines.len());
        self.nodes(&element.children);
        let written = self.inline.get(start..).unwrap_or_default();
        let words = written.trim();
        if words.is_empty() || lines != self.lines.len() {
            return;
        }
        let [first, last] = [written.starts_with(' '), written.ends_with(' ')];
        let [first, last] = [first, last].map(|is_there| if is_there { " " } else { "" });
        let marked = format!("{first}{before}{words}{after}{last}");
        self.inline.truncate(start);
        self.inline.push_str(&marked);
    }

    fn list(&mut self, element: &Element) {
        let mut number =
            element.attribute("start").and_then(|start| start.parse().ok()).unwrap_or(1_i64);
        let mut lines = Vec::new();
        for item in element.elements().filter(|item| item.name == "li") {
            if item.is_hidden {
                continue;
            }
            let value = item.attribute("value").and_then(|value| value.trim().parse().ok());
            number = value.unwrap_or(number);
            let mark = if element.name == "ol" { format!("{number}. ") } else { "* ".to_owned() };
            number = number.saturating_add(1);
            // Deep lists are not indented further, because the size of the text would grow with the
            // square of the depth.
            let indent =
                if self.columns > COLUMNS_MIN { " ".repeat(mark.len()) } else { String::new() };
            let inner = self.within(&item.children, self.columns.saturating_sub(indent.len()));
            for (position, line) in inner.into_iter().enumerate() {
                let before = if position == 0 { &mark } else { &indent };
                lines.push(format!("{before}{line}").trim_end().to_owned());
            }
        }
        self.block(lines);
    }

    /// Adds the blank line before a block.
    fn space(&mut self) {
        if self.gap == Gap::Blank && !self.lines.is_empty() {
            self.lines.push(String::new());
        }
    }

    /// Ends the current paragraph, if there is one, and sets the separator to the next block.
    fn end(&mut self, gap: Gap) {
        let inline = std::mem::take(&mut self.inline);
        self.is_after_image = false;
        let text = inline.trim_matches([' ', '\n']);
        if text.chars().all(|char| char.is_whitespace() || is_mark(char)) {
            self.gap = self.gap.max(gap);
            return;
        }
        let text = without_leading_image(text);
        if self.repeats_linked_image(text) {
            self.gap = self.gap.max(gap);
            return;
        }
        self.drop_repeated_image(text);
        self.space();
        for line in text.split('\n') {
            self.lines.extend(wrapped(line.trim(), self.columns));
        }
        self.gap = gap;
    }
}

/// Returns whether an element is struck through, such as an old price.
fn is_struck(element: &Element) -> bool {
    element.attribute("style").is_some_and(|style| style.contains("line-through"))
}

/// Returns whether a character is an invisible formatting character. A paragraph of only such
/// characters is empty.
pub(super) const fn is_mark(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2069}' | '\u{34f}' | '\u{feff}')
}

/// Appends the text of nodes without changing whitespace.
fn literal(nodes: &[Node], text: &mut String) {
    for node in nodes {
        match node {
            Node::Text(part) => {
                text.extend(part.chars().filter(|char| !matches!(*char, OPEN | CLOSE)))
            }
            Node::Element(element) if element.name == "br" => text.push('\n'),
            Node::Element(element) => literal(&element.children, text),
        }
    }
}
