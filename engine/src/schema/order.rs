//! A compiled order schema, and reading an order with it.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator, draft202012};
use serde_json::Value as Json;

use super::compile::{Compiler, SchemaProblem};
use super::draft4;
use super::words::{bound, in_words, type_name, type_names};
use crate::diagnostic::did_you_mean;
use crate::value::{JsonNode, JsonProblem, Parsed, ProblemKind, Type, read_json};

/// What an order must be.
#[derive(Debug)]
pub struct OrderSchema {
    /// As it was written.
    source: Json,
    ty: Type,
    node: JsonNode,
    /// Checks the keywords that only validate; nothing if the schema has none.
    validator: Option<Validator>,
}

impl OrderSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// Everything in it that cannot be used.
    pub fn compile(schema: &Json) -> Result<Self, Vec<SchemaProblem>> {
        let mut compiler = Compiler::new(schema);
        let (ty, node) = compiler.root();
        let only_validates = compiler.only_validates();
        let mut problems = misused(schema);
        for problem in compiler.into_problems() {
            // What is no schema at all is told once.
            if !problems.iter().any(|known| known.pointer == problem.pointer) {
                problems.push(problem);
            }
        }
        let mut validator = None;
        if problems.is_empty() && only_validates {
            // Formats are ours: the library knows neither `decimal` nor our strictness.
            match jsonschema::options().should_validate_formats(false).build(schema) {
                Ok(built) => validator = Some(built),
                Err(error) => {
                    let pointer = error.instance_path().to_string();
                    let message = format!("the schema is not valid: {}", error.masked());
                    problems.push(SchemaProblem { pointer, on_key: false, message, help: None });
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { source: schema.clone(), ty, node, validator })
        } else {
            Err(problems)
        }
    }

    /// Returns the type of an order.
    pub const fn ty(&self) -> &Type {
        &self.ty
    }

    /// Returns it as it was written.
    pub const fn source(&self) -> &Json {
        &self.source
    }

    /// Returns the part of it that API Gateway can check by itself: a model, which every order that fits the schema fits.
    ///
    /// # Errors
    /// Every keyword that no model can have.
    pub fn model(&self) -> Result<Json, Vec<SchemaProblem>> {
        draft4::model(&self.source)
    }

    /// Reads an order.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place, without values.
    pub fn read(&self, body: &[u8]) -> Result<Parsed, Vec<JsonProblem>> {
        let parsed = read_json(body, &self.node)?;
        let Some(validator) = &self.validator else { return Ok(parsed) };
        let Ok(json) = serde_json::from_slice::<Json>(body) else {
            let problem = JsonProblem {
                kind: ProblemKind::Syntax,
                pointer: String::new(),
                offset: 0,
                message: "is not JSON".to_owned(),
            };
            return Err(vec![problem]);
        };
        let problems: Vec<JsonProblem> = validator
            .iter_errors(&json)
            .map(|error| {
                let pointer = error.instance_path().to_string();
                let offset = crate::value::locate(body, &pointer);
                let message = format!("does not fit: {}", error.masked_with("the value"));
                JsonProblem { kind: ProblemKind::Shape, pointer, offset, message }
            })
            .collect();
        if problems.is_empty() { Ok(parsed) } else { Err(problems) }
    }
}

/// Holds a schema against the schema of schemas, so that a keyword with a value that means nothing is not passed over.
fn misused(schema: &Json) -> Vec<SchemaProblem> {
    let mut problems: Vec<SchemaProblem> = Vec::new();
    for error in draft202012::meta::validator().iter_errors(schema) {
        let problem = misuse(&error);
        if !problems.iter().any(|known| known.pointer == problem.pointer) {
            problems.push(problem);
        }
    }
    problems
}

