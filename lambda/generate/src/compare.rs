//! Compares generated handlers with deployed ones. Handlers process accepted orders with the
//! pipeline that they embed, so some changes park orders that are already accepted, or repeat
//! effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oms_engine::document;
use serde_json::{Map, Value as Json};

use crate::files::embedded_path;
use crate::narrowing;

/// The folders of the handlers, and the folder of the files that a handler embeds.
const HANDLERS: &str = "handlers/";
const BUNDLE: &str = "/bundle/";
/// Handlers that run no steps of a branch.
const WITHOUT_STEPS: [&str; 4] = ["intake", "mail-events", "reconcile", "refresh"];

/// Why handlers cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The deployed handlers belong to another pipeline file.
    #[error("the deployed handlers do not embed a pipeline file with the name `{0}`")]
    Pipeline(String),
    /// The order schema of the handlers cannot be read.
    #[error("the order schema that the handlers embed cannot be read")]
    Schema,
}

/// Returns the changes that could park accepted orders or repeat their effects, as text. `deployed`
/// and `generated` are files by their paths, as [`generate`](crate::generate()) returns them.
/// `pipeline` is the name of the pipeline file.
///
/// # Errors
/// Returns an error if the handlers cannot be compared.
pub fn risky_changes(
    deployed: &BTreeMap<String, Vec<u8>>,
    generated: &BTreeMap<String, Vec<u8>>,
    pipeline: &str,
) -> Result<Vec<String>, CompareError> {
    let (old, new) = (Handlers::of(deployed, pipeline)?, Handlers::of(generated, pipeline)?);
    let mut changes = Vec::new();
    if old.name != new.name {
        changes.push(
            "the name of the pipeline has changed: the effects of orders in progress are repeated"
                .to_owned(),
        );
    }
    for name in old.steps.keys().filter(|name| !new.steps.contains_key(*name)) {
        changes.push(format!(
            "the handler `{name}` is removed: orders that wait in its queue are no longer processed; deploy when its queue is empty"
        ));
    }
    for name in new.steps.keys().filter(|name| !old.steps.contains_key(*name)) {
        changes.push(format!(
            "the handler `{name}` is new: `reconcile` sends it all orders of the last `ReconcileDays` days"
        ));
    }
    let (old_owners, new_owners) = (old.owners(), new.owners());
    for (step, owner) in &new_owners {
        match old_owners.get(step) {
            None if old.steps.contains_key(*owner) => changes.push(format!(
                "the step `{step}` is new or renamed: it runs for orders in progress, even if they have run it under another name"
            )),
            Some(before) if before != owner => changes.push(format!(
                "the step `{step}` has moved from the handler `{before}` to `{owner}`: it does not run for orders that `{owner}` has completed"
            )),
            _ => {}
        }
    }
    if old.key != new.key {
        let shown = |key: &Option<Json>| key.as_ref().map_or_else(String::new, Json::to_string);
        changes.push(format!(
            "the order key has changed from `{}` to `{}`: orders in progress whose key differs are parked",
            shown(&old.key),
            shown(&new.key)
        ));
    }
    if old.store != new.store {
        let changed = "the step that stores orders has changed";
        changes.push(format!("{changed}: orders in progress may no longer be found"));
    }
    let narrowed = narrowing::narrowed(&old.schema, &new.schema).into_iter();
    changes.extend(narrowed.map(|change| {
        format!("the order schema may reject accepted orders, which are then parked: {change}")
    }));
    Ok(changes)
}

/// What the handlers embed.
#[derive(Default)]
struct Handlers {
    /// The name of the pipeline.
    name: Json,
    /// The steps of each handler.
    steps: BTreeMap<String, BTreeSet<String>>,
    /// The expression of the order key.
    key: Option<Json>,
    /// The order schema.
    schema: Json,
    /// The `with` of the step that stores orders.
    store: Option<Json>,
}

impl Handlers {
    fn of(files: &BTreeMap<String, Vec<u8>>, pipeline: &str) -> Result<Self, CompareError> {
        let mut handlers = Self::default();
        let mut found = false;
        for (path, bytes) in files {
            let Some((name, file)) =
                path.strip_prefix(HANDLERS).and_then(|path| path.split_once(BUNDLE))
            else {
                continue;
            };
            if file == pipeline {
                found = true;
                handlers.read(name, &parsed(pipeline, bytes), &|path| {
                    let path = format!("{HANDLERS}{name}{BUNDLE}{}", embedded_path(path));
                    files.get(&path).map(|bytes| parsed(&path, bytes))
                })?;
            }
        }
        if found { Ok(handlers) } else { Err(CompareError::Pipeline(pipeline.to_owned())) }
    }

    fn read(
        &mut self,
        name: &str,
        pipeline: &Json,
        file: &dyn Fn(&str) -> Option<Json>,
    ) -> Result<(), CompareError> {
        let steps = pipeline["steps"].as_object().cloned().unwrap_or_default();
        let stores = |step: &&Json| step["uses"] == "object.put";
        self.store = steps.values().find(stores).map(|step| step["with"].clone());
        self.name = pipeline["name"].clone();
        if !WITHOUT_STEPS.contains(&name) {
            let own = pipeline["handlers"][name].as_array().cloned().unwrap_or_default();
            let own = own.iter().filter_map(Json::as_str).map(str::to_owned).collect();
            self.steps.insert(name.to_owned(), own);
        }
        let order = pipeline["order"].as_object().cloned().unwrap_or_default();
        self.key = order.get("key").cloned();
        self.schema = schema(&order, file).ok_or(CompareError::Schema)?;
        Ok(())
    }

    /// Returns the handler of each step.
    fn owners(&self) -> BTreeMap<&str, &str> {
        let steps = self.steps.iter();
        steps
            .flat_map(|(name, own)| own.iter().map(|step| (step.as_str(), name.as_str())))
            .collect()
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
        assert_eq!(risky_changes(&old, &old, "shop.yaml").unwrap(), Vec::<String>::new());
        assert!(risky_changes(&old, &old, "other.yaml").is_err());
        let mut changed = bill;
        changed["handlers"]["bill"] = serde_json::json!(["convert", "write"]);
        changed["order"]["key"] = "${{ order.number }}".into();
        changed["order"]["schema"]["required"] = serde_json::json!(["id"]);
        let found = risky_changes(&old, &files(&[("bill", changed)]), "shop.yaml").unwrap();
        let begins =
            ["the handler `mail`", "the step `write`", "the order key", "the order schema"];
        assert_eq!(found.len(), begins.len(), "{found:?}");
        for (text, begin) in found.iter().zip(begins) {
            assert!(text.starts_with(begin), "{text}");
        }
    }
}
