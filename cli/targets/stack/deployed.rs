//! The orders of a deployed pipeline, from the notes of its handlers, and the retry of parked
//! orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use oms_aws::{DataApi, SqsQueue};
use oms_engine::effects::{OrderLocation, Queue as _, cause, examine};
use oms_engine::plan::{Branch, Choreography, Plan, Target, choreography};
use oms_engine::run::{RunState, run_id};
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_lambda_generate::grants_of_branch;
use oms_sql::{Claims, Note, NoteFilter, notes};
use serde_json::{Value as Json, json};

use crate::check;
use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::render;
use crate::runtime;
use crate::targets::cloud::Cloud;
use crate::targets::stack::RetrySelection;
use crate::targets::state::ResolvedState;

/// Maximum number of orders in one query.
const PAGE: u32 = 500;

/// A deployed pipeline.
pub(crate) struct Stack {
    cloud: Cloud,
    plan: Arc<Plan>,
    choreography: Choreography,
    database: Arc<DataApi>,
}

impl Stack {
    /// Opens a deployed pipeline. Returns `None` if the pipeline has findings, which were printed.
    pub(crate) fn open(
        found: &ResolvedState,
        cloud: Cloud,
        kinds: &[StepKind],
    ) -> anyhow::Result<Option<Self>> {
        let Some(pipeline) = &found.pipeline else {
            return Err(Usage("specify the pipeline file that was deployed".to_owned()).into());
        };
        let checker = check::checker_for(kinds, Target::Lambda)?;
        let Some(plan) = check::plan(&checker, pipeline)? else { return Ok(None) };
        let Ok(choreography) = choreography(&plan) else { return Ok(None) };
        let database = Arc::new(DataApi::new(&cloud.session, cloud.resources.cluster()?));
        Ok(Some(Self { cloud, plan, choreography, database }))
    }

    /// Returns the branches whose handlers write notes: those that use the database.
    fn noting_branches(&self) -> impl Iterator<Item = &Branch> {
        let notes = |branch: &&Branch| !grants_of_branch(&self.plan, branch).is_empty();
        self.choreography.branches.iter().filter(notes)
    }

    /// Reads the requested orders page by page, because a response of the RDS Data API has at most
    /// one megabyte.
    fn query(&self, wanted: NoteFilter<'_>) -> anyhow::Result<Vec<Note>> {
        let mut found = Vec::new();
        let mut left = wanted.limit;
        while left > 0 {
            let page = NoteFilter { limit: left.min(PAGE), offset: wanted.limit - left, ..wanted };
            let query =
                notes(&*self.database, self.plan.name(), self.noting_branches().count(), page);
            let notes = runtime::current_thread()?.block_on(query)?;
            let keys = notes.chunk_by(|a, b| a.key == b.key).count();
            found.extend(notes);
            if keys < PAGE as usize {
                break;
            }
            left -= page.limit;
        }
        Ok(found)
    }

    /// Lists orders, latest first.
    pub(crate) fn list(&self, wanted: NoteFilter<'_>, format: Format) -> anyhow::Result<u8> {
        let notes = self.query(wanted)?;
        let runs: Vec<Json> =
            notes.chunk_by(|a, b| a.key == b.key).map(|notes| self.listed(notes)).collect();
        match format {
            Format::Json => output::json(&json!({ "format_version": 1, "runs": runs }))?,
            Format::Human => {
                let text =
                    |run: &Json, name: &str| run[name].as_str().unwrap_or_default().to_owned();
                let names = ["key", "state", "updated_at", "cause"];
                let rows: Vec<Vec<String>> =
                    runs.iter().map(|run| names.map(|name| text(run, name)).into()).collect();
                output::result(&render::table(&rows))?;
            }
        }
        Ok(exit::SUCCESS)
    }

    fn listed(&self, notes: &[Note]) -> Json {
        let causes: BTreeSet<&str> = notes
            .iter()
            .flat_map(|note| note.cause.iter().flat_map(|cause| cause.split(',')))
            .collect();
        let causes: Vec<&str> = causes.into_iter().collect();
        let is = |state: RunState| notes.iter().any(|note| note.state == state);
        let state = if is(RunState::Parked) {
            RunState::Parked
        } else if is(RunState::Waiting) {
            RunState::Waiting
        } else if notes.len() >= self.noting_branches().count() {
            RunState::Completed
        } else {
            RunState::InProgress
        };
        json!({
            "key": notes.first().map(|note| note.key.as_str()),
            "state": state,
            "updated_at": notes.iter().map(|note| note.at.as_str()).max(),
            "cause": (!causes.is_empty()).then(|| causes.join(",")),
        })
    }

