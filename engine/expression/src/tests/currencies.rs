//! Amounts of different currencies are never combined in one value.

use oms_core::diagnostic::codes;

use super::*;
use crate::compile_value;

/// `order.amount` and `order.fee` share a currency, and `steps.convert.amount` is in another.
const MIXED: &[&str] = &[
    "sum([order.amount, steps.convert.amount])",
    "[order.amount, 0, steps.convert.amount]",
    "order.gift ? order.amount : steps.convert.amount",
    "coalesce(order.amount, steps.convert.amount)",
    "coalesce(get([order.amount], 0), 0) + steps.convert.amount",
    "(order.gift ? order.amount : 0) + steps.convert.amount",
    "get([order.amount, steps.convert.amount], 0)",
    "steps.convert.amount in [order.amount, order.fee]",
    "[order.amount].exists(x, x == steps.convert.amount)",
    "[order.amount].map(x, x + steps.convert.amount)",
    "[order.amount] + [steps.convert.amount]",
    "[order.amount] == [steps.convert.amount]",
    "{'x': order.amount} == {'x': steps.convert.amount}",
    "max(order.amount, steps.convert.amount)",
    "order.amount < steps.convert.amount",
];

#[test]
fn no_operation_combines_amounts_of_two_currencies() {
    for text in MIXED {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        assert_eq!(found[0].code, codes::CURRENCY_MISMATCH, "{text}");
        let same = text.replace("steps.convert.amount", "order.fee");
        assert!(problems(&same).is_empty(), "{same}: {:#?}", problems(&same));
    }
}

#[test]
fn a_list_in_the_file_has_one_currency() {
    let list = serde_json::json!(["${{ order.amount }}", "${{ steps.convert.amount }}"]);
    let found = compile_value(&list, None, &scope()).unwrap_err();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code, codes::CURRENCY_MISMATCH);
}

#[test]
fn values_made_of_an_amount_keep_its_currency() {
    for text in ["coalesce(order.amount, 0)", "sum([order.amount, order.fee, 0])"] {
        assert_eq!(
            compiled(text).ty().unit,
            Some(Unit::Field(Arc::from("order.currency"))),
            "{text}"
        );
    }
}
