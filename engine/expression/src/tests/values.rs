//! Values in the file, compiled against the expected type.

use serde_json::{Value as Json, json};

use super::super::compile_value;
use super::*;

fn row() -> Type {
    Type::record([
        ("id", Type::text()),
        ("amount", Type::amount()),
        ("currency", Type::of(Shape::Currency).or_null()),
    ])
}

fn built(json: &Json, expected: Option<&Type>) -> Compiled {
    compile_value(json, expected, &scope()).unwrap_or_else(|p| panic!("{json}: {p:#?}"))
}

fn written(json: &Json, expected: Option<&Type>) -> String {
    with_order(|env| oms_core::value::write_json(&built(json, expected).eval(env).unwrap()))
}

/// Each problem as `route code message | text underlined | help`.
fn found(json: &Json, expected: &Type) -> Vec<String> {
    let problems = compile_value(json, Some(expected), &scope()).unwrap_err();
    let line = |problem: &Problem| {
        let mut node = json;
        for segment in problem.route.segments() {
            node = match segment {
                oms_core::diagnostic::Segment::Key(key) => &node[key],
                oms_core::diagnostic::Segment::Index(index) => &node[*index],
            };
        }
        let text = problem.within.clone().and_then(|within| node.as_str()?.get(within));
        format!(
            "{} {} {} | {} | {}",
            problem.route,
            problem.code.number(),
            problem.message,
            text.unwrap_or(if problem.on_key { "<key>" } else { "" }),
            problem.help.as_deref().unwrap_or("")
        )
    };
    problems.iter().map(line).collect()
}

#[test]
fn an_expression_alone_keeps_its_type_and_an_expression_within_text_becomes_text() {
    assert_eq!(built(&json!("${{ order.amount }}"), None).ty().to_string(), "a decimal");
    assert_eq!(built(&json!("${{ order.amount }}\n"), None).ty().to_string(), "a decimal");
    assert_eq!(built(&json!("${{ run.key }}.json"), None).ty().to_string(), "text");
    assert_eq!(
        written(&json!("${{order.order_id}}: ${{ order.amount }}-$${{ x }}"), None),
        "\"A-1: 10.50-${{ x }}\""
    );
    assert_eq!(built(&json!("${{ order.currency }}"), None).path(), Some("order.currency"));
    assert!(built(&json!("${{ order }}"), None).is_whole_order());
    assert_eq!(built(&json!("x${{ order.order_id }}"), None).ty().chars_max(), Some(21));
}

