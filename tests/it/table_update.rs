//! `table.update` under concurrency: no change is lost, and a condition holds when the row changes.

use std::path::Path;

use oms_test_servers::{Server, find};
use serde_json::{Value as Json, json};

use crate::harness::{Scratch, TestPipeline, command, finish};

/// Orders take pieces from one row of stock, and count in one row of counters: once for each order,
/// and once for each line.
const PIPELINE: &str = r#"
oms: 1
name: stock
order:
  schema:
    type: object
    required: [id, pieces, lines]
    properties:
      id: { type: string, maxLength: 20 }
      pieces: { type: integer, minimum: 1, maximum: 9 }
      lines: { type: array, maxItems: 9, items: { type: integer } }
  key: ${{ order.id }}
tables:
  stock: { key: [sku], columns: { sku: text, pieces: integer } }
  counters: { key: [name], columns: { name: text, orders: integer, lines: integer } }
  taken: { key: [id], columns: { id: text, pieces: integer } }
steps:
  count:
    uses: table.update
    with: { table: counters, key: { name: all }, set: { orders: "${{ row.orders + 1 }}" } }
  lines:
    uses: table.update
    for_each: { items: "${{ order.lines }}", as: line }
    with: { table: counters, key: { name: all }, set: { lines: "${{ row.lines + line }}" } }
  take:
    uses: table.update
    with:
      table: stock
      key: { sku: mug }
      set: { pieces: "${{ row.pieces - order.pieces }}" }
      only_if: ${{ row.pieces >= order.pieces }}
      otherwise: skip
  note:
    uses: table.insert
    when: ${{ steps.take.changed }}
    with: { table: taken, row: { id: "${{ order.id }}", pieces: "${{ order.pieces }}" } }
"#;

const STOCK: i64 = 500;

/// The orders as NDJSON, and the total of their lines.
fn orders(count: i64) -> (String, i64) {
    let (mut text, mut total) = (String::new(), 0);
    for at in 0..count {
        let lines: Vec<i64> = (0..at % 4).map(|line| line + at % 3).collect();
        total += lines.iter().sum::<i64>();
        let order = json!({ "id": format!("o{at}"), "pieces": at % 9 + 1, "lines": lines });
        text.push_str(&format!("{order}\n"));
    }
    (text, total)
}

/// Checks the tables after these orders.
fn assert_exact(export: impl Fn(&str) -> Vec<Json>, orders: i64, lines: i64) {
    let expected = json!({ "name": "all", "orders": orders, "lines": lines });
    assert_eq!(export("counters"), [expected]);
    let left = export("stock")[0]["pieces"].as_i64().unwrap();
    let taken: i64 = export("taken").iter().map(|row| row["pieces"].as_i64().unwrap()).sum();
    assert_eq!(left + taken, STOCK);
    // The smallest order takes one piece, so nothing is left over.
    assert_eq!(left, 0);
}

fn import(call: impl Fn(&str, &Path), scratch: &Scratch) {
    call("counters", &scratch.write("c.ndjson", r#"{"name":"all","orders":0,"lines":0}"#));
    let stock = json!({ "sku": "mug", "pieces": STOCK }).to_string();
    call("stock", &scratch.write("s.ndjson", stock));
}

#[test]
fn concurrent_orders_lose_no_change_in_the_state_directory() {
    let scratch = Scratch::new();
    let pipeline = scratch.write("stock.yaml", PIPELINE);
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    import(
        |table, file| {
            site.call(&["db", "import"], &[table, &file.to_string_lossy()]).exits(0);
        },
        &scratch,
    );
    let (text, lines) = orders(400);
    let input = scratch.write("orders.ndjson", text);
    let input = input.to_string_lossy();
    site.call(&["run"], &["--input", &input, "--concurrency", "64"]).exits(0);
    assert_exact(|table| site.export(table), 400, lines);
}

#[test]
fn concurrent_orders_lose_no_change_on_postgresql() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    let scratch = Scratch::new();
    let pipeline = scratch.write("stock.yaml", PIPELINE);
    let outside = |words: &[&str], others: &[&str]| {
        let mut command = command();
        command.args(words).arg(&pipeline).args(others).args(["--target", "postgres"]);
        finish(command.env("DATABASE_URL", server.address())).exits(0)
    };
    outside(&["db", "migrate"], &[]);
    import(
        |table, file| {
            outside(&["db", "import"], &[table, &file.to_string_lossy()]);
        },
        &scratch,
    );
    let (text, lines) = orders(200);
    let input = scratch.write("orders.ndjson", text);
    let (input, state) = (input.to_string_lossy(), scratch.path("state"));
    let state = state.to_string_lossy();
    outside(&["run"], &["--input", &input, "--concurrency", "16", "--state-dir", &state]);
    let export = |table: &str| {
        let text = outside(&["db", "export"], &[table]).stdout;
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_exact(export, 200, lines);
}

const PARKS: &str = r#"
oms: 1
name: parks
order:
  schema: { type: object, required: [id, sku, pieces], properties: { id: { type: string }, sku: { type: string }, pieces: { type: integer } } }
  key: ${{ order.id }}
tables:
  stock: { key: [sku], columns: { sku: text, pieces: integer, note: text? } }
steps:
  add: { uses: table.upsert, when: "${{ order.sku == 'new' }}", with: { table: stock, row: { sku: "${{ order.sku }}", pieces: 5, note: kept } } }
  take:
    uses: table.update
    needs: [{ step: add, allow: [skipped] }]
    with:
      table: stock
      key: { sku: "${{ order.sku }}" }
      set: { pieces: "${{ row.pieces - order.pieces }}" }
      only_if: ${{ row.pieces >= order.pieces }}
"#;

/// A row of the same run and stretch is changed as well, and the causes of failures are found.
#[test]
fn a_missing_row_or_a_false_condition_parks_the_run() {
    let scratch = Scratch::new();
    let pipeline = scratch.write("parks.yaml", PARKS);
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let run = |text: &str, code: i32| {
        let input = scratch.write("order.json", text);
        site.call(&["run"], &["--input", &input.to_string_lossy()]).exits(code)
    };
    run(r#"{"id":"A","sku":"new","pieces":2}"#, 0);
    assert_eq!(site.export("stock"), [json!({ "sku": "new", "pieces": 3, "note": "kept" })]);
    run(r#"{"id":"B","sku":"none","pieces":2}"#, 1);
    run(r#"{"id":"C","sku":"none","pieces":9}"#, 1);
    let stock = scratch.write("stock.ndjson", r#"{"sku":"none","pieces":2,"note":null}"#);
    site.call(&["db", "import"], &["stock", &stock.to_string_lossy()]).exits(0);
    site.call(&["runs", "retry"], &["--cause", "no_row"]).exits(1);
    let listed = site.call(&["runs", "list"], &["--state", "parked", "--format", "json"]).exits(0);
    assert!(
        listed.stdout.contains("condition") && listed.stdout.contains("\"C\""),
        "{}",
        listed.stdout
    );
    let left = site.export("stock");
    assert!(left.contains(&json!({ "sku": "none", "pieces": 0, "note": null })), "{left:?}");
}
