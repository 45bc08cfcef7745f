//! Finds the maximum length of a list of the order in its schema.

use serde_json::Value as Json;

/// Maximum depth of the search, including references, because a schema can contain itself.
const DEPTH_MAX: usize = 64;

/// A list in a schema.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListBound {
    /// The JSON pointer to the schema of the list.
    pub(crate) pointer: String,
    /// The value of `maxItems`.
    pub(crate) max: Option<u64>,
}

/// Finds the list at a path of names. The path can lead through elements of other lists. Returns
/// `None` if the schema does not declare such a list.
pub(crate) fn list_bound(schema: &Json, path: &str) -> Option<ListBound> {
    let names: Vec<&str> = path.split('.').collect();
    let search = Search { root: schema };
    let mut lists = Vec::new();
    search.lists(schema, "", &names, DEPTH_MAX, &mut lists);
    let max = lists.iter().filter_map(|list: &ListBound| list.max).min();
    lists.into_iter().next().map(|list| ListBound { max, ..list })
}

struct Search<'s> {
    root: &'s Json,
}

impl<'s> Search<'s> {
    fn lists(
        &self,
        schema: &'s Json,
        pointer: &str,
        names: &[&str],
        depth: usize,
        found: &mut Vec<ListBound>,
    ) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let below = |key: &str| format!("{pointer}/{}", escaped(key));
        if let Some(target) = schema.get("$ref").and_then(Json::as_str)
            && let Some(pointer) = target.strip_prefix('#')
            && let Some(target) = self.root.pointer(pointer)
        {
            self.lists(target, pointer, names, depth, found);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let parts = schema.get(keyword).and_then(Json::as_array).into_iter().flatten();
            for (position, part) in parts.enumerate() {
                let pointer = format!("{}/{position}", below(keyword));
                self.lists(part, &pointer, names, depth, found);
            }
        }
        let Some((name, rest)) = names.split_first() else {
            let max = schema.get("maxItems").and_then(Json::as_u64);
            if max.is_some() || schema.get("items").is_some() {
                found.push(ListBound { pointer: pointer.to_owned(), max });
            }
            return;
        };
        if let Some(part) = schema.get("properties").and_then(|all| all.get(name)) {
            let pointer = format!("{}/{}", below("properties"), escaped(name));
            self.lists(part, &pointer, rest, depth, found);
        }
        if let Some(part) = schema.get("items") {
            self.lists(part, &below("items"), names, depth, found);
        }
    }
}

fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_found_through_lists_references_and_combinations() {
        let schema = json!({
            "properties": {
                "items": { "type": "array", "items": { "$ref": "#/$defs/line" }, "maxItems": 5 },
                "tags": { "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "null" }] },
            },
            "$defs": { "line": { "properties": { "parts": { "allOf": [{ "items": {} }, { "maxItems": 7 }] } } } },
        });
        let found = |path| list_bound(&schema, path).map(|list| (list.pointer, list.max));
        assert_eq!(found("items"), Some(("/properties/items".to_owned(), Some(5))));
        assert_eq!(found("tags"), Some(("/properties/tags/anyOf/0".to_owned(), None)));
        let parts = "/$defs/line/properties/parts/allOf/0".to_owned();
        assert_eq!(found("items.parts"), Some((parts, Some(7))));
        assert_eq!(found("other"), None);
    }
}
