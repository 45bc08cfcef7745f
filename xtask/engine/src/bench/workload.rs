//! The measured pipeline in its own folder, and many orders that are made from a few samples with
//! different keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use xtask::workspace::{copy, root, variable};

/// A pipeline and its orders.
pub(crate) struct Workload {
    /// Path of the pipeline file.
    pub(crate) pipeline: PathBuf,
    /// The file with the orders, one per line.
    pub(crate) input: PathBuf,
    /// The texts of the orders.
    pub(crate) orders: Vec<String>,
}

impl Workload {
    /// Copies a pipeline and creates its orders.
    pub(crate) fn create(name: &str, count: usize, folder: &Path) -> anyhow::Result<Self> {
        let home = folder.join("home").join(name);
        for part in ["pipelines", "templates"] {
            copy(&root().join(part), &home.join(part))?;
        }
        let pipelines = home.join("pipelines");
        let samples = samples(name, &pipelines)?;
        anyhow::ensure!(!samples.is_empty(), "there are no sample orders of `{name}`");
        let orders: Vec<String> = samples
            .iter()
            .cycle()
            .enumerate()
            .take(count)
            .map(|(position, order)| renamed(order, position))
            .collect();
        add_customers(name, &pipelines, &samples)?;
        let input = folder.join(format!("{name}.ndjson"));
        fs::write(&input, orders.join("\n") + "\n")?;
        Ok(Self { pipeline: pipelines.join(format!("{name}.yaml")), input, orders })
    }
}

/// Returns sample orders, one per line: those of the folder `OMS_SHARED`, or the pipeline's own.
fn samples(name: &str, pipelines: &Path) -> anyhow::Result<Vec<String>> {
    let file = match name {
        "storefront" => "data/orders/orders-sample.ndjson",
        _ => "data/orders/orders-origin-shape.ndjson",
    };
    if let Some(shared) = variable("OMS_SHARED") {
        let path = Path::new(&shared).join(file);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        return Ok(text.lines().map(str::to_owned).collect());
    }
    let mut paths: Vec<PathBuf> = fs::read_dir(pipelines.join(name).join("samples"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    // A line break in JSON is white space, because line breaks in strings are escaped.
    paths.iter().map(|path| Ok(fs::read_to_string(path)?.replace(['\n', '\r'], " "))).collect()
}

/// Gives an order its own key, and leaves everything else unchanged. Orders without `order_id` get
/// their key from the line number.
fn renamed(order: &str, position: usize) -> String {
    let marker = "\"order_id\"";
    let Some((head, rest)) = order.split_once(marker) else { return order.to_owned() };
    let Some((before, text)) = rest.split_once('"') else { return order.to_owned() };
    format!("{head}{marker}{before}\"{position}-{text}")
}

/// Replaces the seed of `order-management` with the customers of the sample orders.
fn add_customers(name: &str, pipelines: &Path, samples: &[String]) -> anyhow::Result<()> {
    if name != "order-management" {
        return Ok(());
    }
    let path = pipelines.join(name).join("customers.ndjson");
    let mut rows = BTreeMap::new();
    for order in samples {
        let order: Json = serde_json::from_str(order)?;
        let id = order["customerId"].as_str().unwrap_or_default().to_owned();
        let email = format!("{}@example.com", id.to_lowercase());
        let row =
            json!({ "cust_id": id, "cust_name": order["customerName"], "cust_email_id": email });
        rows.insert(id, row.to_string());
    }
    let rows: Vec<String> = rows.into_values().collect();
    fs::write(&path, rows.join("\n") + "\n").context("the customers cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_of_an_order_changes() {
        let order = r#"{"order_id": "A", "note": "order_id", "amount": 12.30}"#;
        let expected = r#"{"order_id": "7-A", "note": "order_id", "amount": 12.30}"#;
        assert_eq!(renamed(order, 7), expected);
        assert_eq!(renamed(r#"{"amount": 1e2}"#, 7), r#"{"amount": 1e2}"#);
    }
}
