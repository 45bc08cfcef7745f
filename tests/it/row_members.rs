//! The setting `from` of `table.insert` and `table.upsert`.

use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::effects::Clock as _;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::plan::Checker;
use oms_engine::run::{self, RunState};
use oms_engine::step::Registry;
use oms_engine::value::write_json;

const PIPELINE: &str = r#"
oms: 1
name: members
order:
  schema:
    type: object
    required: [id, amount, currency, placed_at, customer, lines]
    properties:
      id: { type: string, maxLength: 20 }
      amount: { type: string, format: decimal, maximum: 99999.99 }
      currency: { type: string, format: currency }
      placed_at: { type: string, format: date-time }
      note: { type: string, maxLength: 20 }
      customer: { type: object, required: [name], properties: { name: { type: string, maxLength: 20, x-pii: true } } }
      lines: { type: array, maxItems: 9, items: { type: object, required: [sku, pieces], properties: { sku: { type: string, maxLength: 9 }, pieces: { type: integer, minimum: 0, maximum: 99 } } } }
  key: ${{ order.id }}
tables:
  bills: { key: [id], columns: { id: text, amount: "decimal(19,4)", currency: currency, placed_at: timestamp, note: text?, extra: integer? } }
  names: { key: [id], columns: { id: text, name: text, extra: text? } }
  lines: { key: [id, sku, pieces], columns: { id: text, sku: text, pieces: integer } }
steps:
  bill: { uses: table.insert, with: { table: bills, row: { note: fixed }, from: "${{ order }}" } }
  name: { uses: table.upsert, with: { table: names, row: { id: "${{ run.key }}", extra: null }, from: "${{ order.customer }}" } }
  lines:
    uses: table.upsert
    for_each: { items: "${{ order.lines }}", as: line, index: i }
    with: { table: lines, row: { id: "${{ run.key }}/${{ i }}" }, from: "${{ line }}" }
"#;

#[test]
fn columns_take_the_values_of_the_members_with_their_names() {
    let checker = Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap();
    let files = MemoryFiles::new([("p.yaml".to_owned(), Arc::from(PIPELINE.as_bytes()))]);
    let checked = checker.check("p.yaml", &files);
    assert!(checked.report.diagnostics().is_empty(), "{:?}", checked.report.diagnostics());
    let (plan, world) = (Arc::new(checked.plan.unwrap()), MemoryWorld::new());
    let order = br#"{"id":"A1","amount":"12.50","currency":"EUR","placed_at":"2026-01-01T00:00:00Z","note":"n","customer":{"name":"Ann"},"lines":[{"sku":"mug","pieces":2},{"sku":"cup","pieces":1}]}"#;
    let mut run = run::accept(&plan, order, "A1", world.now()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(run::advance(&mut run, &world)).state, RunState::Completed);
    let rows: Vec<String> =
        world.contents().rows.values().map(|(row, _)| write_json(row)).collect();
    let expected = [
        r#"{"amount":"12.5000","currency":"EUR","extra":null,"id":"A1","note":"fixed","placed_at":"2026-01-01T00:00:00.000Z"}"#,
        r#"{"id":"A1/0","pieces":2,"sku":"mug"}"#,
        r#"{"id":"A1/1","pieces":1,"sku":"cup"}"#,
        r#"{"extra":null,"id":"A1","name":"Ann"}"#,
    ];
    assert_eq!(rows, expected);
}
