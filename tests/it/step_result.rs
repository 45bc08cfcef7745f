//! The result of a step, and whether it is personal data. A test of the results of a new kind can
//! begin as a copy of this file.

use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::plan::{Checker, Semantics};
use oms_engine::run::{Rehearsal, StepState};
use oms_engine::step::Registry;
use oms_engine::value::Shape;

const PIPELINE: &str = r#"
oms: 1
name: results
order:
  schema:
    type: object
    required: [id, name]
    properties:
      id: { type: string, maxLength: 20 }
      name: { type: string, maxLength: 20, x-pii: true }
  key: ${{ order.id }}
steps:
  subject:
    uses: value.compute
    with: { values: { shout: "${{ upper(order.name) }}" } }
"#;

#[test]
fn a_computed_value_is_the_result_and_stays_personal() {
    let checker = Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap();
    let file = ("results.yaml".to_owned(), Arc::from(PIPELINE.as_bytes()));
    let files = MemoryFiles::new([file]);
    let checked = checker.check_bundle("results.yaml", &files, Semantics::CURRENT);
    let plan = Arc::new(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.report)));
    let subject = plan.step("subject").unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let rehearsal = Rehearsal::new(&plan, &files, now).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let order = br#"{ "id": "A1", "name": "jane" }"#;
    let run = runtime.block_on(rehearsal.run(order, "A1")).ok().unwrap();
    let StepState::Succeeded(output) = &run.scheduler.steps()[subject] else {
        panic!("{:?}", run.scheduler.steps()[subject]);
    };
    assert_eq!(output.display(), r#"{"shout":"JANE"}"#);
    let Shape::Record(record) = &plan.steps()[subject].output.shape else { panic!("no record") };
    let shout = record.field("shout").unwrap();
    assert!(shout.ty.pii, "the result is personal, because the name is");
}
