//! `oms objects export`: writes all objects to files.

use std::path::PathBuf;

use oms_engine::step::StepKind;
use oms_runtime::NotExported;
use oms_sqlite::{ObjectRow, private};

use crate::output;
use crate::targets::state::StateArgs;

/// Write all objects to files, `DIR/bucket/key`
///
/// Some parts of a key cannot be file names: an empty part, `.`, `..`, a part longer than 255
/// bytes, and a part that is also a folder (`a` next to `a/b`). The command shortens such a part if
/// needed, and appends `%` and 32 digits of its SHA-256 digest. If an object cannot be written, the
/// command reports it and exits with code 1.
///
/// Example: oms objects export pipelines/storefront.yaml out/objects
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target } = args;
    let found = target.find()?;
    let directory = PathBuf::from(found.first_argument("specify the output folder")?);
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
    output::written(written, "object", &directory);
    Ok(output::exported(failed, "object"))
}
