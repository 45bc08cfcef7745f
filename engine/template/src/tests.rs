//! Tests of the findings in templates with their positions, and of the rendering of templates that
//! pass the check.

use std::sync::Arc;

use oms_core::document::MemoryFiles;
use oms_core::money::Decimal;
use oms_core::time_zone::TimeZone;
use oms_core::value::{Record, RecordType, Shape, Type, Value};

use super::*;

pub(super) fn data_type() -> Type {
    let item = Type::record([
        ("sku", Type::text()),
        ("quantity", Type::of(Shape::Int)),
        ("note", Type::text().or_null()),
    ]);
    let status =
        Shape::Text { chars_max: None, values: Some(["open".into(), "paid".into()].into()) };
    let order = Type::record([
        ("id", Type::text()),
        ("amount", Type::amount()),
        ("discount", Type::amount().or_null()),
        ("placed_on", Type::of(Shape::Date(Default::default()))),
        ("items", Type::list(item)),
        ("extras", Type::list(Type::text()).or_null()),
        ("note", Type::text().or_null()),
        ("status", Type::of(status)),
        ("gift", Type::record([("wish", Type::text())]).or_null()),
        ("raw", Type::of(Shape::Json)),
        ("log", Type::text()),
    ]);
    Type::record([("order", order), ("name", Type::text())])
}

pub(super) fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let ty = RecordType::new(names.iter().map(|name| (Arc::from(*name), Type::text())));
    let mut placed = vec![Value::Missing; names.len()];
    for (name, value) in names.iter().zip(values) {
        placed[ty.position(name).unwrap()] = value;
    }
    Value::Record(Arc::new(Record::new(Arc::new(ty), placed)))
}

fn data() -> Value {
    let item = |sku: &str, quantity| {
        record([
            ("sku", Value::text(sku)),
            ("quantity", Value::Int(quantity)),
            ("note", Value::Missing),
        ])
    };
    let amount = Decimal::parse("12.30").unwrap();
    record([
        ("name", Value::text("<b>\"Jo\"</b>")),
        (
            "order",
            record([
                ("id", Value::text("A-1")),
                ("amount", Value::Decimal(amount)),
                ("discount", Value::Missing),
                ("placed_on", Value::Date(jiff::civil::date(2025, 1, 31))),
                ("items", Value::List([item("S1", 2), item("S2", 0)].into())),
                ("extras", Value::Null),
                ("note", Value::Null),
                ("status", Value::text("paid")),
                ("gift", Value::Missing),
                ("raw", Value::Json(Arc::new(serde_json::Value::Null))),
                ("log", Value::text("logged")),
            ]),
        ),
    ])
}

pub(super) fn files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> MemoryFiles {
    let all =
        files.into_iter().map(|(path, text)| (format!("mail/{path}"), Arc::from(text.as_bytes())));
    MemoryFiles::new(all)
}

/// Returns the files of a template with this text part and some partials.
pub(super) fn with_text(text: &str) -> MemoryFiles {
    files([
        ("t/subject.hbs", "Order {{order.id}}\n"),
        ("t/body.html.hbs", "<p>{{name}}</p>\n"),
        ("t/body.txt.hbs", text),
        ("partials/line.hbs", "{{sku}}: {{quantity}}"),
        ("partials/word.hbs", "{{word}}"),
        ("partials/loop.hbs", "{{> loop}}"),
        ("partials/broad.hbs", "a\nb"),
    ])
}

pub(super) fn load(files: &MemoryFiles) -> Result<Template, Vec<TemplateProblem>> {
    Template::load(files, "mail", "t", "en", &TimeZone::UTC)
}

/// Returns the code, the marked text, the message and the help of each finding in the text part.
fn findings(text: &str) -> Vec<(u16, String, String, String)> {
    let found = load(&with_text(text)).map_or_else(|problems| problems, |t| t.check(&data_type()));
    found
        .into_iter()
        .map(|problem| {
            assert_eq!(problem.path, "mail/t/body.txt.hbs", "{problem:?}");
            let underlined = text.get(problem.span).unwrap().to_owned();
            (problem.code.number(), underlined, problem.message, problem.help.unwrap_or_default())
        })
        .collect()
}

