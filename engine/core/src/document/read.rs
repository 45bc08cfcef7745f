//! Parses YAML text into a [`Document`] with `serde-saphyr`, using its options for YAML 1.2.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned, Tagged};

use super::limits::{ALIASES_MAX, BYTES_MAX, DEPTH_MAX, NODES_MAX};
use super::node::{Entry, Node, NodeValue};
use super::quote::quoted;
use super::scalar;
use super::unreadable::{FileContent, YamlError};
use crate::diagnostic::{Diagnostic, Finding, Label, Part, Place, Severity, Source, codes};

/// A parsed file: its values, and the resolution of places to bytes.
#[derive(Clone, Debug)]
pub struct Document {
    path: Arc<str>,
    text: Arc<str>,
    root: Node,
}

impl Document {
    /// Returns the display path.
    pub const fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Returns the text.
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns the root of the tree.
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// Returns the bytes of a place. If the node does not exist, the key of its closest existing
    /// ancestor is returned, so that a finding about a missing key points to the map that lacks it.
    pub fn span(&self, place: &Place) -> Range<usize> {
        let mut route = place.route.clone();
        let mut part = place.part;
        loop {
            if let Some((node, key)) = self.root.find(&route) {
                return self.span_of(node, key, part, place.within.as_ref());
            }
            match route.parent() {
                Some(parent) => route = parent,
                None => return 0..0,
            }
            part = Part::Key;
        }
    }

    fn span_of(
        &self,
        node: &Node,
        key: Option<&Range<usize>>,
        part: Part,
        within: Option<&Range<usize>>,
    ) -> Range<usize> {
        let structured = matches!(node.value, NodeValue::Map(_) | NodeValue::List(_));
        match (part, key) {
            (Part::Key, Some(key)) => key.clone(),
            // Lists and maps have no end, so their keys represent them.
            (Part::Value, Some(key)) if structured => key.clone(),
            _ => {
                let whole = self.scalar_span(node);
                match (within, node.as_text()) {
                    (Some(within), Some(text)) if !node.aliased => {
                        scalar::locate(&self.text, &whole, text, within).unwrap_or(whole)
                    }
                    _ => whole,
                }
            }
        }
    }

    /// Returns the span of a node. For a list or a map, this is the rest of its first line.
    fn scalar_span(&self, node: &Node) -> Range<usize> {
        let span = node.span.clone();
        if !span.is_empty() {
            return span;
        }
        let rest = self.text.get(span.start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default().trim_end();
        span.start..span.start + line.len()
    }

    /// Turns a finding into a diagnostic by resolving its places to bytes.
    pub fn resolve(&self, finding: Finding) -> Diagnostic {
        let label = |(place, text): (Place, String), primary| Label {
            path: Arc::clone(&self.path),
            span: self.span(&place),
            text,
            primary,
        };
        let mut labels = vec![label(finding.primary, true)];
        labels.extend(finding.related.into_iter().map(|related| label(related, false)));
        labels.extend(finding.elsewhere);
        Diagnostic {
            code: finding.code,
            severity: finding.severity,
            message: finding.message,
            labels,
            help: finding.help,
        }
    }
}

/// Parses the text of a pipeline file or a schema.
///
/// # Errors
/// Returns the first fault that prevents parsing: invalid YAML, a duplicate key, an exceeded limit
/// or invalid UTF-8.
pub fn parse(path: &Arc<str>, bytes: &[u8]) -> Result<Document, (Arc<str>, Box<Diagnostic>)> {
    read(path, bytes, FileContent::Expressions)
}

/// Parses the texts of an e-mail template.
///
/// # Errors
/// See [`parse`].
pub fn parse_texts(path: &Arc<str>, bytes: &[u8]) -> Result<Document, (Arc<str>, Box<Diagnostic>)> {
    read(path, bytes, FileContent::Texts)
}

fn read(
    path: &Arc<str>,
    bytes: &[u8],
    content: FileContent,
) -> Result<Document, (Arc<str>, Box<Diagnostic>)> {
    let fail = |text: Arc<str>, code, span, message: String, help: Option<String>| {
        let label = Label { path: Arc::clone(path), span, text: String::new(), primary: true };
        let diagnostic =
            Diagnostic { code, severity: Severity::Error, message, labels: vec![label], help };
        (text, Box::new(diagnostic))
    };
    if bytes.len() > BYTES_MAX {
        let message = format!("the file has {} bytes; the maximum is {BYTES_MAX}", bytes.len());
        return Err(fail("".into(), codes::DOCUMENT_LIMIT, 0..0, message, None));
    }
    let text: Arc<str> = match std::str::from_utf8(bytes) {
        Ok(text) => Arc::from(text),
        Err(error) => {
            let readable =
                String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
            let end = readable.len();
            let message = "the file is not UTF-8 text".to_owned();
            let help = Some("save the file as UTF-8".to_owned());
            return Err(fail(Arc::from(readable), codes::NOT_UTF8, end..end, message, help));
        }
    };
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_aliases: ALIASES_MAX,
            max_documents: 2,
        },
    };
    match serde_saphyr::from_str_with_options::<Raw>(&text, options) {
        Ok(raw) => {
            let mut faults = Vec::new();
            let root = lower(raw, &Source::new(Arc::clone(&text)), &mut faults);
            if let Some(fault) = faults.into_iter().next() {
                let (span, message, help) = fault.into_message(&text, content);
                return Err(fail(text, codes::YAML_SYNTAX, span, message, Some(help)));
            }
            Ok(Document { path: Arc::clone(path), text, root })
        }
        Err(error) => {
            let source = Source::new(Arc::clone(&text));
            let span = error.location().map_or(0..0, |location| span(location, &source));
            let YamlError { code, message, span, help } =
                YamlError::explain(&error, &text, span, content);
            Err(fail(text, code, span, message, help))
        }
    }
}

