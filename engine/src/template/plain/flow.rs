//! Blocks below each other: paragraphs, lists, quotations. A blank line stands between those that HTML sets apart.

use std::collections::HashMap;

use super::hidden::Hidden;
use super::table;
use super::tree::{Element, Node, read};
use super::wrap::wrapped;
use crate::template::isolate::Marks;

/// Columns of a text (RFC 5322, 2.1.1).
pub(super) const COLUMNS: usize = 78;

/// Elements with a blank line around them.
const PARAGRAPHS: [&str; 13] =
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "blockquote", "pre", "figure"];
/// Elements that begin a line of their own.
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

/// Makes the text part of an HTML body.
pub(in crate::template) fn text_of(html: &str) -> String {
    let document = read(html);
    let hidden = Hidden::of(&document);
    let mut links = Links::default();
    let mut flow = Flow::new(&hidden, &mut links, COLUMNS);
    flow.nodes(&document.children);
    let mut text = flow.finished().join("\n");
    if !links.targets.is_empty() {
        text.push('\n');
    }
    for (position, link) in links.targets.iter().enumerate() {
        text.push_str(&format!("\n[{}]: {link}", position + 1));
    }
    text.push('\n');
    text
}

/// What the links of a text lead to.
#[derive(Default)]
pub(super) struct Links {
    /// In the order of their numbers.
    targets: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Links {
    /// Returns the number of a target, which is the same wherever it is linked.
    fn number(&mut self, target: &str) -> usize {
        if let Some(number) = self.numbers.get(target) {
            return *number;
        }
        self.targets.push(target.to_owned());
        self.numbers.insert(target.to_owned(), self.targets.len());
        self.targets.len()
    }
}

/// What comes between two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    Nothing,
    Line,
    Blank,
}

/// Text that grows downwards.
pub(super) struct Flow<'f> {
    hidden: &'f Hidden,
    links: &'f mut Links,
    columns: usize,
    lines: Vec<String>,
    /// The paragraph under way, with line breaks where HTML has them.
    inline: String,
    gap: Gap,
}

impl<'f> Flow<'f> {
    pub(super) fn new(hidden: &'f Hidden, links: &'f mut Links, columns: usize) -> Self {
        Self { hidden, links, columns, lines: Vec::new(), inline: String::new(), gap: Gap::Nothing }
    }

