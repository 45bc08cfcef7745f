//! The answers of services in a file.

use std::path::Path;

use anyhow::Context as _;
use oms_runtime::SuppliedAnswer;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An answer in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAnswer<'f> {
    step: Option<String>,
    element: Option<u32>,
    status: u16,
    #[serde(borrow)]
    body: Option<&'f RawValue>,
}

/// Reads a file with one answer or a list of answers. The text of a body stays unchanged.
///
/// # Errors
/// Returns an error if the file cannot be read or has another form.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<SuppliedAnswer>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{shown}`"))?;
    let answers = match text.trim_start().starts_with('[') {
        true => serde_json::from_str::<Vec<FileAnswer<'_>>>(&text),
        false => serde_json::from_str(&text).map(|answer| vec![answer]),
    };
    let answers = answers.with_context(|| {
        format!("`{shown}` is not an answer such as `{{ \"status\": 201, \"body\": {{}} }}`")
    })?;
    let supplied = |answer: FileAnswer<'_>| SuppliedAnswer {
        step: answer.step,
        element: answer.element,
        status: answer.status,
        body: answer.body.map_or_else(String::new, |body| body.get().to_owned()),
    };
    Ok(answers.into_iter().map(supplied).collect())
}
