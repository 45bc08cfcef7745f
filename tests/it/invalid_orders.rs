//! Invalid, unusual and malicious orders: the program must give each one the expected outcome.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{Output, Scratch, TestPipeline, lines, root, test_data};

/// Returns the outcome of an order.
fn outcome(site: &TestPipeline, output: &Output) -> String {
    let summary = output.json();
    let counted: Vec<&str> = ["duplicates", "conflicts", "rejected", "completed", "parked"]
        .into_iter()
        .filter(|name| summary[*name] == 1)
        .collect();
    let cause = || {
        let sql = "select cause from oms_runs where state = 'parked'";
        site.connection().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    match counted.as_slice() {
        ["completed"] => "billed".to_owned(),
        ["parked"] => cause(),
        ["rejected"] => "rejected".to_owned(),
        ["duplicates"] => "idempotent".to_owned(),
        ["conflicts"] => "conflict".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Returns the documented decisions on the cases that are a matter of policy.
fn documented_decisions() -> BTreeMap<String, String> {
    lines(&root().join("docs/unusual-orders.md"))
        .iter()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let case = cells.next()?.trim_end_matches('`').to_owned();
            Some((case, cells.next()?.to_owned()))
        })
        .collect()
}

/// Creates a storefront with additional customers.
fn storefront(customers: &[Json]) -> Scratch {
    let scratch = Scratch::with_pipelines();
    let mut text =
        std::fs::read_to_string(scratch.path("pipelines/storefront/customers.ndjson")).unwrap();
    for customer in customers {
        writeln!(text, "{customer}").unwrap();
    }
    scratch.write("pipelines/storefront/customers.ndjson", text);
    scratch
}

fn submit(scratch: &Scratch, state: &str, name: &str, body: &[u8]) -> (TestPipeline, Output) {
    let input = scratch.write(&format!("{name}.json"), body);
    let pipeline = scratch.path("pipelines/storefront.yaml");
    let site = TestPipeline { pipeline, state: scratch.path(state) };
    let output = site.call(&["run"], &["--format", "json", "--input", &input.to_string_lossy()]);
    (site, output)
}

/// Returns whether a rejection names a position and an `OMS06` code.
fn has_a_place(output: &Output, name: &str) -> bool {
    output.stderr.lines().any(|line| {
        let Some((_, place)) = line.split_once(&format!("{name}.json:")) else { return false };
        let mut parts = place.splitn(3, ':');
        let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
        number(parts.next())
            && number(parts.next())
            && parts.next().is_some_and(|rest| rest.contains("error[OMS06"))
    })
}

#[test]
fn every_unusual_order_has_the_expected_outcome() {
    let Some(data) = test_data("hostile orders") else { return };
    let customer =
        json!({"customer_id": "C1", "name": "Ann", "email": "ann@example.com", "locale": "en"});
    let scratch = storefront(&[customer]);
    let documented_decisions = documented_decisions();
    let mut decided = 0;
    let mut wrong = Vec::new();
    for line in lines(&data.join("bad-input/orders/cases.ndjson")) {
        let case: Json = serde_json::from_str(&line).unwrap();
        let name = case["case"].as_str().unwrap();
        let state =
            if name.starts_with("dup-") { "dup".to_owned() } else { format!("state-{name}") };
        let (site, output) =
            submit(&scratch, &state, name, case["raw"].as_str().unwrap().as_bytes());
        let found = outcome(&site, &output);
        let expected = match case["expect"].as_str().unwrap() {
            "accept" | "accept_escaped" => "billed",
            "reject" => "rejected",
            "no_contact" => "no_row",
            "policy" => {
                decided += 1;
                documented_decisions
                    .get(name)
                    .map_or("(nothing in docs/unusual-orders.md)", String::as_str)
            }
            other => other,
        };
        if found != expected {
            wrong.push(format!("{name}: expected {expected}, got {found}\n{}", output.stderr));
        }
        let fine = matches!(found.as_str(), "billed" | "idempotent");
        if output.code != i32::from(!fine) {
            wrong.push(format!("{name}: {found} with exit {}", output.code));
        }
        if found == "rejected" && !has_a_place(&output, name) {
            wrong.push(format!("{name}: no place in\n{}", output.stderr));
        }
        // The bill does not depend on the e-mail. Rejected orders and orders without a rate have no
        // bill.
        let bills = site.count("select count(*) from billing_data");
        let billed = matches!(found.as_str(), "billed" | "no_row" | "idempotent" | "conflict");
        if bills != i64::from(billed) {
            wrong.push(format!("{name}: {found} with {bills} bills"));
        }
        let mails = site.count("select count(*) from oms_mails");
        if mails != i64::from(billed && found != "no_row") {
            wrong.push(format!("{name}: {found} with {mails} mails"));
        }
        if case["expect"] == "accept_escaped" {
            let html = site.call(&["mail", "show"], &["EDGE-1", "--part", "html"]).exits(0).stdout;
            if html.contains("<img") || !html.contains("&lt;img src") {
                wrong.push(format!("{name}: not escaped in\n{html}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases failed:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(decided, documented_decisions.len(), "docs/unusual-orders.md lists unknown cases");
}

#[test]
fn orders_that_are_not_utf_8_are_rejected_with_a_position() {
    let Some(data) = test_data("orders that are not UTF-8") else { return };
    let scratch = storefront(&[]);
    for name in ["invalid-utf8", "utf16le"] {
        let body = std::fs::read(data.join(format!("bad-input/orders/{name}.json"))).unwrap();
        let (_, output) = submit(&scratch, "state", name, &body);
        assert_eq!(output.json()["rejected"], 1);
        assert!(has_a_place(&output, name), "{}", output.stderr);
    }
}

#[test]
fn a_customer_without_a_valid_address_gets_no_mail() {
    let Some(data) = test_data("customers without an address") else { return };
    let order = |customer: &str| {
        json!({
            "order_id": format!("E-{customer}"), "customer_id": customer, "placed_at": "2025-06-02T10:00:00Z", "currency": "EUR",
            "amount": "10.00", "items": [], "shipping_country": "DE",
        })
    };
    let (mut missing, mut invalid) = (0, 0);
    for line in lines(&data.join("bad-input/orders/customers-edge.ndjson")) {
        let customer: Json = serde_json::from_str(&line).unwrap();
        let scratch = storefront(std::slice::from_ref(&customer));
        let id = customer["customer_id"].as_str().unwrap();
        let pipeline = scratch.path("pipelines/storefront.yaml");
        if customer["email"].is_null() {
            // A missing address is allowed: the e-mail is skipped.
            missing += 1;
            let (site, output) = submit(&scratch, "state", id, order(id).to_string().as_bytes());
            assert_eq!(output.json()["completed"], 1, "{}", output.stderr);
            assert_eq!(site.count("select count(*) from billing_data"), 1);
            assert_eq!(site.count("select count(*) from oms_mails"), 0);
        } else {
            // An invalid address is never imported into the table.
            invalid += 1;
            let site = TestPipeline { pipeline, state: scratch.path("state") };
            let output = site.call(&["run"], &["--samples"]).exits(1);
            assert!(output.stderr.contains("OMS0210"), "{}", output.stderr);
            assert!(output.stderr.contains("customers.ndjson:789"), "{}", output.stderr);
        }
    }
    assert!(missing > 0 && invalid > 0, "{missing} missing and {invalid} invalid addresses");
}

/// A script that reads a Maildir with Python's mail parser and prints the headers and the item
/// names of each mail.
const READ_MAILS: &str = r#"
import email, email.policy, html.parser, json, pathlib, sys
class Cells(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(); self.cells = []; self.open = False; self.tags = set()
    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "span": self.cells.append(""); self.open = True
    def handle_endtag(self, tag):
        if tag == "span": self.open = False
    def handle_data(self, data):
        if self.open: self.cells[-1] += data
out = []
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*")):
    if not path.is_file(): continue
    raw = path.read_bytes()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    page = mail.get_body(("html",)).get_content()
    cells = Cells(); cells.feed(page)
    out.append({"names": sorted(name.lower() for name in mail.keys()), "subject": mail["subject"], "to": str(mail["to"]),
        "text": mail.get_body(("plain",)).get_content(), "cell": cells.cells[0], "tags": sorted(cells.tags),
        "defects": [str(d) for part in mail.walk() for d in part.defects], "longest": max(map(len, raw.split(b"\r\n")))})
json.dump(out, sys.stdout)
"#;

fn read_mails(folder: &Path) -> Vec<Json> {
    let output = Command::new("python3").args(["-c", READ_MAILS]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Collapses white space, which an e-mail may fold.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn hostile_names_arrive_unchanged_in_the_mail() {
    let Some(data) = test_data("hostile names") else { return };
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("hostile names: skipped because python3 is not installed");
        return;
    }
    let texts = |file: &str, key: &str| -> Vec<String> {
        lines(&data.join(file))
            .iter()
            .map(|line| serde_json::from_str::<Json>(line).unwrap())
            .filter(|row| row["field"].is_null() || row["field"] == "name")
            .map(|row| row[key].as_str().unwrap().to_owned())
            .collect()
    };
    let naughty = std::fs::read(data.join("bad-input/strings/blns.json")).unwrap();
    let mut names: Vec<String> = serde_json::from_slice(&naughty).unwrap();
    names.extend(texts("bad-input/strings/i18n.ndjson", "value"));
    names.extend(texts("bad-input/email/injection.ndjson", "value"));
    let customer = |(at, name): (usize, &String)| json!({"customer_id": format!("C{at}"), "name": name, "email": format!("c{at}@example.com"), "locale": "en"});
    let customers: Vec<Json> = names.iter().enumerate().map(customer).collect();
    let scratch = storefront(&customers);
    let mut orders = String::new();
    for (at, name) in names.iter().enumerate() {
        let order = json!({
            "order_id": format!("S-{at}"), "customer_id": format!("C{at}"), "placed_at": "2025-06-02T10:00:00Z", "currency": "EUR",
            "amount": "10.00", "items": [{"sku": "A", "name": name, "quantity": 1, "unit_price": "10.00"}], "shipping_country": "DE",
        });
        writeln!(orders, "{order}").unwrap();
    }
    let input = scratch.write("orders.ndjson", orders);
    let site = TestPipeline {
        pipeline: scratch.path("pipelines/storefront.yaml"),
        state: scratch.path("state"),
    };
    let (code, summary) = site.run(&input);
    assert_eq!((code, &summary["completed"]), (0, &names.len().into()), "{summary}");
    let maildir = scratch.path("mails");
    site.call(&["mail", "export"], &[&maildir.to_string_lossy()]).exits(0);
    let mails = read_mails(&maildir);
    assert_eq!(mails.len(), names.len());

    let headers = "auto-submitted content-type date from message-id mime-version subject to";
    let tags: Vec<&str> =
        "body br caption div h1 head html meta small span strong style table tbody td tfoot th thead title tr"
            .split(' ')
            .collect();
    let mut wrong = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let subject = format!("Order S-{at} is confirmed");
        let Some(mail) = mails.iter().find(|mail| mail["subject"] == subject.as_str()) else {
            wrong.push(format!("{name:?}: no mail has this subject"));
            continue;
        };
        let found: Vec<&str> =
            mail["names"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
        let extra = found.iter().filter(|name| !headers.split(' ').any(|known| known == **name));
        if extra.clone().count() > 0 || mail["defects"] != json!([]) {
            wrong.push(format!("{name:?}: headers {found:?}, defects {}", mail["defects"]));
        }
        if mail["to"] != format!("c{at}@example.com").as_str() {
            wrong.push(format!("{name:?}: to {}", mail["to"]));
        }
        let strange = mail["tags"].as_array().unwrap().iter().filter_map(Json::as_str);
        let strange: Vec<&str> = strange.filter(|tag| !tags.contains(tag)).collect();
        if !strange.is_empty() {
            wrong.push(format!("{name:?}: unescaped markup: {strange:?}"));
        }
        if folded(mail["cell"].as_str().unwrap()) != folded(name) {
            wrong.push(format!("{name:?}: the HTML says {}", mail["cell"]));
        }
        if !folded(mail["text"].as_str().unwrap()).contains(&folded(name)) {
            wrong.push(format!("{name:?}: the text says {}", mail["text"]));
        }
        if mail["longest"].as_u64().unwrap() > 998 {
            wrong.push(format!("{name:?}: a line has {} bytes", mail["longest"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), names.len(), wrong.join("\n"));
}
