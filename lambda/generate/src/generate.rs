//! The passes, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::plan::{Checker, Choreography, Plan};

use crate::embed::{Bundles, Whole};
use crate::schema::Schema;
use crate::{events, files, resources};

/// What the files say about how they were made, and where they find the crates that handlers are linked with.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The pipeline file's name, as the plan's bundle has it.
    pub pipeline: String,
    /// The command that makes the files again.
    pub regenerate: String,
    /// Where the crates are: a path from the generated folder to the workspace that has them, or nothing for the registry.
    pub crates: Option<String>,
    /// Whether exchange rates are brought up to date after the handlers were built, instead of being those of the pipeline's file.
    pub refresh: bool,
    /// The name and the bytes of an order to try the handlers with.
    pub sample: Option<(String, Vec<u8>)>,
}

/// Why files are not made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A step of a handler uses a service that is not generated.
    #[error(
        "`{step}` ({kind}) uses {port} in a handler, which is not generated: a handler uses tables and mail"
    )]
    Service {
        /// The step.
        step: String,
        /// Its kind.
        kind: &'static str,
        /// What it uses.
        port: &'static str,
    },
    /// A step is of a kind that is not shipped.
    #[error(
        "`{step}` is of the kind `{kind}`, which is not one of `oms-steps`: generated handlers are linked with those only"
    )]
    Kind {
        /// The step.
        step: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A handler has a name that the template uses.
    #[error(
        "a handler cannot be called `{0}`, which the template uses; give it another name in `handlers`"
    )]
    Name(String),
    /// There are no exchange rates that could be brought up to date.
    #[error(
        "no handler uses exchange rates of the ECB, so that there is nothing to bring up to date"
    )]
    Rates,
    /// Nobody notes which exchange rates an order is accepted with.
    #[error(
        "with `intake.mode: direct` nobody notes which exchange rates an order is accepted with: leave out `--rates refreshed`, or `mode`"
    )]
    Unpinned,
    /// Two resources would have one logical id.
    #[error(
        "two resources of the template would be called `{0}`; give the handler another name in `handlers`, which differs in letters and digits"
    )]
    Clash(String),
    /// A template of the generator is broken.
    #[error("a template of the generator cannot be filled")]
    Template(#[from] handlebars::RenderError),
    /// A template of the generator is broken.
    #[error("a template of the generator cannot be read")]
    Syntax(#[from] Box<handlebars::TemplateError>),
}

/// Makes the files: their contents by path, with `/` between folders. `checker` is the one that made the plan.
///
/// # Errors
/// When the plan uses what cannot be generated.
pub fn generate(
    plan: &Arc<Plan>,
    choreography: &Choreography,
    origin: &Origin,
    checker: &Checker,
) -> Result<BTreeMap<String, Vec<u8>>, GenerateError> {
    let whole = Whole { checker, plan, choreography, pipeline: &origin.pipeline };
    let bundles = Bundles::of(&whole);
    let view = resources::view(&whole, &bundles, origin)?;
    let schema = Schema::of(plan, choreography, &view);
    let mut files = files::write(&view, &schema, &bundles)?;
    if let Some((name, order)) = &origin.sample {
        for (handler, event) in events::events(plan, choreography, &view, (name, order)) {
            let text = format!("{event:#}\n");
            files.insert(format!("events/{handler}.json"), text.into_bytes());
        }
    }
    Ok(files)
}
