//! Tests of subjects, escaping, locales, folders and limits.

use oms_core::diagnostic::{Severity, codes};
use oms_core::time_zone::TimeZone;
use oms_core::value::{Type, Value};

use super::tests::{data_type, files, load, record, with_text};
use super::*;

#[test]
fn a_subject_must_be_a_single_line() {
    for (subject, place) in [
        ("Order {{order.id}}\nand more\n", "and more"),
        ("{{#if name}}\nOrder{{/if}}", "Order{{/if}}"),
        ("Order {{> broad}}", "broad"),
    ] {
        let mut all = vec![("t/subject.hbs", subject)];
        all.extend([
            ("t/body.html.hbs", "x"),
            ("t/body.txt.hbs", "x"),
            ("partials/broad.hbs", "a\nb"),
        ]);
        let found = load(&files(all)).unwrap().check(&data_type());
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            (found[0].code, subject.get(found[0].span.clone()).unwrap()),
            (codes::TEMPLATE_SUBJECT, place)
        );
    }
}

#[test]
fn line_breaks_in_data_do_not_break_the_subject() {
    let all =
        [("t/subject.hbs", "To {{name}}\r\n"), ("t/body.html.hbs", "x"), ("t/body.txt.hbs", "x")];
    let template = load(&files(all)).unwrap();
    let ty = Type::record([("name", Type::text())]);
    assert_eq!(template.check(&ty), []);
    let of =
        |name: &str| template.render(&record([("name", Value::text(name))]), None).unwrap().subject;
    assert_eq!(of("a\r\nBcc: x@example.org\u{2028}b"), "To a  Bcc: x@example.org b");
    assert_eq!(of(&"ü".repeat(2000)).chars().count(), SUBJECT_CHARS_MAX);
}

#[test]
fn only_html_is_escaped() {
    let all = [
        ("t/subject.hbs", "{{name}}"),
        ("t/body.html.hbs", "<p title=\"{{name}}\">{{> p}}{{default name \"\"}}</p>"),
        ("t/body.txt.hbs", "{{name}}"),
        ("partials/p.hbs", "{{name}}"),
    ];
    let template = load(&files(all)).unwrap();
    let name = "<script>\"x\" 'y' & `z` =</script>";
    let rendered = template.render(&record([("name", Value::text(name))]), None).unwrap();
    assert_eq!((rendered.subject.as_str(), rendered.text.as_str()), (name, name));
    let html =
        "&lt;script&gt;&quot;x&quot; &#x27;y&#x27; &amp; &#x60;z&#x60; &#x3D;&lt;/script&gt;";
    assert_eq!(rendered.html, format!("<p title=\"{html}\">{html}{html}</p>"));
}

#[test]
fn texts_keep_reserved_characters_of_a_url_outside_its_query() {
    let all = [
        ("t/subject.hbs", "x"),
        (
            "t/body.html.hbs",
            "<a href=\"{{t \"page\"}}\">x</a><a href=\"mailto:a@b.example?subject={{t \"words\"}}\">{{t \"words\"}}</a>",
        ),
        ("t/body.txt.hbs", "x"),
        (
            "t/texts.yaml",
            "page: \"https://a.example/de/orders?n={{name}}\"\nwords: \"A & B: {{name}}\"\n",
        ),
    ];
    let template = load(&files(all)).unwrap();
    let rendered = template.render(&record([("name", Value::text("a&b"))]), None).unwrap();
    assert_eq!(
        rendered.html,
        "<a href=\"https://a.example/de/orders?n&#x3D;a%26b\">x</a>\
         <a href=\"mailto:a@b.example?subject=A%20%26%20B%3A%20a%26b\">A &amp; B: a&amp;b</a>"
    );
}

#[test]
fn each_language_needs_its_own_plural_forms() {
    let all = [
        ("t/subject.hbs", "{{t \"count\"}}"),
        ("t/body.html.hbs", "x"),
        ("t/body.txt.hbs", "x"),
        ("t/texts.yaml", "count: '{{plural order.items_count one=\"# item\" other=\"# items\"}}'"),
        ("t/ar/texts.yaml", "count: '{{plural order.items_count one=\"واحد\" other=\"#\"}}'"),
    ];
    let template = load(&files(all)).unwrap();
    let order = Type::record([("items_count", Type::of(oms_core::value::Shape::Int))]);
    let found = template.check(&Type::record([("order", order)]));
    let places: Vec<_> = found.iter().map(|p| (p.path.as_str(), p.message.as_str())).collect();
    let message = "`plural` requires `zero`, `two`, `few`, `many` for `ar`";
    assert_eq!(places, [("mail/t/ar/texts.yaml", message)]);
}

#[test]
fn a_locale_renders_its_own_files_and_falls_back_for_the_rest() {
    let all = [
        ("t/subject.hbs", "en"),
        ("t/body.html.hbs", "en"),
        ("t/body.txt.hbs", "en"),
        ("t/de/subject.hbs", "de"),
        ("t/de/body.html.hbs", "de"),
        ("t/de-CH/subject.hbs", "de-CH"),
    ];
    let template = load(&files(all)).unwrap();
    let of = |locale| {
        let mail = template.render(&record([]), locale).unwrap();
        [mail.subject, mail.html, mail.text].join(" ")
    };
    for (locale, texts) in [
        (None, "en en en"),
        (Some("fr"), "en en en"),
        (Some("de"), "de de en"),
        (Some("de-AT"), "de de en"),
        (Some("DE_ch"), "de-CH de en"),
        (Some("de-CH-1996"), "de-CH de en"),
        (Some(""), "en en en"),
    ] {
        assert_eq!(of(locale), texts, "{locale:?}");
    }
    assert_eq!(template.locales().collect::<Vec<_>>(), ["de", "de-ch"]);
}

