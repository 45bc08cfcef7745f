//! A panic in a step kind fails the step and nothing else.

use std::sync::Arc;

use oms_clock::SystemClock;
use oms_engine::document::MemoryFiles;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::effects::{Clock as _, StepError};
use oms_engine::plan::{Checker, Plan};
use oms_engine::record;
use oms_engine::run::{self, RunState, StepState};
use oms_engine::step::{
    Effect, Expr, Faults, PlanContext, Planned, Port, Registry, Safety, Step, StepContext,
    StepKind, Verb,
};
use oms_engine::value::{NoOutput, Type, Typed};
use oms_runtime::{HeldDecision, Order, Runner, Settings, Work, only_mails_are_held};
use oms_sqlite::StoredRun;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use crate::harness::Scratch;

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

fn checker() -> Checker {
    let kinds = oms_steps::ALL.iter().copied().chain([StepKind::of::<Panicking>()]);
    Checker::new(Registry::new(kinds).unwrap()).unwrap()
}

fn plan(checker: &Checker) -> (Arc<Plan>, MemoryFiles) {
    let files = MemoryFiles::new([("p.yaml".to_owned(), Arc::from(PIPELINE.as_bytes()))]);
    let checked = checker.check("p.yaml", &files);
    (Arc::new(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.report))), files)
}

#[test]
fn a_step_that_panics_fails_and_is_held_if_its_call_had_begun() {
    let (plan, _) = plan(&checker());
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

#[test]
fn a_held_step_that_sends_no_mail_cannot_be_marked_as_sent() {
    let scratch = Scratch::new();
    let checker = Arc::new(checker());
    let (plan, files) = plan(&checker);
    let settings = Settings::new(SystemClock);
    let state = scratch.path("state");
    let runner = Runner::open(&state, &plan, &checker, "p.yaml", &files, settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (orders, queue) = mpsc::channel(1);
        let body = br#"{"id":"A","begun":true}"#.to_vec();
        let order = Order { name: "A".to_owned(), body, name_must_equal_key: false, reply: None };
        orders.send(Work::Order(order)).await.unwrap();
        drop(orders);
        let (settled, _outcomes) = mpsc::unbounded_channel();
        let (_stop, stopped) = watch::channel(false);
        let runner = Arc::new(runner);
        runner.run(Vec::new(), queue, &settled, stopped).await.unwrap();
        let row = runner.find("A").unwrap().unwrap();
        assert_eq!(row.cause.as_deref(), Some("unknown_outcome"));
        let offered =
            runner.read(|reader, _| only_mails_are_held(&StoredRun::load(reader, row.id)?, &plan));
        assert!(!offered.unwrap(), "the run can be marked as sent");
        let refused = runner.retry(&row, Some(HeldDecision::Sent)).await.unwrap_err().to_string();
        assert!(refused.contains("sends no e-mail"), "{refused}");
    });
}
