//! The defects of the system that `order-management` is modeled on: each test shows that `oms`
//! does not have the defect. `docs/origin.md` lists them.

use std::path::Path;
use std::process::{Command, Output};

struct State {
    directory: std::path::PathBuf,
}

impl State {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("origin").join(name);
        let _absent = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    fn oms(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_oms"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(args)
            .arg("--state-dir")
            .arg(self.directory.join("state"))
            .output()
            .unwrap()
    }

    fn order(&self, name: &str, body: &str) -> Output {
        let path = self.directory.join(format!("{name}.json"));
        std::fs::write(&path, body).unwrap();
        self.oms(&["run", PIPELINE, "--input", path.to_str().unwrap(), "--format", "json"])
    }

    fn bills(&self) -> Vec<serde_json::Value> {
        let output = self.oms(&["db", "export", PIPELINE, "billing_data"]);
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn mails(&self) -> usize {
        text(&self.oms(&["mail", "list", PIPELINE]).stdout).lines().count()
    }
}

const PIPELINE: &str = "pipelines/order-management.yaml";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn order(customer: &str, date: &str, currency: &str, amount: &str) -> String {
    format!(
        r#"{{"customerId": "{customer}", "customerName": "John Doe", "country": "US", "productLine": "laptop", "billDate": "{date}", "currency": "{currency}", "billAmount": {amount}}}"#
    )
}

fn count(output: &Output, key: &str) -> u64 {
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)));
    line[key].as_u64().unwrap()
}

#[test]
fn a_second_order_of_a_customer_on_the_same_day_is_also_billed() {
    let state = State::new("same-day");
    state.order("first", &order("A1", "03/12/2023", "USD", "500"));
    let second = state.order("second", &order("A1", "03/12/2023", "USD", "20"));
    assert_eq!(count(&second, "completed"), 1);
    assert_eq!(state.bills().len(), 2);
}

#[test]
fn a_repeated_order_sends_no_second_mail_and_writes_no_second_bill() {
    let state = State::new("again");
    state.order("first", &order("A1", "03/12/2023", "USD", "500"));
    let again = state.order("first", &order("A1", "03/12/2023", "USD", "500.00"));
    assert_eq!(count(&again, "duplicates"), 1);
    assert_eq!((state.bills().len(), state.mails()), (1, 1));
}

#[test]
fn another_order_under_a_used_key_is_a_conflict_and_overwrites_nothing() {
    let state = State::new("overwrite");
    state.order("first", &order("A1", "03/12/2023", "USD", "500"));
    let other = state.order("first", &order("A1", "03/12/2023", "USD", "501"));
    assert_eq!(count(&other, "conflicts"), 1);
    assert_eq!(other.status.code(), Some(1));
    assert_eq!(state.bills()[0]["bill_amount"], "500.00");
}