/// Returns whether a tag belongs to YAML's core schema.
fn is_core(tag: &str) -> bool {
    const CORE: [&str; 7] = ["null", "bool", "int", "float", "str", "seq", "map"];
    tag == "!" || tag.strip_prefix("tag:yaml.org,2002:").is_some_and(|name| CORE.contains(&name))
}

fn span(location: Location, source: &Source) -> Range<usize> {
    let start = match location.span().byte_offset() {
        Some(offset) => usize::try_from(offset).unwrap_or(0),
        None => source.byte_at(
            usize::try_from(location.line()).unwrap_or(1),
            usize::try_from(location.column()).unwrap_or(1),
        ),
    };
    let start = start.min(source.text().len());
    let length = location.span().byte_len().and_then(|length| usize::try_from(length).ok());
    start..(start + length.unwrap_or(0)).min(source.text().len())
}

/// Valid YAML that `oms` rejects.
enum Fault {
    /// A tag outside YAML's core schema.
    Tag(Range<usize>, String),
    /// A null or empty key.
    NullKey(Range<usize>),
}

impl Fault {
    /// Returns the place, the message and the help.
    fn into_message(self, text: &str, content: FileContent) -> (Range<usize>, String, String) {
        match self {
            Self::Tag(span, tag) if content == FileContent::Texts => {
                // The span is that of the value after the tag.
                let start = text.get(..span.start).and_then(|before| before.rfind('!'));
                let span = start.unwrap_or(span.start)..span.end;
                let rest = text.get(span.start..).unwrap_or_default();
                let line = rest.lines().next().unwrap_or_default().trim_end();
                let span = span.start..span.start + line.len();
                let help = format!("put quotes around the text: `{}`", quoted(line));
                (span, format!("unsupported tag `{tag}`"), help)
            }
            Self::Tag(span, tag) => {
                let help = "remove the tag; the type follows from the value".to_owned();
                (span, format!("unsupported tag `{tag}`"), help)
            }
            Self::NullKey(span) => match text.get(span.clone()).unwrap_or_default() {
                "" => {
                    let help = "write a key before the colon".to_owned();
                    (span, "the key before the colon is missing".to_owned(), help)
                }
                key => {
                    let message = format!("a key must be text, but `{key}` is null");
                    (span, message, format!("put the key in quotes: `{}`", quoted(key)))
                }
            },
        }
    }
}

/// Converts the reader's output into a node and collects the faults in it.
fn lower(raw: Raw, source: &Source, faults: &mut Vec<Fault>) -> Node {
    let Raw(spanned) = raw;
    let aliased = spanned.referenced != spanned.defined;
    let mut place = span(spanned.referenced, source);
    let Tagged(content, tag) = spanned.value;
    if let Some(tag) = tag.filter(|tag| !is_core(tag)) {
        faults.push(Fault::Tag(place.clone(), tag));
    }
    let value = match content {
        Content::Null => NodeValue::Null,
        Content::Bool(value) => NodeValue::Bool(value),
        Content::Int(value) => NodeValue::Int(value),
        Content::Float(value) => NodeValue::Float(value),
        Content::Text(text) => NodeValue::Text(text),
        Content::List(elements) => NodeValue::List(
            elements.into_iter().map(|element| lower(element, source, faults)).collect(),
        ),
        Content::Map(entries) => NodeValue::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let key_span = span(key.referenced, source);
                    if key.value.is_none() {
                        faults.push(Fault::NullKey(key_span.clone()));
                    }
                    let node = lower(value, source, faults);
                    Entry { key: key.value.unwrap_or_default(), key_span, node }
                })
                .collect(),
        ),
    };
    if matches!(value, NodeValue::List(_) | NodeValue::Map(_)) {
        place.end = place.start;
    }
    Node { value, span: place, aliased }
}

