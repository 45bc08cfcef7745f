//! An order schema and an order, separated by a zero byte.
//!
//! Promises: a schema is compiled or rejected with problems that point into it. White space around
//! a valid order does not change it. An invalid order has at least one problem, and every problem
//! points into the order.

use oms_engine::schema::{OrderSchema, TypeRules};
use serde_json::Value as Json;

pub(crate) fn run(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(schema), Some(order)) = (parts.next(), parts.next()) else { return };
    let Ok(schema) = serde_json::from_slice::<Json>(schema) else { return };
    let (compiled, problems) = OrderSchema::compile(&schema, TypeRules::Current);
    for problem in &problems {
        assert!(schema.pointer(&problem.pointer).is_some(), "{problem:?} points at nothing");
    }
    if !problems.is_empty() {
        return;
    }
    match compiled.read(order) {
        Ok(parsed) => {
            let spaced = [b" \n", order, b"\t"].concat();
            let again = compiled.read(&spaced).map(|again| again.canonical);
            assert_eq!(again, Ok(parsed.canonical), "white space changes the order");
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "the order is invalid without a reason");
            for problem in problems {
                assert!(problem.offset <= order.len(), "{problem:?} is outside of the order");
            }
        }
    }
}
