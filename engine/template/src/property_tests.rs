//! Random templates and random data: every template that passes the check renders, whatever values
//! are missing in the data.

use std::sync::Arc;

use oms_core::diagnostic::Severity;
use oms_core::money::Decimal;
use oms_core::time_zone::TimeZone;
use oms_core::value::{Record, Shape, Type, Value};

use super::tests::{data_type, files};
use super::*;

/// Number of generated templates. Most are invalid, and at least [`CLEAN_MIN`] must pass for a
/// meaningful test.
const TEMPLATES: usize = 6_000;
const CLEAN_MIN: usize = 300;

/// Paths that exist everywhere, in some contexts, or nowhere.
const PATHS: &[&str] = &[
    "name",
    "order.id",
    "order.note",
    "order.gift",
    "order.gift.wish",
    "this",
    "sku",
    "note",
    "../name",
    "../note",
    "../order.note",
    "@index",
    "@../index",
    "@last",
    "@root.order.note",
    "@root.name",
    "order.items",
    "order.extras",
    "it",
    "it.note",
    "it.sku",
    "ix",
    "wish",
    "order.discount",
    "order.amount",
    "word",
    "../../name",
    "order.placed_on",
    "quantity",
    "order.log",
    "log",
    "id",
    "this.note",
    "./note",
    "order.gift.this.wish",
    "nowhere",
];

/// A xorshift generator, so that every run has the same cases.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    pub(super) fn one_of(&mut self, texts: &[&'static str]) -> &'static str {
        texts[self.below(texts.len())]
    }
}

fn operand(rng: &mut Rng, depth: usize) -> String {
    match rng.below(if depth == 0 { 6 } else { 9 }) {
        0 => "\"x\"".to_owned(),
        1 => rng.one_of(&["1", "null", "true", "1.5"]).to_owned(),
        2..=5 => rng.one_of(PATHS).to_owned(),
        6 => format!("(not {})", operand(rng, depth - 1)),
        _ => {
            let name = rng.one_of(&["eq", "ne", "lt", "gt", "and", "or", "default", "le"]);
            format!("({name} {} {})", operand(rng, depth - 1), operand(rng, depth - 1))
        }
    }
}

fn template(rng: &mut Rng, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..rng.below(4) {
        let below = depth.saturating_sub(1);
        text += &match rng.below(if depth == 0 { 4 } else { 10 }) {
            0 => "text\n".to_owned(),
            1 | 2 => format!("{{{{{}}}}}", rng.one_of(PATHS)),
            3 => format!("{{{{default {} \"z\"}}}}", operand(rng, 1)),
            4 => {
                let (condition, yes, no) =
                    (operand(rng, 2), template(rng, below), template(rng, below));
                format!("{{{{#if {condition}}}}}{yes}{{{{else}}}}{no}{{{{/if}}}}")
            }
            5 => {
                let (condition, no) = (operand(rng, 2), template(rng, below));
                let (second, yes) = (operand(rng, 1), template(rng, below));
                format!(
                    "{{{{#unless {condition}}}}}{no}{{{{else if {second}}}}}{yes}{{{{/unless}}}}"
                )
            }
            6 => {
                let list = rng.one_of(&["order.items", "order.extras", "@root.order.items"]);
                let (each, none) = (template(rng, below), template(rng, below));
                format!("{{{{#each {list}}}}}{each}{{{{else}}}}{none}{{{{/each}}}}")
            }
            7 => {
                let list = rng.one_of(&["order.items", "order.extras", "../order.items"]);
                let each = template(rng, below);
                format!("{{{{#each {list} as |it ix|}}}}{each}{{{{/each}}}}")
            }
            8 => {
                let value =
                    rng.one_of(&["order", "order.gift", "it", "order.note", "name", "this"]);
                let name = rng.one_of(&["", " as |it|"]);
                format!("{{{{#with {value}{name}}}}}{}{{{{/with}}}}", template(rng, below))
            }
            _ => {
                let call = rng.one_of(&[
                    "p",
                    "q",
                    "p order",
                    "p word=name",
                    "q word=order.note",
                    "p order.gift word=1",
                    "p this word=sku",
                ]);
                format!("{{{{> {call}}}}}")
            }
        };
    }
    text
}

/// Generates a value of a type. Nullable values are null, absent or present.
pub(super) fn value(ty: &Type, rng: &mut Rng) -> Value {
    if ty.nullable {
        match rng.below(3) {
            0 => return Value::Null,
            1 => return Value::Missing,
            _ => {}
        }
    }
    match &ty.shape {
        Shape::Bool => Value::Bool(rng.below(2) == 0),
        Shape::Int => Value::Int(rng.below(3) as i64),
        Shape::Decimal { .. } => {
            Value::Decimal(Decimal::parse(rng.one_of(&["0", "1.50", "2"])).unwrap())
        }
        Shape::Date(_) => Value::Date(jiff::civil::date(2025, 1, 31)),
        Shape::List(element) => {
            Value::List((0..rng.below(3)).map(|_| value(element, rng)).collect())
        }
        Shape::Record(record) => {
            let fields = record.fields().iter().map(|field| value(&field.ty, rng)).collect();
            Value::Record(Arc::new(Record::new(Arc::clone(record), fields)))
        }
        Shape::Json => Value::Json(Arc::new(serde_json::Value::Null)),
        _ => Value::text(rng.one_of(&["", "x", "1", "if"])),
    }
}

#[test]
fn every_template_that_passes_the_check_renders() {
    let ty = data_type();
    let mut rng = Rng(0x0123_4567_89ab_cdef);
    let mut clean = 0;
    for _ in 0..TEMPLATES {
        let text = template(&mut rng, 3);
        let (p, q) = (template(&mut rng, 1), template(&mut rng, 1));
        let all = files([
            ("t/subject.hbs", "x"),
            ("t/body.html.hbs", "x"),
            ("t/body.txt.hbs", text.as_str()),
            ("partials/p.hbs", p.as_str()),
            ("partials/q.hbs", q.as_str()),
        ]);
        let loaded = Template::load(&all, "mail", "t", "en", &TimeZone::UTC).unwrap();
        let found = loaded.check(&ty);
        assert!(!found.iter().any(|f| f.message.contains("are ambiguous")), "{text}");
        if found.iter().any(|f| f.severity == Severity::Error) {
            continue;
        }
        // A template without tags proves nothing.
        clean += usize::from(text.contains("{{"));
        for _ in 0..4 {
            let data = value(&ty, &mut rng);
            if let Err(error) = loaded.render(&data, None) {
                panic!("{error}\n{text}\np: {p}\nq: {q}\n{data:?}");
            }
        }
    }
    assert!(clean >= CLEAN_MIN, "only {clean} templates passed the check");
}
