//! Tests that values computed from personal data are personal data, that a key is recoverable only
//! from texts that contain it, and that nested loops are limited.

use oms_core::value::masked;

use super::*;
use crate::{EvalError, compile_value};

#[test]
fn values_computed_from_personal_data_are_masked() {
    for text in [
        "order.email",
        "'to ' + order.email",
        "upper(order.email)",
        "size(order.email)",
        "order.email == 'a@example.com'",
        "!order.email.startsWith('a')",
        "order.email.contains('a') && order.gift",
        "order.email.contains('a') ? 1 : 2",
        "coalesce(order.note, order.email)",
        "get([order.email], 0)",
        "[order.email].filter(x, x.contains('b'))",
        "[1, 2].filter(x, order.email.contains('a'))",
        "order.items.exists(x, x.sku == order.email)",
        "order.tags + [order.email]",
        "[] + [order.email]",
        "'a@example.com' in [order.email]",
    ] {
        let compiled = compiled(text);
        let value = with_order(|env| compiled.eval(env)).unwrap();
        let shown = masked(&value, compiled.ty()).to_string();
        assert!(shown.contains('«'), "{text}: {shown}");
        assert!(!shown.contains("example"), "{text}: {shown}");
    }
    for text in ["[{'e': order.email, 'n': 1}]", "order.items.map(x, {'e': order.email, 'n': 1})"] {
        let compiled = compiled(text);
        let value = with_order(|env| compiled.eval(env)).unwrap();
        let shown = masked(&value, compiled.ty()).to_string();
        assert!(shown.contains(r#""e":"«email»","n":1"#), "{text}: {shown}");
    }
}

#[test]
fn text_around_personal_data_is_personal_data() {
    let json =
        serde_json::json!({ "line": "to ${{ order.email }}!", "list": ["${{ order.email }}", 1] });
    let json_type = Type::of(Shape::Json);
    let wanted = Type::record([("line", Type::text()), ("list", json_type)]);
    let compiled = compile_value(&json, Some(&wanted), &scope()).unwrap();
    let value = with_order(|env| compiled.eval(env)).unwrap();
    let shown = masked(&value, compiled.ty()).to_string();
    assert!(!shown.contains("example"), "{shown}");
}

#[test]
fn a_key_is_recoverable_only_from_texts_that_contain_it_whole() {
    for (text, expected) in [
        ("${{ order.order_id }}", true),
        ("${{ string(order.order_id) }}", true),
        ("orders/${{ order.order_id }}.json", true),
        ("${{ 'a-' + order.order_id + '-b' }}", true),
        ("${{ order.order_id }}/${{ order.count }}", true),
        ("${{ order.order_id }}${{ order.count }}", false),
        ("${{ size(order.order_id) > 3 ? 'a' : 'b' }}", false),
        ("${{ upper(order.order_id) }}", false),
        ("${{ size(order.order_id) }}-", false),
        ("${{ coalesce(order.note, order.order_id) }}", false),
        ("constant", false),
    ] {
        let json = serde_json::Value::from(text);
        let compiled = compile_value(&json, None, &scope()).unwrap();
        assert_eq!(compiled.determines_key("order.order_id"), expected, "{text}");
    }
}

#[test]
fn nested_loops_are_limited() {
    let many: Arc<[Value]> = (0..10_000).map(|_| Value::text("a")).collect();
    let layout = order();
    let order = record(&layout, &[("tags", Value::List(many))]);
    let env = Env { order: &order, ..Env::empty() };
    for text in [
        "order.tags.map(x, order.tags.exists(y, y == 'b'))",
        "order.tags.map(x, 'b' in order.tags)",
        "order.tags.map(x, order.tags == order.tags)",
    ] {
        assert!(matches!(compiled(text).eval(&env), Err(EvalError::TooMuch { .. })), "{text}");
    }
    for text in ["order.tags.map(x, size(order.tags))", "order.tags.filter(x, x in ['a', 'b'])"] {
        assert!(compiled(text).eval(&env).is_ok(), "{text}");
    }
}
