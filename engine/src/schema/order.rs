//! The compiled order schema, which reads orders.

use jsonschema::{Draft, Validator};
use oms_core::value::{
    JsonNode, JsonProblem, Parsed, ProblemKind, Shape, Type, read_accepted_json, read_json,
};
use serde_json::Value as Json;

use super::check::{Findings, check};
use super::compile::{Compilation, compile};
use super::customer::CustomerMembers;
use super::in_place_applicators;
use super::index::Index;
use super::instance::{Exact, Instance};
use super::problem::{SchemaProblem, SchemaProblemKind};
use super::type_rules::TypeRules;
use super::{bounds, draft4, faults, formats, strip_extensions};

/// A compiled order schema.
#[derive(Debug)]
pub struct OrderSchema {
    /// The schema as written.
    source: Json,
    ty: Type,
    customer: CustomerMembers,
    node: JsonNode,
    /// Decides whether an order is valid. It is missing if the reader asserts the whole schema.
    validator: Option<Validator<Exact>>,
}

impl OrderSchema {
    /// Compiles a schema. Returns it with all problems. If a problem makes the type of a part
    /// unknown, this type is [`Shape::Broken`].
    pub fn compile(schema: &Json, type_rules: TypeRules) -> (Self, Vec<SchemaProblem>) {
        let source = schema.clone();
        let index = Index::new(&source);
        let Findings { mut problems, broken } = check(&index, &source);
        problems.extend(in_place_applicators::problems(&index));
        let Compilation { ty, node, customer, covered, problems: more } =
            compile(&index, &source, &broken, type_rules);
        for problem in more {
            if !problems.iter().any(|known| known.pointer == problem.pointer) {
                problems.push(problem);
            }
        }
        let mut validator = None;
        if problems.is_empty() && !covered {
            match build(&strip_extensions::strip_extensions(&index, &source)) {
                Ok(built) => validator = Some(built),
                Err(problem) => problems.push(problem),
            }
        }
        drop(index);
        (Self { source, ty, customer, node, validator }, problems)
    }

    /// Returns the type of an order.
    pub const fn ty(&self) -> &Type {
        &self.ty
    }

    /// Returns the members that identify the customer.
    pub const fn customer(&self) -> &CustomerMembers {
        &self.customer
    }

    /// Returns whether an order has a type.
    pub fn is_usable(&self) -> bool {
        self.ty.shape != Shape::Broken
    }

    /// Returns whether the reader alone decides whether an order is valid.
    pub const fn is_decided_by_reader(&self) -> bool {
        self.validator.is_none()
    }

    /// Returns the form of an order's JSON.
    pub const fn node(&self) -> &JsonNode {
        &self.node
    }

    /// Returns the schema as written.
    pub const fn source(&self) -> &Json {
        &self.source
    }

    /// Returns the model that API Gateway can check. Every order that matches the schema also
    /// matches the model.
    ///
    /// # Errors
    /// Returns all keywords that models do not support.
    pub fn model(&self) -> Result<Json, Vec<SchemaProblem>> {
        draft4::model(&self.source)
    }

    /// Reads an order.
    ///
    /// # Errors
    /// Returns all problems, with their places and without values.
    pub fn read(&self, body: &[u8]) -> Result<Parsed, Vec<JsonProblem>> {
        let read = read_json(body, &self.node);
        let Some(validator) = &self.validator else { return read };
        if let Err(problems) = &read
            && problems.iter().any(|problem| problem.kind == ProblemKind::Syntax)
        {
            return read;
        }
        let Ok(instance) = Instance::read(body) else { return read };
        if read.is_ok() && validator.is_valid(&instance) {
            return read;
        }
        let found = read.err().unwrap_or_default();
        let mut problems = faults::problems(body, found, validator.iter_errors(&instance));
        if problems.is_empty() {
            let (kind, pointer) = (ProblemKind::Shape, String::new());
            let message = "does not match the schema".to_owned();
            problems.push(JsonProblem { kind, pointer, offset: 0, message });
        }
        Err(problems)
    }

