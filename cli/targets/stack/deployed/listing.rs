//! Lists and shows the orders of a deployed pipeline.

use std::collections::BTreeSet;

use oms_engine::run::RunState;
use oms_sql::{Note, NoteFilter};
use serde_json::{Value as Json, json};

use super::Stack;
use crate::exit;
use crate::output::{self, Format};
use crate::render;

impl Stack {
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
        json!({
            "key": notes.first().map(|note| note.key.as_str()),
            "state": self.state_of(notes),
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
            .branches_with_notes()
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
}
