//! Types of expressions.

use super::*;

fn check(text: &str, expected: &str) {
    assert_eq!(compiled(text).ty().to_string(), expected, "{text}");
}

#[test]
fn integers_become_decimals_only_in_operations_with_decimals() {
    for (text, expected) in [
        ("order.amount", "a decimal"),
        ("order.amount + 1.5", "a decimal"),
        ("1 + order.amount", "a decimal"),
        ("order.count * 2", "an integer"),
        ("order.count * 1.5", "a decimal"),
        ("-order.amount", "a decimal"),
        ("7 / 2", "an integer"),
        ("order.gift ? 1 : 1.5", "a decimal"),
        ("sum(order.items.map(i, i.price * i.quantity))", "a decimal"),
        ("sum(order.items.map(i, i.quantity))", "an integer"),
        ("size(order.items)", "an integer"),
        ("round(order.amount, 2, 'half_even')", "a decimal"),
        ("decimal(order.order_id, 0)", "a decimal"),
        ("min(order.count, 2.5)", "a decimal"),
    ] {
        check(text, expected);
    }
}

#[test]
fn conditions_are_booleans() {
    for text in [
        "order.amount > 100",
        "order.amount == 100 || order.gift",
        "!(order.count < 3)",
        "order.note == null",
        "order.note == 'x'",
        "order.currency == 'EUR'",
        "order.currency in ['EUR', 'USD']",
        "order.status in ['new']",
        "'a' in order.tags",
        "order.due < '2025-01-01'",
        "order.placed_at >= \"2025-01-01T00:00:00Z\"",
        "date(order.placed_at) <= order.due",
        "order.items.exists(i, i.quantity > 3)",
        "order.items.all(i, i.discount != null && i.discount > 1)",
        "has(order.note)",
        "order.order_id.startsWith('A') && contains(order.order_id, '-')",
        "order.email != ''",
        "order.tags == []",
        "is_decimal(order.order_id)",
    ] {
        check(text, "a boolean");
    }
}

#[test]
fn a_value_is_nullable_until_it_is_narrowed() {
    for (text, expected) in [
        ("order.note", "text or null"),
        ("order.note != null ? order.note : ''", "text"),
        ("order.note == null ? '' : order.note", "text"),
        ("order.note == null || size(order.note) > 3", "a boolean"),
        ("has(order.note) ? order.note : 'x'", "text"),
        ("!(order.note == null) && order.note > 'a' ? order.note : ''", "text"),
        ("order.tip != null && order.gift ? order.tip + 1 : 0", "a decimal"),
        ("coalesce(order.note, 'none')", "text"),
        ("coalesce(order.note, null)", "text or null"),
        ("coalesce(order.tip, 0)", "a decimal"),
        ("order.address != null ? order.address.city : ''", "text"),
        ("order.address != null ? order.address.zip : null", "text or null"),
        ("order.address != null && order.address.zip != null ? order.address.zip : ''", "text"),
        ("get(order.tags, 1)", "text or null"),
        ("size(order.tags) > 1 ? order.tags[1] : ''", "text"),
        ("size(order.tags) != 0 ? order.tags[0] : ''", "text"),
        ("order.tags.size() >= 1 ? order.tags[0] : ''", "text"),
        ("0 == size(order.tags) ? '' : order.tags[0]", "text"),
        ("is_decimal(order.order_id) ? decimal(order.order_id) : 0", "a decimal"),
        ("order.count != 0 ? 10 / order.count : 0", "an integer"),
        ("order.amount > 0 ? div(order.count, order.amount, 2, 'half_up') : 0", "a decimal"),
        (
            "size(order.tags) > 0 ? div(order.amount, size(order.tags), 2, 'half_up') : 0",
            "a decimal",
        ),
        ("order.items.map(i, i.discount != null, i.discount * 2)", "a list"),
    ] {
        check(text, expected);
    }
}

#[test]
fn facts_hold_in_a_scope_that_assumes_them() {
    let facts = compiled("steps.contact.email != null && order.tip != null").facts();
    assert!(facts.is_present("steps.contact.email"));
    let narrowed = scope().assume(&facts);
    let ty = compile("steps.contact.email", &narrowed).unwrap().ty().clone();
    assert_eq!(ty.to_string(), "an e-mail address");
    assert!(compile("order.tip + 1", &narrowed).is_ok());
    assert!(compile("order.tip + 1", &scope()).is_err());
}

