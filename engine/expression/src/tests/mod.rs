//! Table-driven tests of expressions: types, results and problems.

mod currencies;
mod derived;
mod guards;
mod problems;
mod results;
mod sound;
mod types;
mod unions;
mod values;

use std::sync::Arc;

use oms_core::money::{Currency, Decimal};
use oms_core::time_zone::TimeZone;
use oms_core::value::{DateFormat, Interval, Record, RecordType, Shape, Type, Unit, Value};

use super::{Compiled, Env, Problem, Root, Scope, StepVar, compile};

fn amount_in(unit: Unit) -> Type {
    Type { unit: Some(unit), ..Type::amount() }
}

fn texts(values: &[&str]) -> Type {
    let values = values.iter().map(|value| Arc::from(*value)).collect();
    Type::of(Shape::Text { chars_max: None, values: Some(values) })
}

fn between(min: &str, max: &str) -> Interval {
    let decimal = |text| Decimal::parse(text).unwrap();
    Interval::new(decimal(min), decimal(max)).unwrap()
}

fn item() -> Type {
    Type::record([
        ("sku", Type::text()),
        ("quantity", Type::of(Shape::Int)),
        ("price", Type::amount()),
        ("discount", Type::amount().or_null()),
    ])
}

/// A union of three cases: two have an amount, one has a voucher.
fn payment() -> Type {
    let case = |kind: &str, fields: &[(&str, Type)]| {
        let tag = (Arc::from("kind"), texts(&[kind]));
        let fields = fields.iter().map(|(name, ty)| (Arc::from(*name), ty.clone()));
        Arc::new(RecordType::new(fields.chain([tag])))
    };
    let amount = || ("paid", Type::amount());
    let merged = RecordType::new([
        (Arc::from("kind"), texts(&["card", "bank", "voucher"])),
        (Arc::from("paid"), Type::amount().or_null()),
        (Arc::from("iban"), Type::text().or_null()),
        (Arc::from("voucher"), Type::text().or_null()),
    ]);
    let cases = vec![
        case("card", &[amount(), ("iban", Type::text().or_null())]),
        case("bank", &[amount(), ("iban", Type::text())]),
        case("voucher", &[("voucher", Type::text())]),
    ];
    Type::of(Shape::Record(Arc::new(merged.with_cases(cases))))
}

fn order() -> Type {
    let currency = Unit::Field(Arc::from("order.currency"));
    let address = Type::record([("city", Type::text()), ("zip", Type::text().or_null())]);
    Type::record([
        ("order_id", Type::of(Shape::Text { chars_max: Some(20), values: None })),
        ("amount", amount_in(currency.clone())),
        ("fee", amount_in(currency)),
        ("rate", Type::of(Shape::Decimal { integer_digits: 3, scale: 6 })),
        ("currency", Type::of(Shape::Currency)),
        ("count", Type::of(Shape::Int)),
        ("note", Type::text().or_null()),
        ("tip", Type::amount().or_null()),
        ("gift", Type::of(Shape::Bool)),
        ("status", texts(&["new", "paid"])),
        ("email", Type::of(Shape::Email).with_pii(true)),
        ("placed_at", Type::of(Shape::Timestamp)),
        ("due", Type::of(Shape::Date(DateFormat::Iso))),
        ("items", Type::list(item())),
        ("tags", Type::list(Type::text())),
        ("address", address.or_null()),
        ("payment", payment()),
        ("lines", Type::list_of_at_most(item(), Some(3))),
        ("pieces", Type::int_within(between("1", "50"))),
        ("meta", Type::of(Shape::Json)),
    ])
}

fn scope() -> Scope {
    let mut scope = Scope::new(TimeZone::UTC);
    scope.define(Root::Order, order());
    scope.define(
        Root::Run,
        Type::record([("key", Type::text()), ("accepted_at", Type::of(Shape::Timestamp))]),
    );
    let usd = Unit::Code(Currency::parse("USD").unwrap());
    let convert = Type::record([("amount", amount_in(usd)), ("rate", Type::decimal())]);
    scope.step("convert", StepVar::Known { index: 0, ty: convert });
    let contact = Type::record([("email", Type::of(Shape::Email).or_null())]);
    scope.step("contact", StepVar::Known { index: 1, ty: contact });
    scope.step("broken", StepVar::Broken);
    scope
}

fn decimal(text: &str) -> Value {
    Value::Decimal(Decimal::parse(text).unwrap())
}

/// Creates a value in the layout of a record type. Fields that are not given are missing.
fn record(ty: &Type, fields: &[(&str, Value)]) -> Value {
    let layout: &Arc<RecordType> = ty.as_record().unwrap();
    for (name, _) in fields {
        assert!(layout.position(name).is_some(), "no field {name}");
    }
    let value =
        |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, v)| v.clone());
    let values = layout.names().map(|name| value(name).unwrap_or_default()).collect();
    Value::Record(Arc::new(Record::new(Arc::clone(layout), values)))
}

fn order_value() -> Value {
    let line = |sku: &str, quantity: i64, price: &str| {
        record(
            &item(),
            &[
                ("sku", Value::text(sku)),
                ("quantity", Value::Int(quantity)),
                ("price", decimal(price)),
            ],
        )
    };
    record(
        &order(),
        &[
            ("order_id", Value::text("A-1")),
            ("amount", decimal("10.50")),
            ("fee", decimal("0.25")),
            ("rate", decimal("0.79")),
            ("currency", Value::text("CAD")),
            ("count", Value::Int(3)),
            ("gift", Value::Bool(true)),
            ("status", Value::text("paid")),
            ("email", Value::text("a@example.com")),
            ("placed_at", Value::Timestamp("2025-03-01T23:30:00-05:00".parse().unwrap())),
            ("due", Value::Date("2025-03-31".parse().unwrap())),
            ("items", Value::List(Arc::from([line("x", 2, "1.10"), line("y", 1, "8.30")]))),
            ("pieces", Value::Int(50)),
            ("lines", Value::List(Arc::from([line("z", 3, "-2.25")]))),
            (
                "payment",
                record(&payment(), &[("kind", Value::text("card")), ("paid", decimal("3.10"))]),
            ),
            ("tags", Value::List(Arc::from([Value::text("b"), Value::text("a")]))),
        ],
    )
}

fn compiled(text: &str) -> Compiled {
    compile(text, &scope()).unwrap_or_else(|problems| panic!("{text}: {problems:#?}"))
}

fn problems(text: &str) -> Vec<Problem> {
    compile(text, &scope()).err().unwrap_or_default()
}

fn with_order<T>(run: impl FnOnce(&Env<'_>) -> T) -> T {
    let order = order_value();
    let steps = [Value::Null, Value::Null];
    run(&Env { order: &order, steps: &steps, ..Env::empty() })
}

/// Evaluates and writes the result as JSON.
fn result(text: &str) -> String {
    with_order(|env| match compiled(text).eval(env) {
        Ok(value) => oms_core::value::write_json(&value),
        Err(error) => error.to_string(),
    })
}
