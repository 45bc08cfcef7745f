//! Parses HTML into a tree with html5ever's tokenizer, which decodes character references and
//! handles raw text elements.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// Maximum nesting depth. Deeper elements become siblings. E-mails have a depth of about 30.
const DEPTH_MAX: usize = 200;

/// Void elements.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements whose start tag ends an open paragraph (HTML standard, 13.1.2.4).
const ENDS_PARAGRAPH: [&str; 25] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "div",
    "dl",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "main",
    "nav",
    "ol",
    "p",
    "section",
    "table",
    "ul",
];

/// A node of the tree.
#[derive(Debug)]
pub(super) enum Node {
    Text(StrTendril),
    Element(Element),
}

/// An element with its children.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// The lower-case name.
    pub(super) name: String,
    attributes: Vec<(String, StrTendril)>,
    /// Whether the element is not displayed.
    pub(super) is_hidden: bool,
    pub(super) children: Vec<Node>,
}

impl Element {
    /// Returns the value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes.find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// Returns the child elements.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }
}

/// Parses HTML.
pub(super) fn read(html: &str) -> Element {
    let builder = Builder { open: RefCell::new(vec![Element::default()]) };
    let tokenizer = Tokenizer::new(builder, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(html));
    // Only a script could stop the tokenizer, and the builder does not run scripts.
    let _done = tokenizer.feed(&queue);
    tokenizer.end();
    let mut open = tokenizer.sink.open.into_inner();
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().unwrap_or_default()
}

struct Builder {
    /// The open elements, starting with the document.
    open: RefCell<Vec<Element>>,
}

impl TokenSink for Builder {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let mut open = self.open.borrow_mut();
        match token {
            Token::CharacterTokens(text) => add(&mut open, Node::Text(text)),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return start(&mut open, tag),
            Token::TagToken(tag) => {
                let found = open.iter().skip(1).rposition(|element| *element.name == *tag.name);
                if let Some(at) = found {
                    while open.len() > at + 1 {
                        close(&mut open);
                    }
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn add(open: &mut [Element], node: Node) {
    if let Some(element) = open.last_mut() {
        element.children.push(node);
    }
}

/// Closes the innermost open element.
fn close(open: &mut Vec<Element>) {
    if let Some(element) = open.pop() {
        add(open, Node::Element(element));
    }
}

fn start(open: &mut Vec<Element>, tag: Tag) -> TokenSinkResult<()> {
    let name = tag.name.to_string();
    end_implied(open, &name);
    let attributes = tag.attrs.into_iter();
    let attributes = attributes.map(|one| (one.name.local.to_string(), one.value)).collect();
    let raw = match name.as_str() {
        "title" | "textarea" => Some(RawKind::Rcdata),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" | "script" => Some(RawKind::Rawtext),
        _ => None,
    };
    let holds_nothing = VOID.contains(&name.as_str());
    let element = Element { name, attributes, is_hidden: false, children: Vec::new() };
    if holds_nothing || open.len() > DEPTH_MAX {
        add(open, Node::Element(element));
    } else {
        open.push(element);
    }
    raw.map_or(TokenSinkResult::Continue, TokenSinkResult::RawData)
}

/// Closes the elements that a start tag closes implicitly.
fn end_implied(open: &mut Vec<Element>, name: &str) {
    // The elements to close, and the elements at which the search stops.
    let (ended, within): (&[&str], &[&str]) = match name {
        "li" => (&["li"], &["ul", "ol", "td", "th", "table"]),
        "dt" | "dd" => (&["dt", "dd"], &["dl", "td", "th", "table"]),
        "td" | "th" => (&["td", "th"], &["tr", "table"]),
        "tr" => (&["tr"], &["thead", "tbody", "tfoot", "table"]),
        "thead" | "tbody" | "tfoot" => (&["thead", "tbody", "tfoot"], &["table"]),
        name if ENDS_PARAGRAPH.contains(&name) => {
            (&["p"], &["td", "th", "table", "li", "div", "a"])
        }
        _ => return,
    };
    let reaches = |element: &&Element| !within.contains(&element.name.as_str());
    let reached = open.iter().rev().take_while(reaches);
    let found = reached.take(open.len() - 1).position(|one| ended.contains(&one.name.as_str()));
    for _ in 0..found.map_or(0, |position| position + 1) {
        close(open);
    }
}
