//! A panic in a step kind fails the step and nothing else.

use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::effects::{Clock as _, StepError};
use oms_engine::plan::Checker;
use oms_engine::record;
use oms_engine::run::{self, RunState, StepState};
use oms_engine::step::{
    Effect, Expr, Faults, PlanContext, Planned, Port, Registry, Safety, Step, StepContext,
    StepKind, Verb,
};
use oms_engine::value::{NoOutput, Type, Typed};
use schemars::JsonSchema;
use serde::Deserialize;

/// A step kind that panics.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Whether the call has begun when the step panics.
    begun: Expr<bool>,
}

record! {
    /// The evaluated settings.
    struct Input {
        begun: bool,
    }
}

struct Panicking;

impl Step for Panicking {
    const NAME: &'static str = "test.panic";
    type Config = Config;
    type Input = Input;
    type Output = NoOutput;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        cx.expr("begun", &config.begun);
        Ok(Planned {
            input: cx.finish()?,
            output: NoOutput::ty().unwrap_or_else(Type::text),
            effects: vec![Effect {
                port: Port::Custom,
                verb: Verb::Call,
                resource: Arc::from("nothing"),
                safety: Safety::Unsafe,
            }],
            step: Self,
        })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Input) -> Result<NoOutput, StepError> {
        if input.begun {
            cx.call.outcome_unknown.set();
        } else {
            cx.call.outcome_unknown.clear();
        }
        panic!("a bug in a step kind");
    }
}

const PIPELINE: &str = r#"
oms: 1
name: panics
order:
  schema:
    type: object
    required: [id, begun]
    properties: { id: { type: string, maxLength: 20 }, begun: { type: boolean } }
  key: ${{ order.id }}
steps:
  falls:
    uses: test.panic
    with: { begun: "${{ order.begun }}" }
"#;

#[test]
fn a_step_that_panics_fails_and_is_held_if_its_call_had_begun() {
    let kinds = oms_steps::ALL.iter().copied().chain([StepKind::of::<Panicking>()]);
    let checker = Checker::new(Registry::new(kinds).unwrap()).unwrap();
    let files = MemoryFiles::new([("p.yaml".to_owned(), Arc::from(PIPELINE.as_bytes()))]);
    let checked = checker.check("p.yaml", &files);
    let plan = Arc::new(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.report)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (begun, cause) in [(false, "panic"), (true, "unknown_outcome")] {
        let world = MemoryWorld::new();
        let order = format!(r#"{{"id":"A","begun":{begun}}}"#);
        let mut run = run::accept(&plan, order.as_bytes(), "K", world.now()).ok().unwrap();
        let progress = loop {
            let progress = runtime.block_on(run::advance(&mut run, &world));
            if progress.state != RunState::InProgress {
                break progress;
            }
        };
        assert_eq!(progress.state, RunState::Parked);
        let state = &run.scheduler.steps()[0];
        let StepState::Failed { failure, .. } = state else { panic!("{state:?}") };
        assert_eq!(failure.cause, cause);
        assert_eq!(failure.message, "the step panicked; this is a bug in its kind");
    }
}
