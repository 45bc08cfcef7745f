//! Rules for every shipped kind, checked with the kind's pipeline in `tests/steps/`. The first line
//! of each pipeline is a comment with an order. The step `subject` is of that kind. Its `with:` is
//! a block, because a test inserts an unknown setting there.

mod port_calls;

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_cli::DirectoryFiles;
use oms_engine::diagnostic::codes;
use oms_engine::document::MemoryFiles;
use oms_engine::effects::memory::{Contents, MemoryWorld};
use oms_engine::effects::{Clock as _, Effects};
use oms_engine::plan::{Checker, Plan, read_row};
use oms_engine::run::{self, Run, RunState, StepState};
use oms_engine::step::{Port, Registry, Safety, Verb};

use crate::harness::root;
use crate::property::faults::FaultyWorld;
use port_calls::{PortCall, RecordingWorld};

fn checker() -> Checker {
    Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap()
}

/// Returns the pipeline of a kind and the order from the comment on its first line.
fn pipeline(kind: &str) -> (Arc<Plan>, String) {
    let path = root().join("tests/steps").join(format!("{kind}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
    let (files, name) = DirectoryFiles::of(&path);
    let checked = checker().check(&name, &files);
    assert!(checked.report.diagnostics().is_empty(), "{kind}: {:?}", checked.report.diagnostics());
    let order = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
    (Arc::new(checked.plan.unwrap()), order.to_owned())
}

fn world(plan: &Plan) -> MemoryWorld {
    let world = MemoryWorld::new();
    world.set_time("2025-06-01T00:00:00Z".parse().unwrap());
    for table in plan.tables() {
        if table.name.as_ref() == "customers" {
            let row = r#"{"id":"C1","email":"ada@example.com"}"#;
            world.add_row(
                table,
                read_row(table, row).unwrap_or_else(|_| panic!("invalid seed row")),
            );
        }
    }
    world
}

fn accept(plan: &Arc<Plan>, order: &str, world: &MemoryWorld) -> Run {
    run::accept(plan, order.as_bytes(), "K", world.now()).ok().unwrap()
}

fn drive(run: &mut Run, effects: &dyn Effects, world: &MemoryWorld) -> RunState {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for _ in 0..100 {
        let progress = runtime.block_on(run::advance(run, effects));
        match progress.until {
            Some(until) => world.set_time(until),
            None => return progress.state,
        }
    }
    panic!("the run does not end");
}

fn kinds() -> impl Iterator<Item = &'static str> {
    oms_steps::ALL.iter().map(|kind| kind.name())
}

#[test]
fn every_kind_runs_and_a_repeated_run_changes_nothing() {
    for kind in kinds() {
        let (plan, order) = pipeline(kind);
        let world = world(&plan);
        for repeated in [false, true] {
            let before = world.contents();
            let mut run = accept(&plan, &order, &world);
            assert_eq!(drive(&mut run, &world, &world), RunState::Completed, "{kind}");
            let subject = plan.step("subject").unwrap();
            assert_eq!(plan.steps()[subject].kind, kind);
            let state = &run.scheduler.steps()[subject];
            match kind {
                "run.fail" => assert!(matches!(state, StepState::Failed { .. }), "{state:?}"),
                _ => assert!(matches!(state, StepState::Succeeded(_)), "{kind}: {state:?}"),
            }
            let after = world.contents();
            if repeated {
                assert_eq!(before.objects, after.objects, "{kind}");
                assert_eq!(before.rows, after.rows, "{kind}");
                assert!(before.mails == after.mails, "{kind}");
            }
        }
    }
}

#[test]
fn every_kind_declares_exactly_the_effects_that_it_has() {
    let mut seen = BTreeSet::new();
    for kind in kinds() {
        let (plan, order) = pipeline(kind);
        let world = world(&plan);
        let recording = RecordingWorld::new(&world, "subject");
        let state = drive(&mut accept(&plan, &order, &world), &recording, &world);
        assert_eq!(state, RunState::Completed, "{kind}");
        let effects = &plan.steps()[plan.step("subject").unwrap()].effects;
        let declared = effects.iter().map(|effect| PortCall {
            port: effect.port,
            verb: effect.verb,
            // The mailer receives a rendered e-mail, which does not name its template.
            resource: (effect.port != Port::Mail).then(|| Arc::clone(&effect.resource)),
        });
        let called = recording.calls();
        assert_eq!(declared.collect::<BTreeSet<_>>(), called, "{kind}");
        for effect in effects {
            let reads = effect.safety == Safety::Read;
            assert_eq!(reads, effect.verb == Verb::Get, "{kind}: {effect:?}");
            assert_ne!(effect.safety, Safety::Unsafe, "{kind}: {effect:?}");
        }
        seen.extend(called.iter().map(|call| (call.port, call.verb)));
    }
    assert_eq!(seen.len(), 9, "the kinds use only {seen:?}");
}

#[test]
fn every_kind_recovers_from_faults() {
    for kind in kinds() {
        let (plan, order) = pipeline(kind);
        let calm = world(&plan);
        drive(&mut accept(&plan, &order, &calm), &calm, &calm);
        let calm = calm.contents();
        let mut recovered = 0;
        for seed in 0..20 {
            let world = world(&plan);
            let mut run = accept(&plan, &order, &world);
            let state = drive(&mut run, &FaultyWorld::new(&world, seed, 3), &world);
            let after = world.contents();
            // Retries add nothing to what a run without faults leaves.
            assert!(
                after.mails.iter().all(|(key, mail)| calm.mails.get(key) == Some(mail)),
                "{kind}"
            );
            assert!(after.rows.iter().all(|(key, row)| calm.rows.get(key) == Some(row)), "{kind}");
            assert!(
                after.objects.iter().all(|(k, body)| calm.objects.get(k) == Some(body)),
                "{kind}"
            );
            if state == RunState::Completed {
                let counts = |contents: &Contents| {
                    (contents.mails.len(), contents.rows.len(), contents.objects.len())
                };
                assert_eq!(counts(&after), counts(&calm), "{kind}: an effect is missing");
                recovered += 1;
            }
        }
        assert!(recovered > 10, "{kind}: only {recovered} of 20 runs completed");
    }
}

#[test]
fn every_kind_rejects_an_unknown_setting() {
    let checker = checker();
    for kind in kinds() {
        let folder = root().join("tests/steps");
        let text = std::fs::read_to_string(folder.join(format!("{kind}.yaml"))).unwrap();
        let (head, subject) = text.split_once("  subject:\n").unwrap();
        let subject = subject.replacen("    with:\n", "    with:\n      no_such_setting: 1\n", 1);
        let mut files = vec![("wrong.yaml".to_owned(), format!("{head}  subject:\n{subject}"))];
        for file in ["subject.hbs", "body.html.hbs", "body.txt.hbs"] {
            let path = format!("mail/hello/{file}");
            files.push((path.clone(), std::fs::read_to_string(folder.join(path)).unwrap()));
        }
        let files = files.into_iter().map(|(path, text)| (path, Arc::from(text.into_bytes())));
        let report = checker.check("wrong.yaml", &MemoryFiles::new(files)).report;
        let found: Vec<_> = report.diagnostics().iter().map(|found| found.code).collect();
        assert_eq!(found, [codes::UNKNOWN_KEY], "{kind}: {:?}", report.diagnostics());
    }
}