fn rendered(text: &str) -> String {
    let template = load(&with_text(text)).unwrap();
    assert_eq!(template.check(&data_type()), [], "{text}");
    template.render(&data(), None).unwrap().text
}

#[test]
fn every_fault_is_reported_at_its_position() {
    // The code, the template, the marked text, a part of the message, a part of the help.
    let cases: &[(u16, &str, &str, &str, &str)] = &[
        (503, "ü {{order.idd}}", "idd", "unknown name `idd`", "`id`"),
        (503, "{{ordr.id}}", "ordr", "unknown name `ordr`", "`order`"),
        (503, "{{id}}", "id", "unknown name `id`", ""),
        (503, "{{#if order.zz}}x{{/if}}", "zz", "unknown name `zz`", ""),
        (503, "{{#each order.items}}{{skuu}}{{/each}}", "skuu", "unknown name `skuu`", "`sku`"),
        (503, "{{#each order.items}}{{name}}{{/each}}", "name", "unknown name `name`", "`../name`"),
        (
            503,
            "{{#with order}}{{../../name}}{{/with}}",
            "../../name",
            "out of the template's data",
            "the maximum here is 1",
        ),
        (503, "{{../name}}", "../name", "out of the template's data", "remove the `../`"),
        (503, "{{@index}}", "@index", "unknown variable `@index`", "{{#each}}"),
        (503, "{{@root.nam}}", "nam", "unknown name `nam`", "`name`"),
        (
            503,
            "{{#each order.items as |i|}}{{i.skuu}}{{/each}}",
            "skuu",
            "unknown name `skuu`",
            "`sku`",
        ),
        (503, "{{default order.nte \"x\"}}", "nte", "unknown name `nte`", "`note`"),
        (
            503,
            "{{#if (and order.id (not order.nte))}}x{{/if}}",
            "nte",
            "unknown name `nte`",
            "`note`",
        ),
        (
            503,
            "{{#if order.id}}a{{else if order.ix}}b{{else}}{{name}}{{/if}}",
            "ix",
            "unknown name `ix`",
            "",
        ),
        (503, "{{> word word=order.x}}", "x", "unknown name `x`", ""),
        (504, "{{order.note}}", "order.note", "may be missing", "{{#if order.note}}"),
        (504, "{{order.gift.wish}}", "order.gift.wish", "may be missing", "default"),
        (
            504,
            "{{#if order.note}}{{else}}{{order.note}}{{/if}}",
            "order.note",
            "may be missing",
            "",
        ),
        (
            504,
            "{{#unless order.note}}{{order.note}}{{/unless}}",
            "order.note",
            "may be missing",
            "",
        ),
        (
            504,
            "{{#if (or order.note name)}}{{order.note}}{{/if}}",
            "order.note",
            "may be missing",
            "",
        ),
        (504, "{{#if (gt order.discount 1)}}x{{/if}}", "order.discount", "may be missing", "{{#if"),
        (504, "{{#each order.items}}{{note}}{{/each}}", "note", "may be missing", "default note"),
        (505, "{{plural 1 one=\"a\"}}", "plural", "requires `other` for `en`", "other=\"…\""),
        (505, "{{plural 1 ones=\"a\" other=\"b\"}}", "ones", "unknown plural form `ones`", "`one`"),
        (
            505,
            "{{plural 1 one=name other=\"b\"}}",
            "name",
            "must be quoted text",
            "write a constant text",
        ),
        (505, "{{plural 1 2 other=\"b\"}}", "plural", "expects 1 value, found 2", ""),
        (508, "{{plural name one=\"a\" other=\"b\"}}", "name", "expects a number", ""),
        (
            504,
            "{{plural order.discount one=\"a\" other=\"b\"}}",
            "order.discount",
            "may be missing",
            "",
        ),
        (505, "{{upper name}}", "upper", "unknown helper `upper`", ""),
        (505, "{{defalt name \"x\"}}", "defalt", "unknown helper `defalt`", "`default`"),
        (505, "{{lookup order \"id\"}}", "lookup", "unknown helper `lookup`", ""),
        (505, "{{#iff name}}{{order.nope}}{{/iff}}", "iff", "unknown block `iff`", "`if`"),
        (505, "{{#eq name \"x\"}}y{{/eq}}", "eq", "is not a block", "{{#if (eq …)}}"),
        (505, "{{if name \"x\"}}", "if", "is a block", "{{#if …}}"),
        (505, "{{default}}", "default", "requires a value", "{{this.default}}"),
        (505, "{{eq name}}", "eq", "expects 2 values, found 1 value", ""),
        (505, "{{#if name order.id}}x{{/if}}", "if", "expects 1 value, found 2 values", ""),
        (505, "{{#with order key=1}}{{id}}{{/with}}", "key", "invalid option `key`", ""),
        (505, "{{#if name as |x|}}y{{/if}}", "if", "does not support", "{{#each"),
        (505, "{{> lne}}", "lne", "unknown partial `lne`", "`line`"),
        (505, "{{> line order.items order}}", "line", "at most one record", ""),
        (505, "{{{{raw}}}}x{{{{/raw}}}}", "{{{{", "raw blocks", "\\{{"),
        (505, "{{#*inline \"x\"}}y{{/inline}}", "{{#*inline \"x\"}}", "decorators", "partial"),
        (506, "{{{name}}}", "{{{name}}}", "without escaping", "unescaped:"),
        (506, "{{&name}}", "{{&name}}", "without escaping", "{{name}}"),
        (506, "{{!-- unescaped: --}}{{{name}}}", "{{{name}}}", "without escaping", ""),
        (506, "{{!-- unescaped: why --}}x{{{name}}}", "{{{name}}}", "without escaping", ""),
        (508, "{{order}}", "order", "is a record", "order.…"),
        (508, "{{order.items}}", "order.items", "is a list", "{{#each order.items}}"),
        (508, "{{order.items.0.sku}}", "0", "from a list", "{{#each"),
        (508, "{{order.raw}}", "order.raw", "cannot be printed", ""),
        (508, "{{order.raw.x}}", "x", "which has no fields", "order schema"),
        (508, "{{order.id.x}}", "x", "from text, which has no fields", ""),
        (508, "{{#each order}}x{{/each}}", "order", "not a list", "{{#with}}"),
        (508, "{{#if (lt name \"x\")}}y{{/if}}", "name", "cannot compare", ""),
        (508, "{{#if (eq name 1)}}y{{/if}}", "name 1", "never equal", ""),
        (508, "{{#if (eq order \"x\")}}y{{/if}}", "order", "cannot compare", ""),
        (
            508,
            "{{#if (eq order.status \"payd\")}}y{{/if}}",
            "\"payd\"",
            "`payd` is not one of",
            "`paid`",
        ),
        (508, "{{#if (gt order.amount \"ten\")}}y{{/if}}", "\"ten\"", "is not a decimal", ""),
        (
            508,
            "{{#if (lt order.placed_on \"31.1.25\")}}y{{/if}}",
            "\"31.1.25\"",
            "`2025-12-31`",
            "",
        ),
        (
            508,
            "{{#if (gt order.amount 0.12345678901234567891)}}y{{/if}}",
            "0.12345678901234567891",
            "exactly",
            "text",
        ),
        (508, "{{default order.items \"x\"}}", "order.items", "cannot be printed", ""),
        (508, "{{(eq name \"x\")}}", "(eq name \"x\")", "in parentheses", "remove"),
        (508, "{{> line order.items}}", "order.items", "expects a record", "by name"),
        (508, "{{#if order.amount}}x{{/if}}", "order.amount", "always true", "(ne order.amount 0)"),
        (502, "a {{#if name}} b", "{{#if name}}", "is not closed", "{{/if}}"),
        (502, "a {{name", "{{name", "not closed", "}}"),
        (502, "a {{name}} {{order..id}} b", "{{order..id}}", "invalid Handlebars", "order.id"),
        (502, "{{.}}", "{{.}}", "invalid Handlebars", ""),
    ];
    for (code, text, underlined, message, help) in cases {
        let found = findings(text);
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        let (number, place, found_message, helped) = &found[0];
        assert_eq!((number, place.as_str()), (code, *underlined), "{text}: {found:#?}");
        assert!(found_message.contains(message), "{text}: {found_message}");
        assert!(helped.contains(help), "{text}: {helped}");
    }
}

