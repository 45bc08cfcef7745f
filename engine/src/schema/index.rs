//! An index of the subschemas of a schema, which resolves references.

use std::collections::{HashMap, HashSet};

use fluent_uri::{Uri, UriRef};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::keywords::{Content, keyword};

/// The base of a schema without `$id`.
const BASE: &str = "json-schema:///";
/// The prefix of the metaschemas of JSON Schema, which are built into the validator.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/";

/// A subschema.
#[derive(Debug)]
pub(super) struct Place<'s> {
    pub(super) schema: &'s Json,
    /// The JSON pointer from the root of the schema.
    pub(super) pointer: String,
    /// The schema to which `#` refers: the closest enclosing schema with an `$id`, or the root.
    pub(super) resource: &'s Json,
    /// The URI of that schema.
    base: String,
}

/// The subschemas of a schema.
#[derive(Debug)]
pub(super) struct Index<'s> {
    places: Vec<Place<'s>>,
    by_address: HashMap<usize, usize>,
    by_pointer: HashSet<String>,
    resources: HashMap<String, &'s Json>,
    anchors: HashMap<(String, &'s str), &'s Json>,
}

/// The target of a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target<'s> {
    /// A subschema.
    Schema(&'s Json),
    /// A metaschema of JSON Schema, which only the validator has.
    Dialect,
    /// A place in the schema without a subschema.
    Missing,
    /// Another document.
    External,
}

/// Identifies a subschema by its address in memory.
fn address(schema: &Json) -> usize {
    std::ptr::from_ref(schema).addr()
}

/// Escapes a token of a JSON pointer.
pub(super) fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

impl<'s> Index<'s> {
    /// Creates an index of all subschemas, in the order of the document.
    pub(super) fn new(root: &'s Json) -> Self {
        let mut index = Self {
            places: Vec::new(),
            by_address: HashMap::new(),
            by_pointer: HashSet::new(),
            resources: HashMap::from([(BASE.to_owned(), root)]),
            anchors: HashMap::new(),
        };
        index.add(root, String::new(), root, BASE);
        index
    }

    fn add(&mut self, schema: &'s Json, pointer: String, resource: &'s Json, base: &str) {
        let id = schema.get("$id").and_then(Json::as_str);
        let (resource, base) = match id {
            Some(id) => (schema, resolved(base, id.trim_end_matches('#'))),
            None => (resource, base.to_owned()),
        };
        if id.is_some() {
            self.resources.insert(base.clone(), schema);
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(anchor) = schema.get(keyword).and_then(Json::as_str) {
                self.anchors.insert((base.clone(), anchor), schema);
            }
        }
        self.by_address.insert(address(schema), self.places.len());
        self.by_pointer.insert(pointer.clone());
        let place = Place { schema, pointer: pointer.clone(), resource, base: base.clone() };
        self.places.push(place);
        for child in children(schema) {
            self.add(child.schema, format!("{pointer}{}", child.pointer()), resource, &base);
        }
    }

    /// Returns the subschemas, in the order of the document.
    pub(super) fn places(&self) -> &[Place<'s>] {
        &self.places
    }

    /// Returns the place of a subschema.
    pub(super) fn place(&self, schema: &Json) -> Option<&Place<'s>> {
        self.places.get(*self.by_address.get(&address(schema))?)
    }

    /// Returns the position of a subschema among [`Self::places`].
    pub(super) fn position(&self, schema: &Json) -> Option<usize> {
        self.by_address.get(&address(schema)).copied()
    }

    /// Returns the pointer of the innermost subschema that contains a place.
    pub(super) fn around<'p>(&self, pointer: &'p str) -> &'p str {
        let mut around = pointer;
        while !self.by_pointer.contains(around) {
            let Some(end) = around.rfind('/') else { return "" };
            around = around.get(..end).unwrap_or_default();
        }
        around
    }

    /// Resolves a reference in `from`.
    pub(super) fn resolve(&self, from: &Json, reference: &str) -> Target<'s> {
        let Some(place) = self.place(from) else { return Target::Missing };
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let (resource, base) = if uri.is_empty() {
            (place.resource, place.base.clone())
        } else {
            let base = resolved(&place.base, uri);
            match self.resources.get(&base) {
                Some(resource) => (*resource, base),
                None if base.starts_with(DIALECT) => return Target::Dialect,
                None => return Target::External,
            }
        };
        let fragment = percent_decode_str(fragment).decode_utf8_lossy();
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            resource.pointer(&fragment)
        } else {
            self.anchors.iter().find_map(|((anchored, anchor), schema)| {
                (*anchored == base && *anchor == fragment).then_some(*schema)
            })
        };
        found.filter(|schema| self.place(schema).is_some()).map_or(Target::Missing, Target::Schema)
    }
}

