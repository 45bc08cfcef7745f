//! One e-mail: the storefront's confirmation of an order with ten items, rendered by `oms` and by
//! the plain `handlebars` crate.

use std::sync::Arc;

use anyhow::Context as _;
use handlebars::{Handlebars, handlebars_helper};
use oms_cli::DirectoryFiles;
use oms_engine::locale::Formats;
use oms_engine::money::{Currency, Decimal};
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::Rehearsal;
use oms_engine::step::Registry;
use oms_engine::template::Template;
use oms_engine::value::{Value, to_json};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::stopwatch::Stopwatch;
use xtask::workspace::root;

/// The template, its language, and the step that sends it.
const TEMPLATE: &str = "order-confirmation";
const LOCALE: &str = "en";
const STEP: &str = "confirm";
/// Number of items in the order.
const ITEMS: usize = 10;
/// Number of orders, each with its own prices.
const ORDERS: usize = 200;
/// Number of e-mails in one measurement, and number of measurements; the median counts.
const MAILS: usize = 2_000;
const ROUNDS: usize = 15;

/// The time and the size of one e-mail.
#[derive(Serialize)]
pub(crate) struct Mail {
    items: usize,
    /// Subject, text and HTML.
    micros: f64,
    /// Only the HTML, by `oms` and by plain Handlebars.
    html_micros: f64,
    handlebars_html_micros: f64,
    /// Reading the template's folder, including the conversion of MJML to HTML. This happens once,
    /// not for each e-mail.
    load_micros: f64,
    html_bytes: usize,
    text_bytes: usize,
}

/// Measures one e-mail.
pub(crate) fn measure() -> anyhow::Result<Mail> {
    let registry = Registry::new(oms_steps::ALL.iter().copied())?;
    let checker = Checker::new(registry)?;
    let (files, name) = DirectoryFiles::of(&root().join("pipelines/storefront.yaml"));
    let plan = Arc::new(checker.check(&name, &files).plan.context("the storefront is not valid")?);
    let settings = plan.mail().context("the storefront sends no e-mail")?;
    let load = || {
        Template::load(&files, &settings.templates, TEMPLATE, &settings.locale, &settings.time_zone)
            .ok()
    };
    let template = load().context("the template cannot be loaded")?;
    // More different prices than the cache of formatted amounts holds, so that each is formatted
    // again.
    let all: Vec<Value> =
        (0..ORDERS).map(|order| data(&plan, &files, order)).collect::<anyhow::Result<_>>()?;
    let first = all.first().context("no order")?;
    let rendered = template.render(first, Some(LOCALE))?;
    let bare = Bare::new(&template)?;
    let json: Vec<Json> = all.iter().map(to_json).collect();
    let theirs = bare.html(json.first().context("no order")?)?;
    // The measurement is only valid if both outputs are equal.
    let lines =
        |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    anyhow::ensure!(lines(&rendered.html) == lines(&theirs), "the two renderers differ");
    Ok(Mail {
        items: ITEMS,
        micros: median(MAILS, &all, |data| template.render(data, Some(LOCALE)).is_ok()),
        html_micros: median(MAILS, &all, |data| template.render_html(data, Some(LOCALE)).is_ok()),
        handlebars_html_micros: median(MAILS / 10, &json, |data| bare.html(data).is_ok()),
        load_micros: median(1, &[()], |()| load().is_some()),
        html_bytes: rendered.html.len(),
        text_bytes: rendered.text.len(),
    })
}

/// Returns the median of several measurements, in microseconds per call.
fn median<T>(calls: usize, inputs: &[T], mut call: impl FnMut(&T) -> bool) -> f64 {
    let mut micros: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let watch = Stopwatch::start();
            let done = inputs.iter().cycle().take(calls).filter(|input| call(input)).count();
            1_000_000.0 / watch.rate(done)
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    micros.get(ROUNDS / 2).map_or(0.0, |middle| (middle * 10.0).round() / 10.0)
}

