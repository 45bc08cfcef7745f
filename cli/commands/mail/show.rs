//! `oms mail show`: shows the e-mails of an order.

use oms_engine::step::StepKind;
use oms_sqlite::StoredMail;

use crate::emails::part::EmailPart;
use crate::exit;
use crate::output;
use crate::targets::state::StateArgs;

/// Show the e-mails of an order as complete messages (RFC 5322)
///
/// Example: oms mail show pipelines/storefront.yaml NW-10248
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Open the HTML part in the browser
    #[arg(long)]
    open: bool,
    /// Part to write
    #[arg(long, value_enum, default_value = "eml")]
    part: EmailPart,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, open, part } = args;
    let found = target.find()?;
    let key =
        found.first_argument("specify the key of the order; `oms mail list` lists the keys")?;
    let reading = found.read(kinds)?;
    let mut mails = Vec::new();
    StoredMail::each(&reading.reader, Some(key), |mail| {
        mails.push(mail);
        Ok(())
    })?;
    anyhow::ensure!(
        !mails.is_empty(),
        "the order `{key}` has no e-mail; `oms runs show {} {key}` shows why",
        found.shown()
    );
    for StoredMail { mail, .. } in mails {
        if open {
            let path =
                std::env::temp_dir().join(format!("{}.html", mail.message_id.replace('@', ".")));
            oms_sqlite::private::write(&path, mail.html.as_bytes())?;
            open_in_browser(&path)?;
            output::message(&format!("opened {}", path.display()));
            continue;
        }
        part.write(&mail)?;
    }
    Ok(exit::SUCCESS)
}

fn open_in_browser(path: &std::path::Path) -> anyhow::Result<()> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let status = std::process::Command::new(program).arg(path).status()?;
    anyhow::ensure!(status.success(), "`{program}` could not open {}", path.display());
    Ok(())
}
