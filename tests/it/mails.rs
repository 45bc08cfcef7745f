//! E-mails: their previews, their checks, and the amounts that they show.

use std::sync::Arc;

use oms_cli::DirectoryFiles;
use oms_engine::locale::Formats;
use oms_engine::mail::Mail;
use oms_engine::money::{Currency, Decimal};
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::Rehearsal;
use oms_engine::step::Registry;
use oms_engine::value::Value;

use crate::harness::{Scratch, lines, oms, root, test_data};

const STOREFRONT: &str = "pipelines/storefront.yaml";

/// The languages of the shipped mails.
const LOCALES: [&str; 6] = ["en", "de", "fr", "es", "ja", "ar"];

/// The number of e-mails in the storefront's preview: one for each sample order and one for the
/// template's own example.
const MAILS: usize = 21 + 1;

fn storefront() -> (Arc<Plan>, DirectoryFiles) {
    let checker = Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap();
    let (files, name) = DirectoryFiles::of(&root().join(STOREFRONT));
    (Arc::new(checker.check(&name, &files).plan.unwrap()), files)
}

#[test]
fn totals_in_every_locale_match_the_bill() {
    let Some(data) = test_data("totals in every locale") else { return };
    let (plan, files) = storefront();
    let now = "2025-06-01T00:00:00Z".parse().unwrap();
    let rehearsal = Rehearsal::new(&plan, &files, now).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let orders = lines(&data.join("orders/orders-sample.ndjson"));
    let runs: Vec<_> = orders
        .iter()
        .map(|order| runtime.block_on(rehearsal.run(order.as_bytes(), "order")).ok().unwrap())
        .collect();
    let contents = rehearsal.world().contents();
    let mut compared = 0;
    for run in &runs {
        let bill = contents.rows.iter().find_map(|((table, key), (row, _))| {
            (**table == *"billing_data" && *key == format!("\"{}\"", run.info.key)).then_some(row)
        });
        let bill = bill.unwrap().as_record().unwrap();
        let amount = |name: &str| match bill.get(name) {
            Some(Value::Decimal(amount)) => *amount,
            other => panic!("{name}: {other:?}"),
        };
        let currency = Currency::parse(bill.get("currency").unwrap().as_text().unwrap()).unwrap();
        let usd = Currency::parse("USD").unwrap();
        for locale in LOCALES {
            let formats = Formats::of(locale);
            let total = formats.money(amount("amount"), currency);
            let billed = formats.money(amount("amount_usd"), usd);
            for sent in runtime.block_on(rehearsal.mails(run, Some(locale))).unwrap() {
                let html = sent.mail.html.replace("&#x27;", "'");
                for part in [&html, &sent.mail.text] {
                    assert!(part.contains(&*total), "{} in {locale}: {total}", run.info.key);
                    assert!(part.contains(&*billed), "{} in {locale}: {billed}", run.info.key);
                }
                compared += 1;
            }
        }
    }
    assert_eq!((runs.len(), compared), (2_000, 2_000 * LOCALES.len()));
}

#[test]
fn the_amount_in_a_mail_matches_the_bill() {
    // A constant, so that the test does not depend on the computation that it checks.
    let amount =
        Formats::of("de").money(Decimal::parse("475.20").unwrap(), Currency::parse("USD").unwrap());
    let order = "pipelines/storefront/samples/NW-10248.json";
    let call = [
        "render-email",
        "preview",
        STOREFRONT,
        "--order",
        order,
        "--locale",
        "de",
        "--part",
        "text",
    ];
    let output = oms(call).exits(0);
    assert!(
        output.stdout.contains(&format!("In US-Dollar berechnet: {amount}")),
        "{}",
        output.stdout
    );
    assert_eq!(output.stderr, "");
}

#[test]
fn a_preview_prints_the_path_of_each_mail() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let out = out.to_str().unwrap();
    let output = oms(["render-email", "preview", STOREFRONT, "--out", out]).exits(0);
    assert_eq!(output.stdout.lines().count(), MAILS, "{}", output.stdout);
    assert_eq!(output.stderr, format!("{MAILS} e-mails, each as .html, .txt and .eml in {out}\n"));
    let json = oms(["render-email", "preview", STOREFRONT, "--out", out, "--format", "json"]);
    let json = json.exits(0).json();
    let first = &json["mails"][0];
    assert_eq!(
        (&json["format_version"], &first["template"]),
        (&1.into(), &"order-confirmation".into())
    );
    for part in ["html", "text", "eml"] {
        let path = first[part]["path"].as_str().unwrap();
        assert!(std::fs::metadata(path).unwrap().len() > 100, "{path}");
    }
}

#[test]
fn part_prints_a_single_part() {
    let part = |part: &str, locale: &str| {
        let call = ["render-email", "preview", STOREFRONT, "--part", part, "--locale", locale];
        oms(call).exits(0).stdout
    };
    assert_eq!(part("subject", "ja"), "ご注文 NW-10248 を承りました\n");
    assert!(part("html", "ar").contains("<html lang=\"ar\" dir=\"rtl\""));
    let eml = part("eml", "fr");
    assert!(eml.contains("Message-ID: <") && eml.contains("multipart/alternative"), "{eml}");
}