    /// Shows the notes of all handlers on an order.
    pub(crate) fn show(&self, key: &str, format: Format) -> anyhow::Result<u8> {
        let notes = self.query(NoteFilter { key: Some(key), limit: 1, ..NoteFilter::default() })?;
        anyhow::ensure!(
            !notes.is_empty(),
            "no handler has a note on `{key}`: the order was not accepted, or it is still in progress"
        );
        let mut shown = self.listed(&notes);
        let handlers: Vec<Json> = self
            .noting_branches()
            .map(|branch| {
                let note = notes.iter().find(|note| *note.handler == *branch.name);
                let state = note.map_or(RunState::InProgress, |note| note.state);
                json!({
                    "handler": &*branch.name,
                    "state": state,
                    "at": note.map(|note| &note.at),
                    "cause": note.and_then(|note| note.cause.as_deref()),
                    "reason": note.and_then(|note| note.reason.as_deref()),
                })
            })
            .collect();
        match format {
            Format::Json => {
                shown["format_version"] = json!(1);
                shown["handlers"] = Json::Array(handlers);
                output::json(&shown)?;
            }
            Format::Human => {
                let text =
                    |value: &Json, name: &str| value[name].as_str().unwrap_or_default().to_owned();
                output::result(&format!("{key}  {}\n", text(&shown, "state")))?;
                let names = ["handler", "state", "at", "reason"];
                let rows: Vec<Vec<String>> = handlers
                    .iter()
                    .map(|handler| names.map(|name| text(handler, name)).into())
                    .collect();
                output::result(&render::table(&rows))?;
            }
        }
        Ok(exit::SUCCESS)
    }

    /// Sends parked orders to their handlers again and deletes their dead letters.
    pub(crate) fn retry(
        &self,
        selection: &RetrySelection<'_>,
        format: Format,
    ) -> anyhow::Result<u8> {
        let notes = self.parked(selection)?;
        let is_unknown = |note: &Note| {
            let mut causes = note.cause.iter().flat_map(|causes| causes.split(','));
            causes.any(|one| one == cause::UNKNOWN_OUTCOME)
        };
        // An event of SES may have settled the outcome in the meantime.
        let (mut held, mut free) = (Vec::new(), Vec::new());
        runtime::current_thread()?.block_on(async {
            for note in &notes {
                let holds =
                    selection.sent.is_none() && is_unknown(note) && self.is_open(note).await?;
                if holds { held.push(note) } else { free.push(note) }
            }
            Ok::<(), anyhow::Error>(())
        })?;
        let notes = free;
        for Note { key, .. } in &held {
            output::message(&format!(
                "error: `{key}` is held: it is unknown whether its e-mail was sent; use `--held sent` to mark it as sent, \
                 or `--held resend` to send it again"
            ));
        }
        let mut letters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for note in &notes {
            letters.entry(&note.handler).or_default().insert(&note.object);
        }
        let mut count = 0;
        let mut held = held.len();
        runtime::current_thread()?.block_on(async {
            // Dead letters are deleted first, because a handler may park an order again at once,
            // with a new dead letter. If this call ends in between, the notes still show which
            // orders are parked.
            for (handler, objects) in &letters {
                self.delete_dead_letters(handler, objects).await?;
            }
            for note in notes {
                match self.resend(note, selection.sent.filter(|_| is_unknown(note))).await? {
                    true => count += 1,
                    false => held += 1,
                }
            }
            Ok::<(), anyhow::Error>(())
        })?;
        match format {
            Format::Json => output::json(&retry_summary(count, held))?,
            Format::Human => output::result(&format!(
                "sent {} to the handlers again; `oms runs list` shows the outcome\n",
                format_quantity(count, "order")
            ))?,
        }
        Ok(if held == 0 { exit::SUCCESS } else { exit::FINDINGS })
    }

