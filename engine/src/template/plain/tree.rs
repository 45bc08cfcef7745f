//! HTML as a tree, read by html5ever's tokenizer, which knows character references and where markup is none.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// Elements within each other; deeper ones stand beside each other. A mail has some thirty.
const DEPTH_MAX: usize = 200;

/// Elements that hold nothing.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements that end a paragraph by beginning (HTML standard, 13.1.2.4).
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

/// A piece of HTML.
#[derive(Debug)]
pub(super) enum Node {
    Text(StrTendril),
    Element(Element),
}

/// An element with what it holds.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// In lower case.
    pub(super) name: String,
    attributes: Vec<(String, StrTendril)>,
    /// Whether a reader does not see it.
    pub(super) is_hidden: bool,
    pub(super) children: Vec<Node>,
}

impl Element {
    /// Returns the value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes.find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// Returns the elements that it holds directly.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }
}

/// Reads HTML.
pub(super) fn read(html: &str) -> Element {
    let builder = Builder { open: RefCell::new(vec![Element::default()]) };
    let tokenizer = Tokenizer::new(builder, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(html));
    // Only a script could stop it, and the builder runs none.
    let _done = tokenizer.feed(&queue);
    tokenizer.end();
    let mut open = tokenizer.sink.open.into_inner();
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().unwrap_or_default()
}

struct Builder {
    /// The elements that are open, the whole document first.
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

/// Ends the element that was opened last.
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

/// Ends the elements that the beginning of another one ends.
fn end_implied(open: &mut Vec<Element>, name: &str) {
    // What is ended, and what it does not reach beyond.
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