fn misuse(error: &ValidationError<'_>) -> SchemaProblem {
    const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "object", "array", "null"];
    let pointer = error.instance_path().to_string();
    let names = pointer.rsplit('/').filter(|token| token.parse::<usize>().is_err());
    let key = match names.clone().next() {
        Some(key) if !key.is_empty() => format!("`{}`", key.replace("~1", "/").replace("~0", "~")),
        _ => "the schema".to_owned(),
    };
    let found = error.instance();
    let (message, help) = match (error.kind(), found.as_str()) {
        (ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::Enum { .. }, Some(name))
            if names.clone().next() == Some("type") =>
        {
            (format!("`{name}` is no type of JSON Schema"), did_you_mean(name, TYPES))
        }
        (ValidationErrorKind::Type { kind }, _) => {
            let wanted: Vec<&str> = type_names(kind).into_iter().map(in_words).collect();
            let found = in_words(type_name(found));
            (format!("{key} must be {}, not {found}", wanted.join(" or ")), None)
        }
        (kind, _) => {
            let what = bound(kind);
            (
                format!("{key} {}", what.unwrap_or_else(|| "has no meaning like this".to_owned())),
                None,
            )
        }
    };
    SchemaProblem { pointer, on_key: false, message, help }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(schema: &Json, body: &str) -> Vec<String> {
        let schema = OrderSchema::compile(schema).unwrap();
        match schema.read(body.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .iter()
                .map(|problem| format!("{} {}", problem.pointer, problem.message))
                .collect(),
        }
    }

    #[test]
    fn keywords_that_only_validate_are_still_asserted_with_a_place() {
        let schema = json!({ "type": "object", "required": ["sku"], "properties": {
            "sku": { "type": "string", "pattern": "^[A-Z]+$" },
        } });
        assert!(problems(&schema, r#"{"sku":"AB"}"#).is_empty());
        let found = problems(&schema, r#"{"sku":"secret"}"#);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("/sku does not fit"), "{found:?}");
        assert!(!found[0].contains("secret"), "a value is quoted: {found:?}");
    }

    #[test]
    fn a_misspelt_keyword_is_told() {
        let schema = json!({ "type": "object", "propertys": {} });
        let problems = OrderSchema::compile(&schema).unwrap_err();
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `properties`?"));
    }

    #[test]
    fn a_keyword_with_a_meaningless_value_is_told_at_its_place() {
        let schema = json!({ "type": "object", "required": "id", "properties": {
            "id": { "type": "text" },
            "name": { "type": "string", "minLength": "3", "x-pii": "yes" },
            "amount": { "type": "string", "format": "decimal", "x-scale": "2" },
        } });
        let found: Vec<String> = OrderSchema::compile(&schema)
            .unwrap_err()
            .into_iter()
            .map(|problem| format!("{} {}", problem.pointer, problem.message))
            .collect();
        for expected in [
            "/required `required` must be a list, not text",
            "/properties/id/type `text` is no type of JSON Schema",
            "/properties/name/minLength `minLength` must be a whole number, not text",
            "/properties/name/x-pii `x-pii` must be true or false",
            "/properties/amount/x-scale `x-scale` must be a whole number of digits",
        ] {
            assert!(found.iter().any(|message| message == expected), "{expected}: {found:#?}");
        }
        assert_eq!(found.len(), 5, "{found:#?}");
    }

    #[test]
    fn personal_data_beside_a_reference_is_personal() {
        let schema = json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/a", "x-pii": true } },
            "$defs": { "a": { "type": "string" } } });
        let schema = OrderSchema::compile(&schema).unwrap();
        let expected = Type::text().or_null().with_pii(true);
        assert_eq!(schema.ty().as_record().unwrap().field("a").unwrap().ty, expected);
    }

    #[test]
    fn personal_data_is_marked_where_it_counts_or_not_at_all() {
        let schema = json!({ "type": "object",
            "properties": { "a": { "type": "string", "allOf": [{ "x-pii": true }] } },
            "if": { "properties": { "b": { "$ref": "#/$defs/b" } } },
            "additionalProperties": { "x-pii": true },
            "not": { "properties": { "x-pii": { "const": true } } },
            "$defs": { "b": { "type": "string", "x-pii": true } } });
        let found = OrderSchema::compile(&schema).unwrap_err();
        let mut places: Vec<&str> = found.iter().map(|problem| problem.pointer.as_str()).collect();
        places.sort_unstable();
        let expected =
            ["/additionalProperties/x-pii", "/if/properties/b/$ref", "/properties/a/allOf/0/x-pii"];
        assert_eq!(places, expected);
        // Where a schema contains itself, what is too deep for a type is as personal as the rest.
        let schema = json!({ "type": "object", "properties": { "next": { "$ref": "#" }, "name": { "type": "string", "x-pii": true } } });
        let schema = OrderSchema::compile(&schema).unwrap();
        let mut ty = schema.ty();
        while let Some(record) = ty.as_record() {
            assert!(record.field("name").unwrap().ty.pii);
            ty = &record.field("next").unwrap().ty;
        }
        assert!(ty.pii);
    }

    #[test]
    fn a_union_by_tag_makes_what_not_all_have_optional() {
        let schema = json!({ "type": "object", "required": ["payment"], "properties": { "payment": { "oneOf": [
            { "type": "object", "required": ["kind", "last4"], "properties": { "kind": { "const": "card" }, "last4": { "type": "string" } } },
            { "type": "object", "required": ["kind"], "properties": { "kind": { "const": "cash" } } },
        ] } } });
        assert!(problems(&schema, r#"{"payment":{"kind":"cash"}}"#).is_empty());
        assert!(!problems(&schema, r#"{"payment":{"kind":"card"}}"#).is_empty());
        assert!(!problems(&schema, r#"{"payment":{"kind":"gold"}}"#).is_empty());
        let compiled = OrderSchema::compile(&schema).unwrap();
        let payment = compiled.ty().as_record().unwrap().field("payment").unwrap();
        assert!(payment.ty.as_record().unwrap().field("last4").unwrap().ty.nullable);
    }

    #[test]
    fn an_amount_must_name_a_field_that_holds_a_currency() {
        let schema = |pointer: &str| {
            json!({ "type": "object", "properties": {
            "amount": { "type": "string", "format": "decimal", "x-currency": pointer },
            "currency": { "type": "string", "format": "currency" },
        } })
        };
        assert!(OrderSchema::compile(&schema("/currency")).is_ok());
        assert!(OrderSchema::compile(&schema("/amount")).is_err());
        assert!(OrderSchema::compile(&schema("/nothing")).is_err());
    }
}