    /// Returns the notes on the selected parked orders.
    fn parked(&self, selection: &RetrySelection<'_>) -> anyhow::Result<Vec<Note>> {
        let (state, cause) = (Some(RunState::Parked), selection.cause);
        let mut notes = Vec::new();
        if selection.keys.is_empty() {
            notes =
                self.query(NoteFilter { state, cause, limit: u32::MAX, ..NoteFilter::default() })?;
        }
        for key in selection.keys {
            let found = self.query(NoteFilter {
                key: Some(key),
                state,
                cause,
                limit: 1,
                ..NoteFilter::default()
            })?;
            anyhow::ensure!(
                !found.is_empty(),
                "`{key}` is not parked; only parked orders can be retried"
            );
            notes.extend(found);
        }
        notes.retain(|note| note.state == RunState::Parked);
        Ok(notes)
    }

    async fn delete_dead_letters(
        &self,
        handler: &str,
        objects: &BTreeSet<&str>,
    ) -> anyhow::Result<()> {
        let queue = self.queue(&self.cloud.resources.dead_letters, "dead_letters", handler)?;
        let matches = |body: &str| {
            let claimed =
                serde_json::from_str(body).ok().and_then(|body| OrderLocation::from_message(&body));
            claimed.is_some_and(|claimed| {
                claimed.iter().all(|object| objects.contains(object.key.as_str()))
            })
        };
        examine(&queue, || true, async |body| Ok(matches(body))).await?;
        Ok(())
    }

    /// Returns the claims, the run of a note, and the steps of its handler.
    fn claims_of(&self, note: &Note) -> (Claims, String, Vec<&str>) {
        let claims = Claims::new(Arc::clone(&self.database) as _);
        let run = run_id(self.plan.name(), &note.key);
        let branch = self.choreography.branches.iter().find(|one| *one.name == *note.handler);
        let steps = branch.into_iter().flat_map(|branch| &branch.steps);
        let steps = steps.filter_map(|step| self.plan.steps().get(*step));
        (claims, run, steps.map(|step| &*step.id).collect())
    }

    /// Returns whether the outcome of an e-mail is still unknown.
    async fn is_open(&self, note: &Note) -> anyhow::Result<bool> {
        let (claims, run, steps) = self.claims_of(note);
        Ok(claims.is_open(&run, &steps).await?)
    }

    /// Records the user's decision whether the e-mail was sent, and sends the order to its handler
    /// again. Returns false while an earlier attempt may still be in progress.
    async fn resend(&self, note: &Note, sent: Option<bool>) -> anyhow::Result<bool> {
        let (claims, run, steps) = self.claims_of(note);
        let done = match sent {
            Some(true) => claims.mark_done(&run, &steps).await?,
            Some(false) => claims.release(&run, &steps).await?,
            None => true,
        };
        if !done {
            let key = &note.key;
            output::message(&format!(
                "error: an attempt to send the e-mail of `{key}` may still be in progress; try again in two minutes"
            ));
            return Ok(false);
        }
        let resources = &self.cloud.resources;
        let place = OrderLocation {
            bucket: resources.bucket(&self.choreography.bucket),
            key: note.object.clone(),
            version: None,
        };
        let queue = self.queue(&resources.queues, "queues", &note.handler)?;
        queue.send(place.to_message().to_string(), None).await?;
        Ok(true)
    }

    fn queue(
        &self,
        urls: &BTreeMap<String, String>,
        name: &str,
        handler: &str,
    ) -> anyhow::Result<SqsQueue> {
        let url = urls.get(handler).cloned();
        let url = url.with_context(|| {
            format!("the resources contain no queue for `{handler}` in `{name}`")
        })?;
        Ok(SqsQueue::new(&self.cloud.session, url))
    }
}

/// Returns the JSON output of a retry. A member has the same name as in the output of a local retry
/// if it has the same meaning.
fn retry_summary(retried: u64, held: usize) -> Json {
    json!({ "format_version": 1, "retried": retried, "held": held })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_on_lambda_counts_like_a_local_retry() {
        let expected = json!({ "format_version": 1, "retried": 2, "held": 1 });
        assert_eq!(retry_summary(2, 1), expected);
    }
}
