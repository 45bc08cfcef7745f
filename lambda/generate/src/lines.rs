//! The lines of steps in the pipeline file, which explain permissions.

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_engine::diagnostic::{Place, Route};
use oms_engine::document;
use oms_engine::plan::{Plan, PlannedStep};

/// Finds the lines of steps in the pipeline file.
pub(crate) struct Lines {
    file: String,
    document: Option<document::Document>,
    text: Arc<str>,
}

impl Lines {
    pub(crate) fn of(plan: &Plan, pipeline: &str) -> Self {
        let bytes = plan.files().get(pipeline).cloned().unwrap_or_default();
        let document = document::parse(&Arc::from(pipeline), &bytes).ok();
        let text = Arc::from(String::from_utf8_lossy(&bytes).as_ref());
        Self { file: pipeline.to_owned(), document, text }
    }

    /// Cites steps with their lines, such as `steps.bill (storefront.yaml:60)`.
    pub(crate) fn cite<'p>(&self, steps: impl IntoIterator<Item = &'p PlannedStep>) -> String {
        let cited: BTreeSet<(usize, String)> = steps
            .into_iter()
            .map(|step| {
                let place = Place::key(Route::root().key("steps").key(&step.id));
                let begin =
                    self.document.as_ref().map_or(0, |document| document.span(&place).start);
                let before = self.text.get(..begin).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                (line, format!("steps.{} ({}:{line})", step.id, self.file))
            })
            .collect();
        cited.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
    }
}
