//! Compares generated handlers with deployed ones. Handlers process accepted orders with the
//! pipeline that they embed, so some changes park orders that are already accepted, or repeat
//! effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oms_engine::document;
use serde_json::{Map, Value as Json};

use crate::narrowing;

/// The folders of the handlers, and the folder of the files that a handler embeds.
const HANDLERS: &str = "handlers/";
const BUNDLE: &str = "/bundle/";
/// Handlers that run no steps of a branch.
const WITHOUT_STEPS: [&str; 4] = ["intake", "mail-events", "reconcile", "refresh"];

/// Returns the changes that could park accepted orders or repeat their effects, as text. `deployed`
/// and `generated` are files by their paths, as [`generate`](crate::generate()) returns them.
/// `pipeline` is the name of the pipeline file.
pub fn risky_changes(
    deployed: &BTreeMap<String, Vec<u8>>,
    generated: &BTreeMap<String, Vec<u8>>,
    pipeline: &str,
) -> Vec<String> {
    let (old, new) = (Handlers::of(deployed, pipeline), Handlers::of(generated, pipeline));
    let mut changes = Vec::new();
    for name in old.steps.keys().filter(|name| !new.steps.contains_key(*name)) {
        changes.push(format!(
            "the handler `{name}` is removed: orders that wait in its queue are no longer processed; deploy when its queue is empty"
        ));
    }
    let all = |handlers: &Handlers| -> BTreeSet<String> {
        handlers.steps.values().flatten().cloned().collect()
    };
    let old_steps = all(&old);
    for step in all(&new).difference(&old_steps).filter(|_| !old_steps.is_empty()) {
        changes.push(format!(
            "the step `{step}` is new or renamed: it runs for orders in progress, even if they have run it under another name"
        ));
    }
    if let (Some(old), Some(new)) = (&old.key, &new.key)
        && old != new
    {
        changes.push(format!(
            "the order key has changed from `{old}` to `{new}`: orders in progress whose key differs are parked"
        ));
    }
    if let (Some(old), Some(new)) = (&old.store, &new.store)
        && old != new
    {
        let changed = "the step that stores orders has changed";
        changes.push(format!("{changed}: orders in progress may no longer be found"));
    }
    if let (Some(old), Some(new)) = (&old.schema, &new.schema) {
        let narrowed = narrowing::narrowed(old, new).into_iter();
        changes.extend(narrowed.map(|change| {
            format!("the order schema may reject accepted orders, which are then parked: {change}")
        }));
    }
    changes
}

/// What the handlers embed.
#[derive(Default)]
struct Handlers {
    /// The steps of each handler.
    steps: BTreeMap<String, BTreeSet<String>>,
    /// The expression of the order key.
    key: Option<Json>,
    /// The order schema.
    schema: Option<Json>,
    /// The `with` of the step that stores orders.
    store: Option<Json>,
}

impl Handlers {
    fn of(files: &BTreeMap<String, Vec<u8>>, pipeline: &str) -> Self {
        let mut handlers = Self::default();
        for (path, bytes) in files {
            let Some((name, file)) =
                path.strip_prefix(HANDLERS).and_then(|path| path.split_once(BUNDLE))
            else {
                continue;
            };
            if file == pipeline {
                handlers.read(name, &parsed(pipeline, bytes), &|path| {
                    let path = format!("{HANDLERS}{name}{BUNDLE}{path}");
                    files.get(&path).map(|bytes| parsed(&path, bytes))
                });
            }
        }
        handlers
    }

    fn read(&mut self, name: &str, pipeline: &Json, file: &dyn Fn(&str) -> Option<Json>) {
        let steps = pipeline["steps"].as_object().cloned().unwrap_or_default();
        if WITHOUT_STEPS.contains(&name) {
            let stores = |step: &&Json| step["uses"] == "object.put";
            self.store = steps.values().find(stores).map(|step| step["with"].clone());
        } else {
            let own = pipeline["handlers"][name].as_array().cloned().unwrap_or_default();
            let own = own.iter().filter_map(Json::as_str).map(str::to_owned).collect();
            self.steps.insert(name.to_owned(), own);
        }
        let order = pipeline["order"].as_object().cloned().unwrap_or_default();
        self.key = order.get("key").cloned();
        self.schema = schema(&order, file);
    }
}

/// Returns the order schema, which is a path or the schema itself.
fn schema(order: &Map<String, Json>, file: &dyn Fn(&str) -> Option<Json>) -> Option<Json> {
    match order.get("schema")? {
        Json::String(path) => file(path),
        schema => Some(schema.clone()),
    }
}

fn parsed(path: &str, bytes: &[u8]) -> Json {
    document::parse(&Arc::from(path), bytes)
        .map_or(Json::Null, |document| document.root().to_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(handlers: &[(&str, Json)]) -> BTreeMap<String, Vec<u8>> {
        let file = |(name, json): &(&str, Json)| {
            (format!("handlers/{name}/bundle/shop.yaml"), json.to_string().into_bytes())
        };
        handlers.iter().map(file).collect()
    }

    #[test]
    fn changes_that_harm_accepted_orders_are_found() {
        let order = serde_json::json!({
            "key": "${{ order.id }}",
            "schema": { "properties": { "id": { "type": "string" } } },
        });
        let bill =
            serde_json::json!({ "order": order, "handlers": { "bill": ["convert", "insert"] } });
        let mail = serde_json::json!({ "order": order, "handlers": { "mail": ["confirm"] } });
        let old = files(&[("bill", bill.clone()), ("mail", mail)]);
        assert_eq!(risky_changes(&old, &old, "shop.yaml"), Vec::<String>::new());
        let mut changed = bill;
        changed["handlers"]["bill"] = serde_json::json!(["convert", "write"]);
        changed["order"]["key"] = "${{ order.number }}".into();
        changed["order"]["schema"]["required"] = serde_json::json!(["id"]);
        let found = risky_changes(&old, &files(&[("bill", changed)]), "shop.yaml");
        let begins =
            ["the handler `mail`", "the step `write`", "the order key", "the order schema"];
        assert_eq!(found.len(), begins.len(), "{found:?}");
        for (text, begin) in found.iter().zip(begins) {
            assert!(text.starts_with(begin), "{text}");
        }
    }
}