    /// Returns the lines.
    pub(super) fn finished(mut self) -> Vec<String> {
        self.end(Gap::Nothing);
        self.lines
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn is_hidden(&self, element: &Element) -> bool {
        self.hidden.has(element)
    }

    pub(super) fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(text) => self.text(text),
                Node::Element(element) => self.element(element),
            }
        }
    }

    /// Returns the lines of what an element holds, in columns of their own.
    pub(super) fn within(&mut self, nodes: &[Node], columns: usize) -> Vec<String> {
        let mut inner = Flow::new(self.hidden, self.links, columns);
        inner.nodes(nodes);
        inner.finished()
    }

    /// Adds lines as they are, with a blank line before and behind them.
    pub(super) fn block(&mut self, lines: Vec<String>) {
        self.end(Gap::Blank);
        if lines.iter().all(|line| line.trim().is_empty()) {
            return;
        }
        self.space();
        self.lines.extend(lines);
        self.gap = Gap::Blank;
    }

    /// Ends the block at hand.
    pub(super) fn paragraph(&mut self) {
        self.end(Gap::Blank);
    }

    fn element(&mut self, element: &Element) {
        if self.hidden.has(element) {
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
                    let space = if self.inline.ends_with(']') { " " } else { "" };
                    self.text(&format!("{space}[{alt}]"));
                }
            }
            "a" => self.link(element),
            "bdi" => {
                let (before, behind) = Marks::Characters.around();
                self.inline.push_str(before);
                self.nodes(&element.children);
                self.inline.push_str(behind);
            }
            "table" => table::table(self, element),
            "ul" | "ol" => self.list(element),
            "blockquote" => {
                let lines = self.within(&element.children, self.columns.saturating_sub(2));
                self.block(lines.into_iter().map(|line| format!("> {line}")).collect());
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

    fn text(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                // A hyphen that shows only where a line is divided.
                '\u{ad}' => {}
                char if char.is_ascii_whitespace() => {
                    if !self.inline.is_empty() && !self.inline.ends_with([' ', '\n']) {
                        self.inline.push(' ');
                    }
                }
                char => self.inline.push(char),
            }
        }
    }

    /// Writes the words of a link, and notes where it leads unless they say so.
    fn link(&mut self, element: &Element) {
        let start = self.inline.len();
        let lines = self.lines.len();
        self.nodes(&element.children);
        let Some(target) = element.attribute("href").map(str::trim) else { return };
        // A link around blocks has its number behind them.
        let words = self.inline.get(start..).filter(|_| lines == self.lines.len());
        let words = words.unwrap_or_default().trim();
        if target.is_empty()
            || target.starts_with('#')
            || words.is_empty() && lines == self.lines.len()
        {
            return;
        }
        let said = |target: &str| words == target || words == target.trim_end_matches('/');
        let bare = ["mailto:", "tel:", "https://", "http://"];
        if said(target) || bare.iter().filter_map(|scheme| target.strip_prefix(scheme)).any(said) {
            return;
        }
        let number = format!("[{}]", self.links.number(target));
        if words.is_empty() {
            self.text(&format!(" {number}"));
        } else {
            // A picture has brackets of its own.
            let inner = words.strip_prefix('[').and_then(|words| words.strip_suffix(']'));
            let words =
                inner.filter(|inner| !inner.contains(['[', ']'])).unwrap_or(words).to_owned();
            let space = if self.inline.ends_with(' ') { " " } else { "" };
            let before = self.inline.get(start..).is_some_and(|rest| rest.starts_with(' '));
            self.inline.truncate(start);
            self.inline.push_str(if before || self.inline.ends_with(']') { " " } else { "" });
            self.inline.push_str(&format!("[{words}]{number}{space}"));
        }
    }

    fn list(&mut self, element: &Element) {
        let mut number =
            element.attribute("start").and_then(|start| start.parse().ok()).unwrap_or(1_i64);
        let mut lines = Vec::new();
        for item in element.elements().filter(|item| item.name == "li") {
            if self.hidden.has(item) {
                continue;
            }
            let mark = if element.name == "ol" { format!("{number}. ") } else { "* ".to_owned() };
            number = number.saturating_add(1);
            let indent = " ".repeat(mark.len());
            let inner = self.within(&item.children, self.columns.saturating_sub(mark.len()));
            for (position, line) in inner.into_iter().enumerate() {
                let before = if position == 0 { &mark } else { &indent };
                lines.push(format!("{before}{line}").trim_end().to_owned());
            }
        }
        self.block(lines);
    }

    /// Puts the space before a block.
    fn space(&mut self) {
        if self.gap == Gap::Blank && !self.lines.is_empty() {
            self.lines.push(String::new());
        }
    }

    /// Ends the paragraph under way, if there is one, and says what comes between it and the next.
    fn end(&mut self, gap: Gap) {
        let inline = std::mem::take(&mut self.inline);
        let text = inline.trim_matches([' ', '\n']);
        if text.chars().all(|char| char.is_whitespace() || is_mark(char)) {
            self.gap = self.gap.max(gap);
            return;
        }
        self.space();
        for line in text.split('\n') {
            self.lines.extend(wrapped(line.trim(), self.columns));
        }
        self.gap = gap;
    }
}

/// Tells whether a character only changes how others are shown, so that a paragraph of such is empty.
const fn is_mark(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2069}' | '\u{34f}' | '\u{feff}')
}

/// Returns the text of nodes as it is.
fn literal(nodes: &[Node], text: &mut String) {
    for node in nodes {
        match node {
            Node::Text(part) => text.push_str(part),
            Node::Element(element) if element.name == "br" => text.push('\n'),
            Node::Element(element) => literal(&element.children, text),
        }
    }
}
