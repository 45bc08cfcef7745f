//! Converts an order schema to an equivalent one without our extensions, for the validator.

use serde_json::{Map, Value as Json, json};

use super::bounds::{DIGITS, Digits, IN_TEXTS};
use super::decimals::{apply_to_decimal_texts, is_decimal_text};
use super::formats;
use super::index::{Index, Target, escaped};
use super::keywords::{Content, keyword};
use super::number_type::decimal_size;

/// The new place of a nullable schema's content. The first alternative is null.
const NOT_NULL: &str = "/anyOf/1";
/// Keywords that stay outside the alternatives of a nullable schema, so that references to it and
/// to its definitions still resolve.
const STRUCTURAL: [&str; 6] =
    ["$anchor", "$comment", "$defs", "$dynamicAnchor", "$id", "definitions"];

/// Converts a schema whose keywords have been checked.
pub(super) fn strip_extensions(index: &Index<'_>, root: &Json) -> Json {
    let in_texts = apply_to_decimal_texts(index);
    Stripping { index, in_texts }.schema(root)
}

struct Stripping<'i, 's> {
    index: &'i Index<'s>,
    in_texts: Vec<bool>,
}

impl Stripping<'_, '_> {
    fn schema(&self, schema: &Json) -> Json {
        let Json::Object(map) = schema else { return schema.clone() };
        let mut stripped = Map::new();
        for (name, value) in map {
            let Some(known) = keyword(name) else { continue };
            let value = match (known.content, value) {
                (Content::Schema, schema) => self.schema(schema),
                (Content::List, Json::Array(schemas)) => {
                    schemas.iter().map(|schema| self.schema(schema)).collect()
                }
                (Content::Named, Json::Object(schemas)) => {
                    let schemas = schemas.iter();
                    schemas.map(|(name, schema)| (name.clone(), self.schema(schema))).collect()
                }
                _ if *name == "$ref" => self.reference(schema, value),
                // A schema is always read as 2020-12, even if it names an older draft.
                _ if ["nullable", "$schema", "$vocabulary"].contains(&name.as_str())
                    || name.starts_with("x-") =>
                {
                    continue;
                }
                _ => value.clone(),
            };
            stripped.insert(name.clone(), value);
        }
        self.decimals(schema, map, &mut stripped);
        if let Some(written) = map.get("x-date-format").and_then(Json::as_str)
            && stripped.get("format").and_then(Json::as_str) == Some("date")
        {
            stripped.insert("format".to_owned(), formats::date_in(written).into());
        }
        if is_nullable(schema) { nullable(stripped) } else { Json::Object(stripped) }
    }

    fn decimals(&self, schema: &Json, map: &Map<String, Json>, stripped: &mut Map<String, Json>) {
        let all_texts = is_decimal_text(schema);
        let position = self.index.position(schema);
        let texts = position.and_then(|at| self.in_texts.get(at)) == Some(&true);
        let numbers = map.contains_key("x-precision") || map.contains_key("x-scale");
        if all_texts || numbers {
            let (integer_digits, scale) = decimal_size(map);
            let digits = Digits { integer_digits, scale, all_texts, texts, numbers };
            stripped.insert(DIGITS.to_owned(), serde_json::to_value(digits).unwrap_or_default());
        }
        if map.get("format").and_then(Json::as_str) == Some("decimal") {
            stripped.remove("format");
        }
        if texts {
            stripped.insert(IN_TEXTS.to_owned(), Json::Bool(true));
        }
    }

    /// Adjusts a pointer that passes through nullable schemas.
    fn reference(&self, from: &Json, reference: &Json) -> Json {
        let Some(text) = reference.as_str() else { return reference.clone() };
        let (Some(pointer), Target::Schema(_)) =
            (text.strip_prefix("#/"), self.index.resolve(from, text))
        else {
            return reference.clone();
        };
        let mut at = self.index.place(from).map(|place| place.resource);
        let mut stripped = "#".to_owned();
        for token in pointer.split('/') {
            let name = percent_encoding::percent_decode_str(token).decode_utf8_lossy();
            let name = name.replace("~1", "/").replace("~0", "~");
            let is_nullable =
                at.is_some_and(|at| self.index.place(at).is_some() && is_nullable(at));
            if is_nullable && !STRUCTURAL.contains(&&*name) {
                stripped.push_str(NOT_NULL);
            }
            at = at.and_then(|at| at.pointer(&format!("/{}", escaped(&name))));
            stripped.push('/');
            stripped.push_str(token);
        }
        stripped.into()
    }
}

fn is_nullable(schema: &Json) -> bool {
    schema.get("nullable") == Some(&Json::Bool(true))
}

fn nullable(schema: Map<String, Json>) -> Json {
    let (mut outside, inside): (Map<String, Json>, Map<String, Json>) =
        schema.into_iter().partition(|(name, _)| STRUCTURAL.contains(&name.as_str()));
    outside.insert("anyOf".to_owned(), json!([{ "type": "null" }, inside]));
    Json::Object(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(schema: &Json) -> Json {
        strip_extensions(&Index::new(schema), schema)
    }

    #[test]
    fn nullable_is_an_alternative_and_references_go_through_it() {
        let schema = json!({
            "properties": {
                "a": { "properties": { "b": { "type": "string", "nullable": true } }, "nullable": true },
                "b": { "$ref": "#/properties/a/properties/b", "nullable": true },
                "nullable": true,
            },
        });
        assert_eq!(
            stripped(&schema),
            json!({
                "properties": {
                    "a": { "anyOf": [{ "type": "null" }, { "properties": {
                        "b": { "anyOf": [{ "type": "null" }, { "type": "string" }] },
                    } }] },
                    "b": { "anyOf": [{ "type": "null" }, { "$ref": "#/properties/a/anyOf/1/properties/b" }] },
                    "nullable": true,
                },
            })
        );
    }

    #[test]
    fn decimals_and_dates_keep_their_form() {
        let schema = json!({
            "anyOf": [{ "type": "string", "format": "decimal", "x-scale": 2 }, { "type": "null" }],
            "minimum": 0,
            "items": { "type": "string", "format": "date", "x-date-format": "DD/MM/YYYY", "x-pii": true },
        });
        let digits = json!({ "integer_digits": 15, "scale": 2, "all_texts": true, "texts": true, "numbers": true });
        assert_eq!(
            stripped(&schema),
            json!({
                "anyOf": [
                    { "type": "string", DIGITS: digits, IN_TEXTS: true },
                    { "type": "null", IN_TEXTS: true },
                ],
                "minimum": 0,
                IN_TEXTS: true,
                "items": { "type": "string", "format": "date:DD/MM/YYYY" },
            })
        );
    }
}
