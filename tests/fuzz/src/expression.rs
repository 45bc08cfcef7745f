//! An expression over an order.
//!
//! Promises: an expression is compiled, or rejected with at least one error. Its problems point
//! into the text. The evaluation of a compiled expression does not panic.

use std::sync::LazyLock;

use oms_engine::expression::{Env, ProblemSeverity, Root, Scope, compile};
use oms_engine::schema::{OrderSchema, TypeRules};
use oms_engine::time_zone::TimeZone;
use oms_engine::value::Value;

const SCHEMA: &str = include_str!("order.schema.json");
const ORDER: &str = include_str!("order.json");

static CONTEXT: LazyLock<(Scope, Value)> = LazyLock::new(|| {
    let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let (schema, problems) = OrderSchema::compile(&schema, TypeRules::Current);
    assert!(problems.is_empty(), "{problems:?}");
    let order = schema.read(ORDER.as_bytes()).expect("the order fits its schema");
    let mut scope = Scope::new(TimeZone::UTC);
    scope.define(Root::Order, schema.ty().clone());
    (scope, order.value)
});

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (scope, order) = &*CONTEXT;
    match compile(text, scope) {
        Ok(compiled) => {
            let env = Env { order, ..Env::empty() };
            // The evaluation may fail, for example because a number is out of range.
            let _value = compiled.eval(&env);
        }
        Err(problems) => {
            assert!(
                problems.iter().any(|problem| problem.severity == ProblemSeverity::Error),
                "{problems:?}"
            );
            for problem in problems {
                let end = problem.within.as_ref().map_or(0, |within| within.end);
                assert!(end <= text.len(), "{problem:?} is outside of the text");
            }
        }
    }
}
