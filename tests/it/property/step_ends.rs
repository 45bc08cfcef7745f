//! The end states of steps against a minimal reference implementation: generated graphs with
//! conditions, failures, `allow`, catch steps, and a retry after some of the failures are fixed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::effects::Clock as _;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::plan::{Checker, Plan, Semantics, read_rows};
use oms_engine::run::{self, Event, Run, RunState, SkipReason, StepState};
use proptest::prelude::any;

use super::rng::Rng;
use super::{checker, drive, runner, world};

const STEPS: usize = 9;

/// A step of a generated graph. Its number is its position in the file.
struct Node {
    /// The steps that it needs: number, `allow: skipped`, `allow: failed`.
    needs: Vec<(usize, bool, bool)>,
    /// Whether its condition holds.
    when: bool,
    /// The steps that it catches.
    catches: Vec<usize>,
    /// Whether it fails until its row is added.
    fails: bool,
}

/// The end state of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Succeeded,
    Failed,
    /// Its condition is false, a needed step was skipped for such a reason, or no step that it
    /// catches failed.
    Skipped,
    /// A step that it depends on failed.
    SkippedByFailure,
}

/// Computes the end states. `before` are the end states before a retry: steps that succeeded stay
/// succeeded.
fn ends(graph: &[Node], fails: &[bool], before: Option<&[End]>) -> Vec<End> {
    fn end(at: usize, graph: &[Node], fails: &[bool], before: Option<&[End]>) -> End {
        if before.is_some_and(|before| before[at] == End::Succeeded) {
            return End::Succeeded;
        }
        let node = &graph[at];
        let caught = node.catches.iter().map(|caught| end(*caught, graph, fails, before));
        let caught: Vec<End> = caught.collect();
        if !caught.is_empty() && !caught.contains(&End::Failed) {
            let by_failure = caught.contains(&End::SkippedByFailure);
            return if by_failure { End::SkippedByFailure } else { End::Skipped };
        }
        let needs = node
            .needs
            .iter()
            .map(|(need, skipped, failed)| (end(*need, graph, fails, before), *skipped, *failed));
        let needs: Vec<_> = needs.collect();
        if needs
            .iter()
            .any(|(end, _, failed)| matches!(end, End::Failed | End::SkippedByFailure) && !failed)
        {
            return End::SkippedByFailure;
        }
        if needs.iter().any(|(end, skipped, _)| *end == End::Skipped && !skipped) || !node.when {
            return End::Skipped;
        }
        if fails[at] { End::Failed } else { End::Succeeded }
    }
    (0..graph.len()).map(|at| end(at, graph, fails, before)).collect()
}

fn graph(rng: &mut Rng) -> Vec<Node> {
    let mut graph: Vec<Node> = Vec::new();
    for at in 0..2 + rng.below(STEPS - 1) {
        let mut needs: Vec<(usize, bool, bool)> = Vec::new();
        let is_caught = |step: usize| graph.iter().any(|node| node.catches.contains(&step));
        let mut catches: Vec<usize> = Vec::new();
        let most = if rng.one_in(2) { rng.below(4) } else { 0 };
        for _ in 0..most.min(at) {
            let step = rng.below(at);
            if !is_caught(step) && !catches.contains(&step) {
                catches.push(step);
            }
        }
        for need in 0..at {
            if !catches.contains(&need) && rng.one_in(4) {
                needs.push((need, rng.one_in(2), rng.one_in(3)));
            }
        }
        // The order of the needs must not matter.
        if rng.one_in(2) {
            needs.reverse();
        }
        graph.push(Node { needs, when: !rng.one_in(4), catches, fails: rng.one_in(3) });
    }
    graph
}

/// Returns the pipeline as text. Different descriptions give different versions of it.
fn text(graph: &[Node], description: &str) -> String {
    let mut text = format!(
        "oms: 1\nname: ends\ndescription: {description}\norder: {{ schema: {{ type: object, required: [id, no], properties: {{ id: {{ type: string }}, no: {{ type: boolean }} }} }}, key: \"${{{{ order.id }}}}\" }}\n\
         tables: {{ fixed: {{ key: [k], columns: {{ k: text }} }} }}\nsteps:\n"
    );
    for (at, node) in graph.iter().enumerate() {
        let work = match node.fails {
            true => format!("uses: table.get, with: {{ table: fixed, key: {{ k: \"s{at}\" }} }}"),
            false => "uses: value.compute, with: { values: { a: \"${{ order.id }}\" } }".to_owned(),
        };
        let need = |(need, skipped, failed): &(usize, bool, bool)| {
            let allow = [(skipped, "skipped"), (failed, "failed")];
            let allow: Vec<&str> =
                allow.into_iter().filter(|(is, _)| **is).map(|(_, word)| word).collect();
            format!("{{ step: s{need}, allow: [{}] }}", allow.join(", "))
        };
        let needs: Vec<String> = node.needs.iter().map(need).collect();
        let when = if node.when { "" } else { ", when: \"${{ order.no }}\"" };
        let catcher = graph.iter().position(|other| other.catches.contains(&at));
        let catch = catcher
            .map_or_else(String::new, |catcher| format!(", on_failure: {{ run: s{catcher} }}"));
        let needs = needs.join(", ");
        writeln!(text, "  s{at}: {{ {work}, needs: [{needs}]{when}{catch} }}").unwrap();
    }
    text
}

