//! Finds the members in which two documents differ, as JSON pointers.
//!
//! Two orders are the same if their canonical bytes are equal. The comparison therefore reads these
//! bytes: documents with different digests always differ in at least one member. The result
//! contains no values. Both functions can leave members out, such as the time of the last change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::ignored::IgnoredMembers;

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

/// Compares two documents by their canonical bytes ([`super::Parsed::canonical`]), without the
/// ignored members.
pub fn differences(left: &[u8], right: &[u8], ignored: &IgnoredMembers) -> Differences {
    let mut differences = Differences::default();
    if let (Some(left), Some(right)) = (Cursor(left).node(), Cursor(right).node()) {
        let mut comparison = Comparison { pointer: String::new(), into: &mut differences };
        comparison.compare(&left, &right, Some(ignored));
    }
    differences
}

/// Returns canonical bytes without the ignored members. For two documents, the results are equal if
/// and only if [`differences`] finds none.
pub fn without_ignored(canonical: &[u8], ignored: &IgnoredMembers) -> Vec<u8> {
    let mut rest = Vec::with_capacity(canonical.len());
    // The bytes are complete, because the JSON reader wrote them.
    let _complete = Cursor(canonical).copy(Some(ignored), &mut rest);
    rest
}

/// A part of a document.
enum Node<'c> {
    Scalar(&'c [u8]),
    List(Vec<Self>),
    Record(BTreeMap<&'c [u8], Self>),
}

/// A comparison of two documents at the place where it has arrived.
struct Comparison<'d> {
    pointer: String,
    into: &'d mut Differences,
}

impl Comparison<'_> {
    fn compare(&mut self, left: &Node<'_>, right: &Node<'_>, ignored: Option<&IgnoredMembers>) {
        match (left, right) {
            (Node::Scalar(left), Node::Scalar(right)) if left == right => {}
            (Node::List(left), Node::List(right)) => {
                let ignored = ignored.and_then(IgnoredMembers::element);
                for index in 0..left.len().max(right.len()) {
                    let sides = (left.get(index), right.get(index));
                    self.below(&index.to_string(), sides, ignored);
                }
            }
            (Node::Record(left), Node::Record(right)) => {
                for (name, node) in left {
                    self.member(name, (Some(node), right.get(name)), ignored);
                }
                for (name, node) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                    self.member(name, (None, Some(node)), ignored);
                }
            }
            _ => self.into.add(&self.pointer),
        }
    }

    fn member(
        &mut self,
        name: &[u8],
        sides: (Option<&Node<'_>>, Option<&Node<'_>>),
        ignored: Option<&IgnoredMembers>,
    ) {
        let ignored = ignored.and_then(|ignored| ignored.member(name));
        self.below(&String::from_utf8_lossy(name), sides, ignored);
    }

    fn below(
        &mut self,
        segment: &str,
        sides: (Option<&Node<'_>>, Option<&Node<'_>>),
        ignored: Option<&IgnoredMembers>,
    ) {
        if ignored.is_some_and(IgnoredMembers::is_ignored) {
            return;
        }
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escaped(segment));
        match sides {
            (Some(left), Some(right)) => self.compare(left, right, ignored),
            _ => self.into.add(&self.pointer),
        }
        self.pointer.truncate(length);
    }
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

    /// Copies the next node without the ignored members.
    fn copy(&mut self, ignored: Option<&IgnoredMembers>, into: &mut Vec<u8>) -> Option<()> {
        let whole = self.0;
        match whole.first()? {
            b'[' => {
                self.tag()?;
                into.push(b'[');
                let ignored = ignored.and_then(IgnoredMembers::element);
                while !self.ends(b']') {
                    self.copy_unless_ignored(ignored, &[], into)?;
                }
                into.push(b']');
            }
            b'{' => {
                self.tag()?;
                into.push(b'{');
                while !self.ends(b'}') {
                    let before = self.0;
                    self.tag()?;
                    let name = self.part()?;
                    let head = before.get(..before.len() - self.0.len())?;
                    let ignored = ignored.and_then(|ignored| ignored.member(name));
                    self.copy_unless_ignored(ignored, head, into)?;
                }
                into.push(b'}');
            }
            _ => {
                self.node()?;
                into.extend_from_slice(whole.get(..whole.len() - self.0.len())?);
            }
        }
        Some(())
    }

    /// Copies the next node after `head`, or skips it if it is ignored.
    fn copy_unless_ignored(
        &mut self,
        ignored: Option<&IgnoredMembers>,
        head: &[u8],
        into: &mut Vec<u8>,
    ) -> Option<()> {
        if ignored.is_some_and(IgnoredMembers::is_ignored) {
            return self.node().map(|_| ());
        }
        into.extend_from_slice(head);
        self.copy(ignored, into)
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
        differences(&canonical(left), &canonical(right), &IgnoredMembers::default())
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

    #[test]
    fn ignored_members_do_not_make_a_difference() {
        let mut ignored = IgnoredMembers::default();
        for path in [vec!["at"], vec!["items", "*", "state"], vec!["meta", "*"], vec!["a", "b"]] {
            ignored.add(path);
        }
        let found = |left: &str, right: &str| {
            let canonical =
                |text: &str| read_json(text.as_bytes(), &JsonNode::ANY).unwrap().canonical;
            let (left, right) = (canonical(left), canonical(right));
            let found = differences(&left, &right, &ignored);
            let reduced = |canonical| without_ignored(canonical, &ignored);
            assert_eq!(reduced(&left) == reduced(&right), found.count == 0);
            found.pointers
        };
        let none: [&str; 0] = [];
        assert_eq!(found(r#"{"at":1,"id":2}"#, r#"{"id":2}"#), none);
        assert_eq!(found(r#"{"at":1,"id":2}"#, r#"{"at":{"x":[]},"id":3}"#), ["/id"]);
        let items = [r#"{"items":[{"state":1,"n":1}]}"#, r#"{"items":[{"state":2,"n":2}]}"#];
        assert_eq!(found(items[0], items[1]), ["/items/0/n"]);
        assert_eq!(found(items[0], r#"{"items":[{"n":1},{"state":1}]}"#), ["/items/1"]);
        assert_eq!(found(items[0], r#"{"items":{"*":{"state":1}}}"#), ["/items"]);
        assert_eq!(found(r#"{"meta":[1,2]}"#, r#"{"meta":[3]}"#), none);
        assert_eq!(found(r#"{"meta":{"*":1,"x":1}}"#, r#"{"meta":{"*":2,"x":1}}"#), none);
        assert_eq!(found(r#"{"a":{"b":1}}"#, r#"{"a":1}"#), ["/a"]);
        assert_eq!(found(r#"{"a":{"b":1}}"#, r#"{}"#), ["/a"]);
    }
}