#[test]
fn maps_and_lists_become_records_and_lists() {
    let json = json!({ "b": ["${{ order.count }}", 1.0, 2], "a": { "c": "x", "d": null } });
    assert!(compile_value(&json, None, &scope()).is_err());
    let json = json!({ "b": ["${{ order.count }}", "${{ 2.5 }}"], "a": { "c": "x", "d": null } });
    assert_eq!(written(&json, None), r#"{"a":{"c":"x","d":null},"b":["3","2.5"]}"#);
    let mixed = json!({ "a": [1, "x${{ 'y' }}", { "b": true }] });
    assert_eq!(written(&mixed, Some(&Type::of(Shape::Json))), r#"{"a":[1,"xy",{"b":true}]}"#);
    assert!(compile_value(&mixed, None, &scope()).is_err());
}

#[test]
fn literals_are_parsed_as_the_expected_type() {
    let json = json!({ "id": "a", "amount": "1.10", "currency": "EUR" });
    let compiled = built(&json, Some(&row()));
    let value = compiled.constant().unwrap();
    assert!(matches!(value.as_record().unwrap().get("amount"), Some(Value::Decimal(_))));
    assert_eq!(
        oms_core::value::write_json(value),
        r#"{"amount":"1.10","currency":"EUR","id":"a"}"#
    );
    let widened = json!({ "id": "a", "amount": "${{ order.count }}" });
    let compiled = built(&widened, Some(&row()));
    assert_eq!(compiled.ty().as_record().unwrap().names().count(), 3);
    let value = with_order(|env| compiled.eval(env).unwrap());
    assert!(matches!(value.as_record().unwrap().get("amount"), Some(Value::Decimal(_))));
    assert!(matches!(value.as_record().unwrap().get("currency"), Some(Value::Missing)));
    let chosen = json!("${{ order.gift ? 'USD' : 'EUR' }}");
    assert_eq!(
        built(&chosen, Some(&Type::of(Shape::Currency))).ty().to_string(),
        "a currency code"
    );
    assert_eq!(written(&json!([]), Some(&Type::list(Type::amount()))), "[]");
}

#[test]
fn a_map_has_the_expected_fields() {
    assert_eq!(
        found(&json!({ "ID": "a", "amount": 1, "curency": "EUR" }), &row()),
        [
            "ID 201 unknown key `ID` | <key> | did you mean `id`?",
            "curency 201 unknown key `curency` | <key> | did you mean `currency`?",
            " 203 `id` is missing |  | add `id`: it is text",
        ]
    );
}

#[test]
fn values_that_do_not_fit_are_reported_with_their_position() {
    for (json, wanted, expected) in [
        (
            json!(1.1),
            Type::amount(),
            " 205 expected an exact decimal as text, found a number |  | write it as text: \"1.1\"",
        ),
        (json!("1,1"), Type::amount(), " 405 `1,1` is not a decimal |  | write it like `12.30`"),
        (json!(5), Type::text(), " 405 expected text, found an integer |  | put it in quotes"),
        (json!(null), Type::text(), " 405 expected text, found null |  | "),
        (
            json!("${{ order.count }}"),
            Type::text(),
            " 405 expected text, found an integer | order.count | convert it with `string(order.count)`",
        ),
        (
            json!("${{ order.order_id }}"),
            Type::amount(),
            " 405 expected a decimal, found text | order.order_id | declare `format: decimal` for it in the order schema, or convert it with a fallback: `decimal(order.order_id, …)`",
        ),
        (
            json!("${{ order.note }}"),
            Type::text(),
            " 406 `order.note` may be missing | order.note | run the step only if it is present: `when: ${{ order.note != null }}`, or add a fallback: `coalesce(order.note, \"\")`",
        ),
        (
            json!("${{ order.placed_at }}"),
            Type::of(Shape::Date(DateFormat::Iso)),
            " 405 expected a date, found a timestamp | order.placed_at | use the calendar date: `date(order.placed_at)`",
        ),
        (
            json!("EURO"),
            Type::of(Shape::Currency),
            " 418 `EURO` is not a currency |  | use an ISO 4217 code, such as `EUR`",
        ),
        (
            json!("nobody"),
            Type::of(Shape::Email),
            " 405 `nobody` is not an e-mail address |  | write it like `name@example.com`",
        ),
        (
            json!("x-${{ order.items }}"),
            Type::text(),
            " 405 a list cannot be inserted into text | order.items | ",
        ),
        (
            json!("x-${{ order.note }}"),
            Type::text(),
            " 406 `order.note` may be missing | order.note | run the step only if it is present: `when: ${{ order.note != null }}`, or add a fallback: `coalesce(order.note, \"\")`",
        ),
        (
            json!("é ${{ order.count"),
            Type::text(),
            " 402 `${{` is not closed | ${{ order.count | close it with `}}`, or write `$${{` for a literal `${{`",
        ),
        (
            json!("é ${{ order.coutn }}"),
            Type::text(),
            " 403 `order` has no field `coutn` | coutn | did you mean `count`?",
        ),
        (
            json!("payed"),
            texts(&["new", "paid"]),
            " 405 `payed` is not one of the allowed values |  | did you mean `paid`?",
        ),
        (json!(["a"]), Type::text(), " 405 expected text, found a list |  | "),
        (json!({ "a": 1 }), Type::text(), " 405 expected text, found a map |  | "),
        (
            json!(["${{ order.note }}"]),
            Type::list(Type::text()),
            "[0] 406 `order.note` may be missing | order.note | run the step only if it is present: `when: ${{ order.note != null }}`, or add a fallback: `coalesce(order.note, \"\")`",
        ),
        (
            json!("${{ {'id': 'a'} }}"),
            row(),
            " 405 expected a record with the field `amount` | {'id': 'a'} | ",
        ),
    ] {
        assert_eq!(found(&json, &wanted), [expected], "{json}");
    }
}

#[test]
fn the_origin_of_a_value_is_reported() {
    let origin = |text: &str| {
        let found = compile_value(&json!(text), Some(&Type::text()), &scope()).unwrap_err();
        found.into_iter().next().and_then(|problem| problem.origin)
    };
    let step = crate::Origin::Step { index: 1, field: "email".to_owned() };
    assert_eq!(origin("${{ steps.contact.email }}"), Some(step));
    let order = crate::Origin::Order { path: "note".to_owned() };
    assert_eq!(origin("${{ order.note }}"), Some(order));
}

#[test]
fn the_output_of_a_broken_step_has_the_expected_type() {
    let compiled = built(&json!({ "id": "${{ steps.broken.x }}", "amount": "1" }), Some(&row()));
    assert!(compiled.is_broken());
    assert_eq!(compiled.ty(), &row());
}