#[test]
fn every_order_of_a_batch_is_handled() {
    let state = State::new("batch");
    let path = state.directory.join("batch.ndjson");
    let lines: Vec<String> =
        (1..=5).map(|day| order("A2", &format!("03/1{day}/2023"), "CAD", "100")).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let output =
        state.oms(&["run", PIPELINE, "--input", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(count(&output, "completed"), 5);
    assert_eq!(state.bills().len(), 5);
}

#[test]
fn a_date_is_read_in_its_declared_format_and_stored_unambiguously() {
    let state = State::new("date");
    state.order("first", &order("A1", "03/12/2023", "USD", "500"));
    assert_eq!(state.bills()[0]["bill_date"], "2023-03-12");
    let ambiguous = state.order("second", &order("A1", "13/12/2023", "USD", "500"));
    assert_eq!(count(&ambiguous, "rejected"), 1);
    assert!(text(&ambiguous.stderr).contains("MM/DD/YYYY"), "{}", text(&ambiguous.stderr));
}

#[test]
fn money_is_exact_to_the_last_digit() {
    let state = State::new("exact");
    // The exact products are 49999999999.985, 46558184981.225 and 580673921188.3949, which the
    // pipeline rounds half to even. Binary floats cannot represent 0.05 and 0.79 exactly, and give
    // a cent more.
    for (at, (currency, rate, amount, exact, float)) in [
        ("MXN", 0.05, "999999999999.70", "49999999999.98", "49999999999.99"),
        ("MXN", 0.05, "931163699624.50", "46558184981.22", "46558184981.23"),
        ("CAD", 0.79, "735030279985.31", "580673921188.39", "580673921188.40"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(format!("{:.2}", amount.parse::<f64>().unwrap() * rate), float, "{amount}");
        let name = format!("order-{at}");
        state.order(&name, &order("A1", "03/12/2023", currency, amount));
        let bills = state.bills();
        let bill = bills.iter().find(|bill| bill["order_key"] == name.as_str()).unwrap();
        assert_eq!(bill["bill_amount"], amount, "{currency}");
        assert_eq!(bill["bill_amount_usd"], exact, "{currency} {amount}");
    }
}

#[test]
fn a_currency_without_a_rate_parks_the_run_and_keeps_it() {
    let state = State::new("rate");
    let output = state.order("first", &order("A1", "03/12/2023", "EUR", "10"));
    assert_eq!((count(&output, "accepted"), count(&output, "parked")), (1, 1));
    let parked = text(&state.oms(&["runs", "list", PIPELINE, "--state", "parked"]).stdout);
    assert!(parked.contains("no_rate"), "{parked}");
}

#[test]
fn an_invalid_order_is_rejected_with_a_position() {
    let state = State::new("validation");
    let output = state.order("first", r#"{"customerId": "A1", "billAmount": "500"}"#);
    assert_eq!(count(&output, "rejected"), 1);
    let findings = text(&output.stderr);
    assert!(findings.contains("first.json:1:36: error[OMS0602]: /billAmount"), "{findings}");
    assert!(findings.contains("is missing the member `currency`"), "{findings}");
}

#[test]
fn a_failure_is_kept_with_its_cause() {
    let state = State::new("failure");
    let output = state.order("first", &order("NOBODY", "03/12/2023", "USD", "10"));
    assert_eq!(count(&output, "parked"), 1);
    let shown = text(&state.oms(&["runs", "show", PIPELINE, "first"]).stdout);
    assert!(shown.contains("no_row"), "{shown}");
    // The bill does not depend on the mail.
    assert_eq!((state.bills().len(), state.mails()), (1, 0));
}

#[test]
fn a_customer_id_is_data_and_never_sql() {
    let state = State::new("injection");
    let output = state.order("first", &order("x' OR '1'='1", "03/12/2023", "USD", "10"));
    assert_eq!(count(&output, "parked"), 1);
    assert_eq!(state.mails(), 0, "a mail was sent to another customer");
    assert_eq!(state.bills()[0]["customer_id"], "x' OR '1'='1");
}

#[test]
fn the_storefront_sends_no_mail_without_a_price() {
    let state = State::new("no-price");
    let path = state.directory.join("o.json");
    let body = r#"{"order_id":"O1","customer_id":"VINET","placed_at":"2025-06-02T10:00:00Z","currency":"KWD","amount":"1.234","items":[],"shipping_country":"KW"}"#;
    std::fs::write(&path, body).unwrap();
    let storefront = "pipelines/storefront.yaml";
    let output =
        state.oms(&["run", storefront, "--input", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(count(&output, "parked"), 1);
    assert_eq!(text(&state.oms(&["mail", "list", storefront]).stdout), "");
}

#[test]
fn the_typo_in_the_mail_is_corrected() {
    let state = State::new("mail");
    state.order("first", &order("A1", "03/12/2023", "USD", "500"));
    let mail = text(&state.oms(&["mail", "show", PIPELINE, "first", "--part", "text"]).stdout);
    let one_line = mail.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        one_line.contains("Your order has been received and is now being processed."),
        "{mail}"
    );
}
