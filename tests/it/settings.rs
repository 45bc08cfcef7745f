//! Settings: values from environment variables and defaults, and secrets.

use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::plan::{Checked, Checker, Semantics};
use oms_engine::step::Registry;

use crate::harness::{Output, Scratch, TestPipeline, finish};

const PIPELINE: &str = r#"oms: 1
name: shop
settings:
  region: { type: text, env: OMS_TEST_REGION }
  limit: { type: decimal, env: OMS_TEST_LIMIT, default: "10.50" }
order:
  schema: { type: object, required: [id, amount], properties: { id: { type: string }, amount: { type: string, format: decimal } } }
  key: ${{ order.id }}
tables:
  bills: { key: [id], columns: { id: text, region: text, large: boolean } }
steps:
  bill:
    uses: table.insert
    with: { table: bills, row: { id: "${{ order.id }}", region: "${{ settings.region }}", large: "${{ order.amount > settings.limit }}" } }
"#;

/// Runs a command with these environment variables.
fn call(shop: &TestPipeline, words: &[&str], others: &[&str], set: &[(&str, &str)]) -> Output {
    let mut command = shop.command(words, others);
    finish(command.envs(set.iter().copied()))
}

fn shop(scratch: &Scratch) -> TestPipeline {
    let pipeline = scratch.write("shop.yaml", PIPELINE);
    TestPipeline { pipeline, state: scratch.path("state") }
}

#[test]
fn nothing_runs_while_a_setting_has_no_value() {
    let scratch = Scratch::new();
    let shop = shop(&scratch);
    let orders = scratch.write("orders.ndjson", "{\"id\":\"A1\",\"amount\":\"1.00\"}\n");
    let input = ["--input", &*orders.to_string_lossy()];
    let missing = "set the environment variable `OMS_TEST_REGION` to a text";
    let refused = call(&shop, &["run"], &input, &[]).exits(4);
    assert!(refused.stderr.contains(missing), "{}", refused.stderr);
    let empty = call(&shop, &["run"], &input, &[("OMS_TEST_REGION", "")]).exits(4);
    assert!(empty.stderr.contains(missing), "{}", empty.stderr);
    let wrong = [("OMS_TEST_REGION", "eu"), ("OMS_TEST_LIMIT", "ten")];
    let wrong = call(&shop, &["run"], &input, &wrong).exits(4);
    assert!(
        wrong.stderr.contains("`OMS_TEST_LIMIT` of the setting `limit` is not a decimal"),
        "{}",
        wrong.stderr
    );
    assert!(!shop.state.exists(), "the state directory was created");
    let mut validate = crate::harness::command();
    let valid = finish(validate.arg("validate").arg(&shop.pipeline)).exits(0);
    assert!(valid.stderr.contains("note: ") && valid.stderr.contains(missing), "{}", valid.stderr);
}

#[test]
fn steps_use_the_values_of_the_environment() {
    let scratch = Scratch::new();
    let shop = shop(&scratch);
    let order = |key: &str| format!("{{\"id\":\"{key}\",\"amount\":\"11.00\"}}\n");
    let (first, second) =
        (scratch.write("a.ndjson", order("A1")), scratch.write("b.ndjson", order("A2")));
    let run = |input: &std::path::Path, set: &[(&str, &str)]| {
        call(&shop, &["run"], &["--input", &input.to_string_lossy()], set).exits(0);
    };
    run(&first, &[("OMS_TEST_REGION", "eu")]);
    run(&second, &[("OMS_TEST_REGION", "us"), ("OMS_TEST_LIMIT", "20")]);
    let rows = shop.export("bills");
    let found: Vec<_> =
        rows.iter().map(|row| (row["region"].as_str().unwrap(), row["large"].as_bool())).collect();
    assert_eq!(found, [("eu", Some(true)), ("us", Some(false))]);
}

/// A pipeline that sends e-mails from the address of a setting.
const POST: &str = r#"oms: 1
name: post
settings:
  sender: { type: email, env: SENDER, default: default@example.com }
  host: { type: text, env: HOST, default: localhost }
order:
  schema: { type: object, required: [id, email], properties: { id: { type: string }, email: { type: string, format: email } } }
  key: ${{ order.id }}
mail: { from: "Shop <${{ settings.sender }}>", templates: templates, smtp: { host: "${{ settings.host }}", security: none } }
steps:
  confirm:
    uses: email.send
    with: { to: "${{ order.email }}", template: hello, data: {} }
