//! A deployed pipeline: its stored orders, the notes of its handlers, and its queues.

mod cancel;
mod forget;
mod listing;
mod prune;
mod retry;

pub(crate) use forget::FoundCustomer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use oms_aws::{DataApi, S3Objects, SqsQueue};
use oms_engine::effects::{OrderLocation, examine};
use oms_engine::plan::{Branch, Choreography, Plan, Target, choreography};
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_lambda_generate::grants_of_branch;
use oms_sql::{Note, NoteFilter, notes};

use crate::check;
use crate::exit::Usage;
use crate::runtime;
use crate::targets::cloud::Cloud;
use crate::targets::state::ResolvedState;

/// Maximum number of days for which SQS keeps a message ("Amazon SQS message quotas").
const MESSAGE_DAYS: u32 = 14;

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
    ///
    /// # Errors
    /// Returns an error if no pipeline file was given, or the resources cannot be read.
    pub(crate) fn open(
        found: &ResolvedState,
        resources: Option<&Path>,
        kinds: &[StepKind],
    ) -> anyhow::Result<Option<Self>> {
        let cloud = Cloud::open(resources)?;
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
    fn branches_with_notes(&self) -> impl Iterator<Item = &Branch> {
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
                notes(&*self.database, self.plan.name(), self.branches_with_notes().count(), page);
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

    /// Returns the stored objects.
    fn objects(&self) -> S3Objects {
        S3Objects::new(&self.cloud.session, self.cloud.resources.buckets.clone())
    }

    /// Returns the location of a stored order.
    fn location(&self, object: &str) -> OrderLocation {
        let bucket = self.cloud.resources.bucket(&self.choreography.bucket);
        OrderLocation { bucket, key: object.to_owned(), version: None }
    }

    /// Returns the age in days from which neither `reconcile` nor a message can start an order
    /// again. It also says that the handlers of the stack know cancelled and erased orders.
    ///
    /// # Errors
    /// Returns an error if the resources are those of an earlier stack.
    fn settled_days(&self) -> anyhow::Result<u32> {
        let days = self.cloud.resources.reconcile_days.context(
            "the resources contain no `reconcile_days`; deploy the stack again with this version of `oms`, and save its output `OmsResources`",
        )?;
        // One more day, because a search for lost orders takes time.
        Ok(days.max(MESSAGE_DAYS) + 1)
    }

    /// Returns the state of an order from the notes on it.
    fn state_of(&self, notes: &[Note]) -> RunState {
        let is = |state: RunState| notes.iter().any(|note| note.state == state);
        let open = [RunState::Parked, RunState::Waiting, RunState::Cancelled];
        match open.into_iter().find(|state| is(*state)) {
            Some(state) => state,
            None if notes.len() >= self.branches_with_notes().count() => RunState::Completed,
            None => RunState::InProgress,
        }
    }

    /// Deletes the dead letters of a handler that name only these objects.
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
