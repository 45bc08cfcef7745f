//! Checks the e-mails of this repository against the data of the shipped pipelines.

use std::sync::Arc;

use oms_core::document::MemoryFiles;
use oms_core::money::Decimal;
use oms_core::time_zone::TimeZone;
use oms_core::value::{Record, Shape, Type, Value};

use super::*;

/// Returns the shipped templates, in the folder `email`.
pub(super) fn shipped() -> MemoryFiles {
    let mut files = Vec::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/email");
    let mut folders = vec![(root, "email".to_owned())];
    while let Some((folder, name)) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                folders.push((path, name));
            } else {
                files.push((name, Arc::from(std::fs::read(path).unwrap())));
            }
        }
    }
    MemoryFiles::new(files)
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

/// Creates a record of a type from its fields in any order.
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
fn the_shipped_mails_pass_the_check() {
    for (name, ty) in
        [("order-confirmation", confirmation_type()), ("order-received", received_type())]
    {
        let template = Template::load(&shipped(), "email", name, "en", &TimeZone::UTC).unwrap();
        assert_eq!(template.check(&ty), [], "{name}");
    }
    assert_eq!(Template::names(&shipped(), "email"), ["order-confirmation", "order-received"]);
}

#[test]
fn a_confirmation_shows_the_items_and_the_usd_figure_with_rate_and_date() {
    let template =
        Template::load(&shipped(), "email", "order-confirmation", "en", &TimeZone::UTC).unwrap();
    let date = Value::Date(jiff::civil::date(2024, 7, 8));
    let mail = template.render(&confirmation_data("BRL", date, 2), None).unwrap();
    assert_eq!(mail.subject, "Order NW-10250 is confirmed");
    assert_eq!(
        plain(&mail.text),
        "Dear Mário & Söhne,\n\n\
         Your order NW-10250 is confirmed. Here are the details.\n\n\
         12 × Jack's New England Clam Chowder\n    NW-001, R$7.70\n\
         12 × Jack's New England Clam Chowder\n    NW-002, R$7.70\n\n\
         Total: R$1,552.60\n\
         Billed in US dollars: $284.24\n1 BRL = 0.183074 USD, reference rate of July 8, 2024 (ECB)\n\n\
         Ordered on July 8, 2024\n\
         Shipping to Brazil\n\n\
         If anything is wrong, just reply to this e-mail. We are happy to help.\n"
    );
    for part in [
        "<html lang=\"en\" dir=\"ltr\"",
        "Dear Mário &amp; Söhne,",
        "Jack&#x27;s New England Clam Chowder</span><br /><small>NW-002</small></td>",
        "<strong>R$1,552.60</strong>",
        ">$284.24</td>",
        "1 BRL &#x3D; 0.183074 USD, reference rate of July 8, 2024 (ECB)",
    ] {
        assert!(plain(&mail.html).contains(part), "{part} in {}", mail.html);
    }
    let mail = template.render(&confirmation_data("BRL", Value::Null, 1), None).unwrap();
    assert!(mail.text.contains("1 BRL = 0.183074 USD (ECB)"), "{}", mail.text);
}

/// Replaces the special spaces of CLDR with ordinary spaces.
fn plain(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

#[test]
fn a_confirmation_uses_the_language_and_formats_of_its_locale() {
    let template =
        Template::load(&shipped(), "email", "order-confirmation", "en", &TimeZone::UTC).unwrap();
    let date = Value::Date(jiff::civil::date(2024, 7, 8));
    let data = confirmation_data("CHF", date, 1);
    for (locale, dir, subject, total, day) in [
        ("de-CH", "ltr", "Ihre Bestellung NW-10250 ist bestätigt", "CHF 1'552.60", "8. Juli 2024"),
        ("de", "ltr", "Ihre Bestellung NW-10250 ist bestätigt", "1.552,60 CHF", "8. Juli 2024"),
        ("fr-FR", "ltr", "Votre commande NW-10250 est confirmée", "1 552,60 CHF", "8 juillet 2024"),
        ("es", "ltr", "Su pedido NW-10250 está confirmado", "1552,60 CHF", "8 de julio de 2024"),
        ("ja", "ltr", "ご注文 NW-10250 を承りました", "CHF 1,552.60", "2024年7月8日"),
        ("ar", "rtl", "تم تأكيد طلبك NW-10250", "1,552.60 CHF", "8 يوليو 2024"),
        // Without a translation, the e-mail uses its own language and the number formats of that
        // language.
        ("is-IS", "ltr", "Order NW-10250 is confirmed", "CHF 1,552.60", "July 8, 2024"),
        ("en-GB", "ltr", "Order NW-10250 is confirmed", "CHF 1,552.60", "8 July 2024"),
    ] {
        let mail = template.render(&data, Some(locale)).unwrap();
        // Values in right-to-left text are isolated.
        let without = |text: &str| text.replace(['\u{2068}', '\u{2069}'], "");
        assert_eq!(without(&mail.subject), subject, "{locale}");
        assert_eq!(mail.subject.contains('\u{2068}'), dir == "rtl", "{locale}");
        for part in [&mail.html, &mail.text] {
            let shown = plain(part).replace("&#x27;", "'");
            assert!(shown.contains(total), "{locale}: {total} in {part}");
            assert!(part.contains(day), "{locale}: {day} in {part}");
        }
        assert!(mail.html.contains(&format!("dir=\"{dir}\"")), "{locale}");
    }
}

/// Size up to which Gmail shows an e-mail. It hides the rest behind a link (102 KB).
const GMAIL_CLIP: usize = 102 * 1024;

#[test]
fn a_confirmation_with_a_hundred_items_fits_into_the_gmail_limit() {
    let template =
        Template::load(&shipped(), "email", "order-confirmation", "en", &TimeZone::UTC).unwrap();
    let date = Value::Date(jiff::civil::date(2024, 7, 8));
    let data = confirmation_data("EUR", date, 100);
    for locale in std::iter::once("en").chain(template.locales()) {
        let mail = template.render(&data, Some(locale)).unwrap();
        assert!(mail.html.len() < GMAIL_CLIP, "{locale}: {} bytes", mail.html.len());
        assert!(mail.html.contains("NW-060") && !mail.html.contains("NW-061"));
        assert!(mail.text.contains("NW-100"));
    }
}

#[test]
fn a_confirmation_in_usd_shows_no_conversion() {
    let template =
        Template::load(&shipped(), "email", "order-confirmation", "en", &TimeZone::UTC).unwrap();
    let mail = template.render(&confirmation_data("USD", Value::Null, 1), None).unwrap();
    for part in [mail.text, mail.html] {
        assert!(!part.contains("284.24") && !part.contains("0.183074"), "{part}");
    }
}

#[test]
fn the_original_mail_has_its_typo_corrected() {
    let template =
        Template::load(&shipped(), "email", "order-received", "en", &TimeZone::UTC).unwrap();
    let mail = template.render(&record(&Type::record([]), &[]), None).unwrap();
    assert_eq!(mail.subject, "Order Confirmation");
    assert_eq!(
        mail.text.trim_end(),
        "Your order has been received and is now being processed. If you have any questions, \
         please contact our customer support team."
    );
}