#[test]
fn a_tested_value_is_present() {
    for text in [
        "{{#if order.note}}{{order.note}}{{/if}}",
        "{{#unless order.note}}-{{else}}{{order.note}}{{/unless}}",
        "{{#if (and name order.note)}}{{order.note}}{{/if}}",
        "{{#if (not order.note)}}-{{else}}{{order.note}}{{/if}}",
        "{{#unless (or order.note order.discount)}}-{{else}}-{{/unless}}",
        "{{#if (ne order.note null)}}{{order.note}}{{/if}}",
        "{{#if (eq order.note \"x\")}}{{order.note}}{{/if}}",
        "{{#if (eq order.note null)}}-{{else}}{{order.note}}{{/if}}",
        "{{#if (and order.discount (gt order.discount 1))}}{{order.discount}}{{/if}}",
        "{{#if name}}{{#if order.note}}{{else}}-{{/if}}{{else if order.note}}{{order.note}}{{/if}}",
        "{{#if order.gift.wish}}{{#with order.gift}}{{wish}}{{/with}}{{order.gift.wish}}{{/if}}",
        "{{#with order.gift}}{{wish}}{{../order.gift.wish}}{{else}}-{{/with}}",
        "{{#with order.note}}{{this}}{{/with}}",
        "{{#each order.items}}{{#if note}}{{note}}{{./note}}{{this.note}}{{/if}}{{/each}}",
        "{{#each order.extras}}{{this}}{{else}}none{{/each}}",
        "{{default order.note \"none\"}}",
        "{{#with order}}{{#if note}}{{@root.order.note}}{{/if}}{{/with}}",
    ] {
        // Rendering succeeds only if no value that the template prints is missing.
        assert!(!rendered(text).contains('['), "{text}");
    }
}

