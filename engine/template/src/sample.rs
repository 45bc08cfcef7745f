//! The sample data of a template, which previews use if no order leads to its e-mail.

use oms_core::diagnostic::codes;
use oms_core::value::{JsonNode, ProblemKind, Type, Value, read_json};

use super::load::Template;
use super::problem::{Fault, TemplateProblem};

/// Name of the file with the sample data.
pub(super) const SAMPLE: &str = "sample.json";

/// The text of a sample file.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) path: String,
    pub(super) text: String,
}

impl Template {
    /// Returns the sample as data of this type, or `None` if the template has no sample.
    ///
    /// # Errors
    /// Returns the problems of the sample, with their positions in `sample.json`.
    pub fn sample(&self, data: &Type) -> Result<Option<Value>, Vec<TemplateProblem>> {
        let Some(Sample { path, text }) = &self.sample else { return Ok(None) };
        let parsed = read_json(text.as_bytes(), &JsonNode::stored(data)).map_err(|problems| {
            let problem = |problem: oms_core::value::JsonProblem| {
                let whole = problem.kind == ProblemKind::Syntax || problem.pointer.is_empty();
                let what = if whole { "the sample" } else { problem.pointer.as_str() };
                let at = text.floor_char_boundary(problem.offset);
                let end = text.ceil_char_boundary(at + 1);
                let message = format!("{what} {}", problem.message);
                let fault = Fault::new(codes::TEMPLATE_SAMPLE, at..end, message);
                let help = "change the sample so that it matches the step's `data`, or remove the file so that previews use only orders";
                fault.warning().help(help.to_owned()).in_file(path)
            };
            problems.into_iter().map(problem).collect::<Vec<_>>()
        })?;
        Ok(Some(parsed.value))
    }
}
