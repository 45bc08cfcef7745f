//! Orders from CSV files: `--input` and `--watch`.

use serde_json::json;

use crate::harness::{Scratch, TestPipeline};

const PIPELINE: &str = r#"
oms: 1
name: csv
order:
  schema:
    type: object
    required: [id, amount, customer]
    additionalProperties: false
    properties:
      id: { type: string, maxLength: 9 }
      amount: { type: string, format: decimal, x-precision: 28 }
      pieces: { type: integer, minimum: 1 }
      customer: { type: object, required: [name], properties: { name: { type: string, maxLength: 40 } } }
  key: ${{ order.id }}
tables:
  bills: { key: [id], columns: { id: text, amount: text, pieces: integer?, name: text } }
steps:
  bill:
    uses: table.insert
    with: { table: bills, row: { amount: "${{ string(order.amount) }}", name: "${{ order.customer.name }}" }, from: "${{ order }}" }
"#;

const ORDERS: &str = "id,amount,pieces,customer.name\r\nA1,123456789012345678.10,2,\"Ann, \"\"A\"\"\r\nB\"\r\nA2,1.5,,Bob\r\n";

fn site(scratch: &Scratch) -> TestPipeline {
    let pipeline = scratch.write("csv.yaml", PIPELINE);
    TestPipeline { pipeline, state: scratch.path("state") }
}

#[test]
fn orders_of_a_csv_file_run_like_orders_in_json() {
    let scratch = Scratch::new();
    let site = site(&scratch);
    let input = scratch.write("orders.csv", ORDERS);
    let input = input.to_string_lossy();
    let run = || site.call(&["run"], &["--input", &input, "--format", "json"]).exits(0).json();
    assert_eq!(run()["completed"], 2);
    let name = "Ann, \"A\"\r\nB";
    let expected = [
        json!({ "id": "A1", "amount": "123456789012345678.10", "pieces": 2, "name": name }),
        json!({ "id": "A2", "amount": "1.5", "pieces": null, "name": "Bob" }),
    ];
    assert_eq!(site.export("bills"), expected);
    // The same orders in JSON are duplicates.
    let (runs, same) = (site.count("select count(*) from oms_runs"), run());
    assert_eq!((runs, &same["duplicates"]), (2, &json!(2)), "{same}");
    let order = json!({ "customer": { "name": "Bob" }, "amount": "1.5", "id": "A2" });
    let one = scratch.write("A2.json", order.to_string());
    let same = site.call(&["run"], &["--input", &one.to_string_lossy(), "--format", "json"]);
    assert_eq!(same.exits(0).json()["duplicates"], 1);
}

#[test]
fn a_rejected_row_is_reported_with_its_line_and_column() {
    let scratch = Scratch::new();
    let site = site(&scratch);
    let rows = "id,amount,pieces,customer.name\nA1,1,\"0\",Ann\nA2,1,2\nA3,1,2,Ann\nA4,x,2,\n";
    let input = scratch.write("orders.csv", rows);
    let output = site.call(&["run"], &["--input", &input.to_string_lossy()]).exits(1);
    let found: Vec<&str> = output.stderr.lines().filter(|line| line.contains("error[")).collect();
    let starts = [
        ":2:6: error[OMS0602]: /pieces ",
        ":3:6: error[OMS0601]: the row has 3 cells, but the first row has 4",
        ":5:4: error[OMS0602]: /amount ",
    ];
    for start in starts {
        assert!(found.iter().any(|line| line.contains(start)), "{start}: {}", output.stderr);
    }
    assert!(found.iter().any(|line| line.contains("customer")), "{}", output.stderr);
    assert_eq!(site.count("select count(*) from oms_runs where key = 'A3'"), 1);
    assert_eq!(site.count("select count(*) from oms_runs"), 1);
    let unknown = scratch.write("unknown.csv", "id,amuont\n1,2\n");
    let output = site.call(&["run"], &["--input", &unknown.to_string_lossy()]).exits(1);
    assert!(output.stderr.contains(":1:4: error[OMS0601]: "), "{}", output.stderr);
    let empty = scratch.write("empty.csv", "id,amount\n");
    site.call(&["run"], &["--input", &empty.to_string_lossy()]).exits(0);
}
