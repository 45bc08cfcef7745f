//! `oms mail export`: writes all e-mails to a Maildir.

use std::path::PathBuf;

use oms_engine::step::StepKind;
use oms_runtime::NotExported;
use oms_sqlite::{StoredMail, private};

use crate::output;
use crate::targets::state::StateArgs;

/// Write all e-mails to a Maildir
///
/// Example: oms mail export pipelines/storefront.yaml out/mail
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
    private::create_directory(&directory)?;
    let (mut count, mut failed) = (0, 0);
    StoredMail::each(&reading.reader, None, |stored| {
        match oms_runtime::write_mail(&directory, &stored.mail) {
            Ok(()) => count += 1,
            Err(error) => {
                output::not_exported(&NotExported::mail(&stored.mail.message_id, &error));
                failed += 1;
            }
        }
        Ok(())
    })?;
    output::written(count, "e-mail", &directory);
    Ok(output::exported(failed, "e-mail"))
}
