//! `oms mail list`: lists e-mails.

use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_sqlite::MailRow;

use crate::exit;
use crate::output::{self, Format};
use crate::render;
use crate::targets::state::StateArgs;

/// List e-mails
///
/// Example: oms mail list pipelines/storefront.yaml
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Maximum number of e-mails to list
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, limit, format } = args;
    let found = target.find()?;
    let reading = found.read(kinds)?;
    let mails = MailRow::list(&reading.reader, limit)?;
    let all = MailRow::total(&reading.reader)?;
    match format {
        Format::Json => {
            let listed = serde_json::json!({ "format_version": 1, "mails": mails, "all": all });
            output::json(&listed)?;
        }
        Format::Human => {
            let rows: Vec<Vec<String>> = mails
                .iter()
                .map(|mail| {
                    vec![
                        mail.key.clone(),
                        mail.step.clone(),
                        format!("{:.0}", mail.sent_at),
                        mail.message_id.clone(),
                    ]
                })
                .collect();
            output::result(&render::table(&rows))?;
            output::message(&format!("total: {}", format_quantity(all, "e-mail")));
        }
    }
    Ok(exit::SUCCESS)
}