#[test]
fn checked_templates_render_correctly() {
    for (text, result) in [
        ("{{order.amount}} {{order.placed_on}} {{name}}", "12.30 2025-01-31 <b>\"Jo\"</b>"),
        ("{{#each order.items}}{{@index}}{{sku}}{{#if @last}}.{{/if}}{{/each}}", "0S11S2."),
        ("{{#each order.items as |i n|}}{{n}}{{i.sku}}{{../order.id}}{{/each}}", "0S1A-11S2A-1"),
        ("{{#each order.items}}{{#if quantity}}{{sku}}{{/if}}{{/each}}", "S1"),
        ("{{#each order.items}}{{#if quantity includeZero=true}}{{sku}}{{/if}}{{/each}}", "S1S2"),
        ("{{#each order.items}}{{> line}};{{/each}}", "S1: 2;S2: 0;"),
        ("{{#each order.items}}{{> word word=sku}}{{@first}} {{/each}}", "S1true S2false "),
        ("{{> word order word=\"w\"}}{{> word word=1}}", "w1"),
        ("{{#with order as |o|}}{{o.id}}{{id}}{{/with}}", "A-1A-1"),
        ("{{#if (gt order.amount 12)}}more{{else if name}}name{{else}}-{{/if}}", "more"),
        ("{{#if (gt order.amount 13)}}more{{else if name}}name{{else}}-{{/if}}", "name"),
        ("{{#if (eq order.status \"paid\")}}paid{{/if}}", "paid"),
        ("{{#if (lt order.placed_on \"2025-02-01\")}}early{{/if}}", "early"),
        ("{{order.log}}{{#with order}}{{log}}{{/with}}", "loggedlogged"),
        (
            "{{#each order.items}}{{plural quantity one=\"# item\" other=\"# items\" few=\"-\"}} {{/each}}{{plural 1 one=\"an item in ##1\" other=\"-\"}}",
            "2 items 0 items an item in #1",
        ),
        ("{{!-- unescaped: plain text --}} {{{name}}}", " <b>\"Jo\"</b>"),
        ("\\{{name}} {{~ order.id ~}} !", "{{name}}A-1!"),
        ("{{#if (and name (or order.note (not order.gift)))}}y{{/if}}", "y"),
    ] {
        assert_eq!(rendered(text), result, "{text}");
    }
}