#[test]
fn a_fact_of_one_side_of_or_does_not_hold_for_the_whole() {
    assert!(compiled("order.note != null || order.gift").facts().is_empty());
    let facts = compiled("(order.note != null && order.gift) || order.note == 'x'").facts();
    assert!(facts.is_present("order.note"));
    assert_eq!(problems("(order.note != null || order.gift) && size(order.note) > 1").len(), 1);
}

#[test]
fn digits_and_lengths_are_propagated() {
    for (text, integer_digits, scale) in [
        ("order.amount + order.fee", 16, 4),
        ("order.amount * order.rate", 18, 10),
        ("order.amount * 100", 17, 4),
        ("order.amount * 0.10", 14, 6),
        ("div(order.amount, 4, 2, 'up')", 15, 2),
        ("min(order.amount, 10) * 3", 16, 4),
        ("order.amount < 10 && order.amount > -10 ? order.amount : 0.0", 2, 4),
        ("round(order.amount, 2, 'up')", 16, 2),
        ("1.50", 1, 2),
    ] {
        let shape = compiled(text).ty().shape.clone();
        assert_eq!(shape, Shape::Decimal { integer_digits, scale }, "{text}");
    }
    for (text, chars) in [
        ("order.order_id + '-1'", Some(22)),
        ("order.order_id + order.note", None),
        ("string(order.count)", Some(20)),
        ("string(size(order.order_id))", Some(2)),
        ("string(order.count % 100)", Some(3)),
        ("order.currency + 'x'", Some(4)),
    ] {
        let text = text.replace("order.note", "run.key");
        assert_eq!(compiled(&text).ty().chars_max(), chars, "{text}");
    }
}

#[test]
fn values_computed_from_personal_data_are_personal() {
    for (text, pii) in [
        ("order.email", true),
        ("'x' + order.email", true),
        ("order.email.upper()", true),
        ("order.gift ? order.email : ''", true),
        ("[order.email]", true),
        ("order.email == 'x'", true),
        ("size(order.email)", true),
        ("order.order_id", false),
    ] {
        assert_eq!(compiled(text).ty().pii, pii, "{text}");
    }
    assert!(compiled("{'a': order.email}").ty().contains_pii());
}

#[test]
fn an_amount_keeps_its_currency() {
    let unit = |text: &str| compiled(text).ty().unit.as_ref().map(ToString::to_string);
    let order = Some("the currency that `order.currency` names".to_owned());
    assert_eq!(unit("order.amount"), order);
    assert_eq!(unit("order.amount + order.fee"), order);
    assert_eq!(unit("order.amount * order.rate"), order);
    assert_eq!(unit("order.amount * order.fee"), None);
    assert_eq!(unit("steps.convert.amount - 1"), Some("USD".to_owned()));
}

#[test]
fn paths_and_reads_are_returned() {
    assert_eq!(compiled(" order.currency ").path(), Some("order.currency"));
    assert_eq!(compiled("order.currency + ''").path(), None);
    assert_eq!(compiled("size(order.tags)").path(), None);
    assert!(compiled("order").is_whole_order());
    let compiled =
        compiled("order.tags.map(t, t + run.key + string(steps.convert.rate)) + [order.order_id]");
    assert_eq!(
        compiled.reads().collect::<Vec<_>>(),
        ["order.order_id", "order.tags", "run.key", "steps.convert.rate"]
    );
    assert_eq!(compiled.reads_steps().iter().copied().collect::<Vec<_>>(), [0]);
}

#[test]
fn a_broken_step_is_not_reported_again() {
    for text in [
        "steps.broken.x + 1",
        "steps.broken.a.b == 'x' && order.gift",
        "[steps.broken].map(x, x.y)",
    ] {
        assert!(compiled(text).is_broken(), "{text}");
    }
}

#[test]
fn a_renamed_item_is_available_only_under_its_new_name() {
    let mut scope = scope();
    scope.define(Root::Item, item());
    scope.name_item("line");
    assert_eq!(compile("line.sku", &scope).unwrap().path(), Some("item.sku"));
    let problem = compile("item.sku", &scope).unwrap_err().remove(0);
    assert_eq!(problem.help.as_deref(), Some("write `line` for the element"));
}

#[test]
fn compiled_expressions_are_send_and_sync() {
    fn crosses<T: Send + Sync>(_: &T) {}
    crosses(&compiled("order.amount"));
}
