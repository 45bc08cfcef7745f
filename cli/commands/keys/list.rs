//! `oms keys list`: lists the API keys.

use oms_engine::value::format_timestamp;
use oms_sqlite::Keys;
use serde_json::{Value as Json, json};

use crate::exit;
use crate::output::{self, Format};
use crate::render;
use crate::targets::state::StateArgs;

/// List the API keys
///
/// Example: oms keys list pipelines/storefront.yaml
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let Args { target, format } = args;
    let keys = Keys::of(&target.find()?.directory).read()?;
    match format {
        Format::Json => {
            let keys: Vec<Json> = keys
                .iter()
                .map(|key| {
                    json!({
                        "id": key.id, "name": key.name, "scope": key.scope,
                        "created_at": format_timestamp(key.created_at),
                        "revoked_at": key.revoked_at.map(format_timestamp),
                    })
                })
                .collect();
            output::json(&json!({ "format_version": 1, "keys": keys }))?;
        }
        Format::Human => {
            let rows: Vec<Vec<String>> = keys
                .iter()
                .map(|key| {
                    let scope = match key.scope {
                        oms_sqlite::Scope::Intake => "intake",
                        oms_sqlite::Scope::Admin => "admin",
                    };
                    let until = key.revoked_at.map(|at| format!("revoked {at:.0}"));
                    let made = format!("{:.0}", key.created_at);
                    [&key.id, &key.name, scope, &made, &until.unwrap_or_default()]
                        .map(str::to_owned)
                        .into()
                })
                .collect();
            output::result(&render::table(&rows))?;
        }
    }
    Ok(exit::SUCCESS)
}
