//! The intake: API Gateway and its backend.

use oms_engine::pipeline::IntakeMode;
use oms_engine::plan::{Choreography, Plan};
use serde::Serialize;

use crate::iam::{self, Statement};

/// The intake, as data for the templates.
#[derive(Debug, Serialize)]
pub(crate) struct Intake {
    /// The path in API Gateway.
    path: String,
    /// The path before the key, without leading and trailing slashes.
    prefix: String,
    /// The configuration for storing orders without a handler.
    pub(crate) direct: Option<Direct>,
    /// The mapping from the pipeline's names to resources, with placeholders of CloudFormation.
    resources: String,
    statements: Vec<Statement>,
}

/// API Gateway stores orders without a handler.
#[derive(Debug, Serialize)]
pub(crate) struct Direct {
    /// Bucket and key of an order's object, with placeholders of CloudFormation and API Gateway.
    object: String,
    /// The model that API Gateway checks: a JSON Schema of draft 4.
    model: String,
}

impl Intake {
    /// Creates the intake. `bucket` is the logical id, `store` cites the step that stores the
    /// order, and `rates` says whether the version of the exchange rates is stored with each order.
    pub(crate) fn of(
        plan: &Plan,
        choreography: &Choreography,
        bucket: &str,
        resources: String,
        store: &str,
        rates: bool,
    ) -> Self {
        let intake = plan.intake();
        let path = intake.map(|intake| intake.path.as_str()).unwrap_or_default();
        let direct = intake.is_some_and(|intake| intake.mode == IntakeMode::Direct);
        let direct = choreography.object.as_ref().filter(|_| direct).map(|object| Direct {
            object: format!("${{{bucket}}}/{}{{key}}{}", object.before, object.after),
            // The checks guarantee that a model exists.
            model: plan.order().schema().model().unwrap_or_default().to_string(),
        });
        // A greedy parameter also matches slashes, so that the handler can report an invalid key.
        let greedy = if direct.is_some() { "{key}" } else { "{key+}" };
        Self {
            path: path.replace("{key}", greedy),
            prefix: path.trim_end_matches("{key}").trim_matches('/').to_owned(),
            statements: match direct {
                Some(_) => iam::of_direct(bucket, store),
                None => iam::of_intake(bucket, store, rates),
            },
            direct,
            resources,
        }
    }
}
