//! The address of a node in a document: `steps.bill.with.row`. Checks refer to places only by their
//! routes, and `document` resolves a route to bytes.

use std::fmt;

/// One level of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A member of a map.
    Key(String),
    /// An element of a list, numbered from 0.
    Index(usize),
}

/// A path from the root of a document to one of its nodes. The empty route is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(Vec<Segment>);

impl Route {
    /// Returns the route of the document itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Returns the route of the member `key` below this node.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut route = self.clone();
        route.0.push(Segment::Key(key.to_owned()));
        route
    }

    /// Returns the route of the element `index` below this node.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut route = self.clone();
        route.0.push(Segment::Index(index));
        route
    }

    /// Returns this route followed by `rest`.
    #[must_use]
    pub fn join(&self, rest: &Self) -> Self {
        let mut route = self.clone();
        route.0.extend(rest.0.iter().cloned());
        route
    }

    /// Returns the route of the parent node, or `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// Returns the segments, starting at the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Appends a segment.
    pub fn push(&mut self, segment: Segment) {
        self.0.push(segment);
    }

    /// Removes the last segment.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Parses a JSON pointer (RFC 6901). A token of digits is an index if `is_list` returns true
    /// for its parent, and a key otherwise.
    pub fn from_pointer(pointer: &str, is_list: impl Fn(&Self) -> bool) -> Self {
        let mut route = Self::root();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let segment = match token.parse::<usize>() {
                Ok(index) if is_list(&route) => Segment::Index(index),
                _ => Segment::Key(token),
            };
            route.0.push(segment);
        }
        route
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The part of a map entry that a place refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The key of the entry.
    Key,
    /// The value of the entry.
    Value,
}

/// A node, the key or value of it, and optionally a range of bytes within its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub route: Route,
    /// The key or the value.
    pub part: Part,
    /// Bytes within the decoded text of a scalar, or `None` for the whole node.
    pub within: Option<std::ops::Range<usize>>,
}

impl Place {
    /// Returns the place of the value at `route`.
    pub const fn value(route: Route) -> Self {
        Self { route, part: Part::Value, within: None }
    }

    /// Returns the place of the key at `route`.
    pub const fn key(route: Route) -> Self {
        Self { route, part: Part::Key, within: None }
    }

    /// Returns the place of a part of the text at `route`.
    pub const fn text(route: Route, within: std::ops::Range<usize>) -> Self {
        Self { route, part: Part::Value, within: Some(within) }
    }
}