#[test]
fn a_locale_is_compared_with_what_it_inherits() {
    let all = [
        ("t/subject.hbs", "{{t \"a\"}}{{t \"b\"}}{{t \"c\"}}"),
        ("t/body.html.hbs", "x"),
        ("t/texts.yaml", "a: a\nb: b\nc: c"),
        ("t/de/texts.yaml", "a: a\nb: b"),
        ("t/de-AT/texts.yaml", "a: a\nd: d"),
        ("t/en-GB/texts.yaml", "b: b"),
        ("t/pt-BR/texts.yaml", "a: a\nb: b"),
    ];
    let found = load(&files(all)).unwrap().check(&data_type());
    let found: Vec<_> = found.iter().map(|p| (p.path.as_str(), p.message.as_str())).collect();
    let expected = [
        ("mail/t/de/texts.yaml", "the text `c` is not translated into `de`"),
        ("mail/t/de-AT/texts.yaml", "the text `d` does not exist in the base folder"),
        ("mail/t/pt-BR/texts.yaml", "the text `c` is not translated into `pt-BR`"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_fault_in_a_locale_or_partial_is_reported_once_in_its_file() {
    let all = [
        ("t/subject.hbs", "x"),
        ("t/body.html.hbs", "{{> p}}{{> p}}"),
        ("t/body.txt.hbs", "{{> p}}{{> a}}"),
        ("t/de/body.txt.hbs", "{{nmae}}"),
        ("partials/p.hbs", "ß {{nam}}"),
        ("partials/a.hbs", "{{> b}}"),
        ("partials/b.hbs", "{{> a}}"),
    ];
    let found = load(&files(all)).unwrap().check(&data_type());
    let places: Vec<_> =
        found.iter().map(|p| (p.path.as_str(), p.span.clone(), p.message.as_str())).collect();
    assert_eq!(
        places,
        [
            ("mail/partials/p.hbs", 5..8, "unknown name `nam`"),
            ("mail/partials/b.hbs", 4..5, "the partial `a` includes itself"),
            ("mail/t/de/body.txt.hbs", 2..6, "unknown name `nmae`"),
        ]
    );
}

#[test]
fn missing_and_invalid_files_of_a_template_are_reported() {
    let problems = load(&files([("order-sent/subject.hbs", "x")])).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "unknown template `t`");
    let problems =
        Template::load(&files([("order-sent/x", "")]), "mail", "order-set", "en", &TimeZone::UTC)
            .unwrap_err();
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `order-sent`?"));

    let large = "x".repeat(FILE_BYTES_MAX + 1);
    let all = [
        ("t/subject.hbs", "{{#if x}}"),
        ("t/body.text.hbs", "x"),
        ("t/german/subject.hbs", "x"),
        ("t/de/subject.hbs", large.as_str()),
    ];
    let problems = load(&files(all)).unwrap_err();
    let found: Vec<_> = problems.iter().map(|p| (p.code, p.path.as_str())).collect();
    assert_eq!(
        found,
        [
            (codes::TEMPLATE_SYNTAX, "mail/t/subject.hbs"),
            (codes::TEMPLATE_MISSING, "mail/t/body.mjml"),
            (codes::DOCUMENT_LIMIT, "mail/t/de/subject.hbs"),
            (codes::TEMPLATE_MISSING, "mail/t/german"),
        ]
    );
}

#[test]
fn an_unused_file_is_a_warning() {
    let all = [
        ("t/subject.hbs", "x"),
        ("t/body.html.hbs", "x"),
        ("t/body.txt.hbs", "x"),
        ("t/de/subjct.hbs", "x"),
    ];
    let found = load(&files(all)).unwrap().check(&data_type());
    assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
    assert_eq!(found[0].help.as_deref(), Some("did you mean `subject.hbs`?"));
}

#[test]
fn rendering_stops_at_the_size_limit() {
    let text = "{{#each order.items}}{{#each @root.order.items}}{{sku}}{{/each}}{{/each}}";
    let template = load(&with_text(text)).unwrap();
    let item = record([("sku", Value::text(&"0123456789".repeat(1_000)))]);
    let items = Value::List(vec![item; 40].into());
    let order = record([("id", Value::text("A")), ("items", items)]);
    let result = template.render(&record([("order", order), ("name", Value::text("x"))]), None);
    assert_eq!(result, Err(TemplateError::TooLarge { path: "mail/t/body.txt.hbs".to_owned() }));
}

#[test]
fn an_error_contains_the_position_but_no_data() {
    let template = load(&with_text("a\n{{order.amount}}")).unwrap();
    let order = record([("id", Value::text("secret"))]);
    let data = record([("order", order), ("name", Value::text("secret"))]);
    let error = template.render(&data, None).unwrap_err().to_string();
    assert_eq!(
        error,
        "the data does not match `mail/t/body.txt.hbs` at line 2: `order.amount` is missing"
    );
}
