//! Problems with impossible values, missing values, operations that may fail, and currencies.

use super::problems::check;
use super::*;

#[test]
fn impossible_values() {
    check(
        "order.meta.x",
        405,
        "expressions cannot refer to parts of `order.meta`",
        "x",
        Some(
            "describe this part of the order schema with `properties`: `oms` cannot derive its type",
        ),
    );
    check(
        "order.status == 'payed'",
        405,
        "`order.status` is never `payed`",
        "'payed'",
        Some("did you mean `paid`?"),
    );
    check(
        "order.status in ['new', 'payd']",
        405,
        "`order.status` is never `payd`",
        "['new', 'payd']",
        Some("did you mean `paid`?"),
    );
    check(
        "order.currency == 'usd'",
        418,
        "`usd` is not a currency",
        "'usd'",
        Some("did you mean `USD`?"),
    );
    check(
        "order.due < '2025-02-30'",
        405,
        "`2025-02-30` is not a date",
        "'2025-02-30'",
        Some("write it like `2025-12-31`"),
    );
    check("decimal('1,5')", 405, "`1,5` is not a decimal", "'1,5'", Some("write it like `12.30`"));
}

#[test]
fn values_that_may_be_missing() {
    check(
        "size(order.note)",
        406,
        "`order.note` may be missing",
        "order.note",
        Some(
            "run the step only if it is present: `when: ${{ order.note != null }}`, or add a fallback: `coalesce(order.note, \"\")`",
        ),
    );
    check(
        "order.tip + 1",
        406,
        "`order.tip` may be missing",
        "order.tip",
        Some(
            "run the step only if it is present: `when: ${{ order.tip != null }}`, or use it only where it is present: `order.tip != null ? … : …`",
        ),
    );
    check(
        "order.tip > 1",
        406,
        "`order.tip` may be missing",
        "order.tip",
        Some(
            "run the step only if it is present: `when: ${{ order.tip != null }}`, or use it only where it is present: `order.tip != null ? … : …`",
        ),
    );
    check(
        "order.address.city",
        406,
        "`order.address` may be missing",
        "order.address",
        Some(
            "run the step only if it is present: `when: ${{ order.address != null }}`, or use it only where it is present: `order.address != null ? order.address.city : …`",
        ),
    );
    check(
        "get(order.tags, 0) + 'x'",
        406,
        "`get(order.tags, 0)` may be missing",
        "get(order.tags, 0)",
        Some("add a fallback: `coalesce(get(order.tags, 0), \"\")`"),
    );
    check(
        "sum(order.items.map(i, i.discount))",
        406,
        "an element of `order.items.map(i, i.discount)` may be missing",
        "order.items.map(i, i.discount)",
        Some("skip missing elements: `order.items.map(i, i.discount).map(x, x != null, x)`"),
    );
}

#[test]
fn operations_that_may_fail() {
    check(
        "order.count / order.count",
        408,
        "`order.count` may be zero",
        "order.count",
        Some("guard it: `order.count != 0 ? … : …`"),
    );
    for known in ["order.pieces", "(order.pieces + 1)", "-order.pieces", "(size(order.tags) + 1)"] {
        assert_eq!(problems(&format!("order.count / {known}")), [], "{known}");
        assert_eq!(problems(&format!("div(1, {known}, 2, 'up')")), [], "{known}");
    }
    let help = Some("divide by a number other than zero");
    check("order.count / 0", 408, "division by zero", "0", help);
    check(
        "div(1, order.amount, 2, 'up')",
        408,
        "`order.amount` may be zero",
        "order.amount",
        Some("guard it: `order.amount != 0 ? … : …`"),
    );
    check(
        "order.amount >= 0 ? div(1, order.amount, 2, 'up') : 0",
        408,
        "`order.amount` may be zero",
        "order.amount",
        Some("guard it: `order.amount != 0 ? … : …`"),
    );
    check(
        "order.tags[0]",
        408,
        "`order.tags` may have no element `0`",
        "0",
        Some(
            "write `get(order.tags, 0)`, which is null if there is no such element, or guard it: `size(order.tags) > 0`",
        ),
    );
    check(
        "size(order.tags) > 1 ? order.tags[2] : ''",
        408,
        "`order.tags` may have no element `2`",
        "2",
        Some(
            "write `get(order.tags, 2)`, which is null if there is no such element, or guard it: `size(order.tags) > 2`",
        ),
    );
    check(
        "order.tags[order.count]",
        408,
        "`order.tags` may have no element `order.count`",
        "order.count",
        Some("write `get(order.tags, order.count)`, which is null if there is no such element"),
    );
    check(
        "decimal(order.order_id)",
        408,
        "`order.order_id` might not be a decimal",
        "order.order_id",
        Some(
            "guard it: `is_decimal(order.order_id) ? … : …`, or add a fallback: `decimal(order.order_id, …)`",
        ),
    );
}

#[test]
fn amounts_of_different_currencies() {
    for (text, operator) in [
        ("order.amount + steps.convert.amount", "`+`"),
        ("order.amount - steps.convert.amount", "`-`"),
        ("order.amount > steps.convert.amount", "`>`"),
        ("order.amount == steps.convert.amount", "`==`"),
    ] {
        let message = format!("{operator} combines amounts of different currencies");
        let help = Some("convert one of the amounts first, in a `money.convert` step");
        check(text, 407, &message, text, help);
        let origin = problems(text).remove(0).origin;
        let wanted = crate::Origin::Step { index: 0, field: "amount".to_owned() };
        assert_eq!(origin, Some(wanted), "{text}");
    }
}

#[test]
fn independent_problems_are_each_reported_once() {
    let found: Vec<String> = problems("order.x + 1 > order.y && order.note > 'a'")
        .into_iter()
        .map(|problem| problem.message)
        .collect();
    assert_eq!(
        found,
        ["`order` has no field `x`", "`order` has no field `y`", "`order.note` may be missing"]
    );
}