fn plan(checker: &Checker, text: &str, semantics: Option<Semantics>) -> Arc<Plan> {
    let files = MemoryFiles::new([("p.yaml".to_owned(), Arc::from(text.as_bytes()))]);
    let checked = match semantics {
        None => checker.check("p.yaml", &files),
        Some(semantics) => checker.check_bundle("p.yaml", &files, semantics),
    };
    let errors = super::errors(&checked.report);
    Arc::new(checked.plan.unwrap_or_else(|| panic!("{errors}\n{text}")))
}

fn found(run: &Run) -> Vec<End> {
    let end = |state: &StepState| match state {
        StepState::Succeeded(_) => End::Succeeded,
        StepState::Failed { .. } => End::Failed,
        StepState::Skipped(SkipReason::NeedFailed(_)) => End::SkippedByFailure,
        StepState::Skipped(_) => End::Skipped,
        other => panic!("not ended: {other:?}"),
    };
    run.scheduler.steps().iter().map(end).collect()
}

/// Asserts the end states of the steps and the state of the run.
fn assert_end(graph: &[Node], ends: &[End], state: RunState, run: &Run, case: &str) {
    assert_eq!(found(run), ends, "{case}");
    let is_caught = |at: usize| {
        let catcher = graph.iter().position(|node| node.catches.contains(&at));
        catcher.is_some_and(|catcher| ends[catcher] == End::Succeeded)
    };
    let failed = (0..ends.len()).filter(|at| ends[*at] == End::Failed);
    let (caught, parked): (Vec<usize>, Vec<usize>) = failed.partition(|at| is_caught(*at));
    let expected = if parked.is_empty() { RunState::Completed } else { RunState::Parked };
    assert_eq!(state, expected, "{case}");
    assert_eq!(run.scheduler.caught().count(), caught.len(), "{case}");
}

const ORDER: &[u8] = br#"{"id":"K","no":false}"#;

fn replay(plan: &Arc<Plan>, world: &MemoryWorld, journal: &[String]) -> Run {
    let events: Vec<Event> =
        journal.iter().flat_map(|text| run::decode(text, plan).unwrap()).collect();
    run::resume(plan, "K", world.now(), Arc::from(ORDER), &events)
        .unwrap_or_else(|error| panic!("{error}: {journal:?}"))
}

#[test]
fn steps_end_like_the_reference_before_and_after_a_retry() {
    let checker = checker();
    let seen: Cell<BTreeMap<&str, u32>> = Cell::default();
    let count = |what| {
        let mut counts = seen.take();
        *counts.entry(what).or_default() += 1;
        seen.set(counts);
    };
    runner()
        .run(&any::<u64>(), |seed| {
            let mut rng = Rng(seed);
            let graph = graph(&mut rng);
            let text = text(&graph, "first");
            let plan = plan(&checker, &text, None);
            let world = world();
            let fails: Vec<bool> = graph.iter().map(|node| node.fails).collect();
            let mut run = run::accept(&plan, ORDER, "K", world.now()).unwrap();
            let (events, state) = drive(&mut run, &world, &world);
            let mut journal = vec![run::encode(&events)];
            let first = ends(&graph, &fails, None);
            assert_end(&graph, &first, state, &run, &format!("seed {seed}\n{text}"));
            assert_eq!(found(&replay(&plan, &world, &journal)), first, "{text}\n{journal:?}");

            // Fix some of the failures and retry the run, with the same version of the pipeline or
            // with another one.
            let fixed: Vec<usize> =
                (0..graph.len()).filter(|at| fails[*at] && rng.one_in(2)).collect();
            let table = &plan.tables()[0];
            for at in &fixed {
                let rows = read_rows(table, &format!("{{\"k\":\"s{at}\"}}\n")).unwrap();
                rows.into_iter().for_each(|row| world.add_row(table, row));
            }
            let still: Vec<bool> =
                (0..graph.len()).map(|at| fails[at] && !fixed.contains(&at)).collect();
            let (at, moves) = (world.now(), rng.one_in(2));
            let ids = plan.steps().iter().map(|step| Arc::clone(&step.id));
            let done = ids.zip(&first).filter(|(_, end)| **end == End::Succeeded);
            let done = moves.then(|| done.map(|(id, _)| id).collect());
            let version = if moves { "second" } else { "first" };
            let plan = self::plan(&checker, &self::text(&graph, version), None);
            journal.push(run::encode(&[Event::Retried { at, done }]));
            let mut run = replay(&plan, &world, &journal);
            let (events, state) = drive(&mut run, &world, &world);
            let again = ends(&graph, &still, Some(&first));
            let case = format!("seed {seed}, {fixed:?} fixed, {version}\n{text}\n{journal:?}");
            assert_end(&graph, &again, state, &run, &case);
            journal.push(run::encode(&events));
            assert_eq!(found(&replay(&plan, &world, &journal)), again, "{case}\n{journal:?}");
            let repeated = events.iter().any(|event| match event {
                Event::Succeeded { step, .. } => {
                    plan.step(step).is_some_and(|at| first[at] == End::Succeeded)
                }
                _ => false,
            });
            assert!(!repeated, "a completed step ran again: {case}");

            count(if moves { "moved" } else { "stayed" });
            if run.scheduler.caught().count() > 0 {
                count("caught");
            }
            let catches_two = |at: &usize| graph[*at].catches.len() > 1;
            if (0..graph.len()).filter(catches_two).any(|at| again[at] == End::Succeeded) {
                count("shared");
            }
            if first.contains(&End::SkippedByFailure) && again != first {
                count("recovered");
            }
            Ok(())
        })
        .unwrap();
    let seen = seen.take();
    for what in ["moved", "stayed", "caught", "shared", "recovered"] {
        assert!(
            seen.get(what).is_some_and(|count| *count > 5),
            "too few cases with {what}: {seen:?}"
        );
    }
}

