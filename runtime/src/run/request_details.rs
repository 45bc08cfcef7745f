//! The requests of a run to services, for display. Bodies are shown only if personal data is.

use oms_engine::effects::Answer;
use oms_engine::plan::PlannedStep;
use oms_engine::value::{Type, Value};
use serde_json::{Value as Json, json};

use super::details::PersonalData;

/// The placeholder of a body.
const BODY: &str = "«body»";

/// Converts the input or the output of a step to JSON.
pub(crate) fn shown_json(
    planned: &PlannedStep,
    value: &Value,
    ty: &Type,
    shown: PersonalData,
) -> Json {
    let mut json = shown.json(value, ty);
    if shown == PersonalData::Masked && planned.calls_service() {
        hide_body(&mut json);
    }
    json
}

/// Hides the body of a request or an answer, or of each one in a list.
fn hide_body(json: &mut Json) {
    match json {
        Json::Array(elements) => elements.iter_mut().for_each(hide_body),
        Json::Object(members) => {
            if let Some(body) = members.get_mut("body").filter(|body| !body.is_null()) {
                *body = json!(BODY);
            }
        }
        _ => {}
    }
}

/// Returns the body of an answer if personal data is shown.
pub(crate) fn answer_body(answer: &Answer, shown: PersonalData) -> Option<String> {
    (shown == PersonalData::Visible).then(|| String::from_utf8_lossy(&answer.body).into_owned())
}
