//! Compares our renderer with Handlebars' own: both must print the same for the features that both
//! support.

use handlebars::Handlebars;
use oms_core::diagnostic::Severity;
use oms_core::time_zone::TimeZone;
use oms_core::value::to_json;

use super::property_tests::{Rng, value};
use super::tests::{data_type, files};
use super::*;

const TEMPLATES: usize = 1_000;

/// Pieces of a template that are valid wherever `this` is the whole data. Comparisons are excluded
/// because Handlebars compares amounts as text, and `default` because Handlebars does not have it.
const PIECES: &[&str] = &[
    "text <b>\n",
    "\n",
    "{{name}}",
    "  {{~name~}}  x\n",
    "{{!-- unescaped: a test --}}{{{name}}}",
    "{{! a comment }}\n",
    "{{order.amount}} {{order.placed_on}} {{this.order/id}} {{@root.order.[status]}}",
    "{{#each order.items}}{{@index}}{{@first}}{{@last}} {{sku}}\n\n{{#if note}}{{note}}{{else}}-{{/if}}{{#unless @last}}, {{/unless}}{{/each}}",
    "{{#each order.items as |it ix|}}\n{{ix}}:{{it.sku}}{{#if ix}}x{{/if}}{{#if quantity includeZero=true}}q{{/if}}{{../order.id}}\n{{/each}}\n",
    "{{#with order.gift as |g|}}{{g.wish}}{{../name}}{{else}}none{{/with}}",
    "{{#with order}}{{#each items}}{{@index}}{{../id}}{{../../name}}{{else}}empty{{/each}}{{/with}}",
    "{{#if order.extras}}\n  {{#each order.extras}}\n  {{this}}{{@root.name}}\n  {{/each}}\n{{/if}}\n",
    "{{#unless order.note}}no{{else if order.discount}}{{order.discount}}{{else}}note{{/unless}}",
    "{{#if (and name (not order.gift))}}a{{/if}}{{#if (or order.note order.gift)}}b{{/if}}",
    "{{#each order.items}}{{> q word=sku}}\n  {{> q word=../name}}\n{{/each}}",
    "{{> q word=\"w\"}}",
    "\n  {{> q word=order.id}}\n",
];

/// Number of pieces without partials. Partials inside indented partials are indented differently,
/// because in Handlebars their indentation depends on the preceding text.
const UNNESTED: usize = 14;

fn text(chance: &mut Rng, pieces: &[&'static str]) -> String {
    (0..=chance.below(6)).map(|_| chance.one_of(pieces)).collect()
}

#[test]
fn both_renderers_print_the_same() {
    let ty = data_type();
    let mut chance = Rng(0xfeed_5eed_0bad_cafe);
    for _ in 0..TEMPLATES {
        let body =
            format!("{}\n  {{{{> p}}}}\n{}", text(&mut chance, PIECES), text(&mut chance, PIECES));
        let p = text(&mut chance, PIECES.get(..UNNESTED).unwrap());
        let q = format!("{{{{word}}}}{}", text(&mut chance, PIECES.get(..2).unwrap()));
        let all = files([
            ("t/subject.hbs", "x"),
            ("t/body.html.hbs", body.as_str()),
            ("t/body.txt.hbs", "x"),
            ("partials/p.hbs", p.as_str()),
            ("partials/q.hbs", q.as_str()),
        ]);
        let ours = Template::load(&all, "mail", "t", "en", &TimeZone::UTC).unwrap();
        let errors = ours.check(&ty).into_iter().filter(|found| found.severity == Severity::Error);
        assert_eq!(errors.collect::<Vec<_>>(), [], "{body}\np: {p}\nq: {q}");
        let mut theirs = Handlebars::new();
        for (name, text) in [("t", &body), ("p", &p), ("q", &q)] {
            theirs.register_template_string(name, text).unwrap();
        }
        for _ in 0..4 {
            let data = value(&ty, &mut chance);
            let ours = ours.render(&data, None).unwrap().html;
            let theirs = theirs.render("t", &to_json(&data)).unwrap();
            // We indent an empty line of an indented partial, as Handlebars.js does. The Rust crate
            // does so only sometimes.
            let [ours, theirs] = [ours, theirs]
                .map(|text| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
            assert_eq!(ours, theirs, "{body}\np: {p}\nq: {q}\n{data:?}");
        }
    }
}
