//! Property tests of validation with generated pipelines. A valid pipeline never fails at run time
//! because of its plan or a template. A fault in a line is reported in that line.
//!
//! `OMS_CASES` sets the number of cases. A failed case prints its seed, the pipeline and the order.

mod damage;
mod differences;
mod expressions;
mod external_effects;
pub(crate) mod faults;
mod pipeline;
pub(crate) mod rng;
mod signatures;
mod step_ends;
mod types;

use std::cell::Cell;
use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::diagnostic::{Report, Severity};
use oms_engine::document::MemoryFiles;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::effects::{Clock as _, Effects, cause};
use oms_engine::plan::{Checked, Checker, Plan};
use oms_engine::run::{self, Event, Run, RunState, StepState};
use oms_engine::step::Registry;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRng, TestRunner};

use damage::{Damaged, damage};
use faults::FaultyWorld;
use pipeline::{Generated, generate};
use rng::Rng;

/// Default number of cases, which takes a few seconds.
const CASES: u32 = 100;
/// Number of orders that run through each pipeline.
const ORDERS: usize = 4;
/// Maximum number of waits before a run must end.
const WAITS_MAX: usize = 100;

/// Returns a runner with a fixed seed, or with `OMS_CASES` random cases.
#[expect(
    clippy::disallowed_methods,
    reason = "the number of cases is not a setting of the program"
)]
fn runner() -> TestRunner {
    let asked = std::env::var("OMS_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: asked.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    if asked.is_some() {
        return TestRunner::new(config);
    }
    let usual = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, usual)
}

fn checker() -> Checker {
    Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap()
}

fn check(checker: &Checker, text: &str, generated: &Generated) -> Checked {
    let pipeline = ("generated.yaml".to_owned(), Arc::from(text.as_bytes()));
    let templates =
        generated.templates.iter().map(|(path, text)| (path.clone(), Arc::from(text.as_bytes())));
    checker.check("generated.yaml", &MemoryFiles::new(templates.chain([pipeline])))
}

fn errors(report: &Report) -> String {
    let errors = report.diagnostics().iter().filter(|found| found.severity == Severity::Error);
    errors
        .map(|found| format!("{} {} {:?}\n", found.code, found.message, found.primary()))
        .collect()
}

/// Advances a run until it ends. The effects act on `world`.
fn drive(run: &mut Run, effects: &dyn Effects, world: &MemoryWorld) -> (Vec<Event>, RunState) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut events = Vec::new();
    for _ in 0..WAITS_MAX {
        let progress = runtime.block_on(run::advance(run, effects));
        events.extend(progress.events);
        match progress.until {
            Some(until) => world.set_time(until),
            None => return (events, progress.state),
        }
    }
    panic!("the run does not end");
}

/// Returns whether a step of this kind can fail with this cause.
fn can_fail(kind: &str, found: &str) -> bool {
    match found {
        cause::NO_RATE => kind == "money.convert",
        cause::NO_ROW => kind == "table.get",
        cause::NO_OBJECT => kind == "object.get",
        cause::CONFLICT => matches!(kind, "table.insert" | "object.put"),
        // A number, a text or an e-mail can be too large in any step.
        cause::OUT_OF_RANGE => true,
        _ => false,
    }
}

fn outcome(state: &StepState) -> String {
    match state {
        StepState::Succeeded(value) => format!("gave {}", oms_engine::value::write_json(value)),
        StepState::Skipped(reason) => format!("skipped {reason:?}"),
        StepState::Failed { failure, .. } => format!("failed {failure:?}"),
        other => format!("not ended: {other:?}"),
    }
}

fn run_order(plan: &Arc<Plan>, world: &MemoryWorld, body: &str, key: &str) {
    let mut run = run::accept(plan, body.as_bytes(), key, world.now())
        .unwrap_or_else(|rejection| panic!("a valid order is rejected: {rejection:?}"));
    let accepted_at = run.info.accepted_at;
    let (events, state) = drive(&mut run, world, world);
    assert!(matches!(state, RunState::Completed | RunState::Parked), "{state:?}");
    for (step, failure) in run.scheduler.failures() {
        let kind = plan.step(step).and_then(|at| plan.steps().get(at)).unwrap().kind;
        assert!(can_fail(kind, &failure.cause), "{step} ({kind}): {failure:?}");
        assert!(!failure.message.contains("does not have the type"), "{step}: {failure:?}");
    }
    let journal = run::encode(&events);
    let read = run::decode(&journal, plan)
        .unwrap_or_else(|error| panic!("cannot read the journal: {error}: {journal}"));
    let body: Arc<[u8]> = Arc::from(body.as_bytes());
    let again = run::resume(plan, key, accepted_at, body, &read)
        .unwrap_or_else(|error| panic!("invalid journal: {error}: {journal}"));
    let outcomes = |run: &Run| run.scheduler.steps().iter().map(outcome).collect::<Vec<_>>();
    assert_eq!(outcomes(&again), outcomes(&run));
    for state in run.scheduler.steps() {
        assert!(state.is_ended(), "{state:?}");
    }
}

