//! Runs that write the same key twice: a run resumed from its journal decides as an uninterrupted
//! run does.

use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::document::MemoryFiles;
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::{Decision, Event, resume};
use oms_engine::step::Registry;
use oms_engine::value::{NoOutput, Typed as _};

const PIPELINE: &str = r#"
oms: 1
name: example
order:
  schema:
    type: object
    required: [id, lines]
    properties:
      id: { type: string }
      lines: { type: array, maxItems: 10, items: { type: object, required: [sku], properties: { sku: { type: string } } } }
  key: ${{ order.id }}
tables:
  lines: { key: [id, sku], columns: { id: text, sku: text } }
steps:
  each:
    uses: table.insert
    for_each: { items: "${{ order.lines }}", as: line, max_concurrency: 1 }
    with: { table: lines, row: { id: "${{ order.id }}", sku: "${{ line.sku }}" } }
  one:
    uses: table.insert
    needs: [each]
    with: { table: lines, row: { id: "${{ order.id }}", sku: c } }
  replaces:
    uses: table.upsert
    needs: [each]
    with: { table: lines, row: { id: "${{ order.id }}", sku: c } }
"#;

fn plan() -> Arc<Plan> {
    let files = MemoryFiles::new([("a.yaml".to_owned(), Arc::from(PIPELINE.as_bytes()))]);
    let checker = Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap();
    Arc::new(checker.check("a.yaml", &files).plan.unwrap())
}

fn succeeded(element: u32) -> Event {
    let (attempt, micros, at) = (1, 0, Timestamp::UNIX_EPOCH);
    let output = NoOutput.into_value();
    Event::Succeeded { step: "each".into(), element: Some(element), attempt, at, micros, output }
}

/// Returns the decisions about an order whose first lines have already been written.
fn decisions(lines: &[&str], written: u32) -> Vec<String> {
    let lines: Vec<_> = lines.iter().map(|sku| serde_json::json!({ "sku": sku })).collect();
    let body = serde_json::json!({ "id": "A1", "lines": lines }).to_string();
    let events: Vec<Event> = (0..written).map(succeeded).collect();
    let body = Arc::from(body.into_bytes());
    let mut run = resume(&plan(), "A1", Timestamp::UNIX_EPOCH, body, &events).unwrap();
    let decisions = run.scheduler.next(Timestamp::UNIX_EPOCH);
    let describe = |decision: &Decision| match decision {
        Decision::Start { step, element, .. } => format!("start {step} {element:?}"),
        Decision::Fail { failure, .. } => format!("{}: {}", failure.cause, failure.message),
        other => format!("{other:?}"),
    };
    decisions.iter().map(describe).collect()
}

#[test]
fn an_element_written_before_a_restart_is_not_overwritten() {
    assert_eq!(decisions(&["a", "b"], 1), ["start 0 Some(1)"]);
    assert_eq!(
        decisions(&["a", "a"], 1),
        [
            "conflict: elements 0 and 1 write the same row of `lines`; give each element its own key, for example with `index: i` under `for_each`"
        ]
    );
}

#[test]
fn an_upsert_may_replace_the_row_of_another_step_and_an_insert_may_not() {
    assert_eq!(
        decisions(&["c"], 1),
        ["conflict: the step `each` of this run wrote the same row of `lines`", "start 2 None"]
    );
    // Without a conflict, the insert starts, and it starts before the upsert.
    assert_eq!(decisions(&["a"], 1), ["start 1 None", "start 2 None"]);
}
