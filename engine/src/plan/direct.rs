//! Checks for `intake.mode: direct`, where API Gateway stores orders without a handler.

use oms_core::diagnostic::{Finding, Place, Route, codes};

use super::checked::Plan;
use super::choreography::ObjectKey;

/// The help for all findings of this module.
const HANDLER: &str = "remove `mode` from `intake`, so that a handler accepts the orders";

/// Checks that API Gateway can determine the order key and the object's key without reading the
/// order, and that its model can express the order schema.
pub(super) fn check(
    plan: &Plan,
    store: Option<usize>,
    object: Option<&ObjectKey>,
    found: &mut Vec<Finding>,
) {
    let mut refuse = |place: Place, message: String, help: String| {
        found.push(Finding::error(codes::LAMBDA_DIRECT, place, message).help(help));
    };
    let order = Route::root().key("order");
    if plan.order().key_path() != Some("intake.name") {
        let message = "API Gateway does not read the order, so the order key cannot come from it";
        let help =
            format!("write `key: ${{{{ intake.name }}}}`, the last part of the path, or {HANDLER}");
        refuse(Place::value(order.key("key")), message.to_owned(), help);
    }
    let store = store.and_then(|store| plan.steps().get(store));
    if let (Some(step), false) = (store, object.is_some_and(plain)) {
        let place = Route::root().key("steps").key(&step.id).key("with").key("key");
        let message = "API Gateway cannot form the key of this object";
        let help = format!(
            "write `${{{{ run.key }}}}` once, surrounded only by letters, digits and `._~-/`, or {HANDLER}"
        );
        refuse(Place::value(place), message.to_owned(), help);
    }
    for problem in plan.order().schema().model().err().into_iter().flatten() {
        // For a schema in a separate file, only the message has the place.
        let place = order.key("schema").join(&Route::from_pointer(&problem.pointer, |_| true));
        let message = format!("{}, at `{}` of the order schema", problem.message, problem.pointer);
        let help = format!("change this part of the schema, or {HANDLER}");
        refuse(Place::key(place), message, help);
    }
}

/// Returns whether a path in API Gateway can contain the text around a key.
fn plain(object: &ObjectKey) -> bool {
    let plain = |char: char| char.is_ascii_alphanumeric() || "._~-/".contains(char);
    let text = format!("{}-{}", object.before, object.after);
    let dots = text.split('/').any(|part| part.is_empty() || part == "." || part == "..");
    text.chars().all(plain) && !dots
}
