//! `oms objects list`: lists the objects.

use oms_engine::step::StepKind;
use oms_sqlite::ObjectRow;

use crate::exit;
use crate::output::{self, Format};
use crate::render;
use crate::targets::state::StateArgs;

/// List the objects
///
/// Example: oms objects list pipelines/storefront.yaml
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, format } = args;
    let found = target.find()?;
    let reading = found.read(kinds)?;
    let objects = ObjectRow::list(&reading.reader, found.arguments.first().map(String::as_str))?;
    match format {
        Format::Json => {
            output::json(&serde_json::json!({ "format_version": 1, "objects": objects }))?
        }
        Format::Human => {
            let rows: Vec<Vec<String>> = objects
                .iter()
                .map(|object| {
                    vec![
                        format!("{}/{}", object.bucket, object.key),
                        format!("{} B", object.bytes),
                        object.content_type.clone(),
                    ]
                })
                .collect();
            output::result(&render::table(&rows))?;
        }
    }
    Ok(exit::SUCCESS)
}