/// A node as the reader returns it.
#[derive(Deserialize)]
struct Raw(Spanned<Tagged<Content>>);

enum Content {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Spanned<Option<String>>, Raw)>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(i64::try_from(value).map_or(Content::Float(value as f64), Content::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Content, E> {
        Ok(i64::try_from(value).map_or(Content::Float(value as f64), Content::Int))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Content, E> {
        Ok(i64::try_from(value).map_or(Content::Float(value as f64), Content::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Content::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Content::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Route;

    fn document(text: &str) -> Document {
        parse(&"p.yaml".into(), text.as_bytes()).unwrap()
    }

    fn at<'t>(text: &'t str, place: &Place) -> &'t str {
        text.get(document(text).span(place)).unwrap()
    }

    fn fault(text: &str) -> String {
        let (source, diagnostic) = parse(&"p.yaml".into(), text.as_bytes()).unwrap_err();
        let (line, column) =
            Source::new(source).line_column(diagnostic.primary().unwrap().span.start);
        format!("{} {line}:{column} {}", diagnostic.code, diagnostic.message)
    }

    #[test]
    fn spans_of_keys_and_values_are_exact() {
        let route = Route::root().key("a").key("ß");
        for text in [
            "# ü\na:\n  ß: wörld # c\n",
            "a: {ß: wörld}",
            "\u{feff}a:\r\n  ß: wörld\r\n",
            "x: &k {ß: wörld}\na:\n  ß: wörld\n",
        ] {
            assert_eq!(at(text, &Place::key(route.clone())), "ß", "{text:?}");
            assert_eq!(at(text, &Place::value(route.clone())), "wörld", "{text:?}");
        }
    }

    #[test]
    fn a_part_of_a_scalar_is_found_in_its_source() {
        let place = |within| Place::text(Route::root().key("a"), within);
        assert_eq!(at("a: x ${{ order }} y", &place(6..11)), "order");
        assert_eq!(at("a: \"x ${{ order }} y\"", &place(6..11)), "order");
        assert_eq!(at("a: |\n  x\n  order\n", &place(2..7)), "order");
    }

    #[test]
    fn a_missing_key_points_to_the_map_that_lacks_it() {
        let route = Route::root().key("steps").key("a").key("uses");
        assert_eq!(at("steps:\n  a:\n    with: 1\n", &Place::value(route)), "a");
    }

    #[test]
    fn only_core_schema_scalars_are_typed() {
        let values: Vec<NodeValue> = document("[NO, on, 0777, 1_000, 1:30, ~, true, 12, 1.10]")
            .root()
            .to_owned()
            .value
            .into_list()
            .into_iter()
            .map(|node| node.value)
            .collect();
        let text = |text: &str| NodeValue::Text(text.to_owned());
        assert_eq!(
            values,
            [
                text("NO"),
                text("on"),
                text("0777"),
                text("1_000"),
                text("1:30"),
                NodeValue::Null,
                NodeValue::Bool(true),
                NodeValue::Int(12),
                NodeValue::Float(1.1),
            ]
        );
    }

    #[test]
    fn invalid_files_are_rejected_with_a_place() {
        assert_starts_with(&fault("a: 1\nb:\n  c: 1\n  c: 2\n"), "OMS0102 4:3");
        assert_starts_with(&fault("a: [1, 2\nb: 3\n"), "OMS0101");
        assert_starts_with(&fault(&"[".repeat(5000)), "OMS0103");
        assert_eq!(
            fault("a: 1\n---\nb: 2\n").split_once(' ').map(|(code, _)| code),
            Some("OMS0101")
        );
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        let found = fault(bomb);
        assert_starts_with(&found, "OMS0103");
        assert!(found.ends_with("more than 50000 values once aliases are expanded"), "{found}");
    }

    #[test]
    fn only_core_schema_tags_are_accepted() {
        assert_starts_with(&fault("a: 1\nb: !secret x\n"), "OMS0101 2:");
        assert_starts_with(&fault("a: !!binary eA==\n"), "OMS0101 1:");
        let text = NodeValue::Text("12".to_owned());
        assert_eq!(document("a: !!str 12").root().get("a").unwrap().node.value, text);
        assert!(parse(&"p.yaml".into(), b"a: !!map {b: !!seq [1]}").is_ok());
    }

    fn assert_starts_with(found: &str, with: &str) {
        assert!(found.starts_with(with), "{found}");
    }

    impl NodeValue {
        fn into_list(self) -> Vec<Node> {
            match self {
                Self::List(nodes) => nodes,
                _ => Vec::new(),
            }
        }
    }
}
