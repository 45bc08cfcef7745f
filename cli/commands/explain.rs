//! `oms explain`: the explanation of a code.

use oms_engine::diagnostic::{Code, codes, did_you_mean};

use crate::exit::{self, Usage};
use crate::output;
use crate::render;

/// Explain the code of a finding
///
/// Shows the meaning, a minimal example and the fix. Without a code, lists all codes.
///
/// Example: oms explain OMS0303
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Code, such as OMS0303
    code: Option<String>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let Some(name) = args.code else {
        let rows: Vec<Vec<String>> =
            codes::ALL.iter().map(|code| vec![code.to_string(), code.title().to_owned()]).collect();
        output::result(&render::table(&rows))?;
        return Ok(exit::SUCCESS);
    };
    let Some(code) = Code::find(&name) else {
        let known: Vec<String> = codes::ALL.iter().map(ToString::to_string).collect();
        let help = did_you_mean(&name.to_uppercase(), known.iter().map(String::as_str))
            .unwrap_or_else(|| "`oms explain` lists all codes".to_owned());
        return Err(Usage(format!("unknown code `{name}`; {help}")).into());
    };
    output::result(code.page())?;
    Ok(exit::SUCCESS)
}