/// A pipeline in which `a` fails, `b` is therefore skipped, and `c` allows a skipped `b`.
const ALLOW_SKIPPED: &str = "oms: 1
name: ends
order: { schema: { type: object, required: [id, no], properties: { id: { type: string }, no: { type: boolean } } }, key: \"${{ order.id }}\" }
tables: { fixed: { key: [k], columns: { k: text } } }
steps:
  a: { uses: table.get, with: { table: fixed, key: { k: a } } }
  b: { uses: value.compute, needs: [a], with: { values: { a: x } } }
  c: { uses: value.compute, needs: [{ step: b, allow: [skipped] }], with: { values: { a: x } } }
";

/// The journal that the first version wrote for an order of that pipeline.
const FIRST_JOURNAL: &str = r#"[{"is":"failed","step":"a","at":1748736000000000,"failure":{"class":"permanent","cause":"no_row","message":"there is no such row"}},{"is":"skipped","step":"b","at":1748736000000000,"why":{"need_failed":"a"}},{"is":"ok","step":"c","at":1748736000000000,"out":{"a":"x"}}]"#;

#[test]
fn a_run_of_the_first_semantics_continues_with_them() {
    let (checker, world) = (checker(), world());
    let first = plan(&checker, ALLOW_SKIPPED, Some(Semantics::FIRST));
    let run = replay(&first, &world, &[FIRST_JOURNAL.to_owned()]);
    assert_eq!(found(&run), [End::Failed, End::SkippedByFailure, End::Succeeded]);
    // Open decisions follow the semantics with which the run began.
    let cut = FIRST_JOURNAL.split(r#",{"is":"ok""#).next().map(|text| format!("{text}]")).unwrap();
    let mut run = replay(&first, &world, std::slice::from_ref(&cut));
    drive(&mut run, &world, &world);
    assert_eq!(found(&run), [End::Failed, End::SkippedByFailure, End::Succeeded]);
    let current = plan(&checker, ALLOW_SKIPPED, None);
    let mut run = replay(&current, &world, &[cut]);
    drive(&mut run, &world, &world);
    assert_eq!(found(&run), [End::Failed, End::SkippedByFailure, End::SkippedByFailure]);
}

#[test]
fn a_retry_moves_a_run_to_the_current_semantics_and_keeps_completed_steps() {
    let (checker, world) = (checker(), world());
    let current = plan(&checker, ALLOW_SKIPPED, None);
    let done: Option<Arc<[Arc<str>]>> = Some([Arc::from("c")].into());
    let retried = run::encode(&[Event::Retried { at: world.now(), done }]);
    let journal = [FIRST_JOURNAL.to_owned(), retried];
    let mut run = replay(&current, &world, &journal);
    let (events, state) = drive(&mut run, &world, &world);
    assert_eq!(state, RunState::Parked);
    assert_eq!(found(&run), [End::Failed, End::SkippedByFailure, End::Succeeded]);
    let journal = [&journal[..], &[run::encode(&events)]].concat();
    assert_eq!(found(&replay(&current, &world, &journal)), found(&run));
}
