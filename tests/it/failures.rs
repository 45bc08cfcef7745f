//! Failures of steps: the causes after which a step is retried, and catch steps of several steps.

use std::sync::Arc;

use oms_engine::diagnostic::codes;
use oms_engine::document::MemoryFiles;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::effects::{Clock as _, StepError};
use oms_engine::plan::{Checked, Checker, Plan, read_rows};
use oms_engine::record;
use oms_engine::run::{self, Event, Run, RunState, StepState};
use oms_engine::step::{
    Effect, Expr, Faults, OnUnknown, PlanContext, Planned, Port, Registry, Safety, Step,
    StepContext, StepKind, Verb,
};
use oms_engine::value::{NoOutput, Type, Typed, write_json};
use schemars::JsonSchema;
use serde::Deserialize;

/// A step kind that always fails.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The cause of the transient failure.
    cause: Expr<Arc<str>>,
    /// What to do after an unknown outcome.
    #[serde(default)]
    on_unknown: OnUnknown,
}

record! {
    /// The evaluated settings.
    struct Input {
        cause: Arc<str>,
    }
}

struct Failing;

impl Step for Failing {
    const NAME: &'static str = "test.fail";
    const TRANSIENT_CAUSES: &'static [&'static str] = &["throttled", "timeout"];
    type Config = Config;
    type Input = Input;
    type Output = NoOutput;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        cx.expr("cause", &config.cause);
        let safety = Safety::Claimed(config.on_unknown);
        let (port, verb, resource) = (Port::Custom, Verb::Call, Arc::from("nothing"));
        Ok(Planned {
            input: cx.finish()?,
            output: NoOutput::ty().unwrap_or_else(Type::text),
            effects: vec![Effect { port, verb, resource, safety }],
            step: Self,
        })
    }

    async fn run(&self, _: &StepContext<'_>, input: Input) -> Result<NoOutput, StepError> {
        Err(match &*input.cause {
            "unknown_outcome" => StepError::unknown("no answer"),
            cause => StepError::transient(cause, "failed"),
        })
    }
}

fn check(steps: &str) -> Checked {
    let pipeline = format!(
        "oms: 1\nname: example\norder: {{ schema: {{ type: object, required: [id], properties: {{ id: {{ type: string }} }} }}, key: \"${{{{ order.id }}}}\" }}\n\
         tables: {{ fixed: {{ key: [k], columns: {{ k: text }} }}, caught: {{ key: [k], columns: {{ k: text, step: text(9), cause: text }} }} }}\nsteps:\n{steps}"
    );
    let files = MemoryFiles::new([("p.yaml".to_owned(), Arc::from(pipeline.as_bytes()))]);
    let kinds = oms_steps::ALL.iter().copied().chain([StepKind::of::<Failing>()]);
    Checker::new(Registry::new(kinds).unwrap()).unwrap().check("p.yaml", &files)
}

fn plan(steps: &str) -> Arc<Plan> {
    let checked = check(steps);
    let report = checked.report.diagnostics();
    Arc::new(checked.plan.unwrap_or_else(|| panic!("{report:?}")))
}

/// Runs until the run ends. Returns its events.
fn finish(run: &mut Run, world: &MemoryWorld) -> (Vec<Event>, RunState) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut events = Vec::new();
    loop {
        let progress = runtime.block_on(run::advance(run, world));
        events.extend(progress.events);
        match progress.until {
            Some(until) => world.set_time(until),
            None => return (events, progress.state),
        }
    }
}

