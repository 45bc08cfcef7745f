//! The tree of a document: values, with the bytes of each value and of its key.

use std::ops::Range;

use crate::diagnostic::{Route, Segment};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Its bytes. For a list or a map, this is an empty range at its start.
    pub span: Range<usize>,
    /// Whether the value is defined elsewhere and inserted here by an alias or a merge key.
    pub aliased: bool,
}

/// A value of YAML 1.2's core schema.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction or an exponent, or an integer that does not fit 64 bits. Only the
    /// source has its exact digits.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, with its entries in the order of the file.
    Map(Vec<Entry>),
}

/// A member of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's bytes.
    pub key_span: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Node {
    /// Returns a member of a map, or `None` if it is missing or the node is not a map.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            NodeValue::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Returns the members of a map. Other values have none.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the text of a text node.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the node at a route below this one, with the bytes of its key if it is a member of a
    /// map.
    pub fn find(&self, route: &Route) -> Option<(&Self, Option<&Range<usize>>)> {
        let mut found = (self, None);
        for segment in route.segments() {
            found = match (segment, &found.0.value) {
                (Segment::Key(key), NodeValue::Map(_)) => {
                    let entry = found.0.get(key)?;
                    (&entry.node, Some(&entry.key_span))
                }
                (Segment::Index(index), NodeValue::List(elements)) => (elements.get(*index)?, None),
                _ => return None,
            };
        }
        Some(found)
    }

    /// Converts the value to JSON, without the places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            NodeValue::Null => Json::Null,
            NodeValue::Bool(value) => Json::Bool(*value),
            NodeValue::Int(value) => Json::from(*value),
            NodeValue::Float(value) => Json::from(*value),
            NodeValue::Text(text) => Json::String(text.clone()),
            NodeValue::List(elements) => elements.iter().map(Self::to_json).collect(),
            NodeValue::Map(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect(),
            ),
        }
    }
}
