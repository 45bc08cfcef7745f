//! A compiled order schema, and reading an order with it.

use jsonschema::Validator;
use serde_json::Value as Json;

use super::compile::{Compiler, SchemaProblem};
use crate::value::{JsonNode, JsonProblem, Parsed, ProblemKind, Type, read_json};

/// What an order must be.
#[derive(Debug)]
pub struct OrderSchema {
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
        let mut problems = compiler.into_problems();
        let mut validator = None;
        if problems.is_empty() && only_validates {
            // Formats are ours: the library knows neither `decimal` nor our strictness.
            match jsonschema::options().should_validate_formats(false).build(schema) {
                Ok(built) => validator = Some(built),
                Err(error) => {
                    let pointer = error.instance_path().to_string();
                    let message = format!("the schema is not valid: {}", error.masked());
                    problems.push(SchemaProblem { pointer, message, help: None });
                }
            }
        }
        if problems.is_empty() { Ok(Self { ty, node, validator }) } else { Err(problems) }
    }

    /// Returns the type of an order.
    pub const fn ty(&self) -> &Type {
        &self.ty
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
