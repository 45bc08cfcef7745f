//! The mails that come with the project are right for the data that the shipped pipelines give them.

use std::sync::Arc;

use super::*;
use crate::document::MemoryFiles;
use crate::money::Decimal;
use crate::value::{Record, Shape, Type, Value};

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        MemoryFiles::new([$((
            concat!("email/", $path).to_owned(),
            Arc::from(include_str!(concat!("../../../templates/email/", $path)).as_bytes()),
        )),*])
    };
}

pub(super) fn shipped() -> MemoryFiles {
    shipped![
        "order-confirmation/subject.hbs",
        "order-confirmation/body.html.hbs",
        "order-confirmation/body.txt.hbs",
        "order-received/subject.hbs",
        "order-received/body.html.hbs",
        "order-received/body.txt.hbs",
    ]
}

pub(super) fn confirmation_type() -> Type {
    let item = Type::record([
        ("sku", Type::text()),
        ("name", Type::text()),
        ("quantity", Type::amount()),
        ("unit_price", Type::amount()),
    ]);
    let order = Type::record([
        ("order_id", Type::text()),
        ("customer_id", Type::text()),
        ("placed_at", Type::of(Shape::Timestamp)),
        ("currency", Type::of(Shape::Currency)),
        ("amount", Type::amount()),
        ("items", Type::list(item)),
        ("shipping_country", Type::text()),
    ]);
    let billed = Type::record([
        ("amount", Type::amount()),
        ("rate", Type::decimal()),
        ("from_rate", Type::decimal()),
        ("to_rate", Type::decimal()),
        ("rate_date", Type::of(Shape::Date(Default::default())).or_null()),
        ("rate_source", Type::text()),
        ("exact", Type::of(Shape::Bool)),
    ]);
    Type::record([("order", order), ("name", Type::text()), ("billed", billed)])
}

fn received_type() -> Type {
    let order = Type::record([
        ("customerId", Type::text()),
        ("customerName", Type::text()),
        ("country", Type::text()),
        ("productLine", Type::text()),
        ("billDate", Type::of(Shape::Date(Default::default()))),
        ("currency", Type::of(Shape::Currency)),
        ("billAmount", Type::amount()),
    ]);
    Type::record([("order", order), ("name", Type::text())])
}

/// Makes a record of a type from its fields in any order.
fn record(ty: &Type, fields: &[(&str, Value)]) -> Value {
    let layout = ty.as_record().unwrap();
    let mut placed = vec![Value::Missing; layout.fields().len()];
    for (name, value) in fields {
        placed[layout.position(name).unwrap()] = value.clone();
    }
    Value::Record(Arc::new(Record::new(Arc::clone(layout), placed)))
}

fn field<'t>(ty: &'t Type, name: &str) -> &'t Type {
    &ty.as_record().unwrap().field(name).unwrap().ty
}

pub(super) fn confirmation_data(currency: &str, rate_date: Value, lines: usize) -> Value {
    let ty = confirmation_type();
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
    let order_type = field(&ty, "order");
    let Shape::List(item_type) = &field(order_type, "items").shape else { unreachable!() };
    let item = |at: usize| {
        record(
            item_type,
            &[
                ("sku", Value::text(&format!("NW-{at:03}"))),
                ("name", Value::text("Jack's New England Clam Chowder")),
                ("quantity", decimal("12")),
                ("unit_price", decimal("7.70")),
            ],
        )
    };
    let order = record(
        order_type,
        &[
            ("order_id", Value::text("NW-10250")),
            ("customer_id", Value::text("HANAR")),
            ("placed_at", Value::Timestamp("2024-07-08T09:07:55Z".parse().unwrap())),
            ("currency", Value::text(currency)),
            ("amount", decimal("1552.60")),
            ("items", Value::List((1..=lines).map(item).collect())),
            ("shipping_country", Value::text("BR")),
        ],
    );
    let billed = record(
        field(&ty, "billed"),
        &[
            ("amount", decimal("284.24")),
            ("rate", decimal("0.183074")),
            ("from_rate", decimal("5.9")),
            ("to_rate", decimal("1.08")),
            ("rate_date", rate_date),
            ("rate_source", Value::text("ECB")),
            ("exact", Value::Bool(false)),
        ],
    );
    record(&ty, &[("order", order), ("name", Value::text("Mário & Söhne")), ("billed", billed)])
}

#[test]
fn the_shipped_mails_are_right_for_their_data() {
    for (name, ty) in
        [("order-confirmation", confirmation_type()), ("order-received", received_type())]
    {
        let template = Template::load(&shipped(), "email", name, "en").unwrap();
        assert_eq!(template.check(&ty), [], "{name}");
    }
    assert_eq!(Template::names(&shipped(), "email"), ["order-confirmation", "order-received"]);
}

#[test]
fn a_confirmation_shows_the_items_and_the_usd_figure_with_rate_and_date() {
    let template = Template::load(&shipped(), "email", "order-confirmation", "en").unwrap();
    let date = Value::Date(jiff::civil::date(2024, 7, 8));
    let mail = template.render(&confirmation_data("BRL", date, 2), None).unwrap();
    assert_eq!(mail.subject, "Order NW-10250 is confirmed");
    assert_eq!(
        mail.text,
        "Dear Mário & Söhne,\n\n\
         thank you for your order NW-10250. It is confirmed.\n\n\
         12 x Jack's New England Clam Chowder\n    NW-001, 7.70 BRL each\n\
         12 x Jack's New England Clam Chowder\n    NW-002, 7.70 BRL each\n\n\
         Total: 1552.60 BRL\n\
         Billed: 284.24 USD\n    1 BRL = 0.183074 USD, rate of 2024-07-08 (ECB)\n\n\
         Ordered: 2024-07-08T09:07:55.000Z\n\
         Shipping to: BR\n\n\
         If something is not right, just reply to this mail.\n"
    );
    for part in [
        "<p>Dear Mário &amp; Söhne,</p>",
        "<td>Jack&#x27;s New England Clam Chowder<br><small>NW-002</small></td>",
        "<b>1552.60 BRL</b>",
        ">284.24 USD</td>",
        "1 BRL = 0.183074 USD,\nrate of 2024-07-08 (ECB)",
    ] {
        assert!(mail.html.contains(part), "{part} in {}", mail.html);
    }
    let mail = template.render(&confirmation_data("BRL", Value::Null, 1), None).unwrap();
    assert!(mail.text.contains("1 BRL = 0.183074 USD (ECB)"), "{}", mail.text);
}

#[test]
fn a_confirmation_in_usd_shows_no_conversion() {
    let template = Template::load(&shipped(), "email", "order-confirmation", "en").unwrap();
    let mail = template.render(&confirmation_data("USD", Value::Null, 1), None).unwrap();
    for part in [mail.text, mail.html] {
        assert!(!part.contains("284.24") && !part.contains("0.183074"), "{part}");
    }
}

#[test]
fn the_origins_mail_has_its_slip_corrected() {
    let template = Template::load(&shipped(), "email", "order-received", "en").unwrap();
    let mail = template.render(&record(&Type::record([]), &[]), None).unwrap();
    assert_eq!(mail.subject, "Order Confirmation");
    assert_eq!(
        mail.text.trim_end(),
        "Your order has been received and is now being processed. Please feel free to reach out to \
         our customer support team for any queries."
    );
}
