//! Rows that change between a read and a write that depends on it: finds the affected tables, and
//! reports steps for which no order of commits is correct.

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::effects::TableNames;

use super::checked::{Plan, PlannedStep};
use crate::step::{Effect, Port, Verb};

/// Returns the tables that steps both read and write.
pub(super) fn contended(steps: &[PlannedStep]) -> TableNames {
    let tables = |reads: bool| -> BTreeSet<Arc<str>> {
        let effects = steps.iter().flat_map(|step| &step.effects);
        let tables = effects.filter(|effect| effect.port == Port::Tables);
        let wanted = tables.filter(|effect| match effect.verb {
            Verb::Get => reads,
            // An update compares the version of the row that it has read.
            Verb::Update => true,
            _ => !reads,
        });
        wanted.map(|effect| Arc::clone(&effect.resource)).collect()
    };
    Arc::new(tables(true).intersection(&tables(false)).cloned().collect())
}

/// A read of a row, and an upsert or update of the same table that depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependentUpsert {
    /// The table.
    pub table: Arc<str>,
    /// The step that reads.
    pub read: usize,
    /// The step that replaces or changes the row.
    pub upsert: usize,
    /// The upsert and every step that it needs, directly or through others.
    pub before: BTreeSet<usize>,
}

/// Finds reads of rows on which an upsert or update of the same table depends.
pub(super) fn dependent_upserts(steps: &[PlannedStep]) -> Vec<DependentUpsert> {
    let of_tables = |step: usize, verb: Verb| {
        let effects = steps.get(step).into_iter().flat_map(|step| &step.effects);
        effects
            .filter(move |effect| (effect.port, effect.verb) == (Port::Tables, verb))
            .map(|effect| &effect.resource)
    };
    let mut found = Vec::new();
    for upsert in 0..steps.len() {
        let updated = of_tables(upsert, Verb::Update);
        let tables: BTreeSet<&Arc<str>> = of_tables(upsert, Verb::Upsert).chain(updated).collect();
        if tables.is_empty() {
            continue;
        }
        let mut before = needs(steps, upsert);
        let needed = before.clone();
        before.insert(upsert);
        for read in needed {
            let table = of_tables(read, Verb::Get).find(|table| tables.contains(table));
            let Some(table) = table.map(Arc::clone) else { continue };
            found.push(DependentUpsert { table, read, upsert, before: before.clone() });
        }
    }
    found
}

/// Finds rows that may be overwritten with outdated data: between the read and the upsert, a step
/// has an external effect. The run cannot repeat the read after that, although another run may have
/// changed the row.
pub(super) fn outdated(plan: &Plan) -> Vec<Finding> {
    let sends = plan.mail().is_some_and(|mail| mail.smtp.is_some());
    let reaches_out = |effect: &Effect| match effect.port {
        Port::Mail => sends,
        Port::Services => true,
        Port::Custom => effect.on_unknown().is_some(),
        Port::Objects | Port::Topics | Port::Tables => false,
    };
    let mut found = Vec::new();
    for dependent in plan.dependent_upserts() {
        let earlier = needs(plan.steps(), dependent.read);
        let mut between = dependent.before.iter().filter(|step| {
            ![dependent.read, dependent.upsert].contains(step) && !earlier.contains(step)
        });
        let between = between.find_map(|step| {
            plan.steps().get(*step).filter(|step| step.effects.iter().any(reaches_out))
        });
        let (Some(between), Some(reader), Some(planned)) =
            (between, plan.steps().get(dependent.read), plan.steps().get(dependent.upsert))
        else {
            continue;
        };
        let message = format!(
            "`{}` may replace a row of `{}` that another run has changed since `{}` read it",
            planned.id, dependent.table, reader.id
        );
        found.push(
            Finding::warning(codes::OUTDATED_READ, at(planned), message)
                .related(at(reader), "the row is read here")
                .related(at(between), "this external call comes in between")
                .help(format!(
                    "read the row again after `{}`: add a `table.get` with `needs: [{}]`",
                    between.id, between.id
                )),
        );
    }
    found
}

/// Finds reads of contended tables on which more than one write depends. If each write is a
/// separate transaction, the row can change after the first write and before the second.
pub(super) fn several_writes(plan: &Plan) -> Vec<Finding> {
    let mut found = Vec::new();
    for (read, table) in reads(plan) {
        if !plan.contended_tables().contains(table) {
            continue;
        }
        let Some(reader) = plan.steps().get(read) else { continue };
        let writes: Vec<&PlannedStep> = plan
            .steps()
            .iter()
            .enumerate()
            .filter(|(at, step)| {
                let mut tables = step.effects.iter().filter(|effect| effect.port == Port::Tables);
                tables.any(|effect| effect.verb != Verb::Get)
                    && needs(plan.steps(), *at).contains(&read)
            })
            .map(|(_, step)| step)
            .collect();
        let several = writes.len() > 1 || writes.iter().any(|step| step.for_each.is_some());
        let (true, Some(last)) = (several, writes.last()) else { continue };
        let message = format!(
            "several writes depend on the row that `{}` reads from `{table}`, and steps also write to this table",
            reader.id
        );
        let mut finding = Finding::error(codes::SEVERAL_WRITES, at(reader), message)
            .label("the row is read here")
            .ignored_in_bundles();
        for step in &writes {
            finding = finding.related(at(step), "this write depends on it");
        }
        found.push(finding.help(format!(
            "let only one step write: take the values of `{}` from the order, or from a table that no step writes to; \
             outside the state directory, each write is a separate transaction",
            last.id
        )));
    }
    found
}

/// Returns the steps that read a row, each with its table.
fn reads(plan: &Plan) -> impl Iterator<Item = (usize, &Arc<str>)> {
    plan.steps().iter().enumerate().flat_map(|(at, step)| {
        let reads = step
            .effects
            .iter()
            .filter(|effect| (effect.port, effect.verb) == (Port::Tables, Verb::Get));
        reads.map(move |effect| (at, &effect.resource))
    })
}

/// Returns the steps that a step needs, directly or through other steps.
fn needs(steps: &[PlannedStep], step: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![step];
    while let Some(planned) = open.pop().and_then(|step| steps.get(step)) {
        let direct =
            planned.needs.iter().map(|need| need.step).chain(planned.catches.iter().copied());
        open.extend(direct.filter(|need| found.insert(*need)));
    }
    found
}

fn at(step: &PlannedStep) -> Place {
    Place::key(Route::root().key("steps").key(&step.id))
}
