//! `oms objects`: the stored objects.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_runtime::NotExported;
use oms_sqlite::{ObjectRow, private};

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::render;
use crate::target::state::Target;

/// List, read or export the stored objects
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the objects
    ///
    /// Example: oms objects list pipelines/storefront.yaml
    List {
        #[command(flatten)]
        target: Target,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Write an object to standard output, unchanged
    ///
    /// Example: oms objects get pipelines/storefront.yaml orders/NW-10248.json
    Get {
        #[command(flatten)]
        target: Target,
    },
    /// Write all objects to files, `DIR/bucket/key`
    ///
    /// Some parts of a key cannot be file names: an empty part, `.`, `..`, a part longer than 255 bytes, and a part that is also a folder (`a` next
    /// to `a/b`). Their file names are the part, shortened if needed, `%` and 32 digits of its SHA-256 digest. If an object cannot be written, the
    /// command reports it and exits with 1.
    ///
    /// Example: oms objects export pipelines/storefront.yaml out/objects
    Export {
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::List { target, format } => list(target, format, kinds),
        Command::Get { target } => get(target, kinds),
        Command::Export { target } => export(target, kinds),
    }
}

fn list(target: Target, format: Format, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let reading = found.read(kinds)?;
    let objects = ObjectRow::list(&reading.reader, found.words.first().map(String::as_str))?;
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
            output::answer(&render::table(&rows))?;
        }
    }
    Ok(exit::FINE)
}

fn get(target: Target, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let Some((bucket, key)) = found.words.first().and_then(|word| word.split_once('/')) else {
        return Err(Usage(
            "specify the object as `bucket/key`; `oms objects list` lists the objects".to_owned(),
        )
        .into());
    };
    let reading = found.read(kinds)?;
    let content = ObjectRow::content(&reading.reader, bucket, key)?.with_context(|| {
        format!(
            "there is no object `{bucket}/{key}`; `oms objects list {}` lists the objects",
            found.shown()
        )
    })?;
    output::answer_bytes(&content)?;
    Ok(exit::FINE)
}

fn export(target: Target, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let Some(directory) = found.words.first().map(PathBuf::from) else {
        return Err(Usage("specify the output folder".to_owned()).into());
    };
    let reading = found.read(kinds)?;
    let objects = ObjectRow::list(&reading.reader, None)?;
    private::create_directory(&directory)?;
    let plan = reading.plan()?;
    let (mut written, mut failed) = (0, 0);
    for object in &objects {
        // The object may have been deleted since it was listed.
        if let Some(content) = ObjectRow::content(&reading.reader, &object.bucket, &object.key)? {
            let (bucket, key) = (&object.bucket, &object.key);
            match oms_runtime::write_object(&directory, bucket, key, &content) {
                Ok(()) => written += 1,
                Err(error) => {
                    let shown = if plan.has_personal_keys(bucket) { None } else { Some(&**key) };
                    output::not_exported(&NotExported::object(bucket, shown, &error));
                    failed += 1;
                }
            }
        }
    }
    output::say(&format!(
        "{} written to {}",
        format_quantity(written, "object"),
        directory.display()
    ));
    Ok(output::exported(failed, "object"))
}
