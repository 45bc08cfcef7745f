//! Results of expressions.

use super::*;

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(result(text), *expected, "{text}");
    }
}

#[test]
fn arithmetic_is_exact() {
    check(&[
        ("0.1 + 0.2", "\"0.3\""),
        ("0.1 + 0.2 == 0.3", "true"),
        ("3 * 1.5", "\"4.5\""),
        ("order.amount * 2 + 1", "\"22.00\""),
        ("order.amount - -0.50", "\"11.00\""),
        ("1.10", "\"1.10\""),
        ("1e2 == 100", "true"),
        ("-.5", "\"-0.5\""),
        ("9007199254740993.0", "\"9007199254740993.0\""),
        ("7 / 2", "3"),
        ("-7 % 3", "-1"),
        ("(1 + 2) * 3", "9"),
        ("2 - 3 - 4", "-5"),
        ("round(2.5, 0, 'half_even')", "\"2\""),
        ("round(order.amount * order.rate, 2, 'half_up')", "\"8.30\""),
        ("div(order.amount, 3, 2, 'half_even')", "\"3.50\""),
        ("div(2, 3, 4, 'down')", "\"0.6666\""),
        ("sum(order.items.map(i, i.price * i.quantity))", "\"10.50\""),
        ("sum([])", "0"),
        ("sum([1, 2.5])", "\"3.5\""),
        ("max(order.count, 2.5)", "\"3\""),
        ("decimal('12.30')", "\"12.30\""),
        ("decimal(order.order_id, 1)", "\"1\""),
        ("is_decimal('1.5') && !is_decimal(order.order_id)", "true"),
        ("order.gift ? 1 : 1.5", "\"1\""),
    ]);
}

#[test]
fn numbers_out_of_range_are_errors() {
    check(&[
        ("order.count * 9223372036854775807", "a number is too large"),
        ("order.count - 9223372036854775807 - 10", "a number is too large"),
        ("order.rate * 9999999999999999999999999999.0", "a number is too large"),
        ("div(order.rate * 99999999999999999999999.0, 0.000001, 0, 'up')", "a number is too large"),
    ]);
}

#[test]
fn expressions_create_texts_lists_and_records() {
    check(&[
        ("order.order_id + '/' + order.currency", "\"A-1/CAD\""),
        ("' Aé '.trim().upper()", "\"AÉ\""),
        ("upperAscii('aé')", "\"Aé\""),
        ("size('aé')", "2"),
        ("order.tags + ['c']", "[\"b\",\"a\",\"c\"]"),
        ("{'b': order.count, 'a': [1, 2.5]}", "{\"a\":[\"1\",\"2.5\"],\"b\":3}"),
        ("{'a': {'b': 'c'}}.a.b", "\"c\""),
        ("{'a': 1}['a']", "1"),
        ("order.items.map(i, i.sku)", "[\"x\",\"y\"]"),
        ("order.items.filter(i, i.quantity > 1).map(i, i.price)", "[\"1.10\"]"),
        ("order.items.map(i, i.quantity == 1, {'s': i.sku})", "[{\"s\":\"y\"}]"),
        // A dot before a name skips the loop variables.
        ("order.tags.map(order, order + .order.order_id)", "[\"bA-1\",\"aA-1\"]"),
        ("order.items.map(i, order.tags.map(t, i.sku + t))", "[[\"xb\",\"xa\"],[\"yb\",\"ya\"]]"),
        ("order.tags.exists_one(t, t == 'a')", "true"),
        ("order.tags.all(t, t < 'b')", "false"),
        ("get(order.tags, 1)", "\"a\""),
        ("get(order.tags, 7)", "null"),
        ("get(order.tags, -1)", "null"),
        ("string(order.amount) + string(order.gift)", "\"10.50true\""),
        ("date(order.placed_at)", "\"2025-03-02\""),
        ("string(order.placed_at)", "\"2025-03-02T04:30:00.000Z\""),
        ("coalesce(order.note, order.order_id)", "\"A-1\""),
        ("coalesce(order.tip, 0) + 1", "\"1\""),
        ("order.note == null", "true"),
        ("order.tip in [null, 1]", "true"),
        ("order.items.exists(i, has(i.discount))", "false"),
        ("size(order.items) == 2 ? order.items[1].sku : ''", "\"y\""),
        ("order.due == '2025-03-31' && order.due > '2025-03-30'", "true"),
        ("order.address != null ? order.address.city : 'none'", "\"none\""),
    ]);
}

#[test]
fn constants_are_folded() {
    for (text, expected) in
        [("2 * 3", "6"), ("'a' + 'b'", "\"ab\""), ("div(1, 4, 2, 'up')", "\"0.25\"")]
    {
        let value = compiled(text).constant().map(oms_core::value::write_json);
        assert_eq!(value.as_deref(), Some(expected), "{text}");
    }
    assert!(compiled("order.count").constant().is_none());
}

#[test]
fn lists_have_a_limit() {
    let ten = format!("[{}]", "1,".repeat(9) + "1");
    let mut order = order_value();
    if let Value::Record(record) = &order {
        let many: Arc<[Value]> = (0..10_001).map(|_| Value::text("a")).collect();
        let position = record.ty().position("tags").unwrap();
        let mut fields: Vec<Value> = record.iter().map(|(_, value)| value.clone()).collect();
        fields[position] = Value::List(many);
        order = Value::Record(Arc::new(Record::new(Arc::clone(record.ty()), fields)));
    }
    let env = Env { order: &order, ..Env::empty() };
    for text in ["order.tags.map(t, 1)".to_owned(), format!("order.tags.map(t, 1) + {ten}")] {
        let error = compiled(&text).eval(&env).unwrap_err();
        assert_eq!(error, crate::EvalError::TooLong { limit: 10_000 });
    }
}

#[test]
fn deep_and_long_expressions_are_parsed_without_overflow() {
    let nested = format!("{}1{}", "(".repeat(60), ")".repeat(60));
    assert_eq!(result(&nested), "1");
    let long = format!("1{}", " + 1".repeat(60));
    assert_eq!(result(&long), "61");
    let lists = format!("{}order.count{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(result(&lists), format!("{}3{}", "[".repeat(60), "]".repeat(60)));
    let calls = format!("{}order.note{}", "coalesce(".repeat(60), ", 'x')".repeat(60));
    assert_eq!(result(&calls), "\"x\"");
    let choices = format!("{}0", "order.gift ? 1 : ".repeat(40));
    assert_eq!(result(&choices), "1");
}
