//! Generates all files from a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::plan::{Checker, Choreography, Plan};

use crate::arithmetic::CostError;
use crate::embed::{Bundles, Source};
use crate::prices::{self, Prices, PricesError};
use crate::schema::Schema;
use crate::{events, files, resources};

/// How the files are generated, and where they find the crates that the handlers link.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The name of the pipeline file in the plan's bundle.
    pub pipeline: String,
    /// The options of `oms generate lambda` besides `--out`, each after a space.
    pub options: String,
    /// The path from the generated folder to a checkout with the crates, or `None` to vendor the
    /// crates.
    pub crates: Option<String>,
    /// Whether exchange rates are updated after the handlers are built. Otherwise, the rates of the
    /// pipeline's file apply.
    pub refresh: bool,
    /// The name and the bytes of a sample order for test events.
    pub sample: Option<(String, Vec<u8>)>,
    /// The name and the bytes of the price file, or `None` for the default prices.
    pub prices: Option<(String, Vec<u8>)>,
}

/// A reason why files cannot be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A step of a handler uses a service that the generator does not support.
    #[error("`{step}` ({kind}) uses {port}, but generated handlers support only tables and e-mail")]
    Service {
        /// The step.
        step: String,
        /// Its kind.
        kind: &'static str,
        /// The service.
        port: &'static str,
    },
    /// The kind of a step is not part of `oms-steps`.
    #[error(
        "`{step}` has the kind `{kind}`, but generated handlers support only the kinds of `oms-steps`"
    )]
    Kind {
        /// The step.
        step: String,
        /// Its kind.
        kind: &'static str,
    },
    /// The name of a handler is reserved.
    #[error(
        "the handler name `{0}` is reserved for a resource or a crate; choose another name in `handlers`"
    )]
    Name(String),
    /// No handler uses exchange rates that could be updated.
    #[error(
        "no handler uses exchange rates of the ECB, so there are no rates to update; remove `--rates refreshed`"
    )]
    Rates,
    /// Without an intake handler, the version of the exchange rates cannot be stored with an order.
    #[error(
        "with `intake.mode: direct`, the version of the exchange rates cannot be stored with an order; remove `--rates refreshed` or `mode`"
    )]
    Unpinned,
    /// Two resources would have the same logical id.
    #[error(
        "two resources of the template would have the logical id `{0}`; rename the handler in `handlers` so that it differs in letters or digits"
    )]
    Clash(String),
    /// The environment variables of a function could be too large.
    #[error(
        "the environment variables of the function `{handler}` could have {size} bytes, but AWS Lambda allows {max}; use fewer handlers, or shorter names in `handlers`"
    )]
    Environment {
        /// The function.
        handler: String,
        /// The size in bytes.
        size: usize,
        /// The maximum size.
        max: usize,
    },
    /// The stack would have too many resources.
    #[error(
        "the stack would have {count} resources, but CloudFormation allows {max}; use fewer handlers"
    )]
    Resources {
        /// The number of resources.
        count: usize,
        /// The maximum number.
        max: usize,
    },
    /// The price file is invalid.
    #[error("`{0}` is not a valid price file")]
    Prices(String, #[source] PricesError),
    /// The cost cannot be computed.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// A template of the generator cannot be rendered.
    #[error("cannot render a template of the generator")]
    Template(#[from] handlebars::RenderError),
    /// A template of the generator cannot be parsed.
    #[error("cannot parse a template of the generator")]
    Syntax(#[from] Box<handlebars::TemplateError>),
}

/// Returns the contents of the generated files by path, with `/` as the separator. `checker` must
/// be the one that created the plan.
///
/// # Errors
/// Returns an error if the plan uses a feature that the generator does not support.
pub fn generate(
    plan: &Arc<Plan>,
    choreography: &Choreography,
    origin: &Origin,
    checker: &Checker,
) -> Result<BTreeMap<String, Vec<u8>>, GenerateError> {
    let source = Source { checker, plan, choreography, pipeline: &origin.pipeline };
    let bundles = Bundles::of(&source);
    let view = resources::view(&source, &bundles, origin)?;
    let schema = Schema::of(plan, choreography, &view);
    let (name, json) = match &origin.prices {
        Some((name, json)) => (name.as_str(), json.as_slice()),
        None => (prices::NAME, prices::DEFAULT.as_bytes()),
    };
    let prices =
        Prices::read(json).map_err(|error| GenerateError::Prices(name.to_owned(), error))?;
    let mut files = files::write(&view, &schema, &bundles, &prices)?;
    files.insert(prices::NAME.to_owned(), json.to_vec());
    if let Some((name, order)) = &origin.sample {
        for (handler, event) in events::events(plan, choreography, &view, (name, order)) {
            let text = format!("{event:#}\n");
            files.insert(format!("events/{handler}.json"), text.into_bytes());
        }
    }
    Ok(files)
}
