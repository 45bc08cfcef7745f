//! Links: their text, and the numbered list of URLs at the end of the text part.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::flow::Flow;
use super::image::{CLOSE, OPEN, image_alt};
use super::tree::{Element, Node};

/// The URLs of the links in a text.
pub(super) struct Links<'d> {
    document: &'d Element,
    /// The URLs, in the order of their numbers.
    targets: Vec<String>,
    numbers: HashMap<String, usize>,
    /// URLs of the links with text. Collected when the first link without text is found.
    text_links: OnceCell<HashSet<&'d str>>,
    /// URLs that were written instead of a link without text.
    bare: HashSet<String>,
}

impl<'d> Links<'d> {
    pub(super) fn of(document: &'d Element) -> Self {
        let (targets, numbers) = (Vec::new(), HashMap::new());
        Self { document, targets, numbers, text_links: OnceCell::new(), bare: HashSet::new() }
    }

    /// Appends the numbered URLs to a text.
    pub(super) fn write_notes(&self, text: &mut String) {
        if !self.targets.is_empty() {
            text.push('\n');
        }
        for (position, link) in self.targets.iter().enumerate() {
            text.push_str(&format!("\n[{}]: {link}", position + 1));
        }
    }

    /// Returns the number of a URL. All links to the same URL share a number.
    fn number(&mut self, target: &str) -> usize {
        if let Some(number) = self.numbers.get(target) {
            return *number;
        }
        self.targets.push(target.to_owned());
        self.numbers.insert(target.to_owned(), self.targets.len());
        self.targets.len()
    }

    /// Returns whether a link with text leads to a URL.
    fn has_text_link_to(&self, target: &str) -> bool {
        let targets_with_text = self.text_links.get_or_init(|| {
            let mut targets_with_text = HashSet::new();
            collect_text_links(self.document, &mut targets_with_text);
            targets_with_text
        });
        targets_with_text.contains(target)
    }
}

impl Flow<'_, '_> {
    /// Writes the text of a link and its number, unless the text already shows the URL.
    pub(super) fn link(&mut self, element: &Element) {
        let start = self.inline.len();
        let lines = self.lines.len();
        self.nodes(&element.children);
        let target = element.attribute("href").map_or("", str::trim);
        if target.is_empty() || target.starts_with('#') {
            return;
        }
        if lines != self.lines.len() {
            return self.link_around_blocks(target);
        }
        let written = self.inline.get(start..).unwrap_or_default();
        let words = written.trim();
        if words.is_empty() {
            return self.link_without_text(element, target);
        }
        if shows_url(words, target) {
            return;
        }
        // An image already has brackets.
        let picture = image_alt(words);
        let (open, close) = if picture.is_some() { (OPEN, CLOSE) } else { ('[', ']') };
        let words = picture.unwrap_or(words).to_owned();
        let (is_apart, space) = (written.starts_with(' '), written.ends_with(' '));
        let number = self.links.number(target);
        self.inline.truncate(start);
        let is_apart = is_apart || self.inline.ends_with([']', CLOSE]);
        let [before, after] = [is_apart, space].map(|is_there| if is_there { " " } else { "" });
        self.inline.push_str(&format!("{before}{open}{words}{close}[{number}]{after}"));
    }

    /// Writes the number of a link that contains blocks. The number follows the last block.
    fn link_around_blocks(&mut self, target: &str) {
        let number = format!(" [{}]", self.links.number(target));
        if self.inline.trim().is_empty() {
            if let Some(last) = self.lines.last_mut() {
                last.push_str(&number);
            }
        } else {
            self.text(&number);
        }
    }

    /// Writes the URL of a linked image without `alt`, unless a link with text leads to the same
    /// URL.
    fn link_without_text(&mut self, element: &Element, target: &str) {
        if has_image(element)
            && !self.links.has_text_link_to(target)
            && self.links.bare.insert(target.to_owned())
        {
            let address = SCHEMES.iter().find_map(|scheme| target.strip_prefix(scheme));
            self.image_target(address.unwrap_or(target));
        }
    }
}

/// Schemes that are removed, because the address is clear without them.
const SCHEMES: [&str; 2] = ["mailto:", "tel:"];

/// Returns whether the text of a link shows its URL.
fn shows_url(words: &str, target: &str) -> bool {
    let is_said = |target: &str| words == target || words == target.trim_end_matches('/');
    let schemes = ["mailto:", "tel:", "https://", "http://"];
    let number = |text: &str| -> String {
        text.chars().filter(|char| char.is_ascii_digit() || *char == '+').collect()
    };
    is_said(target)
        || schemes.iter().filter_map(|scheme| target.strip_prefix(scheme)).any(is_said)
        || target.strip_prefix("tel:").is_some_and(|called| {
            !words.contains(char::is_alphabetic) && number(called) == number(words)
        })
}

fn collect_text_links<'d>(element: &'d Element, targets_with_text: &mut HashSet<&'d str>) {
    for inner in element.elements().filter(|inner| !inner.is_hidden) {
        if inner.name == "a" && has_visible_text(inner) {
            targets_with_text.extend(inner.attribute("href").map(str::trim));
        }
        collect_text_links(inner, targets_with_text);
    }
}

/// Returns whether an element has visible text.
fn has_visible_text(element: &Element) -> bool {
    !element.is_hidden
        && (element.name == "img"
            && element.attribute("alt").is_some_and(|alt| !alt.trim().is_empty())
            || element.children.iter().any(|child| match child {
                Node::Text(text) => !text.trim().is_empty(),
                Node::Element(inner) => has_visible_text(inner),
            }))
}

fn has_image(element: &Element) -> bool {
    element.elements().any(|inner| !inner.is_hidden && (inner.name == "img" || has_image(inner)))
}
