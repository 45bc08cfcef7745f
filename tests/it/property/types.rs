//! Generated types, with their JSON Schemas, valid orders, columns and template text.

use serde_json::{Map, Value as Json, json};

use super::rng::Rng;

/// The type of an order's field or of a step's output.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ty {
    Text,
    Int,
    /// A decimal, with the currency or its path if it is an amount.
    Dec(Option<String>),
    Bool,
    Email,
    Currency,
    Date,
    Stamp,
    Tags,
    List(Vec<Field>),
    Rec(Vec<Field>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Ty,
    pub(super) optional: bool,
    pub(super) nullable: bool,
}

impl Field {
    pub(super) fn may_be_missing(&self) -> bool {
        self.optional || self.nullable
    }
}

pub(super) fn scalar(rng: &mut Rng) -> Ty {
    match rng.below(9) {
        0 | 1 => Ty::Text,
        2 => Ty::Int,
        3 => Ty::Dec(None),
        4 => Ty::Dec(Some("order.currency".to_owned())),
        5 => Ty::Bool,
        6 => Ty::Email,
        7 => Ty::Date,
        _ => Ty::Stamp,
    }
}

fn any(rng: &mut Rng, depth: usize) -> Ty {
    match rng.below(if depth == 0 { 6 } else { 9 }) {
        6 => Ty::Rec(fields(rng, "r", depth - 1)),
        7 => Ty::List(fields(rng, "e", depth - 1)),
        8 => Ty::Tags,
        _ => scalar(rng),
    }
}

pub(super) fn fields(rng: &mut Rng, prefix: &str, depth: usize) -> Vec<Field> {
    (0..1 + rng.below(5))
        .map(|position| Field {
            name: format!("{prefix}{position}"),
            ty: any(rng, depth),
            optional: rng.one_in(4),
            nullable: rng.one_in(5),
        })
        .collect()
}

pub(super) fn record_schema(fields: &[Field]) -> Json {
    let required: Vec<&str> =
        fields.iter().filter(|field| !field.optional).map(|field| field.name.as_str()).collect();
    let properties: Map<String, Json> =
        fields.iter().map(|field| (field.name.clone(), schema(field))).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn schema(field: &Field) -> Json {
    let mut schema = match &field.ty {
        Ty::Text => json!({ "type": "string", "maxLength": 30 }),
        Ty::Int => json!({ "type": "integer", "minimum": -1000, "maximum": 100_000 }),
        Ty::Dec(None) => json!({ "type": "string", "format": "decimal" }),
        Ty::Dec(Some(unit)) => {
            let pointer = unit.trim_start_matches("order").replace('.', "/");
            json!({ "type": "string", "format": "decimal", "x-currency": pointer })
        }
        Ty::Bool => json!({ "type": "boolean" }),
        Ty::Email => json!({ "type": "string", "format": "email", "x-pii": true }),
        Ty::Currency => json!({ "type": "string", "format": "currency" }),
        Ty::Date => json!({ "type": "string", "format": "date" }),
        Ty::Stamp => json!({ "type": "string", "format": "date-time" }),
        Ty::Tags => json!({ "type": "array", "items": { "type": "string", "maxLength": 10 } }),
        Ty::List(fields) => json!({ "type": "array", "items": record_schema(fields) }),
        Ty::Rec(fields) => record_schema(fields),
    };
    if field.nullable {
        let of = schema["type"].clone();
        schema["type"] = json!([of, "null"]);
    }
    schema
}

/// Generates a valid object.
pub(super) fn object(fields: &[Field], rng: &mut Rng) -> Json {
    let mut object = Map::new();
    for field in fields {
        if field.optional && rng.one_in(2) {
            continue;
        }
        let value =
            if field.nullable && rng.one_in(2) { Json::Null } else { value(&field.ty, rng) };
        object.insert(field.name.clone(), value);
    }
    Json::Object(object)
}

fn value(ty: &Ty, rng: &mut Rng) -> Json {
    match ty {
        Ty::Text => rng.text(&["", "a", "Zoë & <b>", "12.5", "{{x}} ${{ y }}", "\"q\"\n"]).into(),
        Ty::Int => [-1000, -1, 0, 1, 7, 100_000][rng.below(6)].into(),
        Ty::Dec(_) => rng.text(&["0", "0.0001", "-12.30", "100", "999999999999999.9999"]).into(),
        Ty::Bool => rng.one_in(2).into(),
        Ty::Email => rng.text(&["ada@example.com", "x+y@example.org"]).into(),
        Ty::Currency => rng.text(&["USD", "EUR", "CAD", "JPY"]).into(),
        Ty::Date => rng.text(&["2025-01-31", "1999-12-31"]).into(),
        Ty::Stamp => rng.text(&["2025-03-01T23:30:00-05:00", "2024-02-29T00:00:00Z"]).into(),
        Ty::Tags => (0..rng.below(4)).map(|_| rng.text(&["a", "b", ""])).collect(),
        Ty::List(fields) => (0..rng.below(4)).map(|_| object(fields, rng)).collect(),
        Ty::Rec(fields) => object(fields, rng),
    }
}

/// Returns the column type for a type, if there is one.
pub(super) fn column(ty: &Ty) -> Option<&'static str> {
    Some(match ty {
        Ty::Text => "text",
        Ty::Int => "integer",
        Ty::Dec(_) => "decimal(28,4)",
        Ty::Bool => "boolean",
        Ty::Email => "email",
        Ty::Currency => "currency",
        Ty::Date => "date",
        Ty::Stamp => "timestamp",
        Ty::Tags | Ty::List(_) | Ty::Rec(_) => return None,
    })
}

/// Returns template text that prints a whole value.
pub(super) fn printed(path: &str, ty: &Ty, missing: bool) -> String {
    let plain = match ty {
        Ty::Bool => format!("{{{{#if {path}}}}}yes{{{{else}}}}no{{{{/if}}}}"),
        Ty::Tags => format!("{{{{#each {path}}}}}{{{{this}}}},{{{{/each}}}}"),
        Ty::List(fields) => {
            format!("{{{{#each {path}}}}}{}{{{{else}}}}none{{{{/each}}}}", all("", fields))
        }
        Ty::Rec(fields) => all(&format!("{path}."), fields),
        _ => format!("{{{{{path}}}}}"),
    };
    if missing { format!("{{{{#if (ne {path} null)}}}}{plain}{{{{/if}}}}") } else { plain }
}

fn all(prefix: &str, fields: &[Field]) -> String {
    fields
        .iter()
        .map(|field| {
            let path = format!("{prefix}{}", field.name);
            format!("{}: {} ", field.name, printed(&path, &field.ty, field.may_be_missing()))
        })
        .collect()
}
