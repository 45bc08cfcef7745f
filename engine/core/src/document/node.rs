//! The tree of a document: values with the bytes that they and their keys take up.

use std::ops::Range;

use crate::diagnostic::{Route, Segment};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Its bytes. Lists and maps in block style have their start only.
    pub span: Range<usize>,
    /// Whether it stands elsewhere and is only repeated here by an alias or a merge key.
    pub aliased: bool,
}

/// A value of YAML 1.2's core schema.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or exponent, or too large for 64 bits; its digits are only in the source.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// A member of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// The key's bytes.
    pub key_span: Range<usize>,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// Returns the member of a map.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            NodeValue::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Returns the members of a map, nothing for other values.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the text if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Finds the node at a route below this one, and the bytes of its key if it is a member of a map.
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

    /// Returns the value without its places.
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
