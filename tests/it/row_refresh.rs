//! Rows that an upsert depends on are read again before the upsert is retried, automatically or by
//! a user.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use oms_engine::document::MemoryFiles;
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::{Decision, Event, Run, decode, encode, resume};
use oms_engine::step::Registry;
use oms_engine::value::write_json;

const PIPELINE: &str = r#"
oms: 1
name: example
order:
  schema: { type: object, required: [id], properties: { id: { type: string } } }
  key: ${{ order.id }}
tables:
  stock: { key: [sku], columns: { sku: text, pieces: integer } }
steps:
  have: { uses: table.get, with: { table: stock, key: { sku: mug } } }
  left: { uses: value.compute, with: { values: { pieces: "${{ steps.have.pieces - 1 }}" } } }
  note: { uses: object.put, needs: [left], with: { bucket: notes, key: "${{ run.key }}", body: { was: "${{ steps.have.pieces }}" } } }
  take:
    uses: table.upsert
    needs: [note]
    with: { table: stock, row: { sku: mug, pieces: "${{ steps.left.pieces }}" } }
"#;

const READ_EVENTS: &str = r#"{"is":"ok","step":"have","at":0,"out":{"sku":"mug","pieces":3}},{"is":"ok","step":"left","at":0,"out":{"pieces":2}}"#;
const NOTE_EVENT: &str =
    r#"{"is":"ok","step":"note","at":0,"out":{"bucket":"notes","key":"A1","digest":"d"}}"#;
const FAILED: &str = r#""failure":{"class":"transient","cause":"unavailable","message":"gone"}"#;

fn plan(pipeline: &str) -> Arc<Plan> {
    let files = MemoryFiles::new([("a.yaml".to_owned(), Arc::from(pipeline.as_bytes()))]);
    let checker = Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap();
    Arc::new(checker.check("a.yaml", &files).plan.unwrap())
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn restored(plan: &Arc<Plan>, events: &[Event]) -> Run {
    resume(plan, "A1", Timestamp::UNIX_EPOCH, Arc::from(br#"{"id":"A1"}"#.as_slice()), events)
        .unwrap()
}

/// Returns the decisions of the scheduler, with the ids of the steps.
fn decisions(run: &mut Run, now: Timestamp) -> Vec<String> {
    let plan = Arc::clone(run.scheduler.plan());
    let id = |step: &usize| plan.steps()[*step].id.to_string();
    let describe = |decision: &Decision| match decision {
        Decision::Start { step, attempt, input, .. } => {
            format!("start {} {attempt} {}", id(step), write_json(input))
        }
        Decision::ReadAgain { steps } => {
            format!("read again {}", steps.iter().map(id).collect::<Vec<_>>().join(" "))
        }
        Decision::WaitUntil(until) => format!("wait until {}", until.as_second()),
        other => format!("{other:?}"),
    };
    run.scheduler.next(now).iter().map(describe).collect()
}

#[test]
fn rows_read_before_a_wait_are_read_again_for_the_next_attempt() {
    let plan = plan(PIPELINE);
    let waits = format!(
        r#"[{READ_EVENTS},{NOTE_EVENT},{{"is":"failed","step":"take","at":0,{FAILED},"retry_at":5000000}}]"#
    );
    let mut events = decode(&waits, &plan).unwrap();
    let mut run = restored(&plan, &events);
    assert_eq!(decisions(&mut run, second(4)), ["wait until 5"]);
    assert_eq!(decisions(&mut run, second(5)), ["read again have left"]);
    let more = r#"[{"is":"read_again","at":5000000,"done":["have","left"]},{"is":"ok","step":"have","at":5000000,"out":{"sku":"mug","pieces":9}}]"#;
    let more = decode(more, &plan).unwrap();
    run.scheduler.apply(&more[0]).unwrap();
    assert_eq!(
        decisions(&mut run, second(5)),
        [r#"start have 1 {"sku":"mug"}"#],
        "the next attempt does not wait for the row"
    );
    run.scheduler.apply(&more[1]).unwrap();
    assert_eq!(decisions(&mut run, second(5)), [r#"start left 1 {"pieces":8}"#]);
    events.extend(more);
    events.extend(
        decode(r#"[{"is":"ok","step":"left","at":5000000,"out":{"pieces":8}}]"#, &plan).unwrap(),
    );
    run.scheduler.apply(events.last().unwrap()).unwrap();
    let take = [r#"start take 2 {"pieces":8,"sku":"mug"}"#];
    assert_eq!(decisions(&mut run, second(5)), take, "the attempt number does not increase");
    // After a resume from the journal, the row is older than the attempt and is read again.
    let journal = encode(&events);
    let mut run = restored(&plan, &decode(&journal, &plan).unwrap());
    assert_eq!(decisions(&mut run, second(5)), ["read again have left"]);
}

#[test]
fn rows_read_before_a_manual_retry_are_read_again_and_older_journals_stay_valid() {
    let plan = plan(PIPELINE);
    let parked = format!(
        r#"[{READ_EVENTS},{NOTE_EVENT},{{"is":"failed","step":"take","at":0,{FAILED}}},{{"is":"retried","at":1000000}}]"#
    );
    let mut run = restored(&plan, &decode(&parked, &plan).unwrap());
    assert_eq!(decisions(&mut run, second(1)), ["read again have left"]);
    // A journal of an earlier version, which continued without reading again.
    let continued = parked.replace(
        "]",
        r#",{"is":"failed","step":"take","at":2000000,"failure":{"class":"permanent","cause":"refused","message":"no"}}]"#,
    );
    let mut run = restored(&plan, &decode(&continued, &plan).unwrap());
    assert_eq!(decisions(&mut run, second(3)), ["Finish(Parked)"]);
}

#[test]
fn rows_that_no_upsert_depends_on_are_not_read_again() {
    let plan = plan(
        &PIPELINE
            .replace("\"${{ steps.left.pieces }}\"", "1")
            .replace("needs: [note]", "needs: []"),
    );
    let waits = format!(
        r#"[{READ_EVENTS},{NOTE_EVENT},{{"is":"failed","step":"take","at":0,{FAILED},"retry_at":5000000}}]"#
    );
    let mut run = restored(&plan, &decode(&waits, &plan).unwrap());
    assert_eq!(decisions(&mut run, second(5)), [r#"start take 2 {"pieces":1,"sku":"mug"}"#]);
}
