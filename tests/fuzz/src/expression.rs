//! An expression over an order.
//!
//! Promises: an expression is compiled, or rejected with at least one error. Its problems point
//! into the text. The evaluation of a compiled expression gives a value of the type that the checker
//! derived, or fails because of the size of a number, a date or a list.

use std::sync::LazyLock;

use oms_engine::expression::{Env, EvalError, ProblemSeverity, Root, Scope, compile};
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
            let ty = compiled.ty();
            match compiled.eval(&env) {
                Ok(value) => {
                    assert!(ty.contains(&value), "{value:?} does not have the type {ty:?}")
                }
                Err(error) => assert_ne!(error, EvalError::Mistyped, "the type is {ty:?}"),
            }
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
