//! What stands in the way of `intake.mode: direct`, where API Gateway stores what comes in and
//! nobody reads it first.

use super::checked::Plan;
use super::choreography::ObjectKey;
use crate::diagnostic::{Finding, Place, Route, codes};

/// The way out of everything here.
const HANDLER: &str = "leave `mode` out of `intake`: then a handler takes the orders in";

/// Checks that API Gateway knows the key and the object without reading the order, and that a model
/// can say what the schema says.
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
        let message = "API Gateway does not read the order, so that its key cannot come from there";
        let help =
            format!("write `key: ${{{{ intake.name }}}}`, the last part of the path, or {HANDLER}");
        refuse(Place::value(order.key("key")), message.to_owned(), help);
    }
    let store = store.and_then(|store| plan.steps().get(store));
    if let (Some(step), false) = (store, object.is_some_and(plain)) {
        let place = Route::root().key("steps").key(&step.id).key("with").key("key");
        let message = "API Gateway cannot make this object's key";
        let help = format!(
            "write `${{{{ run.key }}}}` once, with nothing around it but letters, digits and `._~-/`, or {HANDLER}"
        );
        refuse(Place::value(place), message.to_owned(), help);
    }
    for problem in plan.order().schema().model().err().into_iter().flatten() {
        // A schema in a file of its own has its place in the message.
        let place = order.key("schema").join(&Route::from_pointer(&problem.pointer, |_| true));
        let message = format!("{}, at `{}` of the order schema", problem.message, problem.pointer);
        let help = format!("say it in another way, or {HANDLER}");
        refuse(Place::key(place), message, help);
    }
}

/// Tells whether a path of API Gateway can have the text around a key.
fn plain(object: &ObjectKey) -> bool {
    let plain = |char: char| char.is_ascii_alphanumeric() || "._~-/".contains(char);
    let text = format!("{}-{}", object.before, object.after);
    let dots = text.split('/').any(|part| part.is_empty() || part == "." || part == "..");
    text.chars().all(plain) && !dots
}
