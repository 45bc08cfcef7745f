//! Retries parked orders of a deployed pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oms_engine::effects::{Queue as _, cause};
use oms_engine::run::{RunState, run_id};
use oms_engine::value::format_quantity;
use oms_sql::{Claims, Note, NoteFilter};
use serde_json::{Value as Json, json};

use super::Stack;
use crate::exit;
use crate::output::{self, Format};
use crate::runtime;
use crate::targets::stack::RetrySelection;

impl Stack {
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
        let place = self.location(&note.object);
        let queue = self.queue(&self.cloud.resources.queues, "queues", &note.handler)?;
        queue.send(place.to_message().to_string(), None).await?;
        Ok(true)
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