#[test]
fn a_valid_pipeline_never_fails_because_of_a_name_a_type_or_a_missing_value() {
    let checker = checker();
    let (made, valid) = (Cell::new(0_u32), Cell::new(0_u32));
    runner()
        .run(&any::<u64>(), |seed| {
            let mut rng = Rng(seed);
            let generated = generate(&mut rng);
            made.set(made.get() + 1);
            let checked = check(&checker, &generated.text, &generated);
            let Some(plan) = checked.plan else { return Ok(()) };
            valid.set(valid.get() + 1);
            let plan = Arc::new(plan);
            let world = world();
            for position in 0..ORDERS {
                let key = format!("K-{position}");
                let body = generated.order(&key, &mut rng).to_string();
                let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    run_order(&plan, &world, &body, &key);
                }));
                assert!(
                    ran.is_ok(),
                    "seed {seed}\n{}\n{:?}\n{body}",
                    generated.text,
                    generated.templates
                );
            }
            Ok(())
        })
        .unwrap();
    let (made, valid) = (made.get(), valid.get());
    assert!(valid * 2 >= made, "only {valid} of {made} generated pipelines are valid");
}

/// One in this many calls through a port fails.
const FAULT_INTERVAL: usize = 3;

fn world() -> MemoryWorld {
    let world = MemoryWorld::new();
    world.set_time("2025-06-01T00:00:00Z".parse::<Timestamp>().unwrap());
    world
}

/// Runs an order in a new world, with faults if there is a seed.
fn simulate(plan: &Arc<Plan>, body: &str, faults: Option<u64>) -> (MemoryWorld, Run, String) {
    let world = world();
    let mut run = run::accept(plan, body.as_bytes(), "K", world.now()).ok().unwrap();
    let (events, _) = match faults {
        None => drive(&mut run, &world, &world),
        Some(seed) => drive(&mut run, &FaultyWorld::new(&world, seed, FAULT_INTERVAL), &world),
    };
    (world, run, run::encode(&events))
}

#[test]
fn faults_of_services_never_repeat_or_change_an_effect() {
    let checker = checker();
    let (ran, recovered) = (Cell::new(0_u32), Cell::new(0_u32));
    runner()
        .run(&any::<u64>(), |seed| {
            let mut rng = Rng(seed);
            let generated = generate(&mut rng);
            let Some(plan) = check(&checker, &generated.text, &generated).plan else {
                return Ok(());
            };
            let plan = Arc::new(plan);
            let body = generated.order("K", &mut rng).to_string();
            let (calm, calm_run, _) = simulate(&plan, &body, None);
            let (faulty, faulty_run, journal) = simulate(&plan, &body, Some(seed));
            let case = format!("seed {seed}\n{}\n{body}\n{journal}", generated.text);
            assert_eq!(
                simulate(&plan, &body, Some(seed)).2,
                journal,
                "the journal differs with the same seed: {case}"
            );
            ran.set(ran.get() + 1);
            let outcomes =
                |run: &Run| run.scheduler.steps().iter().map(outcome).collect::<Vec<_>>();
            // If every attempt of a step fails, the rest of the run may differ.
            if outcomes(&calm_run) != outcomes(&faulty_run) {
                return Ok(());
            }
            recovered.set(recovered.get() + 1);
            let (calm, faulty) = (calm.contents(), faulty.contents());
            assert_eq!(calm.objects, faulty.objects, "{case}");
            assert_eq!(calm.rows, faulty.rows, "{case}");
            assert!(calm.mails == faulty.mails, "the mails differ: {case}");
            Ok(())
        })
        .unwrap();
    let (ran, recovered) = (ran.get(), recovered.get());
    assert!(recovered * 2 >= ran && ran > 0, "only {recovered} of {ran} runs recovered");
}

#[test]
fn a_damaged_line_is_reported_in_that_line() {
    let checker = checker();
    let (valid, damaged) = (Cell::new(0_u32), Cell::new(0_u32));
    runner()
        .run(&any::<u64>(), |seed| {
            let mut rng = Rng(seed);
            let generated = generate(&mut rng);
            if check(&checker, &generated.text, &generated).plan.is_none() {
                return Ok(());
            }
            let lines: Vec<String> = generated.text.lines().map(str::to_owned).collect();
            valid.set(valid.get() + 1);
            let Some(Damaged { lines, at }) = damage(&lines, &mut rng) else { return Ok(()) };
            damaged.set(damaged.get() + 1);
            let text = format!("{}\n", lines.join("\n"));
            let report = check(&checker, &text, &generated).report;
            let there = report.diagnostics().iter().any(|found| {
                found.severity == Severity::Error
                    && found.primary().is_some_and(|label| {
                        text.bytes().take(label.span.start).filter(|byte| *byte == b'\n').count()
                            == at
                    })
            });
            assert!(
                there,
                "seed {seed}, line {}: {}\n{}\n{text}",
                at + 1,
                lines[at],
                errors(&report)
            );
            Ok(())
        })
        .unwrap();
    let (valid, damaged) = (valid.get(), damaged.get());
    assert!(valid > 0 && damaged * 2 >= valid, "only {damaged} of {valid} pipelines were damaged");
}