    /// Reads an order that was accepted before, possibly by an earlier version with different
    /// rules.
    ///
    /// # Errors
    /// Returns the syntax errors if the text is not JSON.
    pub fn read_accepted(&self, body: &[u8]) -> Result<Parsed, Vec<JsonProblem>> {
        read_accepted_json(body, &self.node)
    }
}

/// Builds the validator for a schema without our extensions.
fn build(schema: &Json) -> Result<Validator<Exact>, SchemaProblem> {
    let options = jsonschema::options_for::<Exact>().with_draft(Draft::Draft202012).offline();
    bounds::register(formats::register(options)).build(schema).map_err(|error| SchemaProblem {
        kind: SchemaProblemKind::Invalid,
        pointer: String::new(),
        on_key: false,
        message: format!("invalid schema: {}", error.masked()),
        help: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compiled(schema: &Json) -> OrderSchema {
        let (schema, problems) = OrderSchema::compile(schema, TypeRules::Current);
        assert!(problems.is_empty(), "{problems:#?}");
        schema
    }

    fn faults(schema: &Json) -> Vec<SchemaProblem> {
        OrderSchema::compile(schema, TypeRules::Current).1
    }

    fn problems(schema: &Json, body: &str) -> Vec<String> {
        let schema = compiled(schema);
        match schema.read(body.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .iter()
                .map(|problem| format!("{} {}", problem.pointer, problem.message))
                .collect(),
        }
    }

    #[test]
    fn keywords_that_do_not_affect_the_type_are_asserted_with_a_place() {
        let schema = json!({ "type": "object", "required": ["sku"], "properties": {
            "sku": { "type": "string", "pattern": "^[A-Z]+$" },
        } });
        assert!(problems(&schema, r#"{"sku":"AB"}"#).is_empty());
        let found = problems(&schema, r#"{"sku":"secret"}"#);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("/sku must match the pattern `^[A-Z]+$`"), "{found:?}");
        assert!(!found[0].contains("secret"), "a value is quoted: {found:?}");
    }

    #[test]
    fn numbers_with_too_many_digits_have_their_own_kind_of_problem() {
        let amounts = json!({
            "text": { "type": "string", "format": "decimal", "x-precision": 4, "x-scale": 2 },
            "number": { "type": "number", "x-precision": 4, "x-scale": 2 },
        });
        let by_reader = json!({ "type": "object", "properties": amounts });
        let by_validator =
            json!({ "type": "object", "not": { "required": ["x"] }, "properties": amounts });
        for (schema, decided) in [(by_reader, true), (by_validator, false)] {
            let schema = compiled(&schema);
            assert_eq!(schema.is_decided_by_reader(), decided);
            for (body, kind) in [
                (r#"{"text":"123.00"}"#, ProblemKind::Digits),
                (r#"{"text":"1.234"}"#, ProblemKind::Digits),
                (r#"{"text":"much"}"#, ProblemKind::Shape),
                (r#"{"number":1.234}"#, ProblemKind::Digits),
                (r#"{"number":1e40}"#, ProblemKind::Digits),
                (r#"{"number":"1"}"#, ProblemKind::Shape),
            ] {
                let problems = schema.read(body.as_bytes()).unwrap_err();
                let kinds: Vec<ProblemKind> = problems.iter().map(|problem| problem.kind).collect();
                assert_eq!(kinds, [kind], "{body}: {problems:?}");
            }
        }
    }

    #[test]
    fn a_misspelled_keyword_has_a_suggestion() {
        let schema = json!({ "type": "object", "propertys": {} });
        let problems = faults(&schema);
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `properties`?"));
    }

    #[test]
    fn a_keyword_with_an_invalid_value_is_reported_at_its_place() {
        let schema = json!({ "type": "object", "required": "id", "properties": {
            "id": { "type": "text" },
            "name": { "type": "string", "minLength": "3", "maxLength": 4.5, "x-pii": "yes" },
            "amount": { "type": "string", "format": "decimal", "x-scale": "2" },
        } });
        let found: Vec<String> = faults(&schema)
            .into_iter()
            .map(|problem| format!("{} {}", problem.pointer, problem.message))
            .collect();
        for expected in [
            "/required `required` must be a list, not text",
            "/properties/id/type `text` is not a JSON Schema type",
            "/properties/name/minLength `minLength` must be an integer, not text",
            "/properties/name/maxLength `maxLength` must be an integer, not a number with a fraction",
            "/properties/name/x-pii `x-pii` must be true or false",
            "/properties/amount/x-scale `x-scale` must be a non-negative integer",
        ] {
            assert!(found.iter().any(|message| message == expected), "{expected}: {found:#?}");
        }
        assert_eq!(found.len(), 6, "{found:#?}");
    }

    #[test]
    fn a_mark_next_to_a_reference_has_an_effect() {
        let schema = json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/a", "x-pii": true } },
            "$defs": { "a": { "type": "string" } } });
        let schema = compiled(&schema);
        let expected = Type::text().or_null().with_pii(true);
        assert_eq!(schema.ty().as_record().unwrap().field("a").unwrap().ty, expected);
    }

    #[test]
    fn a_mark_without_effect_is_reported() {
        let schema = json!({ "type": "object",
            "properties": { "a": { "type": "string", "allOf": [{ "x-pii": true }] } },
            "if": { "properties": { "b": { "$ref": "#/$defs/b" } } },
            "then": true,
            "additionalProperties": { "x-pii": true },
            "not": { "properties": { "x-pii": { "const": true } } },
            "$defs": { "b": { "type": "string", "x-pii": true } } });
        let found = faults(&schema);
        assert!(found.iter().all(|problem| problem.kind == SchemaProblemKind::NoEffect));
        let mut places: Vec<&str> = found.iter().map(|problem| problem.pointer.as_str()).collect();
        places.sort_unstable();
        let expected =
            ["/additionalProperties/x-pii", "/if/properties/b/$ref", "/properties/a/allOf/0/x-pii"];
        assert_eq!(places, expected);
        // In a recursive schema, parts that are too deep to have a type are personal data as well.
        let schema = json!({ "type": "object", "properties": { "next": { "$ref": "#" }, "name": { "type": "string", "x-pii": true } } });
        let schema = compiled(&schema);
        let mut ty = schema.ty();
        while let Some(record) = ty.as_record() {
            assert!(record.field("name").unwrap().ty.pii);
            ty = &record.field("next").unwrap().ty;
        }
        assert!(ty.pii);
    }

    #[test]
    fn members_that_only_some_cases_of_a_union_have_are_optional() {
        let schema = json!({ "type": "object", "required": ["payment"], "properties": { "payment": { "oneOf": [
            { "type": "object", "required": ["kind", "last4"], "properties": { "kind": { "const": "card" }, "last4": { "type": "string" } } },
            { "type": "object", "required": ["kind"], "properties": { "kind": { "const": "cash" } } },
        ] } } });
        assert!(problems(&schema, r#"{"payment":{"kind":"cash"}}"#).is_empty());
        assert!(!problems(&schema, r#"{"payment":{"kind":"card"}}"#).is_empty());
        assert!(!problems(&schema, r#"{"payment":{"kind":"gold"}}"#).is_empty());
        let compiled = compiled(&schema);
        let payment = compiled.ty().as_record().unwrap().field("payment").unwrap();
        assert!(payment.ty.as_record().unwrap().field("last4").unwrap().ty.nullable);
    }

    #[test]
    fn x_currency_must_point_to_a_currency() {
        let schema = |pointer: &str| {
            json!({ "type": "object", "properties": {
            "amount": { "type": "string", "format": "decimal", "x-currency": pointer },
            "currency": { "type": "string", "format": "currency" },
        } })
        };
        assert!(faults(&schema("/currency")).is_empty());
        assert!(!faults(&schema("/amount")).is_empty());
        assert!(!faults(&schema("/nothing")).is_empty());
    }
}
