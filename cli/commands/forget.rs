//! `oms forget`: a customer's personal data is erased.

use oms_engine::step::StepKind;
use oms_local::Forgotten;
use oms_local::control::{Request, Response};
use serde_json::json;

use crate::check;
use crate::commands::Format;
use crate::exit::{self, Usage};
use crate::mailing::MailOption;
use crate::operate::{Here, ask, astray};
use crate::output;
use crate::state::{Target, current_plan};
use crate::world::WorldOption;

/// Erase a customer's personal data, and leave the sums
///
/// Of every order that has the value somewhere, such as a customer's id, the order itself, its journal, its objects and its mails are deleted; key and digest stay, so that the same
/// order again is still a duplicate. Rows that steps wrote lose their `pii` columns, the customer's rows in other tables are deleted. Runs that have not ended are left, and said. It does not reach exported
/// files, seeds, copies of the state, nor objects on S3. Example: oms forget pipelines/storefront.yaml VINET
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    world: WorldOption,
    /// How the outcome is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, mail, world, format } = args;
    let found = target.find()?;
    let Some(value) = found.words.first().filter(|value| !value.is_empty()) else {
        return Err(Usage("say whom to forget: a value that their orders have".to_owned()).into());
    };
    let forgotten = match ask(&found.directory, &Request::Forget { value: value.clone() })? {
        Some(Response::Forgotten(forgotten)) => forgotten,
        Some(_) => return Err(astray()),
        None => {
            let checker = check::checker(kinds)?;
            let Some((pipeline, plan)) = current_plan(&checker, &found)? else {
                return Ok(exit::FINDINGS);
            };
            let here = Here { checker: &checker, pipeline, plan, mail, outside: world.outside()? };
            let runner = here.open(&found)?;
            let forgotten = crate::world::runtime()?.block_on(runner.forget(value));
            runner.close()?;
            forgotten?
        }
    };
    let Forgotten { runs, rows, open } = forgotten;
    match format {
        Format::Json => {
            output::json(&json!({ "format_version": 1, "runs": runs, "rows": rows, "open": open }))?
        }
        Format::Human => output::answer(&format!(
            "{} and {} forgotten\n",
            output::counted(runs, "run"),
            output::counted(rows, "row")
        ))?,
    }
    if open > 0 {
        let left = output::counted(open, "run");
        output::say(&format!("{left} not ended: cancel what waits, and forget again"));
        return Ok(exit::FINDINGS);
    }
    Ok(exit::FINE)
}