#[test]
fn the_matrix_shows_every_mail_in_every_language_four_times() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let call = ["render-email", "preview", STOREFRONT, "--matrix", "--out", out.to_str().unwrap()];
    let output = oms(call).exits(0);
    let page = std::fs::read_to_string(output.stdout.trim_end()).unwrap();
    assert_eq!(page.matches("<iframe ").count(), MAILS * LOCALES.len() * 4);
    // An e-mail cannot run scripts in its frame or navigate outside it.
    let sandboxed = " sandbox=\"allow-same-origin\" loading=\"lazy\" ";
    assert_eq!(page.matches(sandboxed).count(), MAILS * LOCALES.len() * 4);
    // The page contains each e-mail only once; its script fills the frames.
    assert_eq!(page.matches("<script>").count(), 1);
    let data = "<script type=\"application/json\">";
    assert_eq!(page.matches(data).count(), MAILS * LOCALES.len());
    assert_eq!(page.matches("<script").count(), 1 + MAILS * LOCALES.len());
    let places = page.matches("<section id=\"mail-").count();
    assert_eq!((places, page.matches("<a href=\"#mail-").count()), (places, places));
    assert_eq!(places, MAILS * LOCALES.len());
}

/// Returns the storefront's mail for an edge case.
fn edge_case(plan: &Arc<Plan>, files: &DirectoryFiles, key: &str, locale: &str) -> Mail {
    let now = "2025-06-01T00:00:00Z".parse().unwrap();
    let rehearsal = Rehearsal::new(plan, files, now).unwrap();
    let orders = lines(&root().join("pipelines/storefront/edge-cases.ndjson"));
    let order = orders.iter().find(|order| order.contains(&format!("\"{key}\""))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let run = runtime.block_on(rehearsal.run(order.as_bytes(), "order")).ok().unwrap();
    let mut sent = runtime.block_on(rehearsal.mails(&run, Some(locale))).unwrap();
    sent.remove(0).mail
}

#[test]
fn a_long_order_has_its_complete_list_attached_in_the_locale_of_the_mail() {
    let (plan, files) = storefront();
    let mail = edge_case(&plan, &files, "EDGE-100-items", "de");
    let [receipt] = mail.attachments.as_slice() else { panic!("{mail:?}") };
    assert_eq!(receipt.name, "receipt.csv");
    let rows: Vec<&str> = receipt.content.lines().collect();
    assert_eq!((rows.len(), rows[0]), (102, "Artikel,SKU,Menge,Einzelpreis"));
    assert_eq!(rows[1], "Item number 1 of the catalogue,S-001,2,3.50");
    let message = String::from_utf8(mail.to_rfc5322().unwrap()).unwrap();
    let parts = ["multipart/mixed", "multipart/alternative", "text/csv; charset=utf-8"];
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    assert!(edge_case(&plan, &files, "EDGE-one-item", "de").attachments.is_empty());
}

#[test]
fn unsubscribe_headers_are_added_when_the_pipeline_sets_them() {
    let scratch = Scratch::with_pipelines();
    let url = "https://shop.example/stop?c=${{ order.customer_id }}";
    let to = format!(
        "to: ${{{{ steps.contact.email }}}}\n      unsubscribe: {{ url: \"{url}\", one_click: true }}"
    );
    scratch.edit("pipelines/storefront.yaml", "to: ${{ steps.contact.email }}", &to);
    let pipeline = scratch.path("pipelines/storefront.yaml");
    let call = ["render-email", "preview", pipeline.to_str().unwrap(), "--part", "eml"];
    let message = oms(call).exits(0).stdout;
    assert!(
        message.contains("List-Unsubscribe: <https://shop.example/stop?c=VINET>\r\n"),
        "{message}"
    );
    assert!(message.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{message}");
    let message = oms(["render-email", "preview", STOREFRONT, "--part", "eml"]).exits(0).stdout;
    assert!(message.contains("\r\nSubject: ") && !message.contains("List-Un"), "{message}");
}

#[test]
fn lint_accepts_the_shipped_mails_and_reports_an_incomplete_translation() {
    let output = oms(["render-email", "lint", STOREFRONT]).exits(0);
    assert_eq!(output.stdout, format!("{STOREFRONT}   ok\n"));
    let broken = "tests/diagnostics/OMS0510-half-translated.yaml";
    let output = oms(["render-email", "lint", broken]).exits(1);
    assert!(output.stdout.starts_with("warning[OMS0510]: "), "{}", output.stdout);
    assert!(output.stdout.ends_with("   1 finding\n"), "{}", output.stdout);
}

#[test]
fn a_preview_without_a_mail_is_an_error() {
    let call = ["render-email", "preview", STOREFRONT, "--template", "order-confirmed"];
    let output = oms(call).exits(2);
    assert!(output.stderr.contains("no order sends an e-mail with the template `order-confirmed`"));
    let scratch = Scratch::new();
    let order = std::fs::read_to_string(root().join("pipelines/storefront/samples/NW-10248.json"));
    let order = order.unwrap().replace("\"EUR\"", "\"EUX\"");
    let order = scratch.write("order.json", order);
    let call = ["render-email", "preview", STOREFRONT, "--order", order.to_str().unwrap()];
    let output = oms(call).exits(2);
    assert!(output.stderr.contains("order.json:1:"), "{}", output.stderr);
}
