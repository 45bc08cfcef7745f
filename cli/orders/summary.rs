//! The human-readable summary of `oms run`: counts, places, and commands for parked runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use oms_engine::diagnostic::quote;
use oms_engine::effects::cause::UNKNOWN_OUTCOME;
use oms_engine::plan::Plan;
use oms_engine::value::{format_count, format_quantity};
use oms_sqlite::{MailRow, ObjectRow, Reader, count_rows};

use crate::orders::tally::Tally;
use crate::render;
use crate::targets::effect_target::ExternalTables;

/// The place of the state, and the arguments for commands on it.
pub(crate) struct State<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) pipeline: &'a Path,
    /// The options for the target of the effects, for commands that resume runs.
    pub(crate) options: String,
    /// The place of the tables, if they are not in the state directory.
    pub(crate) tables: Option<ExternalTables>,
}

impl State<'_> {
    /// Returns the arguments for commands on this state.
    pub(crate) fn argument(&self, plan: &Plan) -> String {
        let usual = crate::targets::state::directory(self.pipeline, plan.name());
        let directory = (self.directory != usual).then_some(self.directory);
        crate::targets::state::argument(Some(self.pipeline), directory)
    }
}

/// Returns the summary.
///
/// # Errors
/// Returns an error if the state cannot be read.
pub(crate) fn text(
    plan: &Plan,
    tally: &Tally,
    seconds: f64,
    interrupted: bool,
    state: &State<'_>,
) -> anyhow::Result<String> {
    let mut text = counts(plan, tally, seconds);
    let target = state.argument(plan);
    let options = &state.options;
    text.push('\n');
    text.push_str(&render::table(&places(plan, tally, state, &target)?));
    if tally.parked > 0 {
        text.push_str(&format!("\n{} parked, by cause:\n", format_quantity(tally.parked, "run")));
        text.push_str(&by_cause(plan, &tally.causes, &target));
        let is_held = |cause: &&String| *cause == UNKNOWN_OUTCOME;
        if let Some(cause) = tally.causes.keys().find(|cause| !is_held(cause)) {
            text.push_str(&format!(
                "fix the cause, then: oms runs retry {target}{options} --cause {cause}\n"
            ));
        }
        if let Some(cause) = tally.causes.keys().find(is_held) {
            text.push_str(&format!(
                "check the outcome, then: oms runs retry {target}{options} --cause {cause} --held sent (or: resend)\n"
            ));
        }
    }
    if tally.caught > 0 {
        text.push_str(&format!(
            "\n{} completed although a step failed, because a catch step handled the failure:\n",
            format_quantity(tally.caught, "run")
        ));
        text.push_str(&by_cause(plan, &tally.caught_causes, &target));
    }
    if interrupted {
        text.push_str(&format!(
            "\ninterrupted; `oms run {target}{options}` continues with the accepted orders\n"
        ));
    }
    Ok(text)
}

/// Returns a line for each cause: the number of runs, and a command that shows one of them, or
/// lists them if their keys are personal data.
fn by_cause(plan: &Plan, causes: &BTreeMap<String, (u64, Arc<str>)>, target: &str) -> String {
    let is_personal = plan.order().key_is_personal();
    let line = |(cause, (count, key)): (&String, &(u64, Arc<str>))| {
        let command = if is_personal {
            format!("oms runs list {target} --cause {cause}")
        } else {
            format!("oms runs show {target} {key}")
        };
        vec![format!("  {cause}"), format_count(*count), command]
    };
    render::table(&causes.iter().map(line).collect::<Vec<_>>())
}

fn counts(plan: &Plan, tally: &Tally, seconds: f64) -> String {
    let mut read = vec![format!("{} read", format_quantity(tally.read(), "order"))];
    for (count, what) in [
        (tally.accepted, "accepted"),
        (tally.duplicates, "already known"),
        (tally.conflicts, "in conflict"),
        (tally.rejected, "rejected"),
    ] {
        if count > 0 {
            read.push(format!("{} {what}", format_count(count)));
        }
    }
    let mut ended = Vec::new();
    if tally.resumed > 0 {
        ended.push(format!("{} resumed", format_quantity(tally.resumed, "run")));
    }
    for (count, what) in [
        (tally.completed, "completed"),
        (tally.parked, "parked"),
        (tally.waiting, "waiting"),
        (tally.cancelled, "cancelled"),
    ] {
        if count > 0 {
            ended.push(format!("{} {what}", format_count(count)));
        }
    }
    let mut text = format!("{}: {}\n", plan.name(), read.join(", "));
    if !ended.is_empty() {
        let rate = format_count(tally.rate(seconds) as u64);
        text.push_str(&format!("{} in {seconds:.1} s ({rate} orders/s)\n", ended.join(", ")));
    }
    text
}

fn places(
    plan: &Plan,
    tally: &Tally,
    state: &State<'_>,
    target: &str,
) -> anyhow::Result<Vec<Vec<String>>> {
    let reader = Reader::open(state.directory)?;
    let database = state.directory.join(oms_sqlite::DATABASE_FILE);
    let mut rows = vec![vec![
        "state".to_owned(),
        database.display().to_string(),
        format!("oms runs list {target}"),
    ]];
    for table in plan.tables() {
        let name = &table.name;
        // The database is not queried: if it does not respond after the runs, that must not change
        // the exit code.
        if let Some(elsewhere) = &state.tables {
            rows.push(elsewhere.line(name));
            continue;
        }
        let shown = format!("{name}: {}", format_quantity(count_rows(&reader, table)?, "row"));
        rows.push(vec!["table".to_owned(), shown, format!("oms db export {target} {name}")]);
    }
    let objects = ObjectRow::total(&reader)?;
    if objects > 0 {
        let command = match example_object(&reader, plan)? {
            Some(object) => format!("oms objects get {target} {}", quote(&object)),
            None => format!("oms objects list {target}"),
        };
        rows.push(vec!["objects".to_owned(), format_count(objects), command]);
    }
    let mails = MailRow::total(&reader)?;
    if mails > 0 {
        let command = if plan.order().key_is_personal() {
            format!("oms mail list {target}")
        } else {
            let key = MailRow::last_key(&reader)?.unwrap_or_default();
            format!("oms mail show {target} {key}")
        };
        rows.push(vec!["e-mails".to_owned(), format_count(mails), command]);
    }
    if let Some(key) = tally.example.as_ref().filter(|_| !plan.order().key_is_personal()) {
        rows.push(vec!["run".to_owned(), key.to_string(), format!("oms runs show {target} {key}")]);
    }
    Ok(rows)
}

/// Returns the last stored object as `bucket/key`, among those whose keys have no personal data.
fn example_object(reader: &Reader, plan: &Plan) -> anyhow::Result<Option<String>> {
    let last = ObjectRow::last_of_each_bucket(reader)?.into_iter();
    let shown = last.filter(|(_, bucket, _)| !plan.has_personal_keys(bucket));
    Ok(shown.max_by_key(|(run, ..)| *run).map(|(_, bucket, key)| format!("{bucket}/{key}")))
}