/// Returns the template's input for an order with [`ITEMS`] items.
fn data(plan: &Arc<Plan>, files: &DirectoryFiles, order: usize) -> anyhow::Result<Value> {
    let items: Vec<Json> = (0..ITEMS)
        .map(|item| json!({ "sku": format!("NW-0{item}"), "name": "Singaporean Hokkien Fried Mee", "quantity": 10 + item, "unit_price": format!("{}.80", 100 + order * ITEMS + item) }))
        .collect();
    let order = json!({
        "order_id": "NW-10248", "customer_id": "VINET", "placed_at": "2024-07-04T10:30:00Z", "currency": "EUR",
        "amount": "4440.00", "items": items, "shipping_country": "FR",
    });
    let rehearsal = Rehearsal::new(plan, files, "2025-06-01T00:00:00Z".parse()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let run = runtime.block_on(rehearsal.run(order.to_string().as_bytes(), "order"));
    let run = run.map_err(|_| anyhow::anyhow!("the order is rejected"))?;
    let step = plan.step(STEP).context("the storefront has no step `confirm`")?;
    let input = run.scheduler.input(step).context("the e-mail has no input")?;
    input.as_record().and_then(|record| record.get("data")).cloned().context("no data")
}

/// The `handlebars` crate with the same template. Constant parts of the template (the names of
/// texts, the language) are written into the template, so that the crate has less work than `oms`.
struct Bare(Handlebars<'static>);

impl Bare {
    fn new(template: &Template) -> anyhow::Result<Self> {
        let mut bare = Handlebars::new();
        bare.register_template_string("html", fixed(template.html_text()))?;
        for (name, text) in template.locale_texts() {
            bare.register_partial(&format!("t_{name}"), fixed(&escaped(text)))?;
        }
        handlebars_helper!(money: |amount: Json, currency: str| {
            let currency = Currency::parse(currency).ok();
            decimal(amount).zip(currency).map(|(amount, currency)| Formats::of(LOCALE).money(amount, currency).to_string())
        });
        handlebars_helper!(number: |value: Json| decimal(value).map(|value| Formats::of(LOCALE).number(value)));
        handlebars_helper!(date: |day: str| {
            day.get(..10).and_then(|day| day.parse().ok()).map(|day| Formats::of(LOCALE).date(day))
        });
        handlebars_helper!(country: |code: str| Formats::of(LOCALE).country(code).to_owned());
        handlebars_helper!(default: |value: Json, other: str| value.as_str().unwrap_or(other).to_owned());
        // The crate's own helpers compare JSON values directly, but amounts are strings here.
        handlebars_helper!(ge: |one: Json, other: Json| decimal(one) >= decimal(other));
        handlebars_helper!(ne: |one: Json, other: Json| one != other);
        bare.register_helper("money", Box::new(money));
        bare.register_helper("number", Box::new(number));
        bare.register_helper("date", Box::new(date));
        bare.register_helper("country", Box::new(country));
        bare.register_helper("default", Box::new(default));
        bare.register_helper("ge", Box::new(ge));
        bare.register_helper("ne", Box::new(ne));
        Ok(Self(bare))
    }

    fn html(&self, data: &Json) -> anyhow::Result<String> {
        Ok(self.0.render("html", data)?)
    }
}

/// Escapes the text between tags, like the texts of a template.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (tag, after) = after.split_once("}}").unwrap_or((after, ""));
        escaped.push_str(&handlebars::html_escape(before));
        escaped.push_str(&format!("{{{{{tag}}}}}"));
        rest = after;
    }
    escaped + &handlebars::html_escape(rest)
}

fn fixed(text: &str) -> String {
    let words = [
        ("{{@locale}}", LOCALE),
        ("{{@dir}}", "ltr"),
        ("{{@start}}", "left"),
        ("{{@end}}", "right"),
    ];
    let text = words.iter().fold(text.to_owned(), |text, (tag, word)| text.replace(tag, word));
    // `{{t "name"}}` inserts a text; here it becomes a partial.
    let mut said = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{t \"") {
        let (name, after) = after.split_once("\"}}").unwrap_or((after, ""));
        said.push_str(before);
        said.push_str("{{> t_");
        said.push_str(name);
        said.push_str("}}");
        rest = after;
    }
    said + rest
}

fn decimal(value: &Json) -> Option<Decimal> {
    match value {
        Json::String(text) => Decimal::parse(text).ok(),
        other => Decimal::parse(&other.to_string()).ok(),
    }
}
