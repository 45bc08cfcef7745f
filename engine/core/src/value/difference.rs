//! Finds the members in which two documents differ, as JSON pointers.
//!
//! Two orders are the same if their canonical bytes are equal. The comparison therefore reads these
//! bytes: documents with different digests always differ in at least one member. The result
//! contains no values.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The maximum number of pointers in the result. Further differences are only counted.
const POINTERS_MAX: usize = 10;

/// The members in which two documents differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// JSON pointers (RFC 6901) to the first members that differ. In each record, the members of
    /// the left document come first, ordered by name.
    pub pointers: Vec<String>,
    /// The number of all members that differ.
    pub count: usize,
}

/// Compares two documents by their canonical bytes ([`super::Parsed::canonical`]).
pub fn differences(left: &[u8], right: &[u8]) -> Differences {
    let mut differences = Differences::default();
    if let (Some(left), Some(right)) = (Cursor(left).node(), Cursor(right).node()) {
        compare(&left, &right, &mut String::new(), &mut differences);
    }
    differences
}

/// A part of a document.
enum Node<'c> {
    Scalar(&'c [u8]),
    List(Vec<Self>),
    Record(BTreeMap<&'c [u8], Self>),
}

fn compare(left: &Node<'_>, right: &Node<'_>, pointer: &mut String, into: &mut Differences) {
    match (left, right) {
        (Node::Scalar(left), Node::Scalar(right)) if left == right => {}
        (Node::List(left), Node::List(right)) => {
            for index in 0..left.len().max(right.len()) {
                let sides = (left.get(index), right.get(index));
                below(&index.to_string(), sides, pointer, into);
            }
        }
        (Node::Record(left), Node::Record(right)) => {
            for (name, node) in left {
                let name_text = String::from_utf8_lossy(name);
                below(&name_text, (Some(node), right.get(name)), pointer, into);
            }
            for (name, node) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                below(&String::from_utf8_lossy(name), (None, Some(node)), pointer, into);
            }
        }
        _ => into.add(pointer),
    }
}

fn below(
    segment: &str,
    sides: (Option<&Node<'_>>, Option<&Node<'_>>),
    pointer: &mut String,
    into: &mut Differences,
) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&escaped(segment));
    match sides {
        (Some(left), Some(right)) => compare(left, right, pointer, into),
        _ => into.add(pointer),
    }
    pointer.truncate(length);
}

/// Returns a member's name with the escapes of a JSON pointer (RFC 6901, section 3).
pub(super) fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

impl Differences {
    fn add(&mut self, pointer: &str) {
        self.count += 1;
        if self.pointers.len() < POINTERS_MAX {
            self.pointers.push(pointer.to_owned());
        }
    }
}

/// The remaining canonical bytes. The JSON reader wrote them, so they are complete and their
/// nesting is limited.
struct Cursor<'c>(&'c [u8]);

impl<'c> Cursor<'c> {
    fn node(&mut self) -> Option<Node<'c>> {
        let whole = self.0;
        match self.tag()? {
            b'z' | b't' | b'f' => Some(Node::Scalar(whole.get(..1)?)),
            b'[' => {
                let mut elements = Vec::new();
                while !self.ends(b']') {
                    elements.push(self.node()?);
                }
                Some(Node::List(elements))
            }
            b'{' => {
                let mut members = BTreeMap::new();
                while !self.ends(b'}') {
                    self.tag()?;
                    let name = self.part()?;
                    members.insert(name, self.node()?);
                }
                Some(Node::Record(members))
            }
            _ => {
                let length = self.part()?.len();
                Some(Node::Scalar(whole.get(..1 + size_of::<u64>() + length)?))
            }
        }
    }

    fn tag(&mut self) -> Option<u8> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*tag)
    }

    fn ends(&mut self, tag: u8) -> bool {
        let ends = self.0.first().is_none_or(|found| *found == tag);
        if ends {
            self.0 = self.0.get(1..).unwrap_or_default();
        }
        ends
    }

    /// Reads a length and that number of bytes.
    fn part(&mut self) -> Option<&'c [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{JsonNode, read_json};
    use super::*;

    fn between(left: &str, right: &str) -> Differences {
        let canonical = |text: &str| read_json(text.as_bytes(), &JsonNode::ANY).unwrap().canonical;
        differences(&canonical(left), &canonical(right))
    }

    #[test]
    fn each_member_that_differs_is_reported_once() {
        let found = |left, right| between(left, right).pointers;
        assert_eq!(found(r#"{"a":1,"b":{"c":[1,2]}}"#, r#"{"b":{"c":[1,3]},"a":1.0}"#), ["/b/c/1"]);
        assert_eq!(found(r#"{"a":1}"#, r#"{"b":1}"#), ["/a", "/b"]);
        assert_eq!(found(r#"{"a":[1]}"#, r#"{"a":[1,[],{}]}"#), ["/a/1", "/a/2"]);
        assert_eq!(found(r#"{"a":[1]}"#, r#"{"a":{"0":1}}"#), ["/a"]);
        assert_eq!(found(r#"{"a/b~":null}"#, r#"{"a/b~":false}"#), ["/a~1b~0"]);
        assert_eq!(found(r#"{"a":"1"}"#, r#"{"a":1}"#), ["/a"]);
        assert_eq!(found("1", "2"), [""]);
        assert!(found(r#"{"a":"x","b":1.50}"#, r#"{"b":1.5,"a":"\u0078"}"#).is_empty());
    }

    #[test]
    fn pointers_are_limited_and_further_differences_are_counted() {
        let list = |value: u8| json!(vec![value; 500]).to_string();
        let found = between(&list(1), &list(2));
        assert_eq!((found.pointers.len(), found.count), (POINTERS_MAX, 500));
    }
}