fn accepted(plan: &Arc<Plan>, world: &MemoryWorld) -> Run {
    run::accept(plan, br#"{"id":"K"}"#, "K", world.now()).unwrap()
}

/// Returns the number of attempts of the step `a`.
fn attempts(steps: &str) -> usize {
    let (plan, world) = (plan(steps), MemoryWorld::new());
    let (events, state) = finish(&mut accepted(&plan, &world), &world);
    assert_eq!(state, RunState::Parked);
    events.iter().filter(|event| matches!(event, Event::Failed { .. })).count()
}

#[test]
fn a_step_is_retried_only_after_the_listed_causes() {
    let step = |cause: &str, more: &str| {
        format!(
            "  a: {{ uses: test.fail, with: {{ cause: {cause}{more} }}, retry: {{ attempts: 4, initial_ms: 0, on: [throttled, unavailable] }} }}\n"
        )
    };
    assert_eq!(attempts(&step("throttled", "")), 4);
    assert_eq!(attempts(&step("unavailable", "")), 4);
    assert_eq!(attempts(&step("timeout", "")), 1);
    assert_eq!(attempts(&step("unknown_outcome", ", on_unknown: resend")), 1);
    let all = step("timeout", "").replace(", on: [throttled, unavailable]", "");
    assert_eq!(attempts(&all), 4);
    let unknown = step("unknown_outcome", ", on_unknown: resend")
        .replace("[throttled, unavailable]", "[unknown_outcome]");
    assert_eq!(attempts(&unknown), 4);
}

#[test]
fn an_unknown_outcome_is_retried_only_if_the_effect_may_be_repeated() {
    let unsafe_retry = check(
        "  a: { uses: test.fail, with: { cause: timeout }, retry: { on: [throttled, unknown_outcome] } }\n",
    );
    let report = unsafe_retry.report.diagnostics();
    assert_eq!(report.iter().map(|found| found.code).collect::<Vec<_>>(), [codes::UNSAFE_RETRY]);
    assert!(unsafe_retry.plan.is_none());
}

/// The crash left a claimed attempt behind. It is repeated only if `on` allows it.
#[test]
fn a_claimed_attempt_is_repeated_after_a_crash_only_if_its_cause_is_listed() {
    let claimed = r#"[{"is":"claimed","step":"a","at":0}]"#;
    for (causes, fails) in [("throttled", true), ("throttled, unknown_outcome", false)] {
        let plan = plan(&format!(
            "  a: {{ uses: test.fail, with: {{ cause: timeout, on_unknown: resend }}, retry: {{ on: [{causes}] }} }}\n"
        ));
        let events = run::decode(claimed, &plan).unwrap();
        let at = MemoryWorld::new().now();
        let mut run =
            run::resume(&plan, "K", at, Arc::from(br#"{"id":"K"}"#.as_slice()), &events).unwrap();
        let decided = format!("{:?}", run.scheduler.next(at));
        assert_eq!(decided.contains("Fail {"), fails, "{causes}: {decided}");
    }
}

/// The first step in the file fails last.
const SHARED: &str = "  a: { uses: table.get, needs: [before], with: { table: fixed, key: { k: a } }, on_failure: { run: sorry } }
  b: { uses: table.get, with: { table: fixed, key: { k: b } }, on_failure: { run: sorry } }
  c: { uses: table.get, needs: [b], with: { table: fixed, key: { k: c } }, on_failure: { run: sorry } }
  before: { uses: value.compute, with: { values: { a: x } } }
  sorry:
    uses: table.insert
    with:
      table: caught
      row: { k: \"${{ run.key }}\", step: \"${{ error.step }}\", cause: \"${{ error.cause }}\" }
";

/// Returns the end of a run of [`SHARED`] in which the rows of these steps exist: its state, the row
/// of the catch step, and the number of caught failures.
fn shared(rows: &[&str]) -> (RunState, Option<String>, usize) {
    let (plan, world) = (plan(SHARED), MemoryWorld::new());
    for row in rows {
        let row =
            read_rows(&plan.tables()[0], &format!("{{\"k\":\"{row}\"}}\n")).unwrap().remove(0);
        world.add_row(&plan.tables()[0], row);
    }
    let mut run = accepted(&plan, &world);
    let (events, state) = finish(&mut run, &world);
    let journal = run::encode(&events);
    let again = run::decode(&journal, &plan).unwrap();
    let body = Arc::from(br#"{"id":"K"}"#.as_slice());
    let replayed = run::resume(&plan, "K", world.now(), body, &again).unwrap();
    let ends = |run: &Run| {
        let name = |state: &StepState| format!("{state:?}");
        run.scheduler.steps().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(ends(&replayed), ends(&run), "{journal}");
    let rows = world.contents().rows;
    let caught = rows.iter().find(|((table, _), _)| &**table == "caught");
    let row = caught.map(|(_, (row, _))| write_json(row));
    (state, row, run.scheduler.caught().count())
}

#[test]
fn a_catch_step_of_several_steps_runs_once_with_the_first_failure_in_the_file() {
    let row = |step: &str| Some(format!(r#"{{"cause":"no_row","k":"K","step":"{step}"}}"#));
    assert_eq!(shared(&["b", "c"]), (RunState::Completed, row("a"), 1));
    assert_eq!(shared(&["a", "b"]), (RunState::Completed, row("c"), 1));
    assert_eq!(shared(&["a"]), (RunState::Completed, row("b"), 1));
    // Two steps fail: the catch step runs once, and handles both.
    assert_eq!(shared(&[]), (RunState::Completed, row("a"), 2));
    assert_eq!(shared(&["a", "b", "c"]), (RunState::Completed, None, 0));
}

#[test]
fn the_failed_step_of_a_shared_catch_step_is_one_of_the_caught_steps() {
    // `text(9)` holds every id, so there is no warning that it may not fit.
    let report = check(SHARED).report;
    assert!(report.diagnostics().is_empty(), "{:?}", report.diagnostics());
    let long = SHARED.replace("  c: {", "  a_long_name: {");
    let report = check(&long).report;
    let codes: Vec<_> = report.diagnostics().iter().map(|found| found.code).collect();
    assert_eq!(codes, [codes::MAY_NOT_FIT]);
}
