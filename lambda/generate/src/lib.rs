//! The generator: a plan in, the files of AWS Lambda handlers and all that deploys them out. A pure function, whose output is the same bytes for the
//! same plan.
//!
//! Passes, each of which does one thing: the plan's [`Choreography`](oms_engine::plan::Choreography) says which branches there are, [`resources`]
//! what they need on AWS, [`iam`] what they may do there, and [`files`] writes it down.

mod files;
mod iam;
mod resources;

use std::collections::BTreeMap;

use oms_engine::plan::{Choreography, Plan};

pub use iam::Statement;

/// What the files say about how they were made, and where they find the crates that handlers are linked with.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The pipeline file's name, as the plan's bundle has it.
    pub pipeline: String,
    /// The command that makes the files again.
    pub regenerate: String,
    /// Where the crates are: a path from the generated folder to the workspace that has them, or nothing for the registry.
    pub crates: Option<String>,
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
    /// A template of the generator is broken.
    #[error("a template of the generator cannot be filled")]
    Template(#[from] handlebars::RenderError),
    /// A template of the generator is broken.
    #[error("a template of the generator cannot be read")]
    Syntax(#[from] Box<handlebars::TemplateError>),
}

/// Makes the files: their contents by path, with `/` between folders.
///
/// # Errors
/// When the plan uses what cannot be generated.
pub fn generate(
    plan: &Plan,
    choreography: &Choreography,
    origin: &Origin,
) -> Result<BTreeMap<String, Vec<u8>>, GenerateError> {
    let view = resources::view(plan, choreography, origin)?;
    files::write(plan, &view)
}
