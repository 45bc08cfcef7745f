//! Mail that leaves the process, and crashes at any moment: between the claim and the e-mail, and
//! between the e-mail and its event.

use std::cell::Cell;
use std::sync::Arc;

use oms_engine::effects::{Clock as _, cause};
use oms_engine::plan::Plan;
use oms_engine::run::{self, ElementState, Event, Run, RunState, StepState};
use oms_engine::step::OnUnknown;
use proptest::prelude::any;

use super::faults::FaultyWorld;
use super::pipeline::generate;
use super::rng::Rng;
use super::{FAULT_INTERVAL, WAITS_MAX, check, checker, runner, world};

/// Maximum number of crashes in a run.
const CRASHES_MAX: u32 = 4;

/// Runs an order with occasional crashes. After a crash, effects outside the process remain, and
/// the run resumes from the committed events.
fn run_with_crashes(
    plan: &Arc<Plan>,
    body: &str,
    effects: &FaultyWorld<'_>,
    set_time: impl Fn(jiff::Timestamp),
    rng: &mut Rng,
) -> (Run, u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes: Arc<[u8]> = Arc::from(body.as_bytes());
    let mut run = run::accept(plan, &bytes, "K", effects.now()).ok().unwrap();
    let accepted_at = run.info.accepted_at;
    let mut durable: Vec<Event> = Vec::new();
    let mut crashes = 0;
    for _ in 0..WAITS_MAX {
        let progress = runtime.block_on(run::advance(&mut run, effects));
        let mut crashed = |rng: &mut Rng| {
            let now = crashes < CRASHES_MAX && rng.one_in(4);
            crashes += u32::from(now);
            now
        };
        let lost = crashed(rng);
        if !lost {
            // Encode and decode the events, as the database does.
            let text = run::encode(&progress.events);
            durable.extend(run::decode(&text, plan).unwrap());
        }
        if lost || crashed(rng) {
            run = run::resume(plan, "K", accepted_at, Arc::clone(&bytes), &durable).unwrap();
            continue;
        }
        match (progress.state, progress.until) {
            (RunState::InProgress, _) => {}
            (_, Some(until)) => set_time(until),
            (_, None) => return (run, crashes),
        }
    }
    panic!("the run does not end: {}", run::encode(&durable));
}

/// Counts the e-mails that a run reports as sent.
fn succeeded(run: &Run, plan: &Plan) -> usize {
    let mails = run.scheduler.steps().iter().zip(plan.steps());
    mails
        .filter(|(_, planned)| planned.kind == "email.send")
        .map(|(state, planned)| match state {
            StepState::Succeeded(output) if planned.for_each.is_some() => {
                output.as_list().map_or(0, |outputs| outputs.len())
            }
            StepState::Succeeded(_) => 1,
            StepState::Failed { elements, .. } => {
                elements.iter().filter(|state| matches!(state, ElementState::Succeeded(_))).count()
            }
            _ => 0,
        })
        .sum()
}

/// Runs generated pipelines. Returns the number of e-mails that were sent, held, and sent more than
/// once.
fn mails(on_unknown: OnUnknown) -> (u32, u32, u32) {
    let checker = checker();
    let (all, held, twice) = (Cell::new(0), Cell::new(0), Cell::new(0));
    runner()
        .run(&any::<u64>(), |seed| {
            let mut rng = Rng(seed);
            let generated = generate(&mut rng);
            let text = match on_unknown {
                OnUnknown::Hold => generated.text.clone(),
                OnUnknown::Resend => generated.text.replace(
                    "    uses: email.send\n    with:\n",
                    "    uses: email.send\n    with:\n      on_unknown: resend\n",
                ),
            };
            let Some(plan) = check(&checker, &text, &generated).plan else { return Ok(()) };
            let plan = Arc::new(plan);
            let body = generated.order("K", &mut rng).to_string();
            let memory = world();
            let effects = FaultyWorld::mailing(&memory, seed, FAULT_INTERVAL);
            let set_time = |until| memory.set_time(until);
            let (run, crashes) = run_with_crashes(&plan, &body, &effects, set_time, &mut rng);
            let case = format!("seed {seed}, {crashes} crashes\n{text}\n{body}");
            let unknown = run.scheduler.unknown_outcomes().count();
            for (step, failure) in run.scheduler.failures() {
                assert_ne!(failure.cause, cause::PLAN, "{step}: {case}");
            }
            let sent = effects.sent();
            let (total, more) = (sent.len(), sent.values().filter(|times| **times > 1).count());
            if on_unknown == OnUnknown::Hold {
                assert_eq!(more, 0, "sent twice: {sent:?} {case}");
            }
            assert!(succeeded(&run, &plan) <= total, "reported as sent but not sent: {case}");
            assert!(
                total <= succeeded(&run, &plan) + unknown || on_unknown == OnUnknown::Resend,
                "sent but not reported: {case}"
            );
            all.set(all.get() + u32::try_from(total).unwrap());
            held.set(held.get() + u32::try_from(unknown).unwrap());
            twice.set(twice.get() + u32::try_from(more).unwrap());
            Ok(())
        })
        .unwrap();
    (all.get(), held.get(), twice.get())
}

#[test]
fn a_mail_is_never_sent_twice_after_a_crash_if_unknown_outcomes_are_held() {
    let (sent, held, _) = mails(OnUnknown::Hold);
    assert!(sent > 0 && held > 0, "{sent} sent and {held} held: the test did not cover both cases");
}

#[test]
fn with_resend_fewer_mails_are_held_and_some_are_sent_more_than_once() {
    let (sent, held, twice) = mails(OnUnknown::Resend);
    let (_, held_otherwise, _) = mails(OnUnknown::Hold);
    assert!(twice > 0 && held < held_otherwise, "{sent} sent, {twice} more than once, {held} held");
}