/// A subschema one level below a schema.
pub(super) struct Child<'s> {
    pub(super) keyword: &'static str,
    /// The name or position below the keyword.
    token: Option<String>,
    pub(super) schema: &'s Json,
    /// Whether the subschema applies to the same value as the schema.
    pub(super) in_place: bool,
}

impl Child<'_> {
    /// Returns the JSON pointer of the subschema, relative to the schema.
    pub(super) fn pointer(&self) -> String {
        let token = self.token.as_ref().map(|token| format!("/{}", escaped(token)));
        format!("/{}{}", self.keyword, token.unwrap_or_default())
    }
}

/// Returns the subschemas one level below a schema.
pub(super) fn children(schema: &Json) -> Vec<Child<'_>> {
    let mut children = Vec::new();
    for (name, value) in schema.as_object().into_iter().flatten() {
        let Some(keyword) = keyword(name) else { continue };
        let child = |token: Option<String>, schema| Child {
            keyword: keyword.name,
            token,
            schema,
            in_place: keyword.in_place,
        };
        match (keyword.content, value) {
            (Content::Schema, Json::Object(_) | Json::Bool(_)) => children.push(child(None, value)),
            (Content::List, Json::Array(schemas)) => {
                let schemas = schemas.iter().enumerate();
                children.extend(schemas.map(|(at, schema)| child(Some(at.to_string()), schema)));
            }
            (Content::Named, Json::Object(schemas)) => {
                children
                    .extend(schemas.iter().map(|(name, schema)| child(Some(name.clone()), schema)));
            }
            _ => {}
        }
    }
    children
}

/// Resolves a reference against a base.
fn resolved(base: &str, reference: &str) -> String {
    let absolute = || {
        let base = Uri::parse(base).ok()?;
        let reference = UriRef::parse(reference).ok()?;
        reference.resolve_against(&base).ok().map(|uri| uri.normalize().as_str().to_owned())
    };
    absolute().unwrap_or_else(|| reference.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_by_pointer_anchor_and_uri_are_resolved() {
        let schema = json!({
            "properties": { "a": { "$ref": "#/$defs/per%25cent~1slash" } },
            "$defs": {
                "per%cent/slash": { "type": "string" },
                "named": { "$anchor": "here" },
                "other": { "$id": "other.json", "$defs": { "x": { "type": "integer" } }, "items": {} },
            },
        });
        let index = Index::new(&schema);
        let to = |pointer: &str| Target::Schema(schema.pointer(pointer).unwrap());
        for (reference, target) in [
            ("#", to("")),
            ("#/$defs/per%25cent~1slash", to("/$defs/per%cent~1slash")),
            ("#here", to("/$defs/named")),
            ("other.json", to("/$defs/other")),
            ("other.json#/$defs/x", to("/$defs/other/$defs/x")),
            ("https://json-schema.org/draft/2020-12/schema", Target::Dialect),
            ("#/$defs/missing", Target::Missing),
            ("#/$defs", Target::Missing),
            ("#elsewhere", Target::Missing),
            ("customer.json", Target::External),
        ] {
            assert_eq!(index.resolve(&schema, reference), target, "{reference}");
        }
        let within = schema.pointer("/$defs/other/items").unwrap();
        assert_eq!(index.resolve(within, "#/$defs/x"), to("/$defs/other/$defs/x"));
        assert_eq!(index.around("/properties/a/$ref"), "/properties/a");
    }
}