"#;

#[test]
fn a_run_keeps_the_values_with_which_it_started() {
    let files = |pipeline: &str| {
        let templates = [
            ("templates/hello/subject.hbs", "Hello"),
            ("templates/hello/body.html.hbs", "<p>Hello</p>"),
        ];
        let all = templates.into_iter().chain([("post.yaml", pipeline)]);
        MemoryFiles::new(all.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes()))))
    };
    let checker = |sender: &'static str| {
        let registry = Registry::new(oms_steps::ALL.iter().copied()).unwrap();
        let environment = move |name: &str| (name == "SENDER").then(|| sender.to_owned());
        Checker::new(registry).unwrap().in_environment(Arc::new(environment))
    };
    let sender = |checked: Checked| {
        let plan = checked.plan.unwrap_or_else(|| panic!("{:?}", checked.report.diagnostics()));
        let mail = plan.mail().unwrap();
        (mail.from.address.clone(), mail.smtp.as_ref().unwrap().host.clone(), plan)
    };
    let (from, host, plan) = sender(checker("a@example.com").check("post.yaml", &files(POST)));
    assert_eq!((&*from, &*host), ("a@example.com", "localhost"));
    let stored = plan.files().iter().map(|(path, bytes)| (path.clone(), Arc::clone(bytes)));
    let bundle = MemoryFiles::new(stored);
    let later = checker("b@example.com").check_bundle("post.yaml", &bundle, Semantics::CURRENT);
    let (from, _, again) = sender(later);
    assert_eq!(from, "a@example.com");
    assert_eq!(again.digest(), plan.digest());
    let (from, _, other) = sender(checker("b@example.com").check("post.yaml", &files(POST)));
    assert_eq!(from, "b@example.com");
    assert_ne!(other.digest(), plan.digest(), "another value is another bundle");
}

/// A pipeline that converts an amount in the currency of a setting, and then reads a row.
const BILLS: &str = r#"oms: 1
name: bills
settings:
  currency: { type: currency, env: OMS_TEST_CURRENCY }
order:
  schema: { type: object, required: [id, amount], properties: { id: { type: string }, amount: { type: string, format: decimal } } }
  key: ${{ order.id }}
rates:
  fixed: { source: fixed, base: USD, quote: base_per_unit, table: { USD: "1", CAD: "0.79", AUD: "0.65" } }
tables:
  names: { key: [id], columns: { id: text, name: text } }
steps:
  convert:
    uses: money.convert
    with: { amount: "${{ order.amount }}", from: USD, to: "${{ settings.currency }}", rates: fixed }
  read:
    uses: table.get
    needs: [convert]
    with: { table: names, key: { id: "${{ order.id }}" } }
"#;

#[test]
fn a_retry_keeps_the_currency_of_completed_steps() {
    let scratch = Scratch::new();
    let pipeline = scratch.write("bills.yaml", BILLS);
    let bills = TestPipeline { pipeline, state: scratch.path("state") };
    let orders = scratch.write(
        "orders.ndjson",
        "{\"id\":\"A1\",\"amount\":\"1.00\"}\n{\"id\":\"A2\",\"amount\":\"1.00\"}\n",
    );
    let (cad, aud) = (("OMS_TEST_CURRENCY", "CAD"), ("OMS_TEST_CURRENCY", "AUD"));
    call(&bills, &["run"], &["--input", &orders.to_string_lossy()], &[cad]).exits(1);
    let rows = scratch.write("names.ndjson", "{\"id\":\"A1\",\"name\":\"Ann\"}\n");
    let rows = rows.to_string_lossy();
    call(&bills, &["db", "import"], &["names", &rows], &[cad]).exits(0);
    let refused = call(&bills, &["runs", "retry"], &["A1"], &[aud]).exits(1);
    assert!(refused.stderr.contains("currency of the setting `currency`"), "{}", refused.stderr);
    let missing = call(&bills, &["runs", "retry"], &["A1"], &[]).exits(4);
    assert!(missing.stderr.contains("`OMS_TEST_CURRENCY`"), "{}", missing.stderr);
    call(&bills, &["runs", "retry"], &["A1"], &[cad]).exits(0);
    // Ending and deleting runs does not need the values.
    call(&bills, &["runs", "cancel"], &["A2"], &[]).exits(0);
    call(&bills, &["runs", "prune"], &["--older-than", "1d"], &[]).exits(0);
}
